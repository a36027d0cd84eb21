//! The switch: counts what is done to a disk, breaks some of it by rule, and cuts the power.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::disk::{Disk, Outcome};

/// What is done to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Bytes are written or copied.
    Write,
    /// A file or a directory is synced.
    Sync,
    /// A name or a length changes.
    Change,
    /// Bytes are read.
    Read,
}

/// What happens at a moment that chance picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// The power goes, and with it everything that was not synced.
    Cut,
    /// The process is killed; its machine goes on, and keeps what was written.
    Kill,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails. A failed sync loses what it was to bring to the device.
    Error(Errno),
    /// Only this many bytes are written.
    Short(usize),
    /// It is done, but takes this long.
    Slow(Duration),
}

/// When something goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// With what.
    pub doing: Doing,
    /// Every time, or once in so many times.
    pub every: u64,
    /// What happens then.
    pub fault: Fault,
}

/// A disk with a power switch.
#[derive(Debug)]
pub struct Power {
    state: Mutex<State>,
    gone: Condvar,
}

#[derive(Debug)]
struct State {
    disk: Disk,
    on: bool,
    /// Whether the process that was to be killed is not yet.
    spared: bool,
    /// Operations until it happens, and who dies of it.
    strike: Option<(u64, Strike, Pid)>,
    rules: Vec<Rule>,
    done: Done,
}

/// How often each thing was done.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    writes: u64,
    syncs: u64,
    changes: u64,
    reads: u64,
}

impl Done {
    const fn of(&mut self, doing: Doing) -> &mut u64 {
        match doing {
            Doing::Write => &mut self.writes,
            Doing::Sync => &mut self.syncs,
            Doing::Change => &mut self.changes,
            Doing::Read => &mut self.reads,
        }
    }
}

impl Power {
    /// Power for `disk`.
    #[must_use]
    pub fn new(disk: Disk) -> Self {
        let (strike, rules, done) = (None, Vec::new(), Done::default());
        let state = State { disk, on: true, spared: true, strike, rules, done };
        Self { state: Mutex::new(state), gone: Condvar::new() }
    }

    /// After so many more operations `process` is killed, and the power goes if the strike says so: then
    /// before the process hears of anything that was not done, for it must not tell anybody.
    pub fn strike_after(&self, operations: u64, strike: Strike, process: Pid) {
        self.state().strike = Some((operations, strike, process));
    }

    /// Another process takes the place of the one that was killed.
    pub fn revive(&self) {
        let mut state = self.state();
        (state.spared, state.strike) = (true, None);
    }

    /// What goes wrong from now on.
    pub fn set_rules(&self, rules: Vec<Rule>) {
        self.state().rules = rules;
    }

    /// Whether there is power, and a process that was not killed.
    pub fn is_on(&self) -> bool {
        self.state().is_alive()
    }

    /// Waits until that is over; says whether it was within `patience`.
    pub fn wait(&self, patience: Duration) -> bool {
        let waited = self.gone.wait_timeout_while(self.state(), patience, |state| state.is_alive());
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_alive()
    }

    /// Lets it happen now, if it did not yet.
    pub fn strike(&self, strike: Strike, process: Pid) {
        let mut state = self.state();
        if state.is_alive() {
            self.happen(&mut state, strike, process);
        }
    }

    /// What the next start finds on the disk.
    #[must_use]
    pub fn left(&self) -> Disk {
        self.state().disk.clone()
    }

    /// Looks at the disk.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut Disk) -> Outcome<T>) -> Outcome<T> {
        let mut state = self.state();
        if state.on { look(&mut state.disk) } else { Err(Errno::IO) }
    }

    /// Reads what is on the disk, unless the rules have something against it.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Disk) -> Outcome<T>) -> Outcome<T> {
        let mut state = self.state();
        match state.fault(Doing::Read) {
            _ if !state.on => Err(Errno::IO),
            Some(Fault::Error(error)) => Err(error),
            Some(Fault::Short(_) | Fault::Slow(_)) | None => read(&state.disk),
        }
    }

    /// Changes the disk, or what the rules make of it.
    pub(crate) fn change<T>(
        &self,
        doing: Doing,
        act: impl FnOnce(&mut Disk, Option<Fault>) -> Outcome<T>,
    ) -> Outcome<T> {
        let mut state = self.state();
        if !state.on {
            return Err(Errno::IO);
        }
        let fault = state.fault(doing);
        let outcome = act(&mut state.disk, fault);
        match state.strike.take() {
            Some((0, strike, process)) => {
                self.happen(&mut state, strike, process);
                // It may have been done; after a cut nobody is told.
                if !state.on {
                    return Err(Errno::IO);
                }
            }
            Some((left, strike, process)) => {
                state.strike = Some((left.saturating_sub(1), strike, process));
            }
            None => {}
        }
        outcome
    }

    fn happen(&self, state: &mut State, strike: Strike, process: Pid) {
        // First: whoever waits for an answer of this disk does not return to its program any more.
        let _ = kill_process(process, Signal::KILL);
        state.spared = false;
        state.strike = None;
        if strike == Strike::Cut {
            state.on = false;
            state.disk = state.disk.clone().after_cut();
        }
        self.gone.notify_all();
    }

    /// A panic between lock and unlock is a failed test anyway.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn is_alive(&self) -> bool {
        self.on && self.spared
    }

    /// Counts what is being done; what goes wrong with it.
    fn fault(&mut self, doing: Doing) -> Option<Fault> {
        let done = self.done.of(doing);
        *done = done.saturating_add(1);
        let now = |rule: &&Rule| rule.doing == doing && done.checked_rem(rule.every) == Some(0);
        self.rules.iter().find(now).map(|rule| rule.fault)
    }
}
