//! Which weather is when: decided by a plan and a seed, never by a clock.

use std::collections::VecDeque;
use std::time::Duration;

use conformance_tests::content::Numbers;

/// Phases that are remembered. Nobody asks for a moment that is longer ago than these last.
const REMEMBERED: usize = 64;

/// What a link is like for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Bytes pass.
    Open(Link),
    /// Nothing passes, and nobody is told. What is under way arrives when this is over.
    BlackHole,
    /// Connections end by a reset, those that come as well.
    Cut,
}

/// How bytes pass. Both ways have the same delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// From the client to the gateway, in bytes a second.
    pub up: u64,
    /// From the gateway to the client, in bytes a second.
    pub down: u64,
    /// From one end to the other.
    pub latency: Duration,
    /// What chance adds to that at most.
    pub jitter: Duration,
}

/// A weather, and how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The weather.
    pub weather: Weather,
    /// It lasts at least this long.
    pub shortest: Duration,
    /// And at most this long.
    pub longest: Duration,
}

/// Stages that follow each other, again and again. One alone lasts for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    first: Stage,
    others: Vec<Stage>,
}

impl Plan {
    /// One weather for ever.
    #[must_use]
    pub const fn steady(weather: Weather) -> Self {
        let first = Stage { weather, shortest: Duration::MAX, longest: Duration::MAX };
        Self { first, others: Vec::new() }
    }

    /// `first`, then `others` in their order, then `first` again.
    #[must_use]
    pub const fn rounds(first: Stage, others: Vec<Stage>) -> Self {
        Self { first, others }
    }

    /// Every weather there is in it.
    pub fn weathers(&self) -> impl Iterator<Item = Weather> {
        std::iter::once(&self.first).chain(&self.others).map(|stage| stage.weather)
    }

    fn stage(&self, number: usize) -> Stage {
        let place = number % self.others.len().saturating_add(1);
        let other = place.checked_sub(1).and_then(|place| self.others.get(place));
        other.copied().unwrap_or(self.first)
    }
}

/// One weather from a moment to another, both counted from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Its first moment.
    pub begins: Duration,
    /// The first moment of the next one; [`Duration::MAX`] if there is none.
    pub ends: Duration,
    /// What it is like.
    pub weather: Weather,
}

/// A plan in which chance, by a seed, has said how long each stage lasts.
#[derive(Clone, Debug)]
pub struct Schedule {
    plan: Plan,
    numbers: Numbers,
    made: usize,
    phases: VecDeque<Phase>,
}

impl Schedule {
    /// The same plan and seed make the same schedule.
    #[must_use]
    pub fn new(plan: Plan, seed: u64) -> Self {
        Self { plan, numbers: Numbers::seeded(seed), made: 0, phases: VecDeque::new() }
    }

    /// The phase that `moment` is in.
    pub fn at(&mut self, moment: Duration) -> Phase {
        while self.phases.back().is_none_or(|last| last.ends <= moment && last.ends < Duration::MAX)
        {
            self.extend();
        }
        let found = self.phases.iter().rev().find(|phase| phase.begins <= moment);
        let oldest = Phase { begins: moment, ends: moment, weather: self.plan.first.weather };
        found.or(self.phases.front()).copied().unwrap_or(oldest)
    }

    /// The first moment, not before `moment`, at which bytes pass, and how they do; `None` if they
    /// never will.
    pub fn opens(&mut self, moment: Duration) -> Option<(Duration, Link)> {
        let mut moment = moment;
        // Once around, and every stage was looked at.
        for _ in 0..=self.plan.others.len().saturating_add(1) {
            let phase = self.at(moment);
            match phase.weather {
                Weather::Open(link) => return Some((moment, link)),
                Weather::BlackHole | Weather::Cut if phase.ends == Duration::MAX => return None,
                Weather::BlackHole | Weather::Cut => moment = phase.ends,
            }
        }
        None
    }

    fn extend(&mut self) {
        let stage = self.plan.stage(self.made);
        let begins = self.phases.back().map_or(Duration::ZERO, |last| last.ends);
        let spread = stage.longest.saturating_sub(stage.shortest);
        let more = self.numbers.below(u64::try_from(spread.as_micros()).unwrap_or(u64::MAX).max(1));
        // A stage of no length would be asked for again without end.
        let lasts = stage.shortest.saturating_add(Duration::from_micros(more));
        let ends = begins.saturating_add(lasts.max(Duration::from_millis(1)));
        let alone = self.plan.others.is_empty();
        let ends = if alone { Duration::MAX } else { ends };
        self.phases.push_back(Phase { begins, ends, weather: stage.weather });
        self.made = self.made.saturating_add(1);
        if self.phases.len() > REMEMBERED {
            self.phases.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link =
        Link { up: 1000, down: 2000, latency: Duration::ZERO, jitter: Duration::ZERO };
    const SECOND: Duration = Duration::from_secs(1);

    fn stage(weather: Weather, shortest: u64, longest: u64) -> Stage {
        let seconds = Duration::from_secs;
        Stage { weather, shortest: seconds(shortest), longest: seconds(longest) }
    }

    fn changing() -> Plan {
        let others = vec![stage(Weather::BlackHole, 1, 1), stage(Weather::Cut, 2, 4)];
        Plan::rounds(stage(Weather::Open(LINK), 3, 3), others)
    }

    #[test]
    fn a_steady_plan_never_changes() {
        let mut schedule = Schedule::new(Plan::steady(Weather::BlackHole), 1);
        assert_eq!(schedule.at(SECOND * 100_000).weather, Weather::BlackHole);
        assert_eq!(schedule.opens(SECOND), None);
    }

    #[test]
    fn stages_follow_each_other_and_begin_again() {
        let mut schedule = Schedule::new(changing(), 1);
        assert_eq!(schedule.at(Duration::ZERO).weather, Weather::Open(LINK));
        assert_eq!(schedule.at(SECOND * 3).weather, Weather::BlackHole);
        let cut = schedule.at(SECOND * 4);
        assert_eq!(cut.weather, Weather::Cut);
        assert!((SECOND * 2..=SECOND * 4).contains(&(cut.ends - cut.begins)), "{cut:?}");
        assert_eq!(schedule.at(cut.ends).weather, Weather::Open(LINK));
    }

    #[test]
    fn phases_meet_without_a_gap() {
        let mut schedule = Schedule::new(changing(), 5);
        let mut phase = schedule.at(Duration::ZERO);
        for _ in 0..1000 {
            let next = schedule.at(phase.ends);
            assert_eq!(next.begins, phase.ends);
            phase = next;
        }
        assert!(schedule.phases.len() <= REMEMBERED);
    }

    #[test]
    fn a_seed_says_how_long_each_stage_lasts() {
        let at = |seed| Schedule::new(changing(), seed).at(SECOND * 4).ends;
        assert_eq!(at(7), at(7));
        assert!((0..20).any(|seed| at(seed) != at(7)));
    }

    #[test]
    fn what_waits_for_a_hole_to_end_waits_for_the_cut_after_it_too() {
        let mut schedule = Schedule::new(changing(), 1);
        let opens = schedule.at(SECOND * 4).ends;
        assert_eq!(schedule.opens(SECOND * 3), Some((opens, LINK)));
        assert_eq!(schedule.opens(SECOND), Some((SECOND, LINK)));
    }
}
