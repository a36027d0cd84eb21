//! What expired, and orphans.
//!
//! Unfinished uploads expire after resting too long, finished ones only if a retention is
//! configured. Either becomes a tombstone first, so that clients are told that it expired; the
//! tombstone goes after its own time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::upload::{Departure, Phase, UploadId};

use super::Shared;
use super::error::EngineError;
use super::events::Event;

/// Sessions handled per look at the expiry index.
const PAGE: usize = 256;
/// Orphans are looked for in every so many rounds.
const ROUNDS_PER_SWEEP: u64 = 60;

/// Reaps as long as the engine lives.
pub(super) async fn run(shared: Weak<Shared>) {
    let mut round = 0_u64;
    while let Some(interval) = shared.upgrade().map(|shared| shared.settings.reap_interval) {
        tokio::time::sleep(interval.max(Duration::from_millis(10))).await;
        let Some(shared) = shared.upgrade() else { return };
        shared.reap().await;
        if round.is_multiple_of(ROUNDS_PER_SWEEP) {
            shared.sweep_orphans().await;
        }
        round = round.wrapping_add(1);
    }
}

impl Shared {
    /// Removes everything whose time is over.
    pub(super) async fn reap(&self) {
        loop {
            let expired = match self.sessions.expiring(self.clock.now(), PAGE) {
                Ok(expired) => expired,
                Err(error) => {
                    tracing::error!(%error, "the expiry index cannot be read");
                    return;
                }
            };
            let full_page = expired.len() == PAGE;
            let mut reaped = 0_usize;
            for id in expired {
                match self.reap_one(id).await {
                    Ok(true) => reaped = reaped.saturating_add(1),
                    Ok(false) => {}
                    Err(error) => {
                        tracing::error!(upload = %id, %error, "{id} expired but is still there");
                    }
                }
            }
            // Without progress the same page would come again at once; the next round tries anew.
            if !full_page || reaped == 0 {
                return;
            }
        }
    }

    /// Whether `id` was removed one step further.
    async fn reap_one(&self, id: UploadId) -> Result<bool, EngineError> {
        // Somebody is writing it: activity that has yet to move the expiry (T-108).
        let Ok(_lease) = self.leases.take(id) else { return Ok(false) };
        let Some(stored) = self.sessions.get(id)? else { return Ok(false) };
        if !stored.session.is_expired(self.clock.now()) {
            return Ok(false);
        }
        match stored.session.phase() {
            Phase::Gone(_) => {
                self.clear(id).await?;
            }
            Phase::Receiving | Phase::Assembling | Phase::Complete => {
                self.depart(stored, Departure::Expired).await?;
                tracing::info!(upload = %id, "{id} expired");
            }
        }
        Ok(true)
    }

    async fn sweep_orphans(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let known = Box::new(move |id| shared.leases.is_taken(id) || shared.knows(id));
        match self.blobs.sweep(self.settings.orphan_age, known).await {
            Ok(removed) => {
                for _ in 0..removed {
                    self.observer.observe(Event::OrphanRemoved);
                }
            }
            Err(error) => tracing::error!(%error, "orphaned blobs could not be looked for"),
        }
    }
}
