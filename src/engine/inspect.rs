//! Where an upload stands.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::storage::StorageError;
use crate::upload::{Owner, Phase, Refusal, Session, UploadId};

use super::error::EngineError;
use super::lease::{Claim, Occupied};
use super::ledger::Ledger;
use super::{Engine, Shared};

/// How many batches of a writer a look waits for, one after the other: more than lie ready when its link dies.
const BATCHES: u32 = 4;

impl Engine {
    /// The session with everything that has arrived until now, all of it durable.
    ///
    /// A writer that has been silent for a moment is told to stop first, so that it can add nothing
    /// behind the answer; one that is receiving is left alone.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`], the [`Refusal`] of an upload that expired, or
    /// [`EngineError::Storage`] if its record, or what is stored of a complete one, is damaged.
    pub async fn inspect(&self, id: UploadId, owner: &Owner) -> Result<Session, EngineError> {
        let (shared, owner) = (Arc::clone(&self.shared), owner.clone());
        self.run(async move {
            let stored = shared.load(id, &owner)?;
            let session = if shared.leases.is_taken(id) {
                shared.beside_writer(id, &owner).await?
            } else {
                shared.recovered_to_look(stored).await?
            };
            shared.settled(id).await?;
            present(&session, &shared)?;
            if session.phase() == Phase::Assembling {
                // Whoever asks waits for it, and there was no room perhaps the last time.
                shared.start_assembling(id);
            }
            shared.holds(&session).await?;
            Ok(session)
        })
        .await
    }

    /// As [`Engine::inspect`], but disturbs nobody, not even a writer that is silent.
    ///
    /// # Errors
    ///
    /// As [`Engine::inspect`].
    pub async fn peek(&self, id: UploadId, owner: &Owner) -> Result<Session, EngineError> {
        let (shared, owner) = (Arc::clone(&self.shared), owner.clone());
        self.run(async move {
            let stored = shared.load(id, &owner)?;
            let session = if shared.leases.is_taken(id) {
                let deadline = Instant::now() + shared.settings.takeover_timeout;
                shared.with_what_arrived(id, &owner, deadline).await?
            } else {
                shared.recovered_to_look(stored).await?
            };
            shared.settled(id).await?;
            present(&session, &shared)?;
            shared.holds(&session).await?;
            Ok(session)
        })
        .await
    }

    /// Sessions in the order of their ids, behind `after`, at most `limit`; for operators.
    ///
    /// A record that cannot be read is logged and left out.
    ///
    /// # Errors
    ///
    /// [`EngineError::Storage`] if the store cannot be read.
    pub async fn sessions(
        &self,
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Vec<Session>, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let ids = shared.sessions.ids(after, limit)?;
            let sessions = ids.into_iter().filter_map(|id| match shared.sessions.get(id) {
                Ok(stored) => stored.map(|stored| stored.session),
                Err(error) => {
                    tracing::error!(upload = %id, %error, "the record of {id} is unreadable");
                    None
                }
            });
            Ok(sessions.collect())
        })
        .await
    }

    /// One session, whoever owns it; for operators.
    ///
    /// # Errors
    ///
    /// [`EngineError::Storage`] if its record is damaged.
    pub async fn session(&self, id: UploadId) -> Result<Option<Session>, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move { Ok(shared.sessions.get(id)?.map(|stored| stored.session)) }).await
    }
}

/// What is left of an upload that is gone is not shown.
fn present(session: &Session, shared: &Shared) -> Result<(), EngineError> {
    // A running transfer is activity, even if its last checkpoint lies before the expiry (T-108).
    match session.present(shared.clock.now()) {
        Err(Refusal::Expired) if shared.leases.is_taken(session.id()) => Ok(()),
        verdict => Ok(verdict?),
    }
}

impl Shared {
    /// Whether the bytes of a complete session are there: nobody is told that what is lost is complete.
    async fn holds(&self, session: &Session) -> Result<(), EngineError> {
        if session.is_complete() { self.whole_blob(session).await.map(drop) } else { Ok(()) }
    }

    /// The session while somebody writes it: after a writer that is silent or committing has let
    /// go, or beside one that is receiving.
    async fn beside_writer(&self, id: UploadId, owner: &Owner) -> Result<Session, EngineError> {
        let deadline = Instant::now() + self.settings.takeover_timeout;
        for _ in 0..BATCHES {
            let patience = deadline.saturating_duration_since(Instant::now());
            match self.leases.claim(id, Claim::Inspect, patience).await {
                // What it is just writing had arrived, and counts for whoever asks where to go on.
                Err(Occupied::Receiving(seat)) => {
                    match timeout_at(deadline, seat.batch_ended()).await {
                        Ok(true) => {}
                        Ok(false) | Err(_) => break,
                    }
                }
                // Whoever wrote it may have gone before it could recover it.
                Ok(_lease) => {
                    let stored = self.load(id, owner)?;
                    return self.recovered_under_lease_to_look(stored).await;
                }
                // If the writer is stuck, what is stored is true, if old: better than an error for a
                // passing state.
                Err(Occupied::Stuck | Occupied::ShuttingDown) => {
                    return Ok(self.load(id, owner)?.session);
                }
            }
        }
        self.with_what_arrived(id, owner, deadline).await
    }

    /// Waits until what was read of the record is durable: nobody may be told of it before.
    ///
    /// # Errors
    ///
    /// [`EngineError::Busy`] if the device does not take it in time.
    pub(super) async fn settled(&self, id: UploadId) -> Result<(), EngineError> {
        let patience = self.settings.takeover_timeout;
        match tokio::time::timeout(patience, self.sessions.settled(id)).await {
            Ok(settled) => Ok(settled?),
            Err(_) => Err(EngineError::Busy),
        }
    }

    /// The session with what its writers have brought so far made durable beside them: a client
    /// whose link died a moment ago would otherwise send again what is here already.
    ///
    /// If the device refuses, or is not done by `deadline`, the session as it was durable before: true, if old.
    async fn with_what_arrived(
        &self,
        id: UploadId,
        owner: &Owner,
        deadline: Instant,
    ) -> Result<Session, EngineError> {
        let seats = self.leases.seats_of(id);
        let ledgers: Vec<_> = seats.iter().filter_map(|seat| seat.ledger()).collect();
        // Tasks, because a checkpoint that is dropped halfway does not know what it has stored. And
        // all at once, so that chunks share a commit.
        let checkpoints: Vec<_> = ledgers.iter().map(|ledger| checkpoint(id, ledger)).collect();
        for checkpoint in checkpoints {
            drop(timeout_at(deadline, checkpoint).await);
        }
        if let Some(ledger) = ledgers.first()
            && let Ok(Ok(session)) = timeout_at(deadline, ledger.committed()).await
        {
            return Ok(session);
        }
        Ok(self.load(id, owner)?.session)
    }

    /// Whether a record exists, readable or not; for the sweep of orphans.
    pub(super) fn knows(&self, id: UploadId) -> bool {
        match self.sessions.get(id) {
            Ok(stored) => stored.is_some(),
            Err(StorageError::Missing(_)) => false,
            Err(_) => true,
        }
    }
}

/// Makes durable what a writer has brought so far. Its end will meet the same trouble, and answers
/// for it.
fn checkpoint(id: UploadId, ledger: &Arc<Ledger>) -> JoinHandle<()> {
    let ledger = Arc::clone(ledger);
    tokio::spawn(async move {
        if let Err(error) = ledger.checkpoint().await {
            tracing::warn!(upload = %id, %error, "what arrived of {id} could not be made durable for a look");
        }
    })
}
