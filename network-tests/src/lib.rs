//! Dead networks: what the gateway does when a link goes down and nobody says so.
//!
//! The gateway runs as it is in a network namespace of its own ([`lab`]), and is reached by two paths,
//! one of which can be cut. Nothing here uses the gateway's code: it sees the program and the wire.

pub mod comparison;
pub mod gateway;
pub mod lab;
pub mod moved;
pub mod peer;
pub mod phase;
pub mod resume;
pub mod returning;
pub mod shape;
pub mod slow;
pub mod switch;
pub mod tally;
pub mod trouble;
pub mod writer;
