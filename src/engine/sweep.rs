//! Recovery of every session after the start.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Shared;
use super::events::Event;

/// Sessions looked at per step of the sweep.
const PAGE: usize = 512;

/// Looks at every session once, in the background.
pub(super) async fn sweep(shared: Arc<Shared>) {
    let mut after = None;
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
                shared.unsettled.note(id);
            }
        }
        after = Some(last);
        tokio::task::yield_now().await;
    }
    shared.recovered.store(true, Ordering::Release);
}
