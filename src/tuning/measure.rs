//! What was seen of a transfer.

use std::time::Duration;

use super::arm::{Arm, Lot};

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a client to the device.
    Up,
    /// From the device to a client.
    Down,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Up, Self::Down];
}

/// What was seen of a transfer since its buffer was last judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Bytes that went through.
    pub bytes: u64,
    /// The time in which they did. What the device took and what memory was waited for is no part
    /// of it, because the client has no part in that.
    pub took: Duration,
    /// The device's mean time for one operation.
    pub device: Duration,
    /// Most bytes that were there at once, where it is the other side that decides about it.
    pub at_once: Option<u64>,
    /// What the kernel says of the path, where it says anything.
    pub path: Option<PathMeasure>,
}

/// What the kernel says of the path to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMeasure {
    /// Time for a round trip on a path without queues.
    pub rtt: Duration,
    /// At which rate the client took what was sent, in bytes per second.
    pub delivery_rate: Option<u64>,
}

impl Measure {
    /// Bytes per second. The kernel's word counts where it is the higher one, because what was counted also
    /// has the pauses in which nothing was there to be sent; but for no more than twice as much, because a short
    /// burst into somebody's buffers is not what a client can do.
    #[must_use]
    pub fn rate(&self) -> u64 {
        let counted = per_second(self.bytes, self.took);
        let told = self.path.and_then(|path| path.delivery_rate).unwrap_or(0);
        told.min(counted.saturating_mul(2)).max(counted)
    }
}

/// Bytes per second; as if it had taken a microsecond where it took less.
#[must_use]
pub fn per_second(bytes: u64, took: Duration) -> u64 {
    let micros = took.as_micros().max(1);
    let rate = u128::from(bytes).saturating_mul(1_000_000) / micros;
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// Bytes that pass in `time` at `rate` bytes per second.
#[must_use]
pub fn passing(rate: u64, time: Duration) -> u64 {
    let bytes = u128::from(rate).saturating_mul(time.as_micros()) / 1_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// What one whole transfer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Which way its bytes went.
    pub direction: Direction,
    /// Whether it was fitted.
    pub arm: Arm,
    /// What its session drew.
    pub lot: Lot,
    /// Bytes that went through.
    pub bytes: u64,
    /// From its first byte to its end.
    pub took: Duration,
    /// Whether it ended before its end.
    pub failed: bool,
    /// Processor time that was measured, and for how many bytes; nothing where none was.
    pub processor: Option<(Duration, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_bytes_by_seconds_and_no_time_at_all_is_a_microsecond() {
        assert_eq!(per_second(1000, Duration::from_millis(500)), 2000);
        assert_eq!(per_second(1, Duration::ZERO), 1_000_000);
        assert_eq!(per_second(u64::MAX, Duration::ZERO), u64::MAX);
        assert_eq!(passing(2000, Duration::from_millis(500)), 1000);
        assert_eq!(passing(u64::MAX, Duration::MAX), u64::MAX);
    }
}
