//! How connections do, as the kernel measures them, and what becomes of them when the network changes.

use std::fmt::{self, Write as _};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::network::{Observer, PathSample};

use super::Metrics;

/// Seconds of a round trip: the same room, the same city, another continent, a phone in a tunnel.
const RTT_BUCKETS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Seconds until what had arrived is committed.
const COMMIT_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
/// Segments that one connection sent again.
const RETRANSMIT_BUCKETS: [f64; 9] = [0.0, 1.0, 2.0, 5.0, 10.0, 25.0, 100.0, 500.0, 2500.0];

/// What is counted.
#[derive(Debug)]
pub(in crate::http) struct Network {
    rtt: Histogram,
    retransmits: Histogram,
    changes: Family<What, Counter>,
    pauses: Counter,
    pause_seconds: Counter<f64, AtomicU64>,
    paused: Counter,
    severed: Histogram,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct What {
    what: Changed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Changed {
    /// An address that connections had.
    Gone,
    /// One that connections had lost.
    Back,
    /// The link of one that connections have.
    Link,
    /// Nothing that concerned a connection.
    Elsewhere,
}

impl EncodeLabelValue for Changed {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Gone => "gone",
            Self::Back => "back",
            Self::Link => "link",
            Self::Elsewhere => "elsewhere",
        })
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            rtt: Histogram::new(RTT_BUCKETS),
            retransmits: Histogram::new(RETRANSMIT_BUCKETS),
            changes: Family::default(),
            pauses: Counter::default(),
            pause_seconds: Counter::default(),
            paused: Counter::default(),
            severed: Histogram::new(COMMIT_BUCKETS),
        }
    }
}

impl Network {
    pub(super) fn register(&self, to: &mut Registry) {
        let rtt = "Smoothed round-trip time of each connection that carries something, once a look";
        to.register_with_unit("path_rtt", rtt, Unit::Seconds, self.rtt.clone());
        let retransmits = "Segments that a connection sent again, told when it ends";
        to.register("path_retransmits", retransmits, self.retransmits.clone());
        let changes = "Changes of this machine's addresses, by what they were to connections";
        to.register("network_changes", changes, self.changes.clone());
        for what in [Changed::Gone, Changed::Back, Changed::Link, Changed::Elsewhere] {
            drop(self.changes.get_or_create(&What { what }));
        }
        let pauses = "Times that uploads were not read from while the network settled";
        to.register("network_pauses", pauses, self.pauses.clone());
        let seconds = "How long these pauses were";
        to.register_with_unit("network_pause", seconds, Unit::Seconds, self.pause_seconds.clone());
        let paused = "Transfers that paused, counted once for each pause";
        to.register("network_paused_transfers", paused, self.paused.clone());
        let severed =
            "Time from noticing that the address of a transfer is gone until it was committed";
        to.register_with_unit("network_severed", severed, Unit::Seconds, self.severed.clone());
    }
}

impl Observer for Metrics {
    fn sampled(&self, sample: &PathSample) {
        self.network.rtt.observe(sample.rtt.as_secs_f64());
    }

    fn ended(&self, last: &PathSample) {
        self.network.retransmits.observe(last.retransmits.into());
    }

    fn changed(&self, gone: usize, come: usize, links: usize) {
        for (what, number) in [(Changed::Gone, gone), (Changed::Back, come), (Changed::Link, links)]
        {
            let number = u64::try_from(number).unwrap_or(u64::MAX);
            self.network.changes.get_or_create(&What { what }).inc_by(number);
        }
    }

    fn changed_elsewhere(&self) {
        self.network.changes.get_or_create(&What { what: Changed::Elsewhere }).inc();
    }

    fn settles(&self, pause: Duration) {
        self.network.pauses.inc();
        self.network.pause_seconds.inc_by(pause.as_secs_f64());
    }

    fn paused(&self, _: Duration) {
        self.network.paused.inc();
    }

    fn severed(&self, took: Duration) {
        self.network.severed.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use crate::http::connection::OpenConnections;
    use crate::http::metrics::Now;

    use super::*;

    #[test]
    fn round_trips_are_counted_at_every_look_and_retransmits_once_for_each_connection() {
        let metrics = Metrics::new(OpenConnections::default());
        let sample =
            PathSample { rtt: Duration::from_millis(30), retransmits: 3, ..PathSample::default() };
        metrics.sampled(&sample);
        metrics.sampled(&sample);
        metrics.ended(&sample);
        let text = metrics.encode(Now::default()).unwrap();
        for line in [
            "tidegate_path_rtt_seconds_bucket{le=\"0.025\"} 0",
            "tidegate_path_rtt_seconds_bucket{le=\"0.05\"} 2",
            "tidegate_path_retransmits_bucket{le=\"2.0\"} 0",
            "tidegate_path_retransmits_bucket{le=\"5.0\"} 1",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in\n{text}");
        }
    }
}
