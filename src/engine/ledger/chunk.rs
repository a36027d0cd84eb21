//! The account of a transfer that writes one chunk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Mutex as AsyncMutex;

use crate::engine::account::Account;
use crate::engine::error::EngineError;
use crate::storage::BlobWriter;
use crate::upload::transition::{Ceiling, ChunkTake};
use crate::upload::{ChunkPiece, Digest, DigestHasher, Session, UploadOffset};

use super::{Deferred, Persistence};

/// The account of a transfer that writes one chunk.
pub(in crate::engine) struct ChunkLedger {
    account: Arc<Account>,
    writer: Arc<dyn BlobWriter>,
    take: ChunkTake,
    /// The digest its bytes must have; until it was compared none of them counts.
    expected: Option<Digest>,
    reached: Mutex<Reached>,
    /// Held while something is committed; true once the transfer is settled: whatever comes late
    /// must not commit without the lease.
    settled: AsyncMutex<bool>,
}

/// How far the bytes got.
#[derive(Debug)]
struct Reached {
    /// Where the next byte of the body belongs.
    at: u64,
    /// What was written since the last commit.
    uncommitted: ChunkPiece,
    written_bytes: u64,
    digest: Option<DigestHasher>,
}

impl std::fmt::Debug for ChunkLedger {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ChunkLedger").field("take", &self.take).finish_non_exhaustive()
    }
}

impl ChunkLedger {
    pub(in crate::engine) fn open(
        account: Arc<Account>,
        writer: Arc<dyn BlobWriter>,
        take: ChunkTake,
        expected: Option<Digest>,
    ) -> Self {
        let reached = Reached {
            at: take.from,
            uncommitted: ChunkPiece { chunk: take.chunk, bytes: 0, crc: 0 },
            written_bytes: 0,
            digest: expected.as_ref().map(|digest| DigestHasher::new(digest.algorithm())),
        };
        let (reached, settled) = (Mutex::new(reached), AsyncMutex::new(false));
        Self { account, writer, take, expected, reached, settled }
    }

    fn reached(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn written_bytes(&self) -> u64 {
        self.reached().written_bytes
    }

    pub(super) const fn is_unproven(&self) -> bool {
        self.expected.is_some()
    }

    /// Writes what is new of a batch; what was there before is passed over.
    pub(super) fn write(
        &self,
        batch: &[Bytes],
        persistence: Persistence<'_>,
    ) -> Result<Option<Deferred>, EngineError> {
        let at = self.reached().at;
        let mut known = self.take.reached.saturating_sub(at);
        let mut new = Vec::with_capacity(batch.len());
        for piece in batch {
            let skip = usize::try_from(known).unwrap_or(usize::MAX).min(piece.len());
            known = known.saturating_sub(length(skip));
            if skip < piece.len() {
                new.push(piece.slice(skip..));
            }
        }
        let start = UploadOffset::new(at.max(self.take.reached)).unwrap_or_default();
        if !new.is_empty() {
            match persistence.write(self.writer.as_ref(), start, &new) {
                Err(failure) if persistence.defers(&failure) => {
                    return Ok(Some(Deferred { left: batch.to_vec(), failure }));
                }
                written => written?,
            }
        }
        self.count(batch, &new);
        Ok(None)
    }

    fn count(&self, batch: &[Bytes], new: &[Bytes]) {
        let mut reached = self.reached();
        for piece in batch {
            reached.at = reached.at.saturating_add(length(piece.len()));
            if let Some(digest) = &mut reached.digest {
                digest.update(piece);
            }
        }
        for piece in new {
            reached.uncommitted.extend(piece);
            reached.written_bytes = reached.written_bytes.saturating_add(length(piece.len()));
        }
    }

    /// See [`super::Ledger::checkpoint`]. Bytes that are not proven yet do not count.
    pub(super) async fn checkpoint(&self) -> Result<Session, EngineError> {
        let settled = self.settled.lock().await;
        if *settled || self.is_unproven() { self.committed().await } else { self.commit().await }
    }

    pub(super) async fn committed(&self) -> Result<Session, EngineError> {
        self.account.committed().await
    }

    pub(super) async fn conclude(&self) -> Result<Session, EngineError> {
        let mut settled = self.settled.lock().await;
        *settled = true;
        if let Some(expected) = &self.expected {
            let digest = self.reached().digest.clone().map(DigestHasher::finish);
            if digest.as_ref() != Some(expected) {
                let offset = self.committed().await?.offset();
                return Err(EngineError::ChecksumMismatch { offset: Some(offset) });
            }
        }
        let session = self.commit().await?;
        let at = self.reached().at;
        if at < self.take.span.end {
            return Err(Ceiling::Chunk(self.take.body_bytes()).refusal().into());
        }
        Ok(session)
    }

    pub(super) async fn cut_short(&self) -> Result<Session, EngineError> {
        let mut settled = self.settled.lock().await;
        *settled = true;
        if self.is_unproven() { self.committed().await } else { self.commit().await }
    }

    /// Makes what was written count. What could not be committed is kept for the next attempt.
    async fn commit(&self) -> Result<Session, EngineError> {
        let nothing = ChunkPiece { chunk: self.take.chunk, bytes: 0, crc: 0 };
        let piece = std::mem::replace(&mut self.reached().uncommitted, nothing);
        if piece.bytes == 0 {
            return self.committed().await;
        }
        self.account.add(piece).await.inspect_err(|_| {
            let mut reached = self.reached();
            reached.uncommitted = piece.followed_by(reached.uncommitted);
        })
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
