//! Keys of the settings, each set in the running program: what it does then, and would not do without it.
//!
//! docs/network-switching.md names a test for every key; what is not here is in `tests/fitting.rs`, `tests/bounds`,
//! `tests/clients`, `network-tests` (the address of the machine goes) and `crash-tests` (the disk fails).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a failure here is the report"
)]

mod clients;
mod connections;
#[path = "../running/gateway.rs"]
#[expect(dead_code, reason = "shared with the tests of the program as a whole")]
mod gateway;
mod rollback;
#[path = "../bounds/support.rs"]
#[expect(dead_code, reason = "shared with the tests of bounds")]
mod support;
mod uploads;
