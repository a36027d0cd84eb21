//! The program under load that means it ill: what it holds, refuses, and goes on doing meanwhile.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a failure here is the report"
)]

mod bodies;
mod connections;
mod descriptors;
mod downloads;
#[path = "../running/gateway.rs"]
#[expect(dead_code, reason = "shared with the tests of the program as a whole")]
mod gateway;
mod heads;
mod http2;
mod support;
