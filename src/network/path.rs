//! [`PathSample`]: what the kernel measured on one TCP connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What the kernel knew about a TCP connection at one moment (`TCP_INFO`).
///
/// What it sends is measured: during an upload that is acknowledgements and interim answers, so that
/// `delivery_rate_bytes_per_second` says little about it, and `receive_rtt` more than `rtt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathSample {
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// Its mean deviation.
    pub rtt_variance: Duration,
    /// The shortest round trip of the last minutes; `None` if nothing was measured yet.
    pub min_rtt: Option<Duration>,
    /// The round-trip time as the receiving side sees it; `None` if too little has arrived.
    pub receive_rtt: Option<Duration>,
    /// Segments that were sent again, since the connection began.
    pub retransmits: u32,
    /// Segments that count as lost at this moment.
    pub lost: u32,
    /// Segments that were sent and not acknowledged yet.
    pub unacked: u32,
    /// How fast the peer has taken what was sent; `None` if nothing was measured yet.
    pub delivery_rate_bytes_per_second: Option<u64>,
    /// Bytes that arrived, since the connection began, encryption included.
    pub received_bytes: u64,
    /// Bytes that the peer has acknowledged, since the connection began, encryption included.
    pub acknowledged_bytes: u64,
}

impl PathSample {
    /// Whether anything was carried since `before`.
    #[must_use]
    pub const fn has_moved_since(&self, before: &Self) -> bool {
        self.received_bytes != before.received_bytes
            || self.acknowledged_bytes != before.acknowledged_bytes
    }
}

/// Where the last sample of one connection is found. Clones are the same connection's.
#[derive(Clone, Debug, Default)]
pub struct Path(Arc<Mutex<Option<PathSample>>>);

impl Path {
    /// The last sample; `None` if there was none yet, or never will be: a Unix socket, another
    /// platform, or `streaming.network_condition_monitoring` is off.
    #[must_use]
    pub fn sample(&self) -> Option<PathSample> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a sample; returns the one before.
    pub(super) fn set(&self, sample: PathSample) -> Option<PathSample> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(sample)
    }
}
