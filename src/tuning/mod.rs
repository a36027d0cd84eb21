//! How transfers are fitted to their clients: measurements in, decisions out.
//!
//! Pure, as `upload` is: told what was measured and how much time passed, never asking for it. What
//! measures and carries out is elsewhere (`http/tuner.rs`).
//!
//! | file | holds |
//! |---|---|
//! | `measure` | what was seen of a transfer |
//! | `buffer` | how large its buffer is to be |
//! | `chunk_size` | which chunk size its client is told |
//! | `arm` | which sessions are fitted at all, so that the others show what it brings |
//! | `profile` | what is remembered of a client between its transfers |
//! | `tally` | what the sessions of one arm came to |
//! | `guard` | whether the fitted ones do worse |

pub mod arm;
pub mod buffer;
pub mod chunk_size;
pub mod guard;
pub mod measure;
pub mod profile;
mod tally;

pub use arm::{Arm, Lot, LotKey, Rollout};
pub use buffer::{Bounds, Fitted, Fitting, WINDOW};
pub use guard::{Finding, Guard, GuardSettings, Quantity};
pub use measure::{Direction, Measure, PathMeasure, Trial};
