//! Listeners and connections, seen from the other end of the socket.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a failure here is the report"
)]

mod connection;
mod http2;
mod lingering;
mod listening;
mod support;
