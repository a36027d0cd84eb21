//! What is remembered of clients, put together from the settings.

use std::sync::Arc;

use crate::config::Settings;
use crate::engine::profiles::{ProfileSettings, Profiles};
use crate::engine::{Clock as _, SystemClock};
use crate::http::client::{ClientHash, Clients};
use crate::storage::ProfileStore;
use crate::tuning::profile::Rules;

use super::data_dir::DataDir;
use super::error::ServerError;
use super::secret::CLIENT;

/// The clients that `store` knows. What cannot be read is no reason not to serve: then nothing is remembered.
/// Blocking.
///
/// # Errors
///
/// [`ServerError`] if the secret of the data directory cannot be used.
pub(super) fn build(
    data: &DataDir,
    settings: &Settings,
    store: Arc<dyn ProfileStore>,
) -> Result<Option<Remembered>, ServerError> {
    let hash = ClientHash::new(data.secret()?.key_for(CLIENT));
    match Profiles::open(profiles(settings), store, SystemClock.now()) {
        Ok(profiles) => {
            Ok(Some(Remembered { clients: Clients::new(profiles.clone(), hash), profiles }))
        }
        Err(error) => {
            tracing::warn!(%error, "what is known of clients cannot be read; nothing is remembered");
            Ok(None)
        }
    }
}

/// What is remembered, as those see it who write it and those who ask.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) clients: Clients,
    profiles: Profiles,
}

impl Remembered {
    /// Writes what has changed, for ever.
    pub(super) async fn follow(&self) {
        self.profiles.follow(|| SystemClock.now()).await;
    }

    /// Writes what has changed. Blocking.
    pub(super) fn write(&self) {
        if let Err(error) = self.profiles.write(SystemClock.now()) {
            tracing::warn!(%error, "what is known of clients could not be written");
        }
    }
}

/// How much is remembered, and for how long.
fn profiles(settings: &Settings) -> ProfileSettings {
    let performance = &settings.performance;
    ProfileSettings {
        enabled: performance.client_profiling,
        most: performance.max_profiles,
        lifetime: performance.profile_lifetime.get(),
        rules: Rules {
            detects_connections: performance.connection_type_detection,
            most_chunk_bytes: performance.max_chunk_size.in_memory(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_setting_of_profiles_counts() {
        let mut settings = Settings::default();
        let before = profiles(&settings);
        assert!(before.enabled && before.rules.detects_connections);
        settings.performance.client_profiling = false;
        settings.performance.connection_type_detection = false;
        settings.performance.max_profiles = 7;
        settings.performance.profile_lifetime = crate::config::Span::seconds(9);
        settings.performance.max_chunk_size = crate::config::Size::mib(2);
        let rules = Rules { detects_connections: false, most_chunk_bytes: 2 * 1024 * 1024 };
        let lifetime = Duration::from_secs(9);
        let expected = ProfileSettings { enabled: false, most: 7, lifetime, rules };
        assert_eq!(profiles(&settings), expected);
    }
}
