//! [`Metrics`]: what Prometheus is told. Every label is an enum, so their number is bounded.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::engine::events::{Ending, Event, Observer};
use crate::engine::profiles::Census;
use crate::slots::{Decision, Witness};
use crate::upload::Departure;

use super::admin::ComponentStanding;
use super::connection::OpenConnections;
use super::labels::{
    Decided, DecisionLabel, DepartureLabel, EndingLabel, How, OfMethod, OfRequest, StatusClass, Why,
};
use super::process::ProcessCollector;

mod arms;
mod network;
mod passage;
pub(super) mod plain;
mod remembered;

pub use arms::ArmMetrics;
use network::Network;
use passage::Passage;
use remembered::RememberedCollector;

pub use super::labels::RequestMethod;

/// The `Content-Type` of [`Metrics::encode`].
pub const EXPOSITION: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds within which a request was answered: a look takes milliseconds, an upload minutes.
const DURATION_BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0];

type Durations = Family<OfMethod, Histogram, fn() -> Histogram>;

/// Counts what happens. Cheap to tell, from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    uploads: Uploads,
    slots: Family<Decided, Counter>,
    requests: Family<OfRequest, Counter>,
    durations: Durations,
    arms: ArmMetrics,
    pub(super) network: Network,
    passage: Passage,
}

/// What happens to uploads.
#[derive(Debug, Default)]
struct Uploads {
    created: Counter,
    completed: Counter,
    departed: Family<Why, Counter>,
    received_bytes: Counter,
    recovered_bytes: Counter,
    transfers_running: Gauge,
    transfers_ended: Family<How, Counter>,
    damaged: Counter,
    orphans_removed: Counter,
    store_flushes: Counter,
}

/// What is asked for when metrics are, rather than counted before.
#[derive(Debug, Default)]
pub struct Now {
    /// Room on the device, if that is known.
    pub disk: Option<Disk>,
    /// Where the components of XMPP servers stand.
    pub components: Vec<ComponentStanding>,
    /// How many clients are remembered, if any may be.
    pub clients: Option<Census>,
}

/// Room on the device, where the engine can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that may still be written.
    pub usable_bytes: u64,
    /// Bytes that are kept free.
    pub reserve_bytes: u64,
}

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new(connections: OpenConnections) -> Arc<Self> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ProcessCollector));
        let own = registry.sub_registry_with_prefix("tidegate");
        let uploads = Uploads::default();
        uploads.register(own);
        let slots = Family::<Decided, Counter>::default();
        let orders = "Requests for slots, by what became of them";
        own.register("slots", orders, slots.clone());
        for decision in Decision::ALL {
            drop(slots.get_or_create(&Decided { outcome: DecisionLabel(decision) }));
        }
        let requests = Family::<OfRequest, Counter>::default();
        let name = "http_requests";
        own.register(name, "Requests, by method and class of the answer", requests.clone());
        let histogram: fn() -> Histogram = || Histogram::new(DURATION_BUCKETS);
        let durations = Durations::new_with_constructor(histogram);
        own.register_with_unit(
            "http_request_duration",
            "Time from the head of a request to the last byte of its answer",
            Unit::Seconds,
            durations.clone(),
        );
        own.register_collector(Box::new(ConnectionCollector(connections)));
        let arms = ArmMetrics::default();
        arms.register(own);
        let network = Network::default();
        network.register(own);
        let passage = Passage::registered_in(own);
        Arc::new(Self { registry, uploads, slots, requests, durations, arms, network, passage })
    }

    /// Where fitted and fixed transfers are counted.
    #[must_use]
    pub fn arms(&self) -> ArmMetrics {
        self.arms.clone()
    }

    /// Takes note of a request and its answer; without a status it was given up by the client.
    pub fn request(&self, method: RequestMethod, status: Option<StatusCode>, took: Duration) {
        let status = status.map_or(StatusClass::None, StatusClass::of);
        self.requests.get_or_create(&OfRequest { method, status }).inc();
        self.durations.get_or_create(&OfMethod { method }).observe(took.as_secs_f64());
    }

    /// Everything in the text format, with what is so `now`.
    ///
    /// # Errors
    ///
    /// [`fmt::Error`] if a metric cannot be written.
    pub fn encode(&self, now: Now) -> Result<String, fmt::Error> {
        let Now { disk, components, clients } = now;
        let mut text = String::new();
        prometheus_client::encoding::text::encode_registry(&mut text, &self.registry)?;
        let mut registry = Registry::with_prefix("tidegate");
        if let Some(disk) = disk {
            registry.register_collector(Box::new(disk));
        }
        if !components.is_empty() {
            registry.register_collector(Box::new(ComponentCollector(components)));
        }
        if let Some(clients) = clients {
            registry.register_collector(Box::new(RememberedCollector(clients)));
        }
        prometheus_client::encoding::text::encode_registry(&mut text, &registry)?;
        prometheus_client::encoding::text::encode_eof(&mut text)?;
        Ok(text)
    }
}

impl Witness for Metrics {
    fn decided(&self, decision: Decision) {
        self.slots.get_or_create(&Decided { outcome: DecisionLabel(decision) }).inc();
    }
}

impl Observer for Metrics {
    fn observe(&self, event: Event) {
        let uploads = &self.uploads;
        match event {
            Event::Created => {
                uploads.created.inc();
            }
            Event::TransferBegan => {
                uploads.transfers_running.inc();
            }
            Event::TransferEnded { accepted_bytes, ending } => {
                uploads.transfers_running.dec();
                uploads.received_bytes.inc_by(accepted_bytes);
                uploads.transfers_ended.get_or_create(&How { ending: EndingLabel(ending) }).inc();
            }
            Event::Completed { bytes: _ } => {
                uploads.completed.inc();
            }
            Event::Departed(why) => {
                uploads.departed.get_or_create(&Why { why: DepartureLabel(why) }).inc();
            }
            Event::Recovered { bytes } => {
                uploads.recovered_bytes.inc_by(bytes);
            }
            Event::Damaged => {
                uploads.damaged.inc();
            }
            Event::OrphanRemoved => {
                uploads.orphans_removed.inc();
            }
            Event::Flushed => {
                uploads.store_flushes.inc();
            }
            Event::ClientSwitched { how, took } => self.passage.switched(how, took),
            Event::Retried(outcome) => self.passage.retried(outcome),
        }
    }
}

impl Uploads {
    fn register(&self, to: &mut Registry) {
        to.register("uploads_created", "Upload sessions created", self.created.clone());
        to.register("uploads_completed", "Uploads that became complete", self.completed.clone());
        to.register("departed", "Uploads that were removed, by reason", self.departed.clone());
        let received = "Bytes that were received and count";
        to.register_with_unit("received", received, Unit::Bytes, self.received_bytes.clone());
        let recovered = "Bytes from before a crash that were found and kept";
        to.register_with_unit("recovered", recovered, Unit::Bytes, self.recovered_bytes.clone());
        let running = "Transfers that are receiving bytes now";
        to.register("transfers_running", running, self.transfers_running.clone());
        let ended = "Transfers that ended, by how they did";
        to.register("transfers_ended", ended, self.transfers_ended.clone());
        let damaged = "Times that what is stored of an upload did not pass its checks";
        to.register("damaged", damaged, self.damaged.clone());
        let orphans = "Blobs without a session that were removed";
        to.register("orphans_removed", orphans, self.orphans_removed.clone());
        let flushes = "Group commits of the session store";
        to.register("store_flushes", flushes, self.store_flushes.clone());
        // What has not happened yet is shown as zero, so that its first time is seen as a change.
        for ending in
            [Ending::Whole, Ending::Cut, Ending::TakenOver, Ending::Mismatch, Ending::Stopped]
        {
            drop(self.transfers_ended.get_or_create(&How { ending: EndingLabel(ending) }));
        }
        for why in [Departure::Terminated, Departure::Expired] {
            drop(self.departed.get_or_create(&Why { why: DepartureLabel(why) }));
        }
    }
}

#[derive(Debug)]
struct ConnectionCollector(OpenConnections);

impl Collector for ConnectionCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let open = u64::try_from(self.0.get()).unwrap_or(u64::MAX);
        gauge(&mut encoder, "connections_open", "Connections to the upload side", None, open)?;
        let refused = ConstCounter::new(self.0.refused());
        let help = "Connections closed because their address had as many as it may have";
        let name = "connections_refused";
        refused.encode(encoder.encode_descriptor(name, help, None, refused.metric_type())?)
    }
}

impl Collector for Disk {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let usable = "Bytes that may still be stored";
        gauge(&mut encoder, "disk_usable", usable, Some(&Unit::Bytes), self.usable_bytes)?;
        let reserve = "Bytes that are kept free on the device";
        gauge(&mut encoder, "disk_reserve", reserve, Some(&Unit::Bytes), self.reserve_bytes)
    }
}

/// The domains are those of the settings, so that their number is bounded, too.
#[derive(Debug)]
struct ComponentCollector(Vec<ComponentStanding>);

impl Collector for ComponentCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Whether the XMPP server takes us as a component";
        let connected = Family::<[(&'static str, String); 1], Gauge>::default();
        for standing in &self.0 {
            let labels = [("domain", standing.domain.clone())];
            connected.get_or_create(&labels).set(i64::from(standing.connected));
        }
        let kind = connected.metric_type();
        let name = "xmpp_component_connected";
        connected.encode(encoder.encode_descriptor(name, help, None, kind)?)
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    // Gauges are signed in the text format; nothing here comes near the end of that.
    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
}

#[cfg(test)]
mod tests {
    use actix_web::http::Method;

    use super::*;
    use crate::engine::events::Switch;
    use crate::storage::Retried;

    fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    }

    #[test]
    fn events_are_counted_under_conventional_names() {
        let metrics = Metrics::new(OpenConnections::default());
        for event in [
            Event::Created,
            Event::TransferBegan,
            Event::TransferBegan,
            Event::TransferEnded { accepted_bytes: 7, ending: Ending::TakenOver },
            Event::Completed { bytes: 7 },
            Event::Departed(Departure::Expired),
            Event::Recovered { bytes: 5 },
            Event::Flushed,
            Event::Retried(Retried::Succeeded),
            Event::ClientSwitched { how: Switch::Address, took: Duration::from_millis(3) },
        ] {
            metrics.observe(event);
        }
        let text = metrics.encode(Now::default()).unwrap();
        for (name, expected) in [
            ("tidegate_uploads_created_total", "1"),
            ("tidegate_transfers_running", "1"),
            ("tidegate_received_bytes_total", "7"),
            ("tidegate_transfers_ended_total{ending=\"taken_over\"}", "1"),
            ("tidegate_transfers_ended_total{ending=\"cut\"}", "0"),
            ("tidegate_uploads_completed_total", "1"),
            ("tidegate_departed_total{why=\"expired\"}", "1"),
            ("tidegate_recovered_bytes_total", "5"),
            ("tidegate_store_flushes_total", "1"),
            ("tidegate_storage_retries_total{outcome=\"succeeded\"}", "1"),
            ("tidegate_client_switches_total{how=\"address\"}", "1"),
            ("tidegate_client_switches_total{how=\"transport\"}", "0"),
            ("tidegate_client_switch_duration_seconds_count", "1"),
            ("tidegate_connections_open", "0"),
            ("tidegate_connections_refused_total", "0"),
        ] {
            assert_eq!(value(&text, name), Some(expected), "{name} in\n{text}");
        }
    }

    #[test]
    fn requests_are_counted_by_method_and_class_only() {
        let metrics = Metrics::new(OpenConnections::default());
        let made_up = Method::from_bytes(b"MADEUP").unwrap();
        for (method, status) in [
            (Method::PATCH, Some(StatusCode::NO_CONTENT)),
            (Method::PATCH, Some(StatusCode::OK)),
            (made_up, Some(StatusCode::METHOD_NOT_ALLOWED)),
            (Method::PUT, None),
        ] {
            metrics.request(RequestMethod::of(&method), status, Duration::from_millis(3));
        }
        let text = metrics.encode(Now::default()).unwrap();
        for (labels, expected) in [
            ("method=\"PATCH\",status=\"2xx\"", "2"),
            ("method=\"OTHER\",status=\"4xx\"", "1"),
            ("method=\"PUT\",status=\"none\"", "1"),
        ] {
            let name = format!("tidegate_http_requests_total{{{labels}}}");
            assert_eq!(value(&text, &name), Some(expected), "{text}");
        }
        let name = "tidegate_http_request_duration_seconds_count{method=\"PATCH\"}";
        assert_eq!(value(&text, name), Some("2"), "{text}");
    }

    #[test]
    fn the_device_and_the_process_are_shown_as_they_are_now() {
        let metrics = Metrics::new(OpenConnections::default());
        let disk = Some(Disk { usable_bytes: 10, reserve_bytes: 20 });
        let text = metrics.encode(Now { disk, ..Now::default() }).unwrap();
        assert_eq!(value(&text, "tidegate_disk_usable_bytes"), Some("10"), "{text}");
        assert_eq!(value(&text, "tidegate_disk_reserve_bytes"), Some("20"));
        let resident = value(&text, "process_resident_memory_bytes").unwrap();
        assert!(resident.parse::<u64>().unwrap() > 1024 * 1024, "{resident}");
        assert!(value(&text, "process_cpu_seconds_total").is_some());
        assert!(value(&text, "process_open_fds").is_some());
        assert!(text.ends_with("# EOF\n"));
    }
}
