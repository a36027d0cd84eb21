//! The record of an upload while its chunks are written: one account for all who write them.
//!
//! Chunks arrive in parallel, but they change one record. Whoever has written one puts it on the
//! list; the first to reach the record commits everything that is on the list by then: one sync,
//! one commit, one flush for all of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

use crate::storage::{BlobWriter, Revision, Stored, Tail};
use crate::upload::transition::{ChunkPlan, ChunkTake, Progress};
use crate::upload::{
    ChunkClaim, ChunkPiece, Departure, Owner, Phase, Session, UploadId, UploadOffset,
};

use super::Shared;
use super::error::EngineError;
use super::ledger::blocking;

/// The account of the chunks that are being written.
pub(super) struct Account {
    shared: Arc<Shared>,
    id: UploadId,
    /// `None` until somebody has read the record.
    record: AsyncMutex<Option<Record>>,
    waiting: Mutex<Vec<Arc<Entry>>>,
}

struct Record {
    session: Session,
    revision: Revision,
    writer: Option<Arc<dyn BlobWriter>>,
}

/// What somebody wrote, until it is committed.
struct Entry {
    piece: ChunkPiece,
    /// The session as committed with it.
    committed: Mutex<Option<Session>>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Account").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A chunk that may be written.
pub(super) enum Opened {
    /// It is there already.
    There(Box<Session>),
    /// Bytes of it are missing.
    Receive(ChunkTake, Arc<dyn BlobWriter>),
}

impl Account {
    pub(super) const fn new(shared: Arc<Shared>, id: UploadId) -> Self {
        Self { shared, id, record: AsyncMutex::const_new(None), waiting: Mutex::new(Vec::new()) }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Arc<Entry>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges whether a chunk may be written, and opens the blob for it.
    ///
    /// Record and label say that there are chunks before the first byte of one is written: from
    /// then on the size of the blob tells nothing.
    pub(super) async fn open(
        &self,
        owner: &Owner,
        claim: &ChunkClaim,
    ) -> Result<Opened, EngineError> {
        let shared = &self.shared;
        let mut record = self.record.lock().await;
        let record = match &mut *record {
            Some(record) => record,
            none @ None => none.insert(self.read(owner).await?),
        };
        if record.session.owner() != owner {
            return Err(EngineError::NotFound);
        }
        match self.open_chunk(record, claim).await {
            // Bytes are missing that were there: what is left is what the next look finds.
            Err(error) if error.is_damage() => {
                let (session, revision) = (record.session.clone(), record.revision);
                let settled = shared.settle(Stored { session, revision }).await?;
                (record.session, record.revision) = (settled.session, settled.revision);
                self.open_chunk(record, claim).await
            }
            opened => opened,
        }
    }

    async fn open_chunk(
        &self,
        record: &mut Record,
        claim: &ChunkClaim,
    ) -> Result<Opened, EngineError> {
        let shared = &self.shared;
        let limits = &shared.settings.limits;
        let take = match record.session.plan_chunk(claim, limits, shared.clock.now())? {
            ChunkPlan::There => return Ok(Opened::There(Box::new(record.session.clone()))),
            ChunkPlan::Receive(take) => take,
        };
        shared.has_room_for(take.body_bytes())?;
        if record.session.chunks().is_none() {
            let mut session = record.session.clone();
            session.cut_into(take.geometry, limits)?;
            self.store(record, session).await?;
            shared.scribe.write(&record.session).await?;
        }
        let writer = match &record.writer {
            Some(writer) => Arc::clone(writer),
            None => {
                let reach = UploadOffset::new(record.session.received().reach());
                let opened = shared.blobs.begin(self.id, reach.unwrap_or_default(), Tail::Recorded);
                Arc::clone(record.writer.insert(Arc::from(opened.await?)))
            }
        };
        Ok(Opened::Receive(take, writer))
    }

    async fn read(&self, owner: &Owner) -> Result<Record, EngineError> {
        let stored = self.shared.load(self.id, owner)?;
        let Stored { session, revision } = self.shared.recover_under_lease(stored).await?;
        Ok(Record { session, revision, writer: None })
    }

    /// The session as it is durable.
    pub(super) async fn committed(&self) -> Result<Session, EngineError> {
        let record = self.record.lock().await;
        record.as_ref().map(|record| record.session.clone()).ok_or(EngineError::NotFound)
    }

    /// Makes what was written of a chunk count: durable, and if it was the last, the upload
    /// visible. Returns the session as committed.
    ///
    /// # Errors
    ///
    /// As committing it; the piece does not count then.
    pub(super) async fn add(&self, piece: ChunkPiece) -> Result<Session, EngineError> {
        let entry = Arc::new(Entry { piece, committed: Mutex::default() });
        self.waiting().push(Arc::clone(&entry));
        let mut record = self.record.lock().await;
        if let Some(session) = entry.committed() {
            return Ok(session);
        }
        let mut group = std::mem::take(&mut *self.waiting());
        // Somebody may have failed with it; whoever brought it is told why by its own attempt.
        if !group.iter().any(|other| Arc::ptr_eq(other, &entry)) {
            group.push(Arc::clone(&entry));
        }
        let record = record.as_mut().ok_or(EngineError::NotFound)?;
        self.commit(record, &group).await?;
        for entry in group {
            *entry.committed.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(record.session.clone());
        }
        Ok(record.session.clone())
    }

    /// Sync, then (if whole) publish, then commit: the order that makes bytes count.
    async fn commit(&self, record: &mut Record, group: &[Arc<Entry>]) -> Result<(), EngineError> {
        let shared = &self.shared;
        if let Some(writer) = record.writer.clone() {
            blocking(move || writer.sync()).await?;
        }
        let mut received = record.session.received().clone();
        for entry in group {
            received.take(entry.piece);
        }
        let (limits, now) = (&shared.settings.limits, shared.clock.now());
        let synced = shared.settings.durability.is_synced();
        let mut session = record.session.clone();
        session.receive(Progress { received, boot: shared.boot.clone(), synced }, limits, now);
        let finishes = session.is_whole() && session.phase() == Phase::Receiving;
        if finishes && let Err(error) = shared.finish(&mut session).await {
            if matches!(error, EngineError::ChecksumMismatch { .. }) {
                let stored = Stored { session: record.session.clone(), revision: record.revision };
                shared.depart(stored, Departure::Terminated).await?;
                // Whoever is still writing a chunk of it learns that it is gone.
                if let Some(Stored { session, revision }) = shared.sessions.get(self.id)? {
                    (record.session, record.revision) = (session, revision);
                }
            }
            return Err(error);
        }
        self.store(record, session).await?;
        if finishes {
            shared.completed(&record.session);
        }
        Ok(())
    }

    async fn store(&self, record: &mut Record, session: Session) -> Result<(), EngineError> {
        let stored = self.shared.sessions.commit(&session, record.revision).await;
        record.revision = match stored {
            Ok(revision) => revision,
            Err(error) => {
                self.shared.left_behind(&session, Some(record.revision), &error).await;
                return Err(error.into());
            }
        };
        record.session = session;
        self.shared.scribe.note(&record.session).await;
        Ok(())
    }
}

impl Entry {
    fn committed(&self) -> Option<Session> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
