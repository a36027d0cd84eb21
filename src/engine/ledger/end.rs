//! The account of a transfer that writes at the end of what is there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Mutex as AsyncMutex;

use crate::engine::Shared;
use crate::engine::error::EngineError;
use crate::engine::events::Event;
use crate::engine::quota::Admission;
use crate::storage::{BlobWriter, Revision, StorageError};
use crate::upload::transition::Progress;
use crate::upload::{
    Digest, DigestHasher, Metadata, Phase, Received, Session, UploadLength, UploadOffset,
};

use super::{Deferred, Persistence, blocking};

/// How far the bytes got, whether committed or not.
#[derive(Clone, Debug)]
struct Reached {
    /// Where the next byte of the body belongs. Behind it, chunks may be there already.
    at: UploadOffset,
    received: Received,
    written_bytes: u64,
    digest: Option<DigestHasher>,
    /// What the end of the body said about the upload.
    metadata: Option<Metadata>,
}

/// When bytes count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Proof {
    /// As they arrive.
    None,
    /// Once the body has ended and has this digest (T-119).
    Digest(Digest),
    /// Once the body has ended: nobody could continue it. If the upload has no length yet, this is
    /// where it ends.
    Whole,
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

/// The account of a transfer that writes at the end of what is there.
pub(in crate::engine) struct EndLedger {
    shared: Arc<Shared>,
    /// `None` for a request without bytes.
    writer: Option<Arc<dyn BlobWriter>>,
    proof: Proof,
    started_at: UploadOffset,
    reached: Mutex<Reached>,
    committed: AsyncMutex<Committed>,
    /// Counts for its owner as long as there is no record.
    _admission: Option<Admission>,
}

impl std::fmt::Debug for EndLedger {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EndLedger").finish_non_exhaustive()
    }
}

impl EndLedger {
    pub(in crate::engine) fn open(
        shared: Arc<Shared>,
        session: Session,
        revision: Option<Revision>,
        writer: Option<Arc<dyn BlobWriter>>,
        proof: Proof,
    ) -> Self {
        let at = session.offset();
        Self::open_at(at, shared, session, revision, writer, proof)
    }

    /// As [`EndLedger::open`], for a body that begins at `at`, before the offset: what is there is
    /// passed over.
    pub(in crate::engine) fn open_at(
        at: UploadOffset,
        shared: Arc<Shared>,
        session: Session,
        revision: Option<Revision>,
        writer: Option<Arc<dyn BlobWriter>>,
        proof: Proof,
    ) -> Self {
        let digest = match &proof {
            Proof::Digest(digest) => Some(DigestHasher::new(digest.algorithm())),
            Proof::None | Proof::Whole => None,
        };
        let (started_at, received) = (session.offset(), session.received().clone());
        let reached =
            Mutex::new(Reached { at, received, written_bytes: 0, digest, metadata: None });
        let committed = AsyncMutex::new(Committed { session, revision, settled: false });
        let _admission = None;
        Self { shared, writer, proof, started_at, reached, committed, _admission }
    }

    /// Holds the promise of its owner's quota for as long as it lives.
    pub(in crate::engine) fn holding(self, admission: Option<Admission>) -> Self {
        Self { _admission: admission, ..self }
    }

    fn reached(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The offset behind the last byte that is there.
    fn reached_offset(&self) -> UploadOffset {
        self.reached().received.offset()
    }

    /// See [`super::Ledger::yields_at`]: unproven bytes do not count.
    pub(super) fn yields_at(&self) -> UploadOffset {
        if self.is_unproven() { self.started_at } else { self.reached_offset() }
    }

    pub(super) fn written_bytes(&self) -> u64 {
        self.reached().written_bytes
    }

    pub(super) const fn is_unproven(&self) -> bool {
        match self.proof {
            Proof::None => false,
            Proof::Digest(_) | Proof::Whole => true,
        }
    }

    /// See [`super::Ledger::describe`].
    pub(super) fn describe(&self, metadata: Metadata) {
        self.reached().metadata = Some(metadata);
    }

    /// Whether bytes of the body may be there already.
    fn meets_known_bytes(&self) -> bool {
        let reached = self.reached();
        reached.received.chunks().is_some() || reached.at != reached.received.offset()
    }

    /// Whether chunks lie ahead: then the size of the blob says nothing, and it is never cut.
    fn has_chunks(&self) -> bool {
        self.reached().received.chunks().is_some()
    }

    pub(super) fn write(
        &self,
        batch: &[Bytes],
        persistence: Persistence<'_>,
    ) -> Result<Option<Deferred>, EngineError> {
        let Some(writer) = &self.writer else {
            return Err(EngineError::Storage(StorageError::Closed));
        };
        if self.meets_known_bytes() {
            return self.fill_in_all(writer.as_ref(), batch, persistence);
        }
        let start = self.reached_offset();
        match persistence.write(writer.as_ref(), start, batch) {
            Ok(()) => {
                self.count(batch, u64::MAX);
                Ok(None)
            }
            Err(failure) if persistence.defers(&failure) => {
                Ok(Some(Deferred { left: batch.to_vec(), failure }))
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
            let taken = u64::try_from(piece.len()).unwrap_or(u64::MAX).min(fitted);
            let bytes = piece.get(..usize::try_from(taken).unwrap_or(usize::MAX));
            reached.take(bytes.unwrap_or_default());
            fitted = fitted.saturating_sub(taken);
        }
    }

    fn fill_in_all(
        &self,
        writer: &dyn BlobWriter,
        batch: &[Bytes],
        persistence: Persistence<'_>,
    ) -> Result<Option<Deferred>, EngineError> {
        let mut pieces = batch.iter();
        while let Some(piece) = pieces.next() {
            if let Some(mut deferred) = self.fill_in(writer, piece, persistence)? {
                deferred.left.extend(pieces.cloned());
                return Ok(Some(deferred));
            }
        }
        Ok(None)
    }

    /// Writes what is missing of `piece`, and passes over what chunks have brought before.
    fn fill_in(
        &self,
        writer: &dyn BlobWriter,
        piece: &Bytes,
        persistence: Persistence<'_>,
    ) -> Result<Option<Deferred>, EngineError> {
        let mut rest = piece.clone();
        while !rest.is_empty() {
            let next = self.reached().next_stretch();
            match next {
                Stretch::There(bytes) => {
                    let known = rest.split_to(bytes.min(rest.len()));
                    self.reached().pass_over(&known);
                }
                Stretch::Missing(at, bytes) => {
                    let left = vec![rest.clone()];
                    let new = rest.split_to(bytes.min(rest.len()));
                    match persistence.write(writer, at, std::slice::from_ref(&new)) {
                        Err(failure) if persistence.defers(&failure) => {
                            return Ok(Some(Deferred { left, failure }));
                        }
                        written => written?,
                    }
                    self.reached().take(&new);
                }
            }
        }
        Ok(None)
    }

    /// Makes what has arrived so far durable, beside the writer; returns the session as committed.
    ///
    /// Bytes that are not proven yet do not count, so for them nothing changes; and the last byte
    /// is left to whoever finishes, so that no upload is recorded as whole before it is visible.
    pub(super) async fn checkpoint(&self) -> Result<Session, EngineError> {
        let arrived = self.reached_offset();
        let mut committed = self.committed.lock().await;
        // Of many who ask at once, the first commits for all.
        let known = committed.session.offset() >= arrived && committed.revision.is_some();
        let length = committed.session.length();
        let whole = length.is_some_and(|length| length.is_reached_by(self.reached_offset()));
        if !(self.is_unproven() || committed.settled || whole || known) {
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
        let declares = match &self.proof {
            Proof::None => declares,
            Proof::Whole if committed.session.length().is_some() => declares,
            Proof::Whole => UploadLength::new(self.reached_offset().get()),
            Proof::Digest(expected) => {
                let digest = self.reached().digest.clone().map(DigestHasher::finish);
                if digest.as_ref() != Some(expected) {
                    self.discard(&committed).await?;
                    let offset = committed.revision.map(|_| committed.session.offset());
                    return Err(EngineError::ChecksumMismatch { offset });
                }
                declares
            }
        };
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
        let Some(writer) = self.writer.clone().filter(|_| !self.has_chunks()) else {
            return Ok(());
        };
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
        let grown = reached.received != *session.received();
        if grown {
            self.sync(&session).await?;
            let progress = Progress {
                received: reached.received,
                boot: shared.boot.clone(),
                synced: shared.settings.durability.is_synced(),
            };
            session.receive(progress, limits, now);
        }
        let finishes =
            finish == Finish::IfWhole && session.is_whole() && session.phase() == Phase::Receiving;
        if finishes {
            shared.finish(&mut session).await?;
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
        let (at, has_chunks, unproven) = (session.offset(), self.has_chunks(), self.is_unproven());
        blocking(move || {
            if let Err(error) = writer.sync() {
                if !has_chunks {
                    // Best effort: the sync failure is what has to be told.
                    drop(writer.cut(at));
                }
                return Err(error);
            }
            if unproven && !has_chunks { writer.keep_tail() } else { Ok(()) }
        })
        .await
    }

    async fn store(&self, committed: &mut Committed, session: Session) -> Result<(), EngineError> {
        let sessions = &self.shared.sessions;
        let stored = match committed.revision {
            Some(seen) => sessions.commit(&session, seen).await,
            None => sessions.create(&session).await,
        };
        let revision = match stored {
            Ok(revision) => revision,
            Err(error) => {
                self.shared.left_behind(&session, committed.revision, &error).await;
                return Err(error.into());
            }
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

impl Reached {
    /// Counts bytes that were written.
    fn take(&mut self, bytes: &[u8]) {
        self.received.append(bytes);
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.written_bytes = self.written_bytes.saturating_add(count);
        self.pass_over(bytes);
    }

    /// Counts bytes that were there already.
    fn pass_over(&mut self, bytes: &[u8]) {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.at = self.at.advance(count).unwrap_or(self.at);
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
    }

    /// What the next bytes of the body are, and how many of them: missing ones, which belong at an
    /// offset, or ones that are there.
    fn next_stretch(&self) -> Stretch {
        let there = self.received.offset().since(self.at).unwrap_or(0);
        if there > 0 {
            return Stretch::There(in_memory(there));
        }
        Stretch::Missing(self.at, self.received.gap().map_or(usize::MAX, in_memory))
    }
}

/// The next bytes of a body on their way through chunks.
enum Stretch {
    There(usize),
    Missing(UploadOffset, usize),
}

fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
