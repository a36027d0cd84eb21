//! A finished upload, in stretches.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::storage::BlobReader;
use crate::upload::{Owner, Session, UploadId, UploadLength, UploadOffset};

use super::Engine;
use super::error::EngineError;
use super::ledger::blocking;

/// Who reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The owner, by authorisation.
    Owner(Owner),
    /// Whoever knows the address.
    Anyone,
}

/// A finished upload, open for reading.
#[derive(Clone)]
pub struct Download {
    session: Session,
    length: UploadLength,
    reader: Arc<dyn BlobReader>,
    runtime: tokio::runtime::Handle,
}

impl Engine {
    /// Opens a finished upload. Never takes a lease, so it disturbs nobody.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`], the refusal of an upload that is not complete or not for
    /// reading, or [`EngineError::Storage`] if what is stored does not pass its checks.
    pub async fn read(&self, id: UploadId, reader: Reader) -> Result<Download, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let stored = match &reader {
                Reader::Owner(owner) => shared.load(id, owner)?,
                Reader::Anyone => shared.sessions.get(id)?.ok_or(EngineError::NotFound)?,
            };
            let stored = shared.recovered(stored).await?;
            let length = stored.session.plan_read(shared.clock.now())?;
            let reader = Arc::from(shared.blobs.open(id).await?);
            let runtime = shared.runtime.clone();
            Ok(Download { session: stored.session, length, reader, runtime })
        })
        .await
    }
}

impl Download {
    /// The session it belongs to.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Bytes of the whole upload.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length.get()
    }

    /// Up to `bytes` bytes from `at`; fewer only at the end.
    ///
    /// # Errors
    ///
    /// [`EngineError::Storage`] if the device fails.
    pub async fn read(&self, at: UploadOffset, bytes: usize) -> Result<Bytes, EngineError> {
        let left = self.length.remaining(at).unwrap_or(0);
        let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(bytes);
        let reader = Arc::clone(&self.reader);
        let work = blocking(move || {
            let mut buffer = BytesMut::zeroed(bytes);
            let filled = reader.read_at(at, &mut buffer)?;
            buffer.truncate(filled);
            Ok(buffer.freeze())
        });
        self.runtime.spawn(work).await.unwrap_or(Err(EngineError::ShuttingDown))
    }
}
