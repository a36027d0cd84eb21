//! actix: routes on one screen, thin handlers, the body pump, listeners.
//!
//! The only layer that names actix. It decides nothing that a protocol or the engine could decide.
//!
//! | a request | |
//! |---|---|
//! | `routes` | every URL |
//! | `gateway` | what the handlers share |
//! | `admission` | what is refused because it takes more than its share |
//! | `call` | one request: its head, where it came in, who asks |
//! | `arrival` | whose word about where it comes from is believed |
//! | `tus` | the handlers of tus |
//! | `chunked` | the handlers of chunk headers |
//! | `form` | the handler of HTML forms |
//! | `slots` | the handlers of XEP-0363 slots |
//! | `service_url` | where ejabberd asks for slots |
//! | `download` | `GET`, and the download side of `HEAD` |
//! | `switches` | which uploads go on by another way than before |
//! | `body` | the pump: from the socket into a transfer |
//! | `pace` | when a body is too slow |
//! | `lull` | when a body is not read because the network changes, or can bring nothing more |
//! | `memory` | how much all bodies together may take |
//! | `client` | which client a request comes from, for what is remembered of it |
//! | `client_hints` | what a client says of itself and its connection |
//! | `tuner` | which transfers are fitted to their clients, and whether that does any good |
//! | `file_body` | the other way: stretches of a file as a response body |
//! | `expect` | `Expect: 100-continue`: refusals before the body is sent |
//! | `reply` | response heads become responses |
//! | `failure` | **the** place where an engine failure becomes a problem |
//!
//! | a connection | |
//! |---|---|
//! | `listener` | listeners, put together from `actix-server` and `actix-http` over our own stream |
//! | `bind` | sockets to listen on, TCP and Unix |
//! | `transport` | the stream of a connection: TCP, Unix or TLS, its timeouts and its bounds |
//! | `interlude` | what may arrive between two requests, and for how long |
//! | `connection` | the handle by which a handler reaches its connection |
//! | `open_connections` | how many there are |
//! | `shares` | how many one address has |
//! | `frames` | the bounds of HTTP/2 |
//! | `outflow` | when a peer takes an answer too slowly |
//! | `alarm` | a timer that is set again and again |
//! | `welcome` | what happens between `accept` and the first request |
//! | `turn` | tells the connection when a request begins and its answer ends |
//! | `tls` | certificates that are reloaded when their files change |
//!
//! | around both | |
//! |---|---|
//! | `trace` | request ids and the access log |
//! | `metrics` | what Prometheus is told |
//! | `labels` | its labels: enums |
//! | `process` | what the kernel knows about this process, for `metrics` |
//! | `admin` | health, metrics and sessions, for the operator on this machine |
//! | `session_view` | a session as operators see it |
//! | `sides` | the two sides put together: uploads, and admin |
//! | `settings` | what the HTTP side is told at start |

pub mod admin;
mod admission;
mod alarm;
mod arrival;
mod bind;
mod body;
mod call;
mod chunked;
pub mod client;
mod client_hints;
pub mod connection;
mod download;
pub mod expect;
mod failure;
mod file_body;
mod form;
mod frames;
mod gateway;
mod interlude;
mod labels;
pub mod listener;
mod lull;
mod memory;
pub mod metrics;
mod open_connections;
mod outflow;
pub mod owner_view;
mod pace;
mod process;
mod reply;
pub mod routes;
pub mod service_url;
pub mod session_view;
pub mod settings;
mod shares;
pub mod sides;
mod slots;
mod switches;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod trace;
pub mod transport;
pub mod tuner;
mod turn;
mod tus;
mod welcome;

pub use download::media_type;
pub use gateway::{Gateway, GatewayError};
