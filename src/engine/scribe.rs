//! Labels beside the blobs, trailing the session store.
//!
//! A label is the stored record once more, kept with the blob, so that the session store can be
//! rebuilt. It is written behind the answer: notes for one upload replace each other while they
//! wait, and the number of waiting notes is bounded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Mutex as AsyncMutex, Notify};

use crate::storage::{BlobStore, StorageError};
use crate::upload::{Session, UploadId, record};

use super::error::EngineError;

/// Past this many waiting notes, whoever brings the next one waits.
const MAX_WAITING: usize = 4096;

pub(super) struct Scribe {
    blobs: Arc<dyn BlobStore>,
    waiting: Mutex<HashMap<UploadId, Bytes>>,
    noted: Notify,
    eased: Notify,
    /// Held while a label is being written, so that `forget` can wait for it.
    pen: AsyncMutex<()>,
}

impl Scribe {
    pub(super) fn new(blobs: Arc<dyn BlobStore>) -> Arc<Self> {
        Arc::new(Self {
            blobs,
            waiting: Mutex::default(),
            noted: Notify::new(),
            eased: Notify::new(),
            pen: AsyncMutex::new(()),
        })
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<UploadId, Bytes>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the state of a session, to be written soon.
    pub(super) async fn note(&self, session: &Session) {
        let label = match record::encode(session) {
            Ok(label) => Bytes::from(label),
            Err(error) => {
                tracing::error!(upload = %session.id(), %error, "{} has no label", session.id());
                return;
            }
        };
        loop {
            let eased = self.eased.notified();
            tokio::pin!(eased);
            eased.as_mut().enable();
            {
                let mut waiting = self.waiting();
                if waiting.len() < MAX_WAITING || waiting.contains_key(&session.id()) {
                    waiting.insert(session.id(), label);
                    break;
                }
            }
            eased.await;
        }
        self.noted.notify_one();
    }

    /// Writes the state of a session now, not later.
    ///
    /// For a state that must not be missed: an older label would make a rebuild believe bytes that
    /// are none.
    pub(super) async fn write(&self, session: &Session) -> Result<(), EngineError> {
        let label = record::encode(session)
            .map_err(|error| StorageError::Record { id: session.id(), source: error })?;
        let _pen = self.pen.lock().await;
        self.waiting().remove(&session.id());
        Ok(self.blobs.label(session.id(), Bytes::from(label)).await?)
    }

    /// Forgets an upload: once this returns, no label of it will be written any more.
    pub(super) async fn forget(&self, id: UploadId) {
        let _pen = self.pen.lock().await;
        self.waiting().remove(&id);
    }

    /// Writes notes as long as the engine lives.
    pub(super) async fn run(self: Arc<Self>) {
        loop {
            self.noted.notified().await;
            self.finish().await;
        }
    }

    /// Writes everything that is waiting.
    pub(super) async fn finish(&self) {
        loop {
            let pen = self.pen.lock().await;
            let next = {
                let mut waiting = self.waiting();
                let id = waiting.keys().next().copied();
                id.and_then(|id| waiting.remove_entry(&id))
            };
            let Some((id, label)) = next else { return };
            if let Err(error) = self.blobs.label(id, label).await {
                // The session store still has the record; only a rebuild would miss this state.
                tracing::warn!(upload = %id, %error, "the label of {id} could not be written");
            }
            drop(pen);
            self.eased.notify_waiters();
        }
    }
}
