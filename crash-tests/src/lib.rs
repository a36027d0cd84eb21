//! Power cuts and process deaths for the gateway, and what is left after them.

pub mod chain;
pub mod chance;
pub mod check;
pub mod client;
pub mod death;
pub mod disk;
pub mod full;
pub mod gateway;
pub mod load;
pub mod mount;
pub mod power;
pub mod retries;
pub mod tally;
pub mod upload;
