//! What fitted transfers and fixed ones came to, side by side.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::tuning::{Arm, Direction, Trial};

/// Sizes of buffers.
const SIZES: [f64; 8] =
    [16_384.0, 32_768.0, 65_536.0, 131_072.0, 262_144.0, 524_288.0, 1_048_576.0, 4_194_304.0];

type Seconds = Counter<f64, AtomicU64>;

/// The same of either arm, so that they can be compared. Clones count together.
#[derive(Clone, Debug)]
pub struct ArmMetrics {
    transfers: Family<Of, Counter>,
    bytes: Family<Of, Counter>,
    seconds: Family<Of, Seconds>,
    broken: Family<Of, Counter>,
    processor: Family<Of, Seconds>,
    processor_bytes: Family<Of, Counter>,
    buffers: Family<Of, Histogram, fn() -> Histogram>,
    rollout: Gauge,
    rolled_back: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    arm: ArmLabel,
    direction: DirectionLabel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ArmLabel(Arm);

impl EncodeLabelValue for ArmLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let name = match self.0 {
            Arm::Adaptive => "adaptive",
            Arm::Fixed => "fixed",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct DirectionLabel(Direction);

impl EncodeLabelValue for DirectionLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let name = match self.0 {
            Direction::Up => "up",
            Direction::Down => "down",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}

impl Default for ArmMetrics {
    fn default() -> Self {
        let buffers: fn() -> Histogram = || Histogram::new(SIZES);
        Self {
            transfers: Family::default(),
            bytes: Family::default(),
            seconds: Family::default(),
            broken: Family::default(),
            processor: Family::default(),
            processor_bytes: Family::default(),
            buffers: Family::new_with_constructor(buffers),
            rollout: Gauge::default(),
            rolled_back: Gauge::default(),
        }
    }
}

impl ArmMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        let name = "arm_transfers";
        to.register(name, "Transfers that ended, by arm and direction", self.transfers.clone());
        let help = "Bytes of transfers that ended, by arm and direction";
        to.register_with_unit("arm_transferred", help, Unit::Bytes, self.bytes.clone());
        let help = "Time that transfers took from their first byte to their end";
        to.register_with_unit("arm_transfers_took", help, Unit::Seconds, self.seconds.clone());
        let help = "Transfers that ended before their end, by arm and direction";
        to.register("arm_transfers_broken", help, self.broken.clone());
        let help = "Processor time of writes that were measured, one of 16";
        to.register_with_unit("arm_write_cpu", help, Unit::Seconds, self.processor.clone());
        let help = "Bytes of writes whose processor time was measured";
        to.register_with_unit("arm_write_cpu", help, Unit::Bytes, self.processor_bytes.clone());
        let help = "Size of a transfer's buffer at its end";
        to.register_with_unit("arm_buffer", help, Unit::Bytes, self.buffers.clone());
        let help = "Sessions of a hundred that are fitted now";
        to.register("adaptive_rollout_percent", help, self.rollout.clone());
        let help = "Whether fitting was switched off because it did worse";
        to.register("adaptive_rolled_back", help, self.rolled_back.clone());
        for arm in Arm::ALL {
            for direction in Direction::ALL {
                let of = Of { arm: ArmLabel(arm), direction: DirectionLabel(direction) };
                drop(self.transfers.get_or_create(&of));
                drop(self.bytes.get_or_create(&of));
                drop(self.seconds.get_or_create(&of));
                drop(self.broken.get_or_create(&of));
            }
        }
    }

    /// A transfer ended, with a buffer of this size.
    pub(in crate::http) fn ended(&self, trial: &Trial, buffer_bytes: usize) {
        let of = Of { arm: ArmLabel(trial.arm), direction: DirectionLabel(trial.direction) };
        self.transfers.get_or_create(&of).inc();
        self.bytes.get_or_create(&of).inc_by(trial.bytes);
        self.seconds.get_or_create(&of).inc_by(trial.took.as_secs_f64());
        self.broken.get_or_create(&of).inc_by(u64::from(trial.failed));
        if let Some((time, bytes)) = trial.processor {
            self.processor.get_or_create(&of).inc_by(time.as_secs_f64());
            self.processor_bytes.get_or_create(&of).inc_by(bytes);
        }
        let bytes = u32::try_from(buffer_bytes).unwrap_or(u32::MAX);
        self.buffers.get_or_create(&of).observe(f64::from(bytes));
    }

    /// So many sessions of a hundred are fitted from now on.
    pub(in crate::http) fn rolls_out(&self, percent: u8, rolled_back: bool) {
        self.rollout.set(i64::from(percent));
        self.rolled_back.set(i64::from(rolled_back));
    }
}
