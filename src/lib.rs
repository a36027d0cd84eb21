//! Tidegate: a gateway that takes uploads over bad networks and never loses what it accepted.
//!
//! One upload session, several wire protocols over it. Code looks downwards only; the table is
//! held by `tests/architecture.rs`.
//!
//! | layer | may use | holds |
//! |---|---|---|
//! | [`upload`] | – | the domain: ids, offsets, sessions, **every** transition, the stored record |
//! | [`protocol`] | `upload` | request head → command, outcome → response head; no socket, clock or `await` |
//! | [`tuning`] | `upload` | how transfers are fitted to their clients: measurements in, decisions out; as pure |
//! | [`storage`] | `upload` | traits that promise, adapters that keep the promise, one contract suite |
//! | [`engine`] | `upload`, `tuning`, `storage` | one verb per file; transfers, takeover, recovery, reaper |
//! | [`auth`] | `upload`, `protocol` | who may do what: tokens, keys, links, the application's word |
//! | [`slots`] | `upload`, `protocol`, `engine` | the desk: makes slots for XMPP users, whichever door they came by |
//! | [`http`] | `upload`, `protocol`, `tuning`, `engine`, `auth`, `slots`, `network` | actix: routes, thin handlers, body pump, listeners |
//! | [`xmpp`] | `upload`, `protocol`, `engine`, `slots` | the external component: stanzas in, slots out |
//! | [`network`] | – | what the kernel says: how connections do, which addresses this machine has |
//! | [`config`] | – | settings, parsed once into types |
//! | [`server`] | all of them | the composition root: the only place that names an adapter |
//! | [`cli`] | `server`, `config` | commands |

#![cfg_attr(test, allow(clippy::as_conversions, reason = "test data is small and known"))]

pub mod auth;
pub mod cli;
pub mod config;
pub mod engine;
pub mod http;
pub mod network;
pub mod protocol;
pub mod server;
pub mod slots;
pub mod storage;
pub mod tuning;
pub mod upload;
pub mod xmpp;
