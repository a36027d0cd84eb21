//! Remove an upload.

use std::sync::Arc;

use crate::storage::{StorageError, Stored};
use crate::upload::{Departure, Owner, Phase, UploadId, record};

use super::error::EngineError;
use super::events::Event;
use super::lease::Claim;
use super::{Engine, Shared};

impl Engine {
    /// Removes an upload, finished or not; a writer is told to stop first (T-131, T-134).
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`] if there is none, [`EngineError::Busy`] if its writer does not
    /// let go in time.
    pub async fn terminate(&self, id: UploadId, owner: &Owner) -> Result<(), EngineError> {
        let (shared, owner) = (Arc::clone(&self.shared), owner.clone());
        self.run(async move {
            // Only to whom it belongs may disturb its writer.
            match shared.load(id, &owner) {
                Err(EngineError::Storage(error @ StorageError::Record { .. })) => {
                    return shared.terminate_unreadable(id, &owner, error).await;
                }
                loaded => loaded.map(drop)?,
            }
            let _lease = shared.take_over(id, Claim::Terminate).await?;
            let stored = shared.load(id, &owner)?;
            stored.session.present(shared.clock.now())?;
            shared.depart(stored, Departure::Terminated).await
        })
        .await
    }

    /// Removes whatever is stored under `id`, readable or not; for operators.
    ///
    /// Returns whether there was anything.
    ///
    /// # Errors
    ///
    /// [`EngineError::Busy`] if its writer does not let go in time, [`EngineError::Storage`] if a
    /// store fails.
    pub async fn remove(&self, id: UploadId) -> Result<bool, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let _lease = shared.take_over(id, Claim::Terminate).await?;
            match shared.sessions.get(id) {
                Ok(Some(stored)) if !matches!(stored.session.phase(), Phase::Gone(_)) => {
                    shared.depart(stored, Departure::Terminated).await.map(|()| true)
                }
                Ok(Some(_) | None) => Ok(false),
                Err(StorageError::Record { .. }) => shared.clear(id).await.map(|()| true),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }
}

impl Shared {
    /// Removes an upload whose record says nothing any more, if its label says that it is `owner`'s.
    async fn terminate_unreadable(
        &self,
        id: UploadId,
        owner: &Owner,
        error: StorageError,
    ) -> Result<(), EngineError> {
        let _lease = self.take_over(id, Claim::Terminate).await?;
        let label = self.blobs.read_label(id).await?;
        let labelled = label.and_then(|label| record::decode(&label).ok());
        if labelled.is_some_and(|one| one.id() == id && one.owner() == owner) {
            return self.clear(id).await;
        }
        Err(error.into())
    }

    /// Removes all that is stored under `id`, whatever it is. Under its lease.
    pub(super) async fn clear(&self, id: UploadId) -> Result<(), EngineError> {
        self.scribe.forget(id).await;
        self.differing.forget(id);
        self.blobs.delete(id).await?;
        Ok(self.sessions.delete(id).await?)
    }

    /// Turns an upload into a tombstone, then removes its bytes. Under its lease.
    ///
    /// In this order, so that a crash in between leaves a tombstone whose bytes the reaper
    /// removes, never a session without bytes.
    pub(super) async fn depart(&self, stored: Stored, why: Departure) -> Result<(), EngineError> {
        let Stored { mut session, revision } = stored;
        let id = session.id();
        session.depart(why, &self.settings.limits, self.clock.now());
        self.sessions.commit(&session, revision).await?;
        self.observer.observe(Event::Departed(why));
        self.awaited.forget(id);
        self.differing.forget(id);
        self.scribe.forget(id).await;
        self.blobs.delete(id).await?;
        Ok(())
    }
}
