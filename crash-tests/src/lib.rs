//! Power cuts for the gateway, and what is left after them.

pub mod chance;
pub mod disk;
pub mod mount;
pub mod power;
pub mod chain;
pub mod check;
pub mod client;
pub mod gateway;
pub mod load;
pub mod tally;
pub mod upload;
