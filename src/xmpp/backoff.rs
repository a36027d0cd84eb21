//! How long to wait before connecting again.

use std::time::Duration;

/// Waits that double, up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest one.
    pub longest: Duration,
}

impl Backoff {
    /// The wait after `failures` in a row, of which there is at least one: between half of what
    /// is due and all of it, by `random`, so that many gateways do not come back at once.
    #[must_use]
    pub fn wait(&self, failures: u32, random: u16) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let due = self.first.saturating_mul(1 << doublings).min(self.longest);
        let half = due / 2;
        half + half.mul_f64(f64::from(random) / f64::from(u16::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKOFF: Backoff =
        Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };

    #[test]
    fn waits_double_up_to_the_longest() {
        let longest: Vec<u64> =
            (1..9).map(|failures| BACKOFF.wait(failures, u16::MAX).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    proptest! {
        #[test]
        fn a_wait_is_bounded_however_often_it_failed(failures: u32, random: u16) {
            let wait = BACKOFF.wait(failures, random);
            prop_assert!(wait >= BACKOFF.first / 2 && wait <= BACKOFF.longest);
        }
    }
}
