//! What every adapter has to prove.
//!
//! A promise is one async function that takes a [`session::Subject`] or [`blob::Subject`]. The
//! macro `every_promise!` of each file makes all of them tests of the module that calls it, so an
//! adapter cannot leave one out.

pub mod blob;
pub mod label;
pub mod on_disk;
pub mod profile;
pub mod session;
pub mod take_in;
