//! Recovery of every session after the start.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::upload::UploadId;

use super::Shared;
use super::events::Event;

/// Sessions looked at per step of the sweep.
const PAGE: usize = 512;
/// Uploads that are remembered as not recovered; with more of them, every upload is looked at.
const MAX_STRAGGLERS: usize = 4096;

/// Looks at every session once, in the background.
pub(super) async fn sweep(shared: Arc<Shared>) {
    let (mut after, mut all) = (None, true);
    loop {
        let ids = match shared.sessions.ids(after, PAGE) {
            Ok(ids) => ids,
            Err(error) => {
                tracing::error!(%error, "the sessions could not be listed; recovery goes on one by one");
                return;
            }
        };
        let Some(last) = ids.last().copied() else { break };
        for id in ids {
            if let Err(error) = shared.sweep_one(id).await {
                shared.observer.observe(Event::Damaged);
                let cause = error.with_causes();
                tracing::error!(upload = %id, %cause,
                    "{id} could not be recovered; stop the gateway and run `tidegate doctor`, or \
                     remove the upload with `tidegate sessions rm`");
                all &= shared.stragglers().note(id);
            }
        }
        after = Some(last);
        tokio::task::yield_now().await;
    }
    if all {
        shared.recovered.store(true, Ordering::Release);
    } else {
        tracing::error!(
            "too many uploads could not be recovered; each is tried when it is asked for"
        );
    }
}

/// Uploads that the sweep could not recover, because the device failed for instance: recovery is tried
/// again whenever one of them is asked for.
#[derive(Debug, Default)]
pub(super) struct Stragglers(HashSet<UploadId>);

impl Stragglers {
    /// Remembers one; `false` if there are too many to be remembered.
    fn note(&mut self, id: UploadId) -> bool {
        self.0.contains(&id) || (self.0.len() < MAX_STRAGGLERS && self.0.insert(id))
    }

    pub(super) fn has(&self, id: UploadId) -> bool {
        self.0.contains(&id)
    }

    /// It is recovered now.
    pub(super) fn forget(&mut self, id: UploadId) {
        self.0.remove(&id);
    }
}

impl Shared {
    pub(super) fn stragglers(&self) -> MutexGuard<'_, Stragglers> {
        self.stragglers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
