//! Days of transfers that never were: as unlike each other as those of real clients, and no clock.

use std::time::Duration;

use crate::tuning::{Arm, Direction, Finding, Guard, GuardSettings, Lot, Quantity, Rollout, Trial};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

const SETTINGS: GuardSettings =
    GuardSettings { window: HOUR, margin_percent: 10, least_transfers: 200 };

/// Random numbers that a seed repeats.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Around 0, with a standard deviation of 1.
    fn normal(&mut self) -> f64 {
        ((0..4).map(|_| self.share()).sum::<f64>() - 2.0) * 3.0_f64.sqrt()
    }
}

/// Clients by radio and by cable: rates over four orders of magnitude. A session has one to forty
/// transfers, all by its client's path.
struct Days {
    chance: Chance,
    rollout: Rollout,
    /// Sessions per day.
    sessions: u32,
    /// What a fitted transfer's rate is multiplied by, from some moment on.
    regression: fn(Duration) -> f64,
    /// Of a thousand fitted transfers so many more break off.
    more_failures: f64,
    /// What fitted transfers cost more.
    cost: f64,
}

impl Days {
    fn equal(seed: u64) -> Self {
        let rollout = Rollout::percent(50);
        let (regression, more_failures, cost) = (|_| 1.0, 0.0, 1.0);
        Self { chance: Chance(seed), rollout, sessions: 1500, regression, more_failures, cost }
    }

    /// Lets `time` pass; when the guard says something, and what.
    fn pass(&mut self, time: Duration) -> Option<(Duration, Finding)> {
        let mut guard = Guard::new(SETTINGS, Duration::ZERO);
        let step = DAY / self.sessions;
        let mut now = Duration::ZERO;
        while now < time {
            now += step;
            let lot = Lot::new(self.chance.next());
            let client = 18.0 + 3.0 * self.chance.normal();
            let transfers = 1 + (self.chance.share().powi(4) * 40.0) as u32;
            for _ in 0..transfers {
                let trial = self.trial(lot, client, now);
                if let Some(finding) = guard.observe(&trial, now) {
                    return Some((now, finding));
                }
            }
        }
        None
    }

    fn trial(&mut self, lot: Lot, client: f64, now: Duration) -> Trial {
        let arm = self.rollout.arm(lot);
        let fitted = arm == Arm::Adaptive;
        let factor = if fitted { (self.regression)(now) } else { 1.0 };
        let rate = (client + self.chance.normal()).exp2() * factor;
        let bytes = 1_000_000 + (self.chance.share() * 9e6) as u64;
        let more = if fitted { self.more_failures } else { 0.0 };
        let cost =
            0.4e-9 * (1.0 + 0.3 * self.chance.share()) * if fitted { self.cost } else { 1.0 };
        Trial {
            direction: Direction::Up,
            arm,
            lot,
            bytes,
            took: Duration::from_secs_f64(bytes as f64 / rate),
            failed: self.chance.share() < 0.05 + more,
            processor: Some((Duration::from_secs_f64(bytes as f64 * cost), bytes)),
        }
    }
}

#[test]
fn equal_arms_are_left_alone_for_a_hundred_days() {
    assert_eq!(Days::equal(1).pass(100 * DAY), None);
}

#[test]
fn an_arm_that_is_faster_is_left_alone() {
    let mut days = Days { regression: |_| 2.0, ..Days::equal(1) };
    assert_eq!(days.pass(10 * DAY), None);
}

#[test]
fn an_arm_that_is_slower_by_less_than_the_margin_is_left_alone() {
    let mut days = Days { regression: |_| 0.95, ..Days::equal(1) };
    assert_eq!(days.pass(30 * DAY), None);
}

#[test]
fn a_regression_is_found_within_the_window() {
    // One a second: a busy hour.
    let busy = |seed| Days { sessions: 86_400, ..Days::equal(seed) };
    for seed in 0..10 {
        let mut days = Days { regression: |_| 0.2, ..busy(seed) };
        let (when, finding) = days.pass(DAY).unwrap();
        assert!(when <= HOUR, "seed {seed}: {when:?}");
        assert_eq!((finding.direction, finding.quantity), (Direction::Up, Quantity::Rate));
        assert!((60..=95).contains(&finding.percent), "{finding:?}");
    }
}

#[test]
fn a_regression_that_begins_later_is_found_within_a_window_and_the_next() {
    for seed in 0..5 {
        let late = |now| if now < 2 * HOUR { 1.0 } else { 0.2 };
        let mut days = Days { regression: late, sessions: 86_400, ..Days::equal(seed) };
        let (when, finding) = days.pass(DAY).unwrap();
        assert!(when >= 2 * HOUR && when <= 4 * HOUR, "seed {seed}: {when:?} {finding:?}");
    }
}

#[test]
fn more_broken_transfers_and_more_processor_time_are_found_too() {
    let busy = || Days { sessions: 86_400, ..Days::equal(3) };
    let (_, finding) = Days { more_failures: 0.2, ..busy() }.pass(HOUR).unwrap();
    assert_eq!(finding.quantity, Quantity::Failures);
    assert!((15..=25).contains(&finding.percent), "{finding:?}");
    let (_, finding) = Days { cost: 1.5, ..busy() }.pass(HOUR).unwrap();
    assert_eq!(finding.quantity, Quantity::Processor);
    assert!((30..=36).contains(&finding.percent), "{finding:?}");
}

/// One slow client with thousands of transfers is one client.
#[test]
fn many_transfers_of_one_session_prove_nothing() {
    let mut guard = Guard::new(SETTINGS, Duration::ZERO);
    let mut chance = Chance(5);
    let fitted = Lot::new(0);
    for turn in 0..40_000_u32 {
        let slow = turn % 2 == 0;
        let lot = if slow { fitted } else { Lot::new(chance.next()) };
        let trial = Trial {
            direction: Direction::Down,
            arm: Rollout::percent(50).arm(lot),
            lot,
            bytes: 1_000_000,
            took: if slow { HOUR } else { Duration::from_secs(1) },
            failed: false,
            processor: None,
        };
        assert_eq!(guard.observe(&trial, Duration::from_millis(u64::from(turn))), None);
    }
}

#[test]
fn too_few_transfers_prove_nothing_however_slow_they_are() {
    let mut guard = Guard::new(SETTINGS, Duration::ZERO);
    let mut chance = Chance(5);
    let mut fitted = 0;
    while fitted < 199 {
        let lot = Lot::new(chance.next());
        let arm = Rollout::percent(50).arm(lot);
        fitted += u32::from(arm == Arm::Adaptive);
        let took = if arm == Arm::Adaptive { HOUR } else { Duration::from_secs(1) };
        let (direction, bytes, failed, processor) = (Direction::Up, 1_000_000, false, None);
        let trial = Trial { direction, arm, lot, bytes, took, failed, processor };
        assert_eq!(guard.observe(&trial, Duration::from_secs(1)), None);
    }
}
