//! actix: routes on one screen, thin handlers, the body pump, listeners.
//!
//! | file | holds |
//! |---|---|
//! | `settings` | what the HTTP side is told at start |
//! | `listener` | listeners, put together from `actix-server` and `actix-http` over our own stream |
//! | `bind` | sockets to listen on, TCP and Unix |
//! | `transport` | the stream of a connection: TCP, Unix or TLS, its timeouts and its bounds |
//! | `interlude` | what may arrive between two requests, and for how long |
//! | `connection` | the handle by which a handler reaches its connection |
//! | `welcome` | what happens between `accept` and the first request |
//! | `turn` | tells the connection when a request begins and its answer ends |
//! | `tls` | certificates that are reloaded when their files change |
//! | `trace` | request ids and the access log |
//! | `metrics` | what Prometheus is told |
//! | `process` | memory, processor time and open files, for `metrics` |
//! | `admin` | health, metrics and sessions, for the operator on this machine |
//! | `session_view` | a session as the operator sees it |

pub mod admin;
mod bind;
pub mod connection;
mod interlude;
pub mod listener;
pub mod metrics;
mod process;
mod session_view;
pub mod settings;
pub mod tls;
pub mod trace;
pub mod transport;
mod turn;
mod welcome;
