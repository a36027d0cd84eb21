//! Addresses, bounds and times of a component.

use std::time::Duration;

use crate::protocol::xep0363::Secret;

use super::backoff::Backoff;
use super::component::Component;

/// Everything about one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentSettings {
    /// `host:port` of the server's component port. Plaintext: loopback, or the end of a tunnel.
    pub server: String,
    /// What the server calls the component's secret.
    pub secret: Secret,
    /// Who we are.
    pub component: Component,
    /// Most bytes of a stanza that are kept; larger ones are skipped.
    pub max_stanza_bytes: usize,
    /// Most slots in the making; further requests are told to wait.
    pub max_pending: usize,
    /// How long things may take.
    pub timings: Timings,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// Connecting, and the handshake after it.
    pub connect: Duration,
    /// Writing one answer.
    pub write: Duration,
    /// Making one slot.
    pub slot: Duration,
    /// A server that says nothing for this long is pinged …
    pub silence: Duration,
    /// … and left if it says nothing for this long after that.
    pub pong: Duration,
    /// Waits between connections. One that was ready for the longest of them counts as a success.
    pub backoff: Backoff,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            write: Duration::from_secs(10),
            slot: Duration::from_secs(10),
            silence: Duration::from_secs(60),
            pong: Duration::from_secs(20),
            backoff: Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) },
        }
    }
}
