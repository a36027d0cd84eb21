//! Whether fitted transfers do worse than fixed ones.
//!
//! Both arms are compared over a window: how fast their transfers are, how many break off, how much processor
//! time a byte costs. A difference counts once it is beyond the margin by far more than chance explains
//! ([`STANDARD_ERRORS`]): the fitted arm is then to be switched off. There is no way back by itself; somebody who knows
//! why decides.

use std::time::Duration;

use super::arm::Arm;
use super::measure::{Direction, Trial};
use super::tally::{Mean, Tally};

/// By so many standard errors a difference has to be beyond the margin.
///
/// Groups are few (16), so their means scatter more than a normal distribution has it, and a window is looked
/// at some ten times: each look is one more chance for equal arms to be taken for different.
const STANDARD_ERRORS: f64 = 6.0;

/// By how much the share of broken transfers may be higher.
const MARGIN_OF_FAILURES: f64 = 0.02;

/// What has to be exceeded even by arms in which every group is like the other.
const LEAST_VARIANCE: f64 = 1e-12;

/// When a difference counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// What was counted is forgotten after this long.
    pub window: Duration,
    /// By how many percent fitted transfers may be slower, or costlier, than fixed ones.
    pub margin_percent: u8,
    /// Transfers of each arm, in one direction, before anything is said.
    pub least_transfers: u32,
}

/// What fitted transfers do worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// They are slower.
    Rate,
    /// More of them break off.
    Failures,
    /// They cost more processor time.
    Processor,
}

impl Quantity {
    /// In words, with what is worse about it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rate => "slower",
            Self::Failures => "broken off more often",
            Self::Processor => "costlier in processor time",
        }
    }
}

/// Fitted transfers do worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In which direction.
    pub direction: Direction,
    /// In what.
    pub quantity: Quantity,
    /// By how many percent; of failures, percentage points.
    pub percent: u32,
    /// Fitted transfers that were compared.
    pub adaptive: u32,
    /// Fixed transfers that they were compared with.
    pub fixed: u32,
}

/// Compares the arms. Memory is the same, however many transfers there are.
#[derive(Clone, Debug)]
pub struct Guard {
    settings: GuardSettings,
    /// When the window began.
    since: Duration,
    up: Pair,
    down: Pair,
}

/// Both arms in one direction.
#[derive(Clone, Debug)]
struct Pair {
    adaptive: Tally,
    fixed: Tally,
    /// Looked at when the smaller arm has so many, and when it has twice as many: looking after every transfer
    /// would find something by chance at last.
    next_look: u32,
}

impl Guard {
    /// Nothing counted yet; told the time as it has passed since any moment that stays the same.
    #[must_use]
    pub fn new(settings: GuardSettings, now: Duration) -> Self {
        let pair = || Pair::new(settings.least_transfers);
        Self { settings, since: now, up: pair(), down: pair() }
    }

    /// Counts a transfer; says so once the fitted arm does worse.
    pub fn observe(&mut self, trial: &Trial, now: Duration) -> Option<Finding> {
        let settings = self.settings;
        let mut ended = None;
        if now.saturating_sub(self.since) >= settings.window {
            ended = self.up.judge(Direction::Up, &settings);
            ended = ended.or_else(|| self.down.judge(Direction::Down, &settings));
            *self = Self::new(settings, now);
        }
        let pair = match trial.direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        match trial.arm {
            Arm::Adaptive => pair.adaptive.add(trial),
            Arm::Fixed => pair.fixed.add(trial),
        }
        ended.or_else(|| pair.look(trial.direction, &settings))
    }
}

impl Pair {
    fn new(least_transfers: u32) -> Self {
        Self { adaptive: Tally::new(), fixed: Tally::new(), next_look: least_transfers.max(1) }
    }

    fn smaller(&self) -> u32 {
        self.adaptive.transfers().min(self.fixed.transfers())
    }

    fn look(&mut self, direction: Direction, settings: &GuardSettings) -> Option<Finding> {
        if self.smaller() < self.next_look {
            return None;
        }
        self.next_look = self.next_look.saturating_mul(2);
        self.judge(direction, settings)
    }

    fn judge(&self, direction: Direction, settings: &GuardSettings) -> Option<Finding> {
        if self.smaller() < settings.least_transfers {
            return None;
        }
        let share = f64::from(settings.margin_percent.min(99)) / 100.0;
        // Ten percent slower is this much less of the logarithm.
        let margin = -(1.0 - share).log2();
        let (fitted, fixed) = (&self.adaptive, &self.fixed);
        let less = |quantity, fitted: Option<Mean>, fixed: Option<Mean>| {
            let loss = beyond(fixed?, fitted?, margin)?;
            Some((quantity, 1.0 - (-loss).exp2()))
        };
        let more = |quantity, fitted: Option<Mean>, fixed: Option<Mean>| {
            Some((quantity, beyond(fitted?, fixed?, MARGIN_OF_FAILURES)?))
        };
        let found = less(Quantity::Rate, fitted.rate(), fixed.rate())
            .or_else(|| more(Quantity::Failures, fitted.failures(), fixed.failures()))
            .or_else(|| less(Quantity::Processor, fitted.economy(), fixed.economy()));
        let (quantity, share) = found?;
        Some(Finding {
            direction,
            quantity,
            percent: percent(share),
            adaptive: fitted.transfers(),
            fixed: fixed.transfers(),
        })
    }
}

/// By how much `higher` is above `lower`, if that is beyond `margin` and no chance.
fn beyond(higher: Mean, lower: Mean, margin: f64) -> Option<f64> {
    let difference = higher.value - lower.value;
    let error = (higher.variance + lower.variance).max(LEAST_VARIANCE).sqrt();
    (difference - margin > STANDARD_ERRORS * error).then_some(difference)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1"
)]
fn percent(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 100.0).round() as u32
}

#[cfg(test)]
mod tests;
