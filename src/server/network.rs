//! What the kernel says about the network, for as long as the gateway runs.

use crate::config::Settings;
use crate::network::{self, Lines, Settling};

/// Looks after the connections of the upload side.
pub(super) struct Network {
    lines: Lines,
    monitored: bool,
    /// How changes of addresses are met, if they are noticed.
    watched: Option<Pausing>,
}

/// When uploads pause that a change does not end; `None` if they do not.
type Pausing = Option<Settling>;

impl Network {
    pub(super) fn new(lines: Lines, settings: &Settings) -> Self {
        let network = &settings.network;
        let pausing =
            network.uploadpauseonchange.then(|| Settling::new(network.reconnectdelay.get()));
        Self {
            lines,
            monitored: settings.streaming.network_condition_monitoring,
            watched: network.networkchangedetection.then_some(pausing),
        }
    }

    /// Looks after them, for ever.
    pub(super) async fn follow(&self) {
        let sampled = async {
            if self.monitored {
                network::sample(self.lines.clone()).await;
            }
        };
        let watched = async {
            if let Some(pausing) = self.watched {
                network::watch(self.lines.clone(), pausing).await;
            }
        };
        tokio::join!(sampled, watched);
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::config::Span;

    #[test]
    fn what_is_set_about_changes_reaches_its_place() {
        let mut settings = Settings::default();
        settings.network.reconnectdelay = Span::seconds(7);
        let network = |settings: &Settings| Network::new(Lines::default(), settings);
        let now = Instant::now();
        let mut pausing = network(&settings).watched.unwrap().unwrap();
        assert_eq!(pausing.changed(now), Some(now + Duration::from_secs(7)));
        settings.network.uploadpauseonchange = false;
        assert!(network(&settings).watched.unwrap().is_none());
        settings.network.networkchangedetection = false;
        assert!(network(&settings).watched.is_none());
        assert!(network(&settings).monitored);
        settings.streaming.network_condition_monitoring = false;
        assert!(!network(&settings).monitored);
    }
}
