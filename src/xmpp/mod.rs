//! The second front door: an external component (XEP-0114) that answers slot requests.
//!
//! Requirement ids are those of `protocol-spec/xep-0363.md`. Deciding is pure, doing is short:
//! only `connection` and `run` wait for anything.
//!
//! | file | holds |
//! |---|---|
//! | `element` | XML elements as data, and how they are written |
//! | `stream` | bytes become stanzas, in bounded memory |
//! | `tag` | the beginning of an element, and what its prefixes mean |
//! | `stanza` | IQs: what is asked, the shapes of answers and errors |
//! | `upload` | slot requests, slots and refusals as stanzas |
//! | `disco` | what we say we are |
//! | `component` | stanza in, what to do about it out |
//! | `handshake` | how a stream begins |
//! | `backoff` | how long to wait before connecting again |
//! | `settings` | addresses, bounds and times |
//! | `connection` | one connection, from its beginning to its end |
//! | `run` | one connection after the other, until told to stop |

pub mod backoff;
pub mod component;
pub mod connection;
pub mod disco;
pub mod element;
pub mod handshake;
pub mod run;
pub mod settings;
pub mod stanza;
pub mod stream;
mod tag;
pub mod upload;

pub use crate::slots::{self, Access, BareJid, Slots};
pub use component::Component;
pub use run::{State, run};
pub use settings::{ComponentSettings, Timings};

#[cfg(test)]
mod tests;
