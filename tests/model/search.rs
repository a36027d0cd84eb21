//! Every state that can be reached, breadth first, so that a counter-example is a shortest one.

use std::collections::HashMap;

use super::state::State;
use super::steps::{Label, successors};
use super::{Mistake, invariants};

/// What a search found.
pub(super) struct Found {
    /// How many different states were seen.
    pub(super) states: usize,
    /// How many of them have a finished upload.
    pub(super) finished: usize,
    /// What was broken first, and the steps that lead there.
    pub(super) broken: Option<(&'static str, Vec<Label>)>,
}

/// Looks at every state, or at all up to the first in which an invariant does not hold.
pub(super) fn search(mistake: Option<Mistake>) -> Found {
    let mut seen: HashMap<State, usize> = HashMap::new();
    let mut queue: Vec<(State, Option<(usize, Label)>)> = vec![(State::new(), None)];
    seen.insert(State::new(), 0);
    let (mut next, mut finished) = (0, 0);
    while let Some((state, _)) = queue.get(next).copied() {
        finished += usize::from(state.record.complete);
        let after = successors(&state, mistake);
        let broken = invariants::broken(&state).or_else(|| {
            (after.is_empty() && !state.record.complete).then_some("somebody can always go on")
        });
        if let Some(what) = broken {
            let broken = Some((what, path(&queue, next)));
            return Found { states: seen.len(), finished, broken };
        }
        for (label, state) in after {
            seen.entry(state).or_insert_with(|| {
                queue.push((state, Some((next, label))));
                queue.len()
            });
        }
        next += 1;
    }
    Found { states: seen.len(), finished, broken: None }
}

fn path(queue: &[(State, Option<(usize, Label)>)], mut at: usize) -> Vec<Label> {
    let mut labels = Vec::new();
    while let Some((_, Some((before, label)))) = queue.get(at) {
        labels.push(*label);
        at = *before;
    }
    labels.reverse();
    labels
}
