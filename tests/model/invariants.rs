//! What must hold in every state.

use super::state::{BYTES, CLIENTS, Doing, Process, State, offset};

/// The name of an invariant that does not hold.
pub(super) fn broken(state: &State) -> Option<&'static str> {
    let writing = |doing| doing == Doing::Writing;
    let targets: Vec<u8> = state
        .clients
        .iter()
        .filter(|client| writing(client.doing))
        .map(|client| super::steps::target(client, state.record.there))
        .collect();
    if targets.len() > 1 && targets[0] == targets[1] {
        return Some("one writer per byte");
    }
    if state.cache.published && state.cache.bytes.contains(&0) {
        return Some("finished implies whole");
    }
    if state.record.complete && !state.cache.published {
        return Some("finished implies visible");
    }
    // What a crash left behind is judged once recovery is through.
    if state.process != Process::Serving {
        return None;
    }
    // While a commit is under way the record may trail; what matters is what a crash makes of it.
    let at_rest = !(0..CLIENTS).any(|me| super::steps::is_committing(state, me));
    let forgotten = |at: usize| state.promised[at] != 0 && state.record.there & (1 << at) == 0;
    if at_rest && (0..BYTES).any(forgotten) {
        return Some("acknowledged is durable, offsets never go back");
    }
    if (0..BYTES).any(|at| state.promised[at] != 0 && state.promised[at] != state.cache.bytes[at]) {
        return Some("acknowledged bytes never change");
    }
    let believed = usize::from(offset(state.record.there));
    if state.cache.bytes[..believed].contains(&0) {
        return Some("[0, offset) is what a client sent");
    }
    let ahead = |at: usize| state.record.there & (1 << at) != 0 && state.cache.bytes[at] == 0;
    (0..BYTES).any(ahead).then_some("a chunk that counts is there")
}
