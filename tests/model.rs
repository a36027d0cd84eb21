//! Takeover, commit and recovery as a model that is searched to the end.
//!
//! Two clients send an upload of three bytes, by PATCH and as a chunk, look at it, and get into each
//! other's way. At any step the process may be killed (what the kernel has stays, what the store has
//! not flushed may be lost) or the power may go (of what was not synced any part may be lost). The
//! search sees every order in which that can happen, with at most one kill and two power cuts, and
//! asks after each step for the invariants in `model/invariants.rs`. Each rule of the engine that is
//! left out makes it find a counter-example.
//!
//! The model is no part of the engine: it is right about it as far as its steps are the engine's.
//!
//! | step of the model | stands for, in `src/engine` |
//! |---|---|
//! | takes the seat | `Leases::claim`, `Shared::lend` (append), `Account::open` (chunk), `Shared::writer` |
//! | tells the writer to stop | `Seat::approach`, `Seat::stop` |
//! | is stale, and has a checkpoint made | `Shared::lease` (append), `EndLedger::checkpoint` |
//! | is told the committed offset | `Shared::beside_writer`, `EndLedger::committed`, `Account::committed` |
//! | stops the writer, which is silent | `Seat::approach` with `Claim::Inspect` |
//! | commits, flushes that there are chunks | `Account::open`: `Session::cut_into` and `Account::store` |
//! | passes the gate with a batch | `Seat::begin_write` |
//! | has its batch written | `EndLedger::write` or `ChunkLedger::write`, `Seat::end_write` |
//! | is cut, at its end or stopped | `Seat::leave`, `Seat::settle`, `EndLedger::conclude`, `EndLedger::cut_short` |
//! | syncs the blob | `EndLedger::sync`, `Account::commit`, in recovery `Shared::keep_tail` |
//! | renames the blob, syncs the new name | `Shared::finish`: `BlobStore::publish` |
//! | commits, flushes the record | `EndLedger::store`, `Account::store`, `Shared::store_recovered`: `SessionStore::commit` |
//! | the gateway starts | `storage/session/sled/open.rs` (settles its log), `Shared::recover_under_lease` |
//!
//! Left out: several chunks written at once, checksums of a body, deletion, joining, `durability =
//! "os"`, and labels. The engine's own tests and `engine::histories` look at most of these.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, in its helpers too"
)]

#[path = "model/invariants.rs"]
mod invariants;
#[path = "model/search.rs"]
mod search;
#[path = "model/state.rs"]
mod state;
#[path = "model/steps.rs"]
mod steps;

use search::{Found, search};

/// A rule that the gateway keeps, left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    AnswerBeforeSync,
    AnswerBeforeFlush,
    CommitBeforeSync,
    PublishBeforeSync,
    CommitBeforePublish,
    TakeOverWithoutWaiting,
    TrustSizeAfterPowerCut,
    KeepTailWithoutSync,
    OpenWithoutSettling,
    LookAtUnflushed,
    ChunkBeforeItsMark,
    AdoptBootBeforeCut,
}

fn told(found: &Found) -> String {
    let Some((what, steps)) = &found.broken else { return "nothing is broken".to_owned() };
    let line = |(who, what): &(Option<usize>, &str)| match who {
        Some(client) => format!("\n  client {client} {what}"),
        None => format!("\n  the gateway or its machine: {what}"),
    };
    format!("broken: {what}{}", steps.iter().map(line).collect::<String>())
}

#[test]
fn no_crash_at_any_step_breaks_a_promise() {
    let found = search(None);
    println!("{} states, {} of them with a finished upload", found.states, found.finished);
    assert!(found.broken.is_none(), "{}", told(&found));
    assert!(found.finished > 0);
}

const DURABLE: &str = "acknowledged is durable, offsets never go back";
const SENT: &str = "[0, offset) is what a client sent";
const WHOLE: &str = "finished implies whole";
const VISIBLE: &str = "finished implies visible";
const ONE_WRITER: &str = "one writer per byte";

/// The search with a mistake finds that `invariant` breaks.
fn breaks(mistake: Mistake, invariant: &str) {
    let found = search(Some(mistake));
    println!("{mistake:?}, after {} states, {}", found.states, told(&found));
    assert_eq!(found.broken.map(|(what, _)| what), Some(invariant));
}

#[test]
fn an_answer_before_the_sync_is_found_out() {
    breaks(Mistake::AnswerBeforeSync, DURABLE);
}

#[test]
fn an_answer_before_the_flush_is_found_out() {
    breaks(Mistake::AnswerBeforeFlush, DURABLE);
}

#[test]
fn a_commit_before_the_sync_is_found_out() {
    breaks(Mistake::CommitBeforeSync, SENT);
}

#[test]
fn a_publication_before_the_sync_is_found_out() {
    breaks(Mistake::PublishBeforeSync, WHOLE);
}

#[test]
fn a_commit_before_the_publication_is_found_out() {
    breaks(Mistake::CommitBeforePublish, VISIBLE);
}

#[test]
fn a_takeover_that_does_not_wait_for_the_older_writer_is_found_out() {
    breaks(Mistake::TakeOverWithoutWaiting, ONE_WRITER);
}

#[test]
fn trust_in_the_size_after_a_power_cut_is_found_out() {
    breaks(Mistake::TrustSizeAfterPowerCut, SENT);
}

#[test]
fn a_tail_that_is_kept_without_a_sync_is_found_out() {
    breaks(Mistake::KeepTailWithoutSync, WHOLE);
}

#[test]
fn a_log_that_is_not_settled_at_the_start_is_found_out() {
    breaks(Mistake::OpenWithoutSettling, DURABLE);
}

#[test]
fn a_look_at_what_is_not_flushed_is_found_out() {
    breaks(Mistake::LookAtUnflushed, DURABLE);
}

#[test]
fn a_chunk_before_the_record_tells_of_chunks_is_found_out() {
    breaks(Mistake::ChunkBeforeItsMark, WHOLE);
}

#[test]
fn a_boot_that_is_adopted_before_the_tail_is_cut_is_found_out() {
    breaks(Mistake::AdoptBootBeforeCut, SENT);
}
