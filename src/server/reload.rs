//! Settings that are read again on SIGHUP.
//!
//! Few of them may change while the gateway runs: those by which an operator answers a rollback. Every
//! other key that differs is named, so that nobody believes that it holds.

use crate::config::{Settings, Sources, changes, load};
use crate::http::tuner::{Tuner, UNTIL};

use super::translate;

/// What is taken without a restart.
const TAKEN: [&str; 8] = [
    "performance.adaptive_buffers",
    "performance.rollout",
    "performance.min_buffer_size",
    "performance.max_buffer_size",
    "performance.rollback_window",
    "performance.rollback_margin",
    "performance.rollback_transfers",
    "streaming.adaptive_streaming",
];

/// What is needed to read the settings again.
#[derive(Debug)]
pub(super) struct Reloading<'a> {
    /// Where they come from.
    pub(super) sources: &'a Sources,
    /// With which it was started.
    pub(super) started_with: &'a Settings,
}

impl Reloading<'_> {
    /// Reads the settings again and gives `tuner` its part. Settings that are wrong change nothing, and a rollback
    /// is lifted only by another rollout ([`Tuner::reload`]). Reads a file: blocking, and brief.
    pub(super) fn reload(&self, tuner: &Tuner) {
        let settings = match load(self.sources) {
            Ok(settings) => settings,
            Err(error) => {
                tracing::error!(%error, "the settings cannot be used; those from before stay");
                return;
            }
        };
        let changed = changes(self.started_with, &settings);
        let ignored: Vec<&String> =
            changed.iter().filter(|key| !TAKEN.contains(&key.as_str())).collect();
        if !ignored.is_empty() {
            tracing::warn!(keys = ?ignored, "these settings have changed and need a restart");
        }
        let tuning = translate::tuning(&settings);
        let rollout = tuning.rollout.get();
        tuner.reload(tuning);
        match tuner.rolled_back() {
            None => tracing::info!(
                rollout,
                "settings were read again; {rollout} % of the sessions are fitted"
            ),
            Some(why) => tracing::warn!(
                "settings were read again; still no session is fitted: {why}; {UNTIL}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::known::Known;

    #[test]
    fn what_is_taken_without_a_restart_are_settings() {
        let known = Known::new();
        for taken in TAKEN {
            let (section, key) = taken.split_once('.').unwrap();
            assert!(known.value(section, key).is_some(), "{taken}");
        }
    }
}
