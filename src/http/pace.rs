//! When a body is too slow.
//!
//! There is no bound on the whole by default: slow is fine, silent is not (T-36).

use std::time::{Duration, Instant};

use super::settings::HttpSettings;

/// Keeps account of a body's progress. Told the time, never asks for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    read_timeout: Duration,
    upload_timeout: Option<Duration>,
    min_rate_bytes_per_second: u64,
    started: Instant,
    last_progress: Instant,
    window_started: Instant,
    window_bytes: u64,
}

/// Why a body is not waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slowness {
    /// Nothing arrived for the read timeout.
    Idle,
    /// Less than the minimum rate over a read timeout, or longer than a request may take.
    TooSlow,
}

impl Pace {
    pub(super) const fn new(settings: &HttpSettings, now: Instant) -> Self {
        Self {
            read_timeout: settings.read_timeout,
            upload_timeout: settings.upload_timeout,
            min_rate_bytes_per_second: settings.min_rate_bytes_per_second,
            started: now,
            last_progress: now,
            window_started: now,
            window_bytes: 0,
        }
    }

    /// One with this read timeout and nothing else.
    #[cfg(test)]
    pub(super) const fn tried(read_timeout: Duration, now: Instant) -> Self {
        Self {
            read_timeout,
            upload_timeout: None,
            min_rate_bytes_per_second: 0,
            started: now,
            last_progress: now,
            window_started: now,
            window_bytes: 0,
        }
    }

    /// How often to look: often enough for the timeouts, and once a second for checkpoints.
    pub(super) fn tick(&self) -> Duration {
        let quarter = self.read_timeout / 4;
        quarter.clamp(Duration::from_millis(10), Duration::from_secs(1))
    }

    /// Bytes arrived, and the device took them until `now`: that time is not the client's.
    pub(super) fn progressed(&mut self, bytes: u64, took: Duration, now: Instant) {
        self.last_progress = now;
        self.window_bytes = self.window_bytes.saturating_add(bytes);
        self.window_started = self.window_started.checked_add(took).unwrap_or(now);
    }

    /// Judges the body; starts a new window when one is over.
    pub(super) fn judge(&mut self, now: Instant) -> Option<Slowness> {
        if now.saturating_duration_since(self.last_progress) >= self.read_timeout {
            return Some(Slowness::Idle);
        }
        let running = now.saturating_duration_since(self.started);
        if self.upload_timeout.is_some_and(|most| running >= most) {
            return Some(Slowness::TooSlow);
        }
        let window = now.saturating_duration_since(self.window_started);
        if window < self.read_timeout {
            return None;
        }
        let least = u128::from(self.min_rate_bytes_per_second).saturating_mul(window.as_millis());
        let slow = u128::from(self.window_bytes).saturating_mul(1000) < least;
        self.window_started = now;
        self.window_bytes = 0;
        slow.then_some(Slowness::TooSlow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(now: Instant, min_rate: u64, upload_timeout: Option<Duration>) -> Pace {
        Pace {
            read_timeout: SECOND * 10,
            upload_timeout,
            min_rate_bytes_per_second: min_rate,
            started: now,
            last_progress: now,
            window_started: now,
            window_bytes: 0,
        }
    }

    #[test]
    fn silence_ends_a_body_and_any_byte_starts_the_wait_anew() {
        let start = Instant::now();
        let mut pace = pace(start, 0, None);
        assert_eq!(pace.judge(start + SECOND * 9), None);
        pace.progressed(1, Duration::ZERO, start + SECOND * 9);
        assert_eq!(pace.judge(start + SECOND * 18), None);
        assert_eq!(pace.judge(start + SECOND * 19), Some(Slowness::Idle));
    }

    #[test]
    fn a_trickle_below_the_minimum_rate_ends_after_a_window() {
        let start = Instant::now();
        let mut pace = pace(start, 100, None);
        for second in 1..10 {
            pace.progressed(99, Duration::ZERO, start + SECOND * second);
            assert_eq!(pace.judge(start + SECOND * second), None);
        }
        pace.progressed(99, Duration::ZERO, start + SECOND * 10);
        assert_eq!(pace.judge(start + SECOND * 10), Some(Slowness::TooSlow));
    }

    #[test]
    fn exactly_the_minimum_rate_goes_on_for_ever() {
        let start = Instant::now();
        let mut pace = pace(start, 100, None);
        for second in 1..100 {
            pace.progressed(100, Duration::ZERO, start + SECOND * second);
            assert_eq!(pace.judge(start + SECOND * second), None, "{second}");
        }
    }

    #[test]
    fn the_time_a_slow_device_takes_is_not_the_clients() {
        let start = Instant::now();
        let mut pace = pace(start, 100, None);
        pace.progressed(500, SECOND * 9, start + SECOND * 14);
        assert_eq!(pace.judge(start + SECOND * 14), None);
    }

    #[test]
    fn a_bound_on_the_whole_holds_however_fast_it_is() {
        let start = Instant::now();
        let mut pace = pace(start, 0, Some(SECOND * 5));
        pace.progressed(1 << 30, Duration::ZERO, start + SECOND * 5);
        assert_eq!(pace.judge(start + SECOND * 5), Some(Slowness::TooSlow));
    }

    #[test]
    fn the_tick_is_a_second_or_shorter() {
        let mut pace = pace(Instant::now(), 0, None);
        assert_eq!(pace.tick(), SECOND);
        pace.read_timeout = Duration::from_millis(200);
        assert_eq!(pace.tick(), Duration::from_millis(50));
    }
}
