//! `[streaming]`

use serde::{Deserialize, Serialize};

/// `[streaming]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Streaming {
    /// Whether a fitted buffer follows what is measured while its transfer lasts.
    pub adaptive_streaming: bool,
    /// Whether clients are told which chunk size suits them.
    pub quality_adaptation: bool,
    /// Whether the disk is given another chance when it failed in passing.
    pub automatic_retry: bool,
    /// Whether the kernel is asked how each connection does: round trips, losses, delivery rate.
    pub network_condition_monitoring: bool,
}

impl Default for Streaming {
    fn default() -> Self {
        Self {
            adaptive_streaming: true,
            quality_adaptation: true,
            automatic_retry: true,
            network_condition_monitoring: true,
        }
    }
}
