//! Which chunk size a client is told.
//!
//! A chunk that breaks off has to be sent again from where it broke off, after asking; one that is too small
//! spends its time on requests. So a chunk is what a client sends in some seconds: more of them for
//! whoever ends what he begins, fewer for whoever does not.

use std::time::Duration;

use super::buffer::{Bounds, power_below, settled};
use super::measure::passing;

/// No smaller chunk is recommended.
pub const LEAST_BYTES: usize = 256 * 1024;
/// The same, as chunk sizes are counted.
pub const LEAST: u64 = 256 * 1024;

/// What a chunk takes where every other transfer breaks off, or more of them …
const SHORTEST: Duration = Duration::from_secs(2);
/// … and where none does.
const LONGEST: Duration = Duration::from_secs(10);

/// Of a thousand transfers this many end as they should where not much can be relied on.
const UNRELIABLE: u16 = 500;

/// The chunk size for a client that sends `rate` bytes per second, and of whose transfers
/// `reliability` in a thousand end as they should. It was told `current` before.
///
/// A multiple of 256 KiB, and at most `most`: [`Bounds`] keeps it. Changes only where twice as much or
/// less than half suits.
#[must_use]
pub fn recommended(current: u64, rate: u64, reliability: u16, most: usize) -> u64 {
    let bounds = Bounds::new(LEAST_BYTES, most.max(LEAST_BYTES));
    let current = power_below(bounds.clamp(current));
    let bytes = settled(current, passing(rate, duration(reliability)), bounds);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// How long a chunk may take.
fn duration(reliability: u16) -> Duration {
    let above = u32::from(reliability.min(1000).saturating_sub(UNRELIABLE));
    let most = u32::from(1000 - UNRELIABLE);
    SHORTEST + (LONGEST - SHORTEST) * above / most
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIB: u64 = 1024;
    const MOST: usize = 16 * 1024 * 1024;

    #[test]
    fn a_chunk_takes_some_seconds() {
        assert_eq!(recommended(0, 1_000_000, 1000, MOST), 8 * 1024 * KIB);
        assert_eq!(recommended(0, 20_000, 1000, MOST), 256 * KIB);
        assert_eq!(recommended(0, 100_000_000, 1000, MOST), 16 * 1024 * KIB);
        assert_eq!(recommended(0, 1_000_000, 500, MOST), 1024 * KIB);
    }

    proptest! {
        #[test]
        fn it_is_a_multiple_of_the_smallest_and_bounded(current: u64, rate: u64, reliability: u16, power in 0..8_u32) {
            let most = LEAST_BYTES << power;
            let bytes = recommended(current, rate, reliability, most);
            prop_assert_eq!(bytes % (256 * KIB), 0);
            prop_assert!(bytes >= 256 * KIB && bytes <= u64::try_from(most).unwrap());
            prop_assert_eq!(recommended(bytes, rate, reliability, most), bytes);
        }

        #[test]
        fn a_faster_or_more_reliable_client_is_never_told_less(
            current: u64, rate: u64, more: u64, reliability in 0..=1000_u16, better in 0..=1000_u16,
        ) {
            let before = recommended(current, rate, reliability, MOST);
            prop_assert!(recommended(current, rate.saturating_add(more), reliability, MOST) >= before);
            prop_assert!(recommended(current, rate, reliability.saturating_add(better), MOST) >= before);
        }
    }
}
