//! Figures over many switches.

use std::time::Duration;

use crate::returning::Refusals;
use crate::switch::Switch;

/// Head of the table that [`Tally::row`] fills.
pub const HEAD: &str = "\
| upload | notices after | switches | p50 | p99 | max | arrived, but not counted at first \
| not read when asked | sent twice | refused | not accountable |\n\
|---|---|---|---|---|---|---|---|---|---|---|";

/// What was counted over several switches of one kind.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    switches: Vec<Switch>,
}

impl Tally {
    /// Adds one.
    pub fn add(&mut self, switch: Switch) {
        self.switches.push(switch);
    }

    /// Adds those of another tally.
    pub fn merge(&mut self, other: &Self) {
        self.switches.extend(&other.switches);
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.switches.len()
    }

    /// The time that `percent` of the switches took at most.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        self.percentile_of(percent, |switch| switch.took)
    }

    /// The same of another time.
    #[must_use]
    pub fn percentile_of(&self, percent: usize, time: impl Fn(&Switch) -> Duration) -> Duration {
        let mut times: Vec<_> = self.switches.iter().map(time).collect();
        times.sort();
        let rank = times.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
        times.get(rank).copied().unwrap_or_default()
    }

    /// Bytes that reached the gateway by one path and were sent by the other, too.
    #[must_use]
    pub fn twice(&self) -> u64 {
        self.switches.iter().filter_map(Switch::twice).sum()
    }

    /// Of the bytes that had arrived, how many the first answers did not count.
    #[must_use]
    pub fn unaccounted(&self) -> u64 {
        self.switches.iter().filter_map(|switch| switch.unaccounted).sum()
    }

    /// Bytes that had not been read a moment before the servers were asked.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.switches.iter().map(|switch| switch.unread).sum()
    }

    /// Refusals of one sort, over all switches.
    #[must_use]
    pub fn refusals(&self, of: impl Fn(&Switch) -> Refusals) -> Refusals {
        self.switches.iter().map(of).fold(Refusals::default(), Refusals::and)
    }

    /// Whether in every switch each byte counted that the gateway had read.
    #[must_use]
    pub fn counts_what_was_read(&self) -> bool {
        self.switches.iter().all(Switch::counts_what_was_read)
    }

    /// Switches of which the kernel could not tell what had arrived.
    #[must_use]
    pub fn not_accountable(&self) -> usize {
        self.switches.iter().filter(|switch| switch.arrived.is_none()).count()
    }

    /// A row of the table, under [`HEAD`].
    #[must_use]
    pub fn row(&self, name: &str, notices: &str) -> String {
        let milliseconds = |percent| self.percentile(percent).as_secs_f64() * 1000.0;
        let unread = self.unread();
        let (unaccounted, refused) =
            (self.unaccounted(), self.refusals(|switch| switch.refused).all());
        format!(
            "| {name} | {notices} | {} | {:.1} ms | {:.1} ms | {:.1} ms | {unaccounted} B | {unread} B | {} B | {refused} | {} |",
            self.switches.len(),
            milliseconds(50),
            milliseconds(99),
            milliseconds(100),
            self.twice(),
            self.not_accountable(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_taken() {
        let mut tally = Tally::default();
        assert_eq!(tally.percentile(99), Duration::ZERO);
        for took in (1..=200).rev().map(Duration::from_millis) {
            tally.add(Switch { took, ..Switch::default() });
        }
        let of = |percent| tally.percentile(percent).as_millis();
        assert_eq!((of(50), of(99), of(100)), (100, 198, 200));
    }
}
