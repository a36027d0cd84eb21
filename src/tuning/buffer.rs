//! How large the buffer of a transfer is to be.
//!
//! Sizes are powers of two, and one is kept until the measurement asks for twice as much or for less
//! than half: what goes up and down within that changes nothing, and the same measurement twice is
//! answered as once. A higher rate or a slower device never makes a buffer smaller.

use std::time::Duration;

use super::measure::{Measure, passing};

/// How long a transfer is watched before its buffer is judged again. Long enough that what only went into the
/// kernel's buffers weighs little, short enough that a small file has something of it.
pub const WINDOW: Duration = Duration::from_millis(20);

/// A buffer holds what passes in this time: small beside what a person notices, large beside what an
/// operation costs.
const HORIZON: Duration = Duration::from_millis(100);

/// The device may take so many times what it takes for one buffer until the next one is needed.
const DEVICE_TIMES: u32 = 8;

/// What a transfer begins with of which nothing is known.
const FIRST_BYTES: usize = 64 * 1024;

/// A transfer may have this part of the memory that is free. Whoever takes more leaves less for all, so that
/// n transfers settle at equal parts, and memory is left for the next one.
const PART_OF_FREE: usize = 8;

/// Between which sizes buffers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    least: usize,
    most: usize,
}

impl Bounds {
    /// From `least` to `most` bytes; at least one, and never more than `most`.
    #[must_use]
    pub fn new(least: usize, most: usize) -> Self {
        let most = most.max(1);
        Self { least: least.clamp(1, most), most }
    }

    /// `bytes`, or the bound that is nearest.
    #[must_use]
    pub fn clamp(self, bytes: u64) -> usize {
        usize::try_from(bytes).unwrap_or(usize::MAX).clamp(self.least, self.most)
    }

    /// What a transfer begins with of which nothing is known.
    #[must_use]
    pub fn first(self) -> usize {
        FIRST_BYTES.clamp(self.least, self.most)
    }

    /// What a transfer that wants `wanted` gets where `free` bytes of memory are: its part, but never
    /// less than the smallest buffer.
    #[must_use]
    pub fn share(self, wanted: usize, free: usize) -> usize {
        wanted.min((free / PART_OF_FREE).max(self.least))
    }
}

/// Decides about buffers. One for a process; the only other one is a test's.
pub trait Fitting: Send + Sync + 'static {
    /// The size of the first buffer of a transfer, where `known` bytes suited its client before.
    fn first(&self, known: Option<u64>, bounds: Bounds) -> usize {
        known.map_or_else(|| bounds.first(), |bytes| bounds.clamp(bytes))
    }

    /// The next size of a buffer that is `current` now.
    fn next(&self, current: usize, measure: &Measure, bounds: Bounds) -> usize;
}

/// Decides by what was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fitted;

impl Fitting for Fitted {
    fn next(&self, current: usize, measure: &Measure, bounds: Bounds) -> usize {
        settled(current, wanted(measure), bounds)
    }
}

/// Bytes that the measurement asks for, unbounded.
fn wanted(measure: &Measure) -> u64 {
    let round_trip = measure.path.map_or(Duration::ZERO, |path| path.rtt);
    let device = measure.device.saturating_mul(DEVICE_TIMES);
    let passing = passing(measure.rate(), HORIZON.max(round_trip).max(device));
    // More than arrives at once is never filled; twice as much leaves room to find out.
    passing.min(measure.at_once.map_or(u64::MAX, |bytes| bytes.saturating_mul(2)))
}

/// `current`, unless `wanted` is twice that or less than half.
pub(super) fn settled(current: usize, wanted: u64, bounds: Bounds) -> usize {
    let (current, wanted) =
        (bounds.clamp(u64::try_from(current).unwrap_or(u64::MAX)), bounds.clamp(wanted));
    if wanted >= current.saturating_mul(2) || wanted < current / 2 {
        power_below(wanted).clamp(bounds.least, bounds.most)
    } else {
        current
    }
}

/// The greatest power of two that is not greater.
pub(super) fn power_below(bytes: usize) -> usize {
    bytes.checked_ilog2().and_then(|power| 1_usize.checked_shl(power)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::measure::PathMeasure;
    use proptest::prelude::*;

    const KIB: usize = 1024;

    fn bounds() -> Bounds {
        Bounds::new(16 * KIB, 1024 * KIB)
    }

    fn at(rate: u64) -> Measure {
        let took = Duration::from_secs(1);
        Measure { bytes: rate, took, device: Duration::ZERO, at_once: None, path: None }
    }

    fn next(current: usize, measure: &Measure) -> usize {
        Fitted.next(current, measure, bounds())
    }

    fn measures() -> impl Strategy<Value = Measure> {
        let path = prop::option::of((any::<u64>(), prop::option::of(any::<u64>())));
        (any::<u64>(), any::<u64>(), any::<u64>(), prop::option::of(any::<u64>()), path).prop_map(
            |(bytes, took, device, at_once, path)| Measure {
                bytes,
                took: Duration::from_nanos(took),
                device: Duration::from_nanos(device),
                at_once,
                path: path.map(|(rtt, delivery_rate)| PathMeasure {
                    rtt: Duration::from_nanos(rtt),
                    delivery_rate,
                }),
            },
        )
    }

    fn any_bounds() -> impl Strategy<Value = Bounds> {
        (0..10_000_000_usize, 0..10_000_000_usize).prop_map(|(one, other)| Bounds::new(one, other))
    }

    #[test]
    fn a_client_by_radio_gets_the_smallest_buffer_and_one_by_cable_the_largest() {
        assert_eq!(next(64 * KIB, &at(50_000)), 16 * KIB);
        assert_eq!(next(64 * KIB, &at(1_000_000)), 64 * KIB);
        assert_eq!(next(64 * KIB, &at(4_000_000)), 256 * KIB);
        assert_eq!(next(64 * KIB, &at(100_000_000)), 1024 * KIB);
    }

    #[test]
    fn a_path_that_is_long_or_a_device_that_is_slow_asks_for_more() {
        let slow = Measure { device: Duration::from_millis(50), ..at(1_000_000) };
        assert_eq!(next(64 * KIB, &slow), 256 * KIB);
        let path = PathMeasure { rtt: Duration::from_millis(600), delivery_rate: None };
        assert_eq!(next(64 * KIB, &Measure { path: Some(path), ..at(1_000_000) }), 512 * KIB);
        let path = PathMeasure { rtt: Duration::ZERO, delivery_rate: Some(10_000_000) };
        assert_eq!(next(64 * KIB, &Measure { path: Some(path), ..at(1_000_000) }), 128 * KIB);
    }

    #[test]
    fn what_never_comes_at_once_is_not_held_in_readiness() {
        let pieces = |bytes| Measure { at_once: Some(bytes), ..at(100_000_000) };
        assert_eq!(next(1024 * KIB, &pieces(1448)), 16 * KIB);
        assert_eq!(next(1024 * KIB, &pieces(128 * 1024)), 256 * KIB);
        assert_eq!(next(64 * KIB, &pieces(64 * 1024)), 128 * KIB, "a full one may grow");
    }

    #[test]
    fn many_transfers_settle_at_equal_parts_of_the_memory() {
        let (budget, transfers) = (16 * 1024 * KIB, 50);
        let mut sizes = vec![0_usize; transfers];
        for _ in 0..1000 {
            for one in 0..transfers {
                let free = budget - (sizes.iter().sum::<usize>() - sizes[one]);
                // Whoever finds too little waits; here he has what there is.
                sizes[one] = bounds().share(1024 * KIB, free).min(free);
            }
        }
        let part = budget / (transfers + PART_OF_FREE);
        assert!(sizes.iter().all(|size| size.abs_diff(part) < part / 4), "{part}: {sizes:?}");
        assert!(sizes.iter().sum::<usize>() <= budget);
        assert_eq!(bounds().share(1024 * KIB, 0), 16 * KIB, "the smallest is always asked for");
    }

    proptest! {
        #[test]
        fn a_buffer_is_always_within_its_bounds(
            current in 0..20_000_000_usize, measure in measures(), bounds in any_bounds(), free: usize,
        ) {
            let next = Fitted.next(current, &measure, bounds);
            prop_assert!(bounds.least <= next && next <= bounds.most);
            let share = bounds.share(next, free);
            prop_assert!(bounds.least <= share && share <= next);
        }

        #[test]
        fn the_same_measurement_twice_is_answered_as_once(
            current in 0..20_000_000_usize, measure in measures(), bounds in any_bounds(),
        ) {
            let once = Fitted.next(current, &measure, bounds);
            prop_assert_eq!(Fitted.next(once, &measure, bounds), once);
        }

        #[test]
        fn a_faster_client_or_a_slower_device_never_gets_a_smaller_buffer(
            current in 0..2_000_000_usize, measure in measures(), more: u64, longer: u64,
        ) {
            let before = next(current, &measure);
            let faster = Measure { bytes: measure.bytes.saturating_add(more), ..measure };
            prop_assert!(next(current, &faster) >= before);
            let device = measure.device + Duration::from_nanos(longer);
            let slower = Measure { device, ..measure };
            prop_assert!(next(current, &slower) >= before);
            let at_once = measure.at_once.map(|bytes| bytes.saturating_add(more));
            let fuller = Measure { at_once, ..measure };
            prop_assert!(next(current, &fuller) >= before);
        }

        #[test]
        fn a_rate_that_goes_up_and_down_by_a_quarter_soon_changes_nothing(
            rate in 1_000..1_000_000_000_u64, factors in prop::collection::vec(750..=1250_u64, 300),
        ) {
            let mut size = 64 * KIB;
            let mut changes = 0;
            for factor in factors {
                let next = next(size, &at(rate * factor / 1000));
                changes += u32::from(next != size);
                size = next;
            }
            prop_assert!(changes <= 3, "{changes} changes");
        }
    }
}
