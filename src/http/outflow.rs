//! When a peer takes an answer too slowly.
//!
//! Only the time counts during which we have something for it and it does not take it: how long the
//! device needs to read a file is not the peer's.

use std::time::{Duration, Instant};

/// Keeps account of what a peer takes. Told the time, never asks for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outflow {
    /// Since when a write has been waiting.
    waiting_since: Option<Instant>,
    /// How long writes waited in this window, and what was taken in it.
    waited: Duration,
    bytes: u64,
}

/// How long and how slow is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    pub(super) write_timeout: Duration,
    pub(super) min_rate_bytes_per_second: u64,
}

impl Patience {
    /// Bytes that a peer takes at least in a write timeout.
    pub(super) fn least_bytes(self) -> u64 {
        let least = u128::from(self.min_rate_bytes_per_second)
            .saturating_mul(self.write_timeout.as_millis());
        u64::try_from(least / 1000).unwrap_or(u64::MAX)
    }
}

impl Outflow {
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting_since.is_some()
    }

    /// Whether it has to be told what is taken.
    pub(super) const fn is_running(&self) -> bool {
        self.is_waiting() || !self.waited.is_zero()
    }

    /// A write has to wait. The moment at which it has waited for too long, to be woken then.
    pub(super) fn waits(&mut self, patience: Patience, now: Instant) -> Option<Instant> {
        let since = *self.waiting_since.get_or_insert(now);
        let left = if patience.min_rate_bytes_per_second == 0 {
            patience.write_timeout
        } else {
            patience.write_timeout.saturating_sub(self.waited)
        };
        since.checked_add(left)
    }

    /// The moment has come: whether the peer took too little. If not, a new window begins.
    pub(super) fn is_over(&mut self, patience: Patience, now: Instant) -> bool {
        let silent = self
            .waiting_since
            .is_some_and(|since| now.saturating_duration_since(since) >= patience.write_timeout);
        let slow = self.bytes < patience.least_bytes();
        *self = Self { waiting_since: self.waiting_since.map(|_| now), ..Self::default() };
        silent || slow
    }

    /// A write took bytes. Whether that was too little over a whole window.
    pub(super) fn took(&mut self, bytes: u64, patience: Patience, now: Instant) -> bool {
        let Some(since) = self.waiting_since.take() else {
            // What is taken at once is no news unless a window is running.
            if !self.waited.is_zero() {
                self.bytes = self.bytes.saturating_add(bytes);
            }
            return false;
        };
        self.waited = self.waited.saturating_add(now.saturating_duration_since(since));
        self.bytes = self.bytes.saturating_add(bytes);
        if patience.min_rate_bytes_per_second == 0 || self.waited < patience.write_timeout {
            return false;
        }
        let slow = self.bytes < patience.least_bytes();
        *self = Self::default();
        slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    const fn patience(min_rate_bytes_per_second: u64) -> Patience {
        Patience { write_timeout: Duration::from_secs(10), min_rate_bytes_per_second }
    }

    /// Takes `bytes` once a second for so many seconds; in which second that was too slow.
    fn drip(bytes: u64, seconds: u32, patience: Patience) -> Option<u32> {
        let start = Instant::now();
        let mut outflow = Outflow::default();
        for second in 0..seconds {
            let now = start + SECOND * second;
            if let Some(end) = outflow.waits(patience, now)
                && end < now + SECOND
                && outflow.is_over(patience, end)
            {
                return Some(second);
            }
            if outflow.took(bytes, patience, now + SECOND) {
                return Some(second);
            }
        }
        None
    }

    #[test]
    fn silence_is_over_after_the_write_timeout() {
        let (start, patience) = (Instant::now(), patience(0));
        let mut outflow = Outflow::default();
        assert_eq!(outflow.waits(patience, start), Some(start + SECOND * 10));
        assert_eq!(outflow.waits(patience, start + SECOND * 9), Some(start + SECOND * 10));
        assert!(outflow.is_over(patience, start + SECOND * 10));
    }

    #[test]
    fn without_a_minimum_rate_a_byte_a_second_goes_on_for_ever() {
        assert_eq!(drip(1, 1000, patience(0)), None);
    }

    #[test]
    fn below_the_minimum_rate_it_ends_after_a_write_timeout_of_waiting() {
        assert_eq!(drip(99, 1000, patience(100)), Some(9));
    }

    #[test]
    fn exactly_the_minimum_rate_goes_on_for_ever() {
        assert_eq!(drip(100, 1000, patience(100)), None);
    }

    #[test]
    fn the_time_in_which_nothing_waits_does_not_count() {
        let (start, patience) = (Instant::now(), patience(100));
        let mut outflow = Outflow::default();
        for round in 0..100 {
            let now = start + SECOND * 60 * round;
            outflow.waits(patience, now);
            assert!(!outflow.took(100, patience, now + SECOND), "{round}");
        }
    }
}
