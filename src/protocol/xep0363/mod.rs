//! XEP-0363 slots: a URL that an XMPP server signed becomes something checked.
//!
//! Requirement ids are those of `protocol-spec/xep-0363.md`. Keys and the moment come in as
//! arguments.
//!
//! | file | holds |
//! |---|---|
//! | `path` | base paths, and slots: a path, percent-decoded once |
//! | `secret` | keys, and HMACs compared in constant time |
//! | `query` | the parameters that can hold a token |
//! | `request` | what a request says about the slot it means |
//! | `put` | a `PUT`: of the whole file, or of what is missing |
//! | `name` | which upload a slot is, and whose |
//! | `tenant` | one issuer: base path, scheme, secret; and the one way in: [`Tenant::verify`] |
//! | `signed_url` | tokens in the query: `v`, `v2`, Metronome's `token` |
//! | `file_server` | `v3` with `expires`, of hmac-file-server |
//! | `jwt` | HS256 tokens in `Authorization`, of Prosody's `http_file_share`; also our own |
//! | `slot` | slots that we issue ourselves: limits, purposes, URLs |
//! | `service_url` | ejabberd asking for a slot over HTTP |
//! | `datetime` | moments as XMPP writes them |
//! | `status` | the status of every problem, and the head of a refusal |
//! | `answers` | what a slot answers when all is well |

pub mod answers;
pub mod datetime;
pub mod file_server;
pub mod jwt;
pub mod name;
pub mod path;
pub mod put;
pub mod query;
pub mod request;
pub mod secret;
pub mod service_url;
pub mod signed_url;
pub mod slot;
pub mod status;
pub mod tenant;

pub use name::SlotKey;
pub use path::{BasePath, SlotPath};
pub use request::{Intent, SlotRequest};
pub use secret::Secret;
pub use status::refused;
pub use tenant::{May, OwnerHint, Scheme, Tenant, TokenError, Verified};
