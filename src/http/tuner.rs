//! [`Tuner`]: which transfers are fitted to their clients, and whether that does any good.
//!
//! What is decided is decided in `tuning`; here it is measured and carried out. A transfer has a [`Course`],
//! which belongs to it alone: nothing is shared until it ends.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};

use crate::tuning::profile::Lesson;
use crate::tuning::{
    Arm, Bounds, Direction, Finding, Fitted, Fitting, Guard, GuardSettings, Lot, LotKey, Measure,
    PathMeasure, Rollout, Trial, WINDOW,
};
use crate::upload::UploadId;

use super::client::Client;
use super::connection::Connection;
use super::metrics::ArmMetrics;

/// Of so many writes the processor time of one is measured, because asking the kernel costs something, too.
const SAMPLED: u32 = 16;

/// For how long fitting is off once its guard has switched it off, for people.
pub const UNTIL: &str = "it stays so until a restart, or until a SIGHUP finds another performance.rollout or \
                         performance.adaptive_buffers";

/// Which transfers are fitted, and within which bounds. May change while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TuningSettings {
    /// How many sessions of a hundred are fitted.
    pub rollout: Rollout,
    /// Whether a buffer follows what is measured while its transfer lasts; else it stays as it began.
    pub follows: bool,
    /// Sizes of buffers.
    pub buffers: Bounds,
    /// When fitting is switched off because it does worse.
    pub guard: GuardSettings,
}

/// Decides for each transfer. Clones decide together.
#[derive(Clone)]
pub struct Tuner(Arc<Shared>);

struct Shared {
    key: LotKey,
    fitting: Arc<dyn Fitting>,
    metrics: ArmMetrics,
    /// Read once by every transfer, changed by operators and by the guard.
    plan: RwLock<Plan>,
    /// Told once by every transfer, at its end.
    guard: Mutex<Guard>,
    began: Instant,
}

#[derive(Clone, Copy)]
struct Plan {
    settings: TuningSettings,
    rolled_back: Option<Finding>,
}

impl Plan {
    const fn rollout(&self) -> Rollout {
        match self.rolled_back {
            None => self.settings.rollout,
            Some(_) => Rollout::NOBODY,
        }
    }
}

impl Tuner {
    /// Fits transfers as `settings` say; `key` draws lots.
    #[must_use]
    pub fn new(settings: TuningSettings, key: LotKey, metrics: ArmMetrics) -> Self {
        Self::deciding_by(Arc::new(Fitted), settings, key, metrics)
    }

    pub(super) fn deciding_by(
        fitting: Arc<dyn Fitting>,
        settings: TuningSettings,
        key: LotKey,
        metrics: ArmMetrics,
    ) -> Self {
        let plan = Plan { settings, rolled_back: None };
        metrics.rolls_out(plan.rollout().get(), false);
        let guard = Mutex::new(Guard::new(settings.guard, Duration::ZERO));
        let (plan, began) = (RwLock::new(plan), Instant::now());
        Self(Arc::new(Shared { key, fitting, metrics, plan, guard, began }))
    }

    /// Takes changed settings, for transfers that begin from now on; the arms are compared anew then. Settings
    /// that are as before change nothing.
    ///
    /// Fitting that was switched off by its guard stays off unless the rollout is another one: only who changes that
    /// has decided about it. Signals come for other reasons, too.
    pub fn reload(&self, settings: TuningSettings) {
        let (mut guard, mut plan) = (self.guard(), self.plan_to_change());
        if plan.settings == settings {
            return;
        }
        if plan.settings.rollout != settings.rollout {
            plan.rolled_back = None;
        }
        plan.settings = settings;
        *guard = Guard::new(settings.guard, self.0.began.elapsed());
        self.0.metrics.rolls_out(plan.rollout().get(), plan.rolled_back.is_some());
    }

    /// Why fitting was switched off, in words; `None` if it was not.
    #[must_use]
    pub fn rolled_back(&self) -> Option<String> {
        self.plan().rolled_back.map(|finding| told(&finding))
    }

    /// The course of a transfer of the session `id`. Where it is not fitted, its buffer has `fixed` bytes;
    /// where it is, it begins with `known`, if something is known of the client.
    pub(super) fn course(
        &self,
        direction: Direction,
        id: UploadId,
        fixed: usize,
        known: Option<u64>,
    ) -> Course {
        let (plan, lot, now) = (self.plan(), self.0.key.draw(id), Instant::now());
        let arm = plan.rollout().arm(lot);
        let bounds = plan.settings.buffers;
        let buffer_bytes = match arm {
            Arm::Adaptive => self.0.fitting.first(known, bounds),
            Arm::Fixed => fixed,
        };
        Course {
            tuner: self.clone(),
            direction,
            arm,
            lot,
            bounds,
            follows: plan.settings.follows && arm == Arm::Adaptive,
            first_bytes: buffer_bytes,
            buffer_bytes,
            window: Window::new(now),
            began: now,
            bytes: 0,
            moves: 0,
            processor: None,
            went_well: false,
            client: None,
            path: None,
            waited: Duration::ZERO,
        }
    }

    fn plan(&self) -> Plan {
        *self.0.plan.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever takes the guard, too, takes that first.
    fn plan_to_change(&self) -> RwLockWriteGuard<'_, Plan> {
        self.0.plan.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn guard(&self) -> MutexGuard<'_, Guard> {
        // Counts alone: none is half-changed.
        self.0.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, trial: &Trial, buffer_bytes: usize) {
        self.0.metrics.ended(trial, buffer_bytes);
        // Held until the plan is changed, so that what was found by older settings never ends newer ones.
        let mut guard = self.guard();
        let Some(finding) = guard.observe(trial, self.0.began.elapsed()) else { return };
        let mut plan = self.plan_to_change();
        // What was under way when it was switched off may find the same once more.
        if plan.rollout() == Rollout::NOBODY {
            return;
        }
        plan.rolled_back = Some(finding);
        self.0.metrics.rolls_out(0, true);
        drop((plan, guard));
        let why = told(&finding);
        tracing::error!("fitted transfers do worse, so none is fitted any more: {why}; {UNTIL}");
    }
}

impl fmt::Debug for Tuner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.plan().settings;
        formatter.debug_struct("Tuner").field("settings", &settings).finish_non_exhaustive()
    }
}

/// What the kernel says of the path by which a connection came, if anything.
pub(super) fn measured_path(connection: &Connection) -> Option<PathMeasure> {
    let sample = connection.path()?;
    let rtt = sample.min_rtt.unwrap_or(sample.rtt);
    Some(PathMeasure { rtt, delivery_rate: sample.delivery_rate_bytes_per_second })
}

/// A finding in words.
fn told(finding: &Finding) -> String {
    let what = match finding.direction {
        Direction::Up => "uploads",
        Direction::Down => "downloads",
    };
    let Finding { quantity, percent, adaptive, fixed, .. } = finding;
    let worse = quantity.name();
    format!(
        "{adaptive} {what} with adaptive buffers were {worse} ({percent} %) than {fixed} with fixed ones"
    )
}

/// The buffer of one transfer, and what came of it. Counts as broken off unless it is told otherwise.
pub(super) struct Course {
    tuner: Tuner,
    direction: Direction,
    arm: Arm,
    lot: Lot,
    bounds: Bounds,
    /// Whether the buffer follows what is measured.
    follows: bool,
    /// What it began with.
    first_bytes: usize,
    buffer_bytes: usize,
    window: Window,
    began: Instant,
    bytes: u64,
    moves: u32,
    processor: Option<(Duration, u64)>,
    went_well: bool,
    /// Whose it is, if that is remembered.
    client: Option<Client>,
    /// What the kernel said of its path at last.
    path: Option<PathMeasure>,
    /// Time for which it was waited, and not for the client.
    waited: Duration,
}

/// What was seen since the buffer was last judged.
struct Window {
    since: Instant,
    bytes: u64,
    /// Time in which the client had no part.
    apart: Duration,
    device: Duration,
    moves: u32,
    at_once: u64,
}

impl Window {
    const fn new(since: Instant) -> Self {
        let (apart, device) = (Duration::ZERO, Duration::ZERO);
        Self { since, bytes: 0, apart, device, moves: 0, at_once: 0 }
    }
}

/// Bytes that went through at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) bytes: u64,
    /// What the device took for them.
    pub(super) device: Duration,
    /// Besides, what was waited for that is not the client's.
    pub(super) waited: Duration,
}

impl Course {
    /// Bytes for the next buffer, where so many are free; whatever they are, there is a smallest one.
    pub(super) fn buffer_bytes(&self, free: usize) -> usize {
        match self.arm {
            Arm::Adaptive => {
                let earned = self.bounds.earned(self.buffer_bytes, self.first_bytes, self.bytes);
                self.bounds.share(earned, free)
            }
            Arm::Fixed => self.buffer_bytes,
        }
    }

    /// Whether its buffer is what was measured, rather than what the settings say.
    pub(super) fn is_fitted(&self) -> bool {
        self.arm == Arm::Adaptive
    }

    /// What came of it is remembered of `client`.
    pub(super) fn is_of(&mut self, client: Option<Client>) {
        self.client = client;
    }

    /// It broke off by no doing of its client, which is not to be remembered for it.
    pub(super) fn is_forgiven(&mut self) {
        self.client = None;
    }

    /// Something was waited for that is not the client's: memory, or a network that settles.
    pub(super) fn waited(&mut self, time: Duration) {
        self.waited = self.waited.saturating_add(time);
        self.window.apart = self.window.apart.saturating_add(time);
    }

    /// Bytes went through; `path` is asked only once in a while, whether or not the buffer follows: what is remembered of
    /// a client does not depend on the arm of its session.
    pub(super) fn moved(
        &mut self,
        moved: Move,
        now: Instant,
        path: impl FnOnce() -> Option<PathMeasure>,
    ) {
        let Move { bytes, device, waited } = moved;
        self.bytes = self.bytes.saturating_add(bytes);
        self.moves = self.moves.wrapping_add(1);
        let window = &mut self.window;
        window.bytes = window.bytes.saturating_add(bytes);
        window.apart = window.apart.saturating_add(device).saturating_add(waited);
        window.device = window.device.saturating_add(device);
        window.moves = window.moves.saturating_add(1);
        window.at_once = window.at_once.max(bytes);
        let passed = now.saturating_duration_since(window.since);
        if passed < WINDOW {
            return;
        }
        let measure = Measure {
            bytes: window.bytes,
            took: passed.saturating_sub(window.apart),
            device: window.device / window.moves.max(1),
            at_once: match self.direction {
                Direction::Up => Some(window.at_once),
                // Here it is we who decide how much comes at once.
                Direction::Down => None,
            },
            path: path(),
        };
        self.path = measure.path;
        self.window = Window::new(now);
        if self.follows {
            self.buffer_bytes = self.tuner.0.fitting.next(self.buffer_bytes, &measure, self.bounds);
        }
    }

    /// Whether the processor time of the next write is to be measured.
    pub(super) const fn samples_processor(&self) -> bool {
        self.moves.is_multiple_of(SAMPLED)
    }

    /// What a write of `bytes` cost.
    pub(super) fn cost(&mut self, time: Duration, bytes: u64) {
        let (all, of) = self.processor.unwrap_or_default();
        self.processor = Some((all.saturating_add(time), of.saturating_add(bytes)));
    }

    /// It came to its end as it should.
    pub(super) fn went_well(&mut self) {
        self.went_well = true;
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        let trial = Trial {
            direction: self.direction,
            arm: self.arm,
            lot: self.lot,
            bytes: self.bytes,
            took: self.began.elapsed(),
            failed: !self.went_well,
            processor: self.processor,
        };
        self.tuner.ended(&trial, self.buffer_bytes);
        if let Some(client) = &self.client {
            let buffer_bytes = self.follows.then(|| u64::try_from(self.buffer_bytes).unwrap_or(0));
            client.learn(&Lesson {
                bytes: trial.bytes,
                took: trial.took.saturating_sub(self.waited),
                went_well: self.went_well,
                buffer_bytes,
                path: self.path,
                hints: client.hints(),
            });
        }
    }
}

#[cfg(test)]
mod tests;
