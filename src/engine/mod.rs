//! The use cases: what can be done with an upload, whatever protocol asks for it.
//!
//! One verb per file. The engine owns every [`Transfer`] and lends it to whoever receives the
//! bytes; sync and commit run on the engine's own runtime, so that a request which dies in the
//! middle loses nothing. No HTTP word in here.
//!
//! | file | verb or duty |
//! |---|---|
//! | `create` | a new session, with or without its first bytes |
//! | `append` | more bytes at the end |
//! | `inspect` | where an upload stands |
//! | `read` | a finished upload, in stretches |
//! | `terminate` | remove an upload |
//! | `concat` | a final upload out of partial ones |
//! | `finish` | sync, publish, commit: what makes bytes count |
//! | `transfer` | bytes on their way: written where they arrive, checkpointed, handed back |
//! | `lease` | one writer per upload, and who may disturb it |
//! | `recovery` | what a crash left behind |
//! | `reaper` | what expired, and orphans |
//! | `scribe` | labels beside the blobs, trailing the session store |
//! | `events` | what happened, for metrics |
//! | `settings`, `clock`, `error` | bounds, time, failures |

pub mod error;
pub mod events;
pub mod settings;
