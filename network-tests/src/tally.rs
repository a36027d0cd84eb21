//! Figures over many switches.

use std::time::Duration;

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

    /// The time that `percent` of the switches took at most.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut times: Vec<_> = self.switches.iter().map(|switch| switch.took).collect();
        times.sort();
        let rank = times.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
        times.get(rank).copied().unwrap_or_default()
    }

    /// Bytes that reached the gateway by one path and were sent by the other, too.
    #[must_use]
    pub fn twice(&self) -> u64 {
        self.switches.iter().filter_map(Switch::twice).sum()
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
        let unaccounted: u64 = self.switches.iter().filter_map(|switch| switch.unaccounted).sum();
        let unread: u64 = self.switches.iter().map(|switch| switch.unread).sum();
        let refused: u64 = self.switches.iter().map(|switch| switch.refused).sum();
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
            let (arrived, unaccounted) = (Some(0), Some(0));
            tally.add(Switch { took, arrived, unread: 0, unaccounted, sent_again: 0, refused: 0 });
        }
        let of = |percent| tally.percentile(percent).as_millis();
        assert_eq!((of(50), of(99), of(100)), (100, 198, 200));
    }
}
