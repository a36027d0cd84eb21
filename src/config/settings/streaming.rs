//! `[streaming]`

use serde::{Deserialize, Serialize};

/// `[streaming]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Streaming {
    /// Whether the device is given another chance when it failed in passing.
    pub automatic_retry: bool,
}

impl Default for Streaming {
    fn default() -> Self {
        Self { automatic_retry: true }
    }
}
