//! `[streaming]`

use serde::{Deserialize, Serialize};

/// `[streaming]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Streaming {
    /// Whether the kernel is asked how each connection does: round trips, losses, delivery rate.
    pub network_condition_monitoring: bool,
}

impl Default for Streaming {
    fn default() -> Self {
        Self { network_condition_monitoring: true }
    }
}
