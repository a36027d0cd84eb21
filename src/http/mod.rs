//! actix: routes on one screen, thin handlers, the body pump, listeners.
//!
//! The only layer that names actix. It decides nothing that a protocol or the engine could decide.
//!
//! | file | holds |
//! |---|---|
//! | `routes` | every URL |
//! | `gateway` | what the handlers share |
//! | `call` | one request: its head, where it came in, who asks |
//! | `tus` | the handlers of tus |
//! | `download` | `GET`, and the download side of `HEAD` |
//! | `body` | the pump: from the socket into a transfer |
//! | `pace` | when a body is too slow |
//! | `file_body` | the other way: stretches of a file as a response body |
//! | `expect` | `Expect: 100-continue`: refusals before the body is sent |
//! | `auth` | who may do anything |
//! | `reply` | response heads become responses |
//! | `failure` | **the** place where an engine failure becomes a problem |
//! | `settings` | what the HTTP side is told at start |

mod auth;
mod body;
mod call;
mod download;
pub mod expect;
mod failure;
mod file_body;
mod gateway;
mod pace;
mod reply;
pub mod routes;
pub mod settings;
#[cfg(test)]
mod tests;
mod tus;

pub use gateway::{Gateway, GatewayError};
