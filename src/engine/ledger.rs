//! The account of one transfer: what was written, what is proven, what is committed.
//!
//! Shared between the thread that receives bytes (which writes and counts) and the engine's
//! runtime (which syncs and commits), so that a checkpoint runs beside the writes.

use std::cell::Cell;

use bytes::Bytes;

use crate::storage::{BlobWriter, Retries, StorageError};
use crate::upload::{Metadata, Session, UploadLength, UploadOffset};

use super::error::EngineError;

mod chunk;
mod end;

pub(super) use chunk::ChunkLedger;
pub(super) use end::{EndLedger, Proof};

/// The account of one transfer.
#[derive(Debug)]
pub(super) enum Ledger {
    /// It writes at the end of what is there.
    End(Box<EndLedger>),
    /// It writes one chunk.
    Chunk(Box<ChunkLedger>),
}

impl Ledger {
    /// Where the upload stands if the transfer stops now, as far as it knows.
    pub(super) fn yields_at(&self) -> UploadOffset {
        match self {
            Self::End(ledger) => ledger.yields_at(),
            // Others move the offset meanwhile; nobody asks a chunk's writer for it.
            Self::Chunk(_) => UploadOffset::ZERO,
        }
    }

    /// Bytes that it wrote, committed or not.
    pub(super) fn written_bytes(&self) -> u64 {
        match self {
            Self::End(ledger) => ledger.written_bytes(),
            Self::Chunk(ledger) => ledger.written_bytes(),
        }
    }

    /// Whether its bytes count only once all of them are there.
    pub(super) const fn is_unproven(&self) -> bool {
        match self {
            Self::End(ledger) => ledger.is_unproven(),
            Self::Chunk(ledger) => ledger.is_unproven(),
        }
    }

    /// Writes a batch behind what is there, on this thread, and counts it. Returns what of it was
    /// deferred: nothing unless it was told to.
    ///
    /// When the device is full, what fitted is kept and counted.
    pub(super) fn write(
        &self,
        batch: &[Bytes],
        persistence: Persistence<'_>,
    ) -> Result<Option<Deferred>, EngineError> {
        match self {
            Self::End(ledger) => ledger.write(batch, persistence),
            Self::Chunk(ledger) => ledger.write(batch, persistence),
        }
    }

    /// What the end of the body said about the upload.
    pub(super) fn describe(&self, metadata: Metadata) {
        match self {
            Self::End(ledger) => ledger.describe(metadata),
            // A chunk does not end its upload.
            Self::Chunk(_) => {}
        }
    }

    /// Makes what has arrived so far durable, beside the writer; returns the session as committed.
    pub(super) async fn checkpoint(&self) -> Result<Session, EngineError> {
        match self {
            Self::End(ledger) => ledger.checkpoint().await,
            Self::Chunk(ledger) => ledger.checkpoint().await,
        }
    }

    /// The session as it is durable: a commit under way is waited for, since the store may show it
    /// before it is flushed.
    pub(super) async fn committed(&self) -> Result<Session, EngineError> {
        match self {
            Self::End(ledger) => Ok(ledger.committed().await),
            Self::Chunk(ledger) => ledger.committed().await,
        }
    }

    /// The body ended as it should: everything counts, if it has the announced digest.
    pub(super) async fn conclude(
        &self,
        declares: Option<UploadLength>,
    ) -> Result<Session, EngineError> {
        match self {
            Self::End(ledger) => ledger.conclude(declares).await,
            Self::Chunk(ledger) => ledger.conclude().await,
        }
    }

    /// The body was cut short: what arrived counts, unless it cannot be proven (T-118).
    pub(super) async fn cut_short(
        &self,
        declares: Option<UploadLength>,
    ) -> Result<Session, EngineError> {
        match self {
            Self::End(ledger) => ledger.cut_short(declares).await,
            Self::Chunk(ledger) => ledger.cut_short().await,
        }
    }
}

/// Bytes that have to be written yet, by a thread that may wait: nothing of them was counted.
#[derive(Debug)]
pub(super) struct Deferred {
    pub(super) left: Vec<Bytes>,
    /// What the first attempt to write them failed with.
    pub(super) failure: StorageError,
}

/// What is done when the device fails in passing.
#[derive(Clone, Copy)]
pub(super) enum Persistence<'a> {
    /// The bytes are given back: this thread may not wait.
    Defer,
    /// They are written again, the same ones to the same place. Blocking.
    Insist {
        /// As often as this says.
        retries: &'a Retries,
        /// What an attempt before has failed with, if there was one.
        failure: &'a Cell<Option<StorageError>>,
    },
}

impl Persistence<'_> {
    fn write(
        self,
        writer: &dyn BlobWriter,
        at: UploadOffset,
        batch: &[Bytes],
    ) -> Result<(), StorageError> {
        match self {
            Self::Defer => writer.write(at, batch),
            Self::Insist { retries, failure } => {
                let attempt = || writer.write(at, batch);
                match failure.take() {
                    Some(failure) => retries.insist_after(failure, attempt),
                    None => retries.insist(attempt),
                }
            }
        }
    }

    fn defers(self, error: &StorageError) -> bool {
        match self {
            Self::Defer => error.is_passing(),
            Self::Insist { .. } => false,
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
