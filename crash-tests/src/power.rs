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
    /// Operations until the cut, and who dies of it.
    cut: Option<(u64, Pid)>,
    rules: Vec<Rule>,
    done: u64,
}

impl Power {
    /// Power for `disk`.
    #[must_use]
    pub const fn new(disk: Disk) -> Self {
        let state = State { disk, on: true, cut: None, rules: Vec::new(), done: 0 };
        Self { state: Mutex::new(state), gone: Condvar::new() }
    }

    /// The power goes after so many more operations. `process` is killed at the same moment, before
    /// it hears of anything that was not done: it must not tell anybody.
    pub fn cut_after(&self, operations: u64, process: Pid) {
        self.state().cut = Some((operations, process));
    }

    /// What goes wrong from now on.
    pub fn set_rules(&self, rules: Vec<Rule>) {
        self.state().rules = rules;
    }

    /// Operations that changed something so far.
    pub fn done(&self) -> u64 {
        self.state().done
    }

    /// Whether there is power.
    pub fn is_on(&self) -> bool {
        self.state().on
    }

    /// Waits until the power is gone; says whether it went within `patience`.
    pub fn wait(&self, patience: Duration) -> bool {
        let waited = self.gone.wait_timeout_while(self.state(), patience, |state| state.on);
        !waited.unwrap_or_else(PoisonError::into_inner).0.on
    }

    /// Cuts the power now, if nothing did yet.
    pub fn cut(&self, process: Pid) {
        let mut state = self.state();
        if state.on {
            self.switch_off(&mut state, process);
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
        state.done = state.done.saturating_add(1);
        let fault = state.fault(doing);
        let outcome = act(&mut state.disk, fault);
        match state.cut {
            Some((0, process)) => {
                // It may have been done; nobody is told.
                self.switch_off(&mut state, process);
                return Err(Errno::IO);
            }
            Some((left, process)) => state.cut = Some((left.saturating_sub(1), process)),
            None => {}
        }
        outcome
    }

    fn switch_off(&self, state: &mut State, process: Pid) {
        // First: whoever waits for an answer of this disk does not return to its program any more.
        let _ = kill_process(process, Signal::KILL);
        state.on = false;
        state.cut = None;
        state.disk = state.disk.clone().after_cut();
        self.gone.notify_all();
    }

    /// A panic between lock and unlock is a failed test anyway.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fault(&self, doing: Doing) -> Option<Fault> {
        let now =
            |rule: &&Rule| rule.doing == doing && self.done.checked_rem(rule.every) == Some(0);
        self.rules.iter().find(now).map(|rule| rule.fault)
    }
}
