//! A final upload out of partial ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::storage::{StorageError, Stored, Tail};
use crate::upload::transition::{ConcatOrder, Progress};
use crate::upload::{
    Owner, Phase, Received, Refusal, Relation, Session, UploadId, UploadLength, UploadOffset,
};

use super::error::EngineError;
use super::events::Event;
use super::lease::Claim;
use super::ledger::blocking;
use super::{Engine, Shared};

/// Which final uploads wait for which parts. Built again at start from the records.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    finals: Mutex<HashMap<UploadId, Vec<UploadId>>>,
}

impl Awaited {
    fn finals(&self) -> MutexGuard<'_, HashMap<UploadId, Vec<UploadId>>> {
        self.finals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(&self, whole: UploadId, parts: &[UploadId]) {
        let mut finals = self.finals();
        for part in parts {
            let waiting = finals.entry(*part).or_default();
            if !waiting.contains(&whole) {
                waiting.push(whole);
            }
        }
    }

    fn waiting_for(&self, part: UploadId) -> Vec<UploadId> {
        self.finals().get(&part).cloned().unwrap_or_default()
    }

    /// Nobody waits for `id` any more, and it waits for nobody.
    pub(super) fn forget(&self, id: UploadId) {
        let mut finals = self.finals();
        finals.remove(&id);
        finals.retain(|_, waiting| {
            waiting.retain(|whole| *whole != id);
            !waiting.is_empty()
        });
    }
}

impl Engine {
    /// Creates a final upload over partial ones (T-142), which need not be complete (T-152).
    ///
    /// Answers when the parts are joined, or after the configured wait with joining still going on
    /// (T-150, T-162): the session then is in [`Phase::Assembling`].
    ///
    /// # Errors
    ///
    /// A [`Refusal`] that names the part that cannot be joined, or [`EngineError::NoRoom`].
    pub async fn concatenate(&self, order: ConcatOrder) -> Result<Session, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let session = shared.order_final(&order).await?;
            let id = session.id();
            let joining = tokio::spawn(Arc::clone(&shared).assemble(id));
            let patience = shared.settings.assemble_wait;
            // If it is still at it then, it goes on, and `inspect` shows when it is done.
            if let Ok(Ok(joined)) = tokio::time::timeout(patience, joining).await {
                joined?;
            }
            let stored = shared.sessions.get(id)?;
            shared.settled(id).await?;
            Ok(stored.map_or(session, |stored| stored.session))
        })
        .await
    }
}

impl Shared {
    async fn order_final(&self, order: &ConcatOrder) -> Result<Session, EngineError> {
        let limits = &self.settings.limits;
        if order.parts.len() > limits.max_parts {
            return Err(Refusal::TooManyParts { max: limits.max_parts }.into());
        }
        let parts = self.parts(&order.parts, &order.owner)?;
        let (id, now) = (UploadId::generate(), self.clock.now());
        let session = Session::assemble(id, order, &parts, limits, self.boot.clone(), now)?;
        self.has_room_for(session.length().map_or(0, UploadLength::get))?;
        self.sessions.create(&session).await?;
        self.observer.observe(Event::Created);
        self.scribe.note(&session).await;
        // Before anybody looks whether the parts are complete, so that none completes unseen.
        self.awaited.expect(id, &order.parts);
        Ok(session)
    }

    /// The sessions of parts, in order; one may be listed several times (T-144).
    fn parts(&self, ids: &[UploadId], owner: &Owner) -> Result<Vec<Session>, EngineError> {
        ids.iter()
            .map(|id| match self.load(*id, owner) {
                Ok(stored) => Ok(stored.session),
                Err(EngineError::NotFound) => Err(Refusal::PartMissing { part: *id }.into()),
                Err(error) => Err(error),
            })
            .collect()
    }

    /// A part became complete: joins the finals that waited for it, if that was the last one.
    pub(super) fn part_completed(self: &Arc<Self>, part: UploadId) {
        for whole in self.awaited.waiting_for(part) {
            self.start_assembling(whole);
        }
    }

    /// A final found at start: it waits for its parts again.
    pub(super) fn expect_parts(self: &Arc<Self>, session: &Session) {
        if let Relation::Final { parts, .. } = session.relation() {
            self.awaited.expect(session.id(), parts);
            self.start_assembling(session.id());
        }
    }

    /// Joins the parts of a final in the background, if nobody does and all are there.
    pub(super) fn start_assembling(self: &Arc<Self>, whole: UploadId) {
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            if let Err(error) = shared.assemble(whole).await {
                tracing::error!(upload = %whole, %error, "the parts of {whole} were not joined");
            }
        });
    }

    /// Joins the parts of a final upload, if all of them are complete.
    pub(super) async fn assemble(self: Arc<Self>, id: UploadId) -> Result<(), EngineError> {
        // Whoever holds the lease for longer is assembling already, or deleting. Whoever only looks
        // is waited for.
        let patience = self.settings.takeover_timeout;
        let Ok(_lease) = self.leases.claim(id, Claim::Recover, patience).await else {
            return Ok(());
        };
        let Some(stored) = self.sessions.get(id)? else { return Ok(()) };
        let Relation::Final { parts, .. } = stored.session.relation() else { return Ok(()) };
        if stored.session.phase() != Phase::Assembling {
            return Ok(());
        }
        let parts = self.parts(parts, stored.session.owner())?;
        if !parts.iter().all(Session::is_complete) {
            return Ok(());
        }
        let session = self.join(stored, &parts).await?;
        self.awaited.forget(id);
        self.scribe.note(&session).await;
        self.completed(&session);
        Ok(())
    }

    async fn join(&self, stored: Stored, parts: &[Session]) -> Result<Session, EngineError> {
        let Stored { mut session, revision } = stored;
        let id = session.id();
        session.measure(parts);
        let length = session.length().map_or(0, UploadLength::get);
        // An attempt that was cut off between publishing and committing has joined all of it.
        let published = self.blobs.state(id).await?.filter(|blob| blob.published);
        if published.is_none_or(|blob| blob.offset.get() != length) {
            self.has_room_for(length)?;
            self.append_parts(id, parts).await?;
        }
        let (mut offset, mut sums) = (UploadOffset::ZERO, session.sums().clone());
        for part in parts {
            if sums.covered() == offset.get() {
                sums.extend(part.sums());
            }
            let next = offset.advance(part.offset().get());
            offset = next.ok_or(Refusal::TooManyParts { max: parts.len() })?;
        }
        let (limits, now) = (&self.settings.limits, self.clock.now());
        let synced = self.settings.durability.is_synced();
        let received = Received::front(offset, sums);
        let progress = Progress { received, boot: self.boot.clone(), synced };
        session.receive(progress, limits, now);
        self.blobs.publish(id).await?;
        session.complete(limits, now);
        self.sessions.commit(&session, revision).await?;
        Ok(session)
    }

    /// Writes the bytes of all parts, one behind the other, and makes them durable.
    async fn append_parts(&self, id: UploadId, parts: &[Session]) -> Result<(), EngineError> {
        // From the front, cutting off what an earlier attempt may have left.
        let writer = self.blobs.begin(id, UploadOffset::ZERO, Tail::Keep).await?;
        let mut offset = UploadOffset::ZERO;
        for part in parts {
            let joined = self.blobs.join(id, offset, part.id()).await?;
            if joined != part.offset().get() {
                let what = format!("{} has {joined} bytes, not {}", part.id(), part.offset());
                return Err(StorageError::Damaged { id: part.id(), what }.into());
            }
            offset = offset.advance(joined).ok_or(Refusal::TooManyParts { max: parts.len() })?;
        }
        blocking(move || writer.sync()).await
    }
}
