//! What the sessions of one arm came to.
//!
//! Transfers of one session are alike: one client, one path. Counted one by one, a thousand chunks of a slow
//! client would look like a thousand proofs. So what is compared are the means of groups of sessions, which
//! are independent of each other, however many transfers each session has.

use super::arm::{GROUPS, Lot};
use super::measure::{Trial, per_second};

/// A group with fewer transfers says nothing yet.
const LEAST_IN_A_GROUP: u32 = 4;

/// The rate of a shorter transfer says nothing of its buffer, because one or two buffers hold all of it.
const LEAST_BYTES: u64 = 256 * 1024;

/// What was counted of one arm in one direction.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    groups: Vec<Group>,
    transfers: u32,
}

/// Some of its sessions.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    transfers: u32,
    failed: u32,
    rated: u32,
    /// Sum of the logarithms of rates: what is usual counts, not what is fastest.
    rates: f64,
    measured: u32,
    /// Sum of the logarithms of bytes per second of processor time.
    economies: f64,
}

/// A mean over groups, and how far it may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mean {
    pub(super) value: f64,
    /// Square of its standard error.
    pub(super) variance: f64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { groups: vec![Group::default(); usize::from(GROUPS)], transfers: 0 }
    }

    pub(super) const fn transfers(&self) -> u32 {
        self.transfers
    }

    pub(super) fn add(&mut self, trial: &Trial) {
        let Some(group) = self.group(trial.lot) else { return };
        group.transfers = group.transfers.saturating_add(1);
        group.failed = group.failed.saturating_add(u32::from(trial.failed));
        if trial.bytes >= LEAST_BYTES {
            group.rated = group.rated.saturating_add(1);
            group.rates += logarithm(per_second(trial.bytes, trial.took));
        }
        if let Some((time, bytes)) = trial.processor {
            group.measured = group.measured.saturating_add(1);
            group.economies += logarithm(per_second(bytes, time));
        }
        self.transfers = self.transfers.saturating_add(1);
    }

    fn group(&mut self, lot: Lot) -> Option<&mut Group> {
        self.groups.get_mut(usize::from(lot.group()))
    }

    /// The logarithm, to the base of 2, of the usual rate.
    pub(super) fn rate(&self) -> Option<Mean> {
        mean(self.groups.iter().map(|group| (group.rates, group.rated)))
    }

    /// The logarithm of how many bytes a second of processor time does.
    pub(super) fn economy(&self) -> Option<Mean> {
        mean(self.groups.iter().map(|group| (group.economies, group.measured)))
    }

    /// The share that failed.
    pub(super) fn failures(&self) -> Option<Mean> {
        mean(self.groups.iter().map(|group| (f64::from(group.failed), group.transfers)))
    }
}

/// The mean over the means of groups; `None` if fewer than half of them say anything.
fn mean(groups: impl Iterator<Item = (f64, u32)>) -> Option<Mean> {
    let told = groups.filter(|(_, count)| *count >= LEAST_IN_A_GROUP);
    let means: Vec<f64> = told.map(|(sum, count)| sum / f64::from(count)).collect();
    let count = u32::try_from(means.len()).ok().filter(|count| *count >= u32::from(GROUPS) / 2)?;
    let count = f64::from(count);
    let value = means.iter().sum::<f64>() / count;
    let squares: f64 = means.iter().map(|mean| (mean - value).powi(2)).sum();
    Some(Mean { value, variance: squares / (count - 1.0) / count })
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a rate; what is lost beyond 2^53 bytes per second is nothing to it"
)]
fn logarithm(rate: u64) -> f64 {
    (rate.max(1) as f64).log2()
}
