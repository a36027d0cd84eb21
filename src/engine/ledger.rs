//! The account of one transfer: what was written, what is proven, what is committed.
//!
//! Shared between the thread that receives bytes (which writes and counts) and the engine's
//! runtime (which syncs and commits), so that a checkpoint runs beside the writes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Mutex as AsyncMutex;

use crate::storage::{BlobWriter, Revision, StorageError};
use crate::upload::transition::Progress;
use crate::upload::{
    Digest, DigestHasher, Metadata, Phase, Relation, Session, Sums, UploadLength, UploadOffset,
};

use super::Shared;
use super::error::EngineError;
use super::events::Event;

/// How far the bytes got, whether committed or not.
#[derive(Clone, Debug)]
struct Reached {
    offset: UploadOffset,
    sums: Sums,
    digest: Option<DigestHasher>,
    /// The metadata that its end brought.
    metadata: Option<Metadata>,
}

/// The committed state: the record and the revision a commit has to name.
#[derive(Debug)]
struct Committed {
    session: Session,
    /// `None` as long as the record was not created: an upload that is sent with its creation is
    /// stored once, with its bytes.
    revision: Option<Revision>,
    /// The transfer is settled: whatever comes late must not commit without the lease.
    settled: bool,
}

/// What makes the bytes of a transfer count, where arriving is not enough.
#[derive(Debug, Default)]
pub(super) struct Proof {
    /// The digest they must have; until it was compared none of them counts (T-119).
    pub(super) digest: Option<Digest>,
    /// Their proper end: if they are cut, none of them counts.
    pub(super) end: bool,
}

impl Proof {
    pub(super) const fn is_wanted(&self) -> bool {
        self.digest.is_some() || self.end
    }
}

/// The account of one transfer.
pub(super) struct Ledger {
    shared: Arc<Shared>,
    /// `None` for a request without bytes.
    writer: Option<Arc<dyn BlobWriter>>,
    /// What is to be seen before any of its bytes counts.
    proof: Proof,
    reached: Mutex<Reached>,
    committed: AsyncMutex<Committed>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ledger").finish_non_exhaustive()
    }
}

impl Ledger {
    pub(super) fn open(
        shared: Arc<Shared>,
        session: Session,
        revision: Option<Revision>,
        writer: Option<Arc<dyn BlobWriter>>,
        proof: Proof,
    ) -> Arc<Self> {
        let reached = Reached {
            offset: session.offset(),
            sums: session.sums().clone(),
            digest: proof.digest.as_ref().map(|digest| DigestHasher::new(digest.algorithm())),
            metadata: None,
        };
        let committed = AsyncMutex::new(Committed { session, revision, settled: false });
        Arc::new(Self { shared, writer, proof, reached: Mutex::new(reached), committed })
    }

    fn reached(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The offset behind the last byte written.
    pub(super) fn reached_offset(&self) -> UploadOffset {
        self.reached().offset
    }

    /// Whether its bytes count only once a digest was compared, or their end was seen.
    pub(super) const fn is_unproven(&self) -> bool {
        self.proof.is_wanted()
    }

    /// What arrived is all there is, described by `metadata`; returns its length.
    pub(super) fn close(&self, metadata: Metadata) -> Option<UploadLength> {
        let mut reached = self.reached();
        reached.metadata = Some(metadata);
        UploadLength::new(reached.offset.get())
    }

    /// Writes a batch behind what is there, on this thread, and counts it.
    ///
    /// When the device is full, what fitted is kept and counted.
    pub(super) fn write(&self, batch: &[Bytes]) -> Result<(), EngineError> {
        let Some(writer) = &self.writer else {
            return Err(EngineError::Storage(StorageError::Closed));
        };
        let start = self.reached_offset();
        match writer.write(start, batch) {
            Ok(()) => {
                self.count(batch, u64::MAX);
                Ok(())
            }
            Err(error) => {
                let fitted = writer.written().ok().and_then(|end| end.since(start)).unwrap_or(0);
                self.count(batch, fitted);
                Err(error.into())
            }
        }
    }

    /// Counts the first `fitted` bytes of `batch` as written.
    fn count(&self, batch: &[Bytes], mut fitted: u64) {
        let mut reached = self.reached();
        for piece in batch {
            let whole = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            let taken = whole.min(fitted);
            let bytes = piece.get(..usize::try_from(taken).unwrap_or(usize::MAX));
            let bytes = bytes.unwrap_or_default();
            reached.sums.update(bytes);
            if let Some(digest) = &mut reached.digest {
                digest.update(bytes);
            }
            // Bounded by the plan's budget, which ends at the largest offset at the latest.
            reached.offset = reached.offset.advance(taken).unwrap_or(reached.offset);
            fitted = fitted.saturating_sub(taken);
        }
    }

    /// Makes what has arrived so far durable, beside the writer; returns the session as committed.
    ///
    /// Bytes that are not proven yet do not count, so for them nothing changes; and the last byte
    /// is left to whoever finishes, so that no upload is recorded as whole before it is visible.
    pub(super) async fn checkpoint(&self) -> Result<Session, EngineError> {
        let mut committed = self.committed.lock().await;
        let length = committed.session.length();
        let whole = length.is_some_and(|length| length.is_reached_by(self.reached_offset()));
        if !(self.is_unproven() || committed.settled || whole) {
            self.commit_progress(&mut committed, None, Finish::No).await?;
        }
        Ok(committed.session.clone())
    }

    /// The session as it is durable: a commit under way is waited for, since the store may show it
    /// before it is flushed.
    pub(super) async fn committed(&self) -> Session {
        self.committed.lock().await.session.clone()
    }

    /// The body ended as it should: everything counts, if it has the announced digest.
    pub(super) async fn conclude(
        &self,
        declares: Option<UploadLength>,
    ) -> Result<Session, EngineError> {
        let mut committed = self.committed.lock().await;
        committed.settled = true;
        if let Some(expected) = &self.proof.digest {
            let digest = self.reached().digest.clone().map(DigestHasher::finish);
            if digest.as_ref() != Some(expected) {
                self.discard(&committed).await?;
                let offset = committed.revision.map(|_| committed.session.offset());
                return Err(EngineError::ChecksumMismatch { offset });
            }
        }
        self.commit_progress(&mut committed, declares, Finish::IfWhole).await?;
        Ok(committed.session.clone())
    }

    /// The body was cut short: what arrived counts, unless it cannot be proven (T-118).
    pub(super) async fn cut_short(
        &self,
        declares: Option<UploadLength>,
    ) -> Result<Session, EngineError> {
        let mut committed = self.committed.lock().await;
        committed.settled = true;
        if self.is_unproven() || self.nothing_new(&committed) {
            self.discard(&committed).await?;
        } else {
            self.commit_progress(&mut committed, declares, Finish::IfWhole).await?;
        }
        Ok(committed.session.clone())
    }

    fn nothing_new(&self, committed: &Committed) -> bool {
        self.reached_offset() == committed.session.offset()
    }

    /// Takes back what this transfer wrote and nobody was told about.
    async fn discard(&self, committed: &Committed) -> Result<(), EngineError> {
        if committed.revision.is_none() {
            return Ok(self.shared.blobs.delete(committed.session.id()).await?);
        }
        let Some(writer) = self.writer.clone() else { return Ok(()) };
        let at = committed.session.offset();
        blocking(move || {
            writer.cut(at)?;
            writer.keep_tail()
        })
        .await
    }

    /// Sync, then (if whole) publish, then commit: the order that makes bytes count.
    async fn commit_progress(
        &self,
        committed: &mut Committed,
        declares: Option<UploadLength>,
        finish: Finish,
    ) -> Result<(), EngineError> {
        let shared = &self.shared;
        let now = shared.clock.now();
        let limits = &shared.settings.limits;
        let mut session = committed.session.clone();
        if let Some(length) = declares {
            session.declare(length);
        }
        let reached = self.reached().clone();
        if let Some(metadata) = reached.metadata {
            session.describe(metadata);
        }
        let grown = reached.offset != session.offset();
        if grown {
            self.sync(&session).await?;
            let progress = Progress {
                offset: reached.offset,
                sums: reached.sums,
                boot: shared.boot.clone(),
                synced: shared.settings.durability.is_synced(),
            };
            session.receive(progress, limits, now);
        }
        let finishes =
            finish == Finish::IfWhole && session.is_whole() && session.phase() == Phase::Receiving;
        if finishes {
            shared.blobs.publish(session.id()).await?;
            session.complete(limits, now);
        }
        if session == committed.session && committed.revision.is_some() {
            return Ok(());
        }
        self.store(committed, session).await?;
        if finishes {
            shared.completed(&committed.session);
        }
        Ok(())
    }

    /// Puts what was written on the device. After a failure nothing behind the committed offset
    /// can be relied on, since the system may have dropped the pages: it is cut off.
    async fn sync(&self, session: &Session) -> Result<(), EngineError> {
        let Some(writer) = self.writer.clone() else { return Ok(()) };
        let (at, unproven) = (session.offset(), self.is_unproven());
        blocking(move || {
            if let Err(error) = writer.sync() {
                // Best effort: the sync failure is what has to be told.
                drop(writer.cut(at));
                return Err(error);
            }
            if unproven { writer.keep_tail() } else { Ok(()) }
        })
        .await
    }

    async fn store(&self, committed: &mut Committed, session: Session) -> Result<(), EngineError> {
        let sessions = &self.shared.sessions;
        let revision = match committed.revision {
            Some(seen) => sessions.commit(&session, seen).await?,
            None => sessions.create(&session).await?,
        };
        if committed.revision.is_none() {
            self.shared.observer.observe(Event::Created);
        }
        committed.session = session;
        committed.revision = Some(revision);
        self.shared.scribe.note(&committed.session).await;
        Ok(())
    }
}

/// Whether a commit may make the upload visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finish {
    /// A checkpoint: the request may still be refused, so nothing becomes visible.
    No,
    /// The request is over: an upload that is whole is finished.
    IfWhole,
}

impl Shared {
    /// Tells everybody that an upload became complete.
    pub(super) fn completed(self: &Arc<Self>, session: &Session) {
        self.observer.observe(Event::Completed { bytes: session.offset().get() });
        match session.relation() {
            Relation::Partial => self.part_completed(session.id()),
            Relation::Whole | Relation::Final { .. } => {}
        }
    }
}

/// Runs what blocks on a thread made for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, EngineError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        // The runtime is going away, or the work panicked: either way it did not happen.
        Err(_) => Err(EngineError::Storage(StorageError::Closed)),
    }
}
