//! How many clients are remembered, by how they are connected: what profiles tell of all of them together.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::engine::profiles::Census;
use crate::tuning::profile::Connection;

/// The label of those of whom it is not known.
const UNKNOWN: &str = "unknown";

/// The counts of one moment.
#[derive(Debug)]
pub(super) struct RememberedCollector(pub(super) Census);

impl Collector for RememberedCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let clients = Family::<[(&'static str, &'static str); 1], Gauge>::default();
        for kind in Connection::ALL.map(Some).into_iter().chain([None]) {
            let labels = [("connection", kind.map_or(UNKNOWN, Connection::name))];
            let count = self.0.get(&kind).copied().unwrap_or(0);
            // Gauges are signed in the text format; there are a million at most.
            clients.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let help = "Clients that are remembered, by how they are connected";
        let kind = clients.metric_type();
        clients.encode(encoder.encode_descriptor("profiles", help, None, kind)?)
    }
}
