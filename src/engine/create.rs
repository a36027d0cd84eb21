//! A new session, with or without its first bytes.

use std::sync::Arc;

use crate::storage::{BlobWriter, StorageError, Tail};
use crate::upload::{AppendRequest, Digest, NewSession, Session, UploadId, UploadOffset};

use super::error::EngineError;
use super::events::Event;
use super::ledger::{Ledger, Proof};
use super::transfer::Transfer;
use super::{Engine, Shared};

/// The first bytes of an upload, sent with its creation (T-91).
#[derive(Clone, Debug)]
pub struct Body {
    /// Bytes of the body; `None` if the request does not say.
    pub bytes: Option<u64>,
    /// The digest the body must have (T-98).
    pub digest: Option<Digest>,
    /// What becomes of it when it is cut.
    pub when_cut: WhenCut,
}

/// What becomes of a first body that ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenCut {
    /// What arrived counts and can be continued (T-92).
    Keep,
    /// Nothing of it stays, since nobody could continue it; until it ends nothing counts.
    Discard,
}

impl Engine {
    /// Creates a session that waits for its bytes. One without bytes is complete at once (T-64).
    ///
    /// # Errors
    ///
    /// A [`crate::upload::Refusal`] if the limits do not allow it, [`EngineError::NoRoom`] if it
    /// could never be stored.
    pub async fn create(&self, new: NewSession) -> Result<Session, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let mut session = shared.begin(new)?;
            if session.is_whole() {
                shared.blobs.publish(session.id()).await?;
                session.complete(&shared.settings.limits, shared.clock.now());
            }
            shared.sessions.create(&session).await?;
            shared.observer.observe(Event::Created);
            shared.scribe.note(&session).await;
            if session.is_complete() {
                shared.completed(&session);
            }
            Ok(session)
        })
        .await
    }

    /// Creates a session together with its first bytes: one record, one flush.
    ///
    /// The record is stored when the body ends, or at the first checkpoint; nobody knows the id
    /// before.
    ///
    /// # Errors
    ///
    /// As [`Engine::create`]; also a refusal of a body that is longer than the upload (T-96).
    pub async fn create_with_body(
        &self,
        new: NewSession,
        body: Body,
    ) -> Result<Transfer, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let session = shared.begin(new)?;
            let request =
                AppendRequest { at: UploadOffset::ZERO, declares: None, body_bytes: body.bytes };
            let limits = &shared.settings.limits;
            let plan = session.plan_append(&request, limits, shared.clock.now())?;
            let id = session.id();
            let lease = shared.leases.take(id).map_err(|_| EngineError::ShuttingDown)?;
            let proof = Proof { digest: body.digest, end: body.when_cut == WhenCut::Discard };
            let writer = match body.bytes {
                Some(0) => None,
                Some(_) | None => Some(shared.writer(id, plan.start, &proof).await?),
            };
            let ledger = Ledger::open(Arc::clone(&shared), session, None, writer, proof);
            Ok(Transfer::lend(shared, lease, ledger, id, &plan))
        })
        .await
    }
}

impl Shared {
    fn begin(&self, new: NewSession) -> Result<Session, EngineError> {
        if let Some(length) = new.length {
            self.has_room_for(length.get())?;
        }
        let (limits, boot) = (&self.settings.limits, self.boot.clone());
        Ok(Session::create(new, UploadId::generate(), limits, boot, self.clock.now())?)
    }

    /// Refuses early what could never be stored.
    pub(super) fn has_room_for(&self, bytes: u64) -> Result<(), EngineError> {
        // Nothing to store always fits: a full disk must not refuse an empty request.
        if bytes > 0 && self.blobs.room()?.usable_bytes < bytes {
            return Err(StorageError::NoRoom.into());
        }
        Ok(())
    }

    pub(super) async fn writer(
        &self,
        id: UploadId,
        at: UploadOffset,
        proof: &Proof,
    ) -> Result<Arc<dyn BlobWriter>, EngineError> {
        let tail = if proof.is_wanted() { Tail::Discard } else { Tail::Keep };
        Ok(Arc::from(self.blobs.begin(id, at, tail).await?))
    }
}
