//! [`Settling`]: when transfers wait because the network changes, and when they do not.

use std::time::{Duration, Instant};

/// After a pause there is none for so many times as long.
///
/// A pause is for one change, and what belongs to it comes within moments. A network that changes all the
/// time does not settle by being waited for: with this, at most a fifth of the time is spent waiting, and
/// transfers still progress.
const REST: u32 = 4;

/// Decides about pauses. Told the time, never asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Settling {
    delay: Duration,
    /// Until then further changes pause nobody.
    rests_until: Option<Instant>,
}

impl Settling {
    /// Pauses of this length.
    #[must_use]
    pub const fn new(delay: Duration) -> Self {
        Self { delay, rests_until: None }
    }

    /// The network has changed: until when transfers pause because of it, if they do.
    ///
    /// A change during a pause is part of it, and never prolongs it.
    pub fn changed(&mut self, now: Instant) -> Option<Instant> {
        if self.delay.is_zero() || self.rests_until.is_some_and(|end| now < end) {
            return None;
        }
        let until = now.checked_add(self.delay)?;
        self.rests_until = until.checked_add(self.delay.saturating_mul(REST));
        Some(until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_change_pauses_once_and_what_follows_it_does_not_prolong_that() {
        let (start, mut settling) = (Instant::now(), Settling::new(SECOND * 2));
        assert_eq!(settling.changed(start), Some(start + SECOND * 2));
        assert_eq!(settling.changed(start + SECOND), None);
        assert_eq!(settling.changed(start + SECOND * 9), None);
        assert_eq!(settling.changed(start + SECOND * 10), Some(start + SECOND * 12));
    }

    #[test]
    fn without_a_delay_nobody_waits() {
        assert_eq!(Settling::new(Duration::ZERO).changed(Instant::now()), None);
    }

    proptest! {
        /// Whenever changes come: no pause is longer than the delay, none begins within another, and
        /// at most a fifth of the time, and one delay, is spent in them.
        #[test]
        fn however_often_the_network_changes_transfers_progress(
            delay in 1_u64..5000,
            gaps in prop::collection::vec(0_u64..3000, 1..200),
        ) {
            let (start, delay) = (Instant::now(), Duration::from_millis(delay));
            let mut settling = Settling::new(delay);
            let (mut now, mut paused, mut over) = (start, Duration::ZERO, start);
            for gap in gaps {
                now += Duration::from_millis(gap);
                if let Some(until) = settling.changed(now) {
                    prop_assert_eq!(until, now + delay);
                    prop_assert!(now >= over);
                    (paused, over) = (paused + delay, until);
                }
                prop_assert!(paused * 5 <= (now - start) + delay * 5);
            }
            prop_assert!(paused >= delay, "the first change pauses");
        }
    }
}
