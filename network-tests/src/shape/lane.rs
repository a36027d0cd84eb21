//! One direction of a link: when a piece has left its sender, and when it arrives.

use std::time::Duration;

use conformance_tests::content::Numbers;

use super::schedule::{Link, Schedule};

/// What may have been taken from the sender ahead of time, so that a clock that wakes a millisecond
/// late costs no rate.
pub const AHEAD: Duration = Duration::from_millis(4);

/// A direction, as seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the gateway.
    Up,
    /// From the gateway.
    Down,
}

impl Way {
    /// The rate of `link` this way, in bytes a second; never none.
    #[must_use]
    pub fn rate(self, link: &Link) -> u64 {
        match self {
            Self::Up => link.up.max(1),
            Self::Down => link.down.max(1),
        }
    }
}

/// When a piece goes which part of its way, counted from the start of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Its last byte has left: the next piece may.
    pub sent: Duration,
    /// Its last byte is there.
    pub arrives: Duration,
}

/// A wire that carries one piece after the other, in order, for all connections together.
#[derive(Clone, Debug)]
pub struct Lane {
    way: Way,
    free_at: Duration,
    last_arrival: Duration,
    numbers: Numbers,
}

impl Lane {
    /// A wire on which nothing is. Its jitter repeats with `seed`.
    #[must_use]
    pub fn new(way: Way, seed: u64) -> Self {
        let (free_at, last_arrival) = (Duration::ZERO, Duration::ZERO);
        Self { way, free_at, last_arrival, numbers: Numbers::seeded(seed) }
    }

    /// Puts `bytes` on the wire at `now`; `None` if they will never arrive.
    pub fn send(
        &mut self,
        now: Duration,
        bytes: usize,
        schedule: &mut Schedule,
    ) -> Option<Passage> {
        let (start, link) = schedule.opens(now.max(self.free_at))?;
        let bytes = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        let rate = f64::from(u32::try_from(self.way.rate(&link)).unwrap_or(u32::MAX));
        let sent = start.saturating_add(Duration::from_secs_f64(bytes / rate));
        self.free_at = sent;
        let arrives = self.arrival(sent, &link, schedule)?;
        Some(Passage { sent, arrives })
    }

    /// When the news that a connection has ended arrives, which has no length.
    pub fn tell(&mut self, now: Duration, schedule: &mut Schedule) -> Option<Duration> {
        let (start, link) = schedule.opens(now)?;
        self.arrival(start, &link, schedule)
    }

    /// Nothing overtakes what was sent before, as in a queue.
    fn arrival(
        &mut self,
        sent: Duration,
        link: &Link,
        schedule: &mut Schedule,
    ) -> Option<Duration> {
        let jitter = u64::try_from(link.jitter.as_micros()).unwrap_or(u64::MAX);
        let more = Duration::from_micros(self.numbers.below(jitter.max(1)));
        let due = sent.saturating_add(link.latency).saturating_add(more).max(self.last_arrival);
        let (arrives, _) = schedule.opens(due)?;
        self.last_arrival = arrives;
        Some(arrives)
    }
}

#[cfg(test)]
mod tests {
    use super::super::schedule::{Plan, Stage, Weather};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LINK: Link = Link {
        up: 1000,
        down: 4000,
        latency: Duration::from_millis(50),
        jitter: Duration::from_millis(20),
    };

    fn steady() -> Schedule {
        Schedule::new(Plan::steady(Weather::Open(LINK)), 1)
    }

    fn with_a_hole() -> Schedule {
        let stage = |weather| Stage { weather, shortest: SECOND, longest: SECOND };
        let plan = Plan::rounds(stage(Weather::Open(LINK)), vec![stage(Weather::BlackHole)]);
        Schedule::new(plan, 1)
    }

    #[test]
    fn pieces_leave_at_the_rate_of_their_way() {
        for (way, lasts) in [(Way::Up, SECOND * 10), (Way::Down, SECOND * 5 / 2)] {
            let (mut lane, mut schedule) = (Lane::new(way, 1), steady());
            let last = (0..100).map(|_| lane.send(Duration::ZERO, 100, &mut schedule)).last();
            let sent = last.flatten().unwrap().sent;
            assert!(sent.abs_diff(lasts) < Duration::from_micros(10), "{sent:?}");
        }
    }

    #[test]
    fn an_idle_wire_saves_nothing_up() {
        let (mut lane, mut schedule) = (Lane::new(Way::Up, 1), steady());
        let passage = lane.send(SECOND * 60, 1000, &mut schedule).unwrap();
        assert_eq!(passage.sent, SECOND * 61);
    }

    #[test]
    fn pieces_arrive_in_order_after_the_latency_and_within_the_jitter() {
        let (mut lane, mut schedule) = (Lane::new(Way::Up, 3), steady());
        let mut before = Duration::ZERO;
        for _ in 0..1000 {
            let passage = lane.send(Duration::ZERO, 1, &mut schedule).unwrap();
            assert!(passage.arrives >= before);
            assert!(passage.arrives >= passage.sent + LINK.latency);
            assert!(passage.arrives <= passage.sent + LINK.latency + LINK.jitter);
            before = passage.arrives;
        }
    }

    #[test]
    fn what_meets_a_black_hole_arrives_after_it() {
        let (mut lane, mut schedule) = (Lane::new(Way::Up, 1), with_a_hole());
        let under_way = lane.send(Duration::from_millis(980), 10, &mut schedule).unwrap();
        assert_eq!(under_way.arrives, SECOND * 2);
        let inside = lane.send(SECOND * 3 / 2, 10, &mut schedule).unwrap();
        assert!(inside.sent >= SECOND * 2, "{inside:?}");
    }

    #[test]
    fn nothing_arrives_on_a_link_that_never_opens() {
        let mut schedule = Schedule::new(Plan::steady(Weather::Cut), 1);
        assert_eq!(Lane::new(Way::Up, 1).send(SECOND, 1, &mut schedule), None);
        assert_eq!(Lane::new(Way::Up, 1).tell(SECOND, &mut schedule), None);
    }
}
