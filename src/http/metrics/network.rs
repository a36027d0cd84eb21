//! How connections do, as the kernel measures them.

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::network::{Observer, PathSample};

use super::Metrics;

/// Seconds of a round trip: the same room, the same city, another continent, a phone in a tunnel.
const RTT_BUCKETS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Segments that one connection sent again.
const RETRANSMIT_BUCKETS: [f64; 9] = [0.0, 1.0, 2.0, 5.0, 10.0, 25.0, 100.0, 500.0, 2500.0];

/// What is counted.
#[derive(Debug)]
pub(in crate::http) struct Network {
    rtt: Histogram,
    retransmits: Histogram,
}

impl Default for Network {
    fn default() -> Self {
        Self { rtt: Histogram::new(RTT_BUCKETS), retransmits: Histogram::new(RETRANSMIT_BUCKETS) }
    }
}

impl Network {
    pub(super) fn register(&self, to: &mut Registry) {
        let rtt = "Smoothed round-trip time of each connection that carries something, once a look";
        to.register_with_unit("path_rtt", rtt, Unit::Seconds, self.rtt.clone());
        let retransmits = "Segments that a connection sent again, told when it ends";
        to.register("path_retransmits", retransmits, self.retransmits.clone());
    }
}

impl Observer for Metrics {
    fn sampled(&self, sample: &PathSample) {
        self.network.rtt.observe(sample.rtt.as_secs_f64());
    }

    fn ended(&self, last: &PathSample) {
        self.network.retransmits.observe(last.retransmits.into());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::http::connection::OpenConnections;

    use super::*;

    #[test]
    fn round_trips_are_counted_at_every_look_and_retransmits_once_for_each_connection() {
        let metrics = Metrics::new(OpenConnections::default());
        let sample =
            PathSample { rtt: Duration::from_millis(30), retransmits: 3, ..PathSample::default() };
        metrics.sampled(&sample);
        metrics.sampled(&sample);
        metrics.ended(&sample);
        let text = metrics.encode(None, Vec::new()).unwrap();
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
