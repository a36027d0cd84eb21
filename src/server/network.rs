//! What the kernel says about the network, for as long as the gateway runs.

use crate::config::Settings;
use crate::network::{self, Lines};

/// Looks after the connections of the upload side.
pub(super) struct Network {
    lines: Lines,
    monitored: bool,
}

impl Network {
    pub(super) const fn new(lines: Lines, settings: &Settings) -> Self {
        Self { lines, monitored: settings.streaming.network_condition_monitoring }
    }

    /// Looks after them, for ever.
    pub(super) async fn follow(&self) {
        if self.monitored {
            network::sample(self.lines.clone()).await;
        }
        std::future::pending().await
    }
}
