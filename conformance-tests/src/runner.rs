//! Runs cases side by side within a bounded time and cleans up after them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::case::{Case, Failure, Group, Stop};
use crate::client::Client;
use crate::content::after;
use crate::context::Context;
use crate::suites::Suite;
use crate::target::ProbeError;

/// How long to wait before a target that has gone is asked again.
const BETWEEN_PROBES: Duration = Duration::from_millis(100);

/// Which cases to run. An empty list means all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Names of suites.
    pub suites: Vec<String>,
    /// Parts of case names, names of groups, or requirement ids.
    pub cases: Vec<String>,
}

impl Filter {
    fn takes(&self, suite: &Suite, group: &Group, case: &Case) -> bool {
        let suite_taken =
            self.suites.is_empty() || self.suites.iter().any(|name| name == suite.name);
        let case_taken = self.cases.is_empty()
            || self.cases.iter().any(|wanted| {
                case.name.contains(wanted.as_str())
                    || group.name == wanted
                    || case.ids.contains(&wanted.as_str())
            });
        suite_taken && case_taken
    }
}

/// A case with the place it was registered at.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// The suite it belongs to.
    pub suite: &'static str,
    /// The group it belongs to.
    pub group: &'static Group,
    /// The case.
    pub case: &'static Case,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server does what the case says.
    Passed,
    /// It does not.
    Failed {
        /// What was seen instead.
        failure: Failure,
        /// What was asked before, one line each.
        trail: Vec<String>,
    },
    /// The case says nothing about this server; the reason.
    NotApplicable(String),
}

/// A case that was run.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Which case.
    pub listed: Listed,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// The cases `filter` takes, in the order they are registered.
pub fn list(suites: &'static [Suite], filter: &Filter) -> Vec<Listed> {
    suites
        .iter()
        .flat_map(|suite| suite.groups.iter().map(move |group| (suite, group)))
        .flat_map(|(suite, group)| group.cases.iter().map(move |case| (suite, *group, case)))
        .filter(|(suite, group, case)| filter.takes(suite, group, case))
        .map(|(suite, group, case)| Listed { suite: suite.name, group, case })
        .collect()
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// The cases that were run, in the order they were given.
    pub judged: Vec<Judged>,
    /// Why the rest was not: the target no longer answers.
    pub gave_up: Option<ProbeError>,
}

/// Runs `cases` on up to `threads` threads; those that must be alone come last, one by one.
///
/// Every case is independent of every other, ends by the case time of `context`, and deletes what
/// it created. `watch` sees every case as it ends. When a case fails and the target does not answer
/// OPTIONS any more, and does not come back either, no further case is begun.
pub fn run(
    context: &Context,
    cases: &[Listed],
    threads: usize,
    watch: &mut dyn FnMut(&Judged),
) -> Run {
    let (alone, together): (Vec<_>, Vec<_>) =
        cases.iter().copied().enumerate().partition(|(_, listed)| listed.case.alone);
    let gone = OnceLock::new();
    let mut judged = run_together(context, &together, threads.max(1), &gone, watch);
    judged.extend(run_together(context, &alone, 1, &gone, watch));
    judged.sort_by_key(|(index, _)| *index);
    let judged = judged.into_iter().map(|(_, judged)| judged).collect();
    Run { judged, gave_up: gone.into_inner() }
}

fn run_together(
    context: &Context,
    cases: &[(usize, Listed)],
    threads: usize,
    gone: &OnceLock<ProbeError>,
    watch: &mut dyn FnMut(&Judged),
) -> Vec<(usize, Judged)> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let work = |sender: mpsc::Sender<_>| {
        while gone.get().is_none()
            && let Some((index, listed)) = cases.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let judged = judge(context, *listed);
            if let Outcome::Failed { .. } = judged.outcome
                && let Some(error) = gone_for_good(context)
            {
                let _ = gone.set(error);
            }
            let _ = sender.send((*index, judged));
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.min(cases.len()) {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        receiver.into_iter().inspect(|(_, judged)| watch(judged)).collect()
    })
}

/// Waits until the target answers again, as long as we were told to; `Some` if it does not.
fn gone_for_good(context: &Context) -> Option<ProbeError> {
    let until = after(context.parameters.patience);
    loop {
        let error = context.target.still_answers().err()?;
        if Instant::now() > until {
            return Some(error);
        }
        thread::park_timeout(BETWEEN_PROBES);
    }
}

fn judge(context: &Context, listed: Listed) -> Judged {
    let began = Instant::now();
    let missing: Vec<_> = listed
        .group
        .needs
        .iter()
        .filter(|extension| !context.offers.has(extension))
        .copied()
        .collect();
    let outcome = if missing.is_empty() {
        run_one(context, listed.case)
    } else {
        Outcome::NotApplicable(format!("not advertised: {}", missing.join(", ")))
    };
    Judged { listed, outcome, took: began.elapsed() }
}

fn run_one(context: &Context, case: &Case) -> Outcome {
    let client = Client::new(context);
    // A mistake in one case must not take the others with it.
    let verdict = catch_unwind(AssertUnwindSafe(|| (case.run)(&client)))
        .unwrap_or_else(|_| Err(Stop::failed("the case itself panicked")));
    let trail = client.trail();
    client.clean_up();
    match verdict {
        Ok(()) => Outcome::Passed,
        Err(Stop::NotApplicable(reason)) => Outcome::NotApplicable(reason),
        Err(Stop::Failed(failure)) => Outcome::Failed { failure: *failure, trail },
    }
}
