//! What networks and devices do to uploads in passing: switches of clients, retries of the device.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::engine::events::Retried;
use crate::engine::events::Switch;

use super::super::labels::{RetriedLabel, SwitchLabel};

/// Seconds until a client that came back by another way was heard: one round trip or two.
const SWITCH_BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct How {
    how: SwitchLabel,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: RetriedLabel,
}

/// Its families.
#[derive(Debug)]
pub(super) struct Passage {
    switches: Family<How, Counter>,
    switch_times: Histogram,
    retries: Family<Outcome, Counter>,
}

impl Passage {
    pub(super) fn registered_in(registry: &mut Registry) -> Self {
        let passage = Self {
            switches: Family::default(),
            switch_times: Histogram::new(SWITCH_BUCKETS),
            retries: Family::default(),
        };
        let switches = "Uploads that went on from another address or by another transport";
        registry.register("client_switches", switches, passage.switches.clone());
        registry.register_with_unit(
            "client_switch_duration",
            "Time from the first byte on a client's new path to accepted bytes",
            Unit::Seconds,
            passage.switch_times.clone(),
        );
        let retries = "Further attempts after the device had failed in passing";
        registry.register("storage_retries", retries, passage.retries.clone());
        // What has not happened yet is shown as zero, so that its first time is seen as a change.
        for how in [Switch::Address, Switch::Transport] {
            drop(passage.switches.get_or_create(&How { how: SwitchLabel(how) }));
        }
        for outcome in [Retried::Succeeded, Retried::Failed] {
            drop(passage.retries.get_or_create(&Outcome { outcome: RetriedLabel(outcome) }));
        }
        passage
    }

    pub(super) fn switched(&self, how: Switch, took: Duration) {
        self.switches.get_or_create(&How { how: SwitchLabel(how) }).inc();
        self.switch_times.observe(took.as_secs_f64());
    }

    pub(super) fn retried(&self, outcome: Retried) {
        self.retries.get_or_create(&Outcome { outcome: RetriedLabel(outcome) }).inc();
    }
}
