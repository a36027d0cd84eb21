//! What may happen next.

use proptest::prelude::*;

use super::reference::{CHUNK, LENGTH};

pub(super) const SLOTS: usize = 3;

/// How a request ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Whole,
    Cut,
    /// The client's handler is dropped.
    Dropped,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Create(usize),
    CreateWithBody(usize, usize, End),
    /// At the offset.
    Append(usize, usize, End),
    AppendWithWrongSum(usize, usize),
    AppendElsewhere(usize, usize),
    /// From the front, over what is there.
    Put(usize, usize, End),
    Chunk(usize, usize, usize),
    /// A PATCH that goes on over several steps.
    Open(usize),
    Feed(usize, usize),
    Close(usize, End),
    Inspect(usize),
    Read(usize),
    Terminate(usize),
    Kill,
    CutPower,
    Reap,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = || prop_oneof![3 => Just(End::Whole), 1 => Just(End::Cut), 1 => Just(End::Dropped)];
    let (slot, bytes) = (|| 0..SLOTS, || 0..=LENGTH);
    let step = prop_oneof![
        2 => slot().prop_map(Step::Create),
        2 => (slot(), 1..=LENGTH, end()).prop_map(|(s, n, e)| Step::CreateWithBody(s, n, e)),
        3 => (slot(), bytes(), end()).prop_map(|(s, n, e)| Step::Append(s, n, e)),
        1 => (slot(), bytes()).prop_map(|(s, n)| Step::AppendWithWrongSum(s, n)),
        2 => (slot(), bytes()).prop_map(|(s, n)| Step::AppendElsewhere(s, n)),
        2 => (slot(), bytes(), end()).prop_map(|(s, n, e)| Step::Put(s, n, e)),
        4 => (slot(), 0..LENGTH / CHUNK, 0..=CHUNK).prop_map(|(s, c, n)| Step::Chunk(s, c, n)),
        3 => slot().prop_map(Step::Open),
        3 => (slot(), 1..=LENGTH / 2).prop_map(|(s, n)| Step::Feed(s, n)),
        2 => (slot(), end()).prop_map(|(s, e)| Step::Close(s, e)),
        2 => slot().prop_map(Step::Inspect),
        1 => slot().prop_map(Step::Read),
        1 => slot().prop_map(Step::Terminate),
        1 => Just(Step::Kill),
        1 => Just(Step::CutPower),
        1 => Just(Step::Reap),
    ];
    prop::collection::vec(step, 1..30)
}
