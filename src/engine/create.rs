//! A new session, with or without its first bytes.

use std::sync::Arc;

use crate::storage::{BlobWriter, StorageError, Tail};
use crate::upload::{AppendRequest, Digest, NewSession, Session, UploadId, UploadOffset};

use super::error::EngineError;
use super::events::Event;
use super::ledger::{EndLedger, Ledger, Proof};
use super::quota::Admission;
use super::transfer::Transfer;
use super::{Engine, Shared};

/// The first bytes of an upload, sent with its creation (T-91).
#[derive(Clone, Debug)]
pub struct Body {
    /// Bytes of the body; `None` if the request does not say.
    pub bytes: Option<u64>,
    /// The digest the body must have (T-98).
    pub digest: Option<Digest>,
    /// What becomes of the upload if the body is cut.
    pub when_cut: WhenCut,
}

/// What becomes of an upload whose first bytes are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenCut {
    /// What arrived is kept, and can be continued.
    Keep,
    /// Nothing stays: nobody could continue it. Where the body ends, the upload ends.
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
        self.create_as(UploadId::generate(), new).await
    }

    /// As [`Engine::create`], under an id that leads to it by other means than being told.
    ///
    /// # Errors
    ///
    /// As [`Engine::create`]; [`EngineError::Busy`] if there is an upload of this id.
    pub async fn create_as(&self, id: UploadId, new: NewSession) -> Result<Session, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let session = shared.begin(new.clone(), id)?;
            let (mut session, _admission) = shared.admitted(session, new).await?;
            if session.is_whole() {
                shared.finish(&mut session).await?;
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
            let request =
                AppendRequest { at: UploadOffset::ZERO, declares: None, body_bytes: body.bytes };
            let plan = |session: &Session| {
                session.plan_append(&request, &shared.settings.limits, shared.clock.now())
            };
            let session = shared.begin(new.clone(), UploadId::generate())?;
            // What cannot be taken costs its owner nothing.
            plan(&session)?;
            let (session, admission) = shared.admitted(session, new).await?;
            let (id, plan) = (session.id(), plan(&session)?);
            let lease = shared.leases.take(id).map_err(|_| EngineError::ShuttingDown)?;
            let proof = match (body.digest, body.when_cut) {
                (Some(digest), _) => Proof::Digest(digest),
                (None, WhenCut::Discard) => Proof::Whole,
                (None, WhenCut::Keep) => Proof::None,
            };
            let tail = if proof == Proof::None { Tail::Keep } else { Tail::Discard };
            let writer = match body.bytes {
                Some(0) => None,
                Some(_) | None => Some(shared.writer(&session, tail).await?),
            };
            let ledger = EndLedger::open(Arc::clone(&shared), session, None, writer, proof);
            let ledger = ledger.holding(admission);
            Ok(Transfer::lend(shared, lease, Ledger::End(Box::new(ledger)), id, (&plan).into()))
        })
        .await
    }
}

impl Shared {
    /// A session that is not stored yet.
    pub(super) fn begin(&self, new: NewSession, id: UploadId) -> Result<Session, EngineError> {
        let (limits, boot) = (&self.settings.limits, self.boot.clone());
        let session = Session::create(new, id, limits, boot, self.clock.now())?;
        if let Some(length) = session.length() {
            self.has_room_for(length.get())?;
        }
        Ok(session)
    }

    /// The session once its owner may have it, and the promise to hold until it is stored.
    pub(super) async fn admitted(
        self: &Arc<Self>,
        session: Session,
        mut new: NewSession,
    ) -> Result<(Session, Option<Admission>), EngineError> {
        let (id, own) = (session.id(), new.max_length);
        let admission = self.admit(&mut new, id).await?;
        let session = if new.max_length == own { session } else { self.begin(new, id)? };
        Ok((session, admission))
    }

    /// Refuses early what could never be stored.
    pub(super) fn has_room_for(&self, bytes: u64) -> Result<(), EngineError> {
        // Nothing to store always fits: a full disk must not refuse an empty request.
        if bytes > 0 && self.blobs.room()?.usable_bytes < bytes {
            return Err(StorageError::NoRoom.into());
        }
        Ok(())
    }

    /// As [`Shared::has_room_for`], for an upload that stands at `offset`.
    pub(super) fn has_room_behind(
        &self,
        offset: UploadOffset,
        bytes: u64,
    ) -> Result<(), EngineError> {
        match self.has_room_for(bytes) {
            Err(EngineError::NoRoom { .. }) => Err(EngineError::NoRoom { offset: Some(offset) }),
            checked => checked,
        }
    }

    /// Opens the blob of a session for writing at its offset; `tail` is what bytes behind it are
    /// worth after a crash, as long as no chunks lie there.
    pub(super) async fn writer(
        &self,
        session: &Session,
        tail: Tail,
    ) -> Result<Arc<dyn BlobWriter>, EngineError> {
        let (at, tail) = match session.chunks() {
            Some(_) => (UploadOffset::new(session.received().reach()), Tail::Recorded),
            None => (Some(session.offset()), tail),
        };
        Ok(Arc::from(self.blobs.begin(session.id(), at.unwrap_or_default(), tail).await?))
    }
}
