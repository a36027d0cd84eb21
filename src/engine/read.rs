//! A finished upload, in stretches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use crate::storage::{BlobReader, StorageError};
use crate::upload::{Owner, Session, UploadId, UploadLength, UploadOffset};

use super::error::EngineError;
use super::events::Event;
use super::ledger::blocking;
use super::sound::Comparison;
use super::{Engine, Shared};

/// Who reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The owner, by authorisation.
    Owner(Owner),
    /// Whoever knows the address.
    Anyone,
}

/// A finished upload, open for reading.
///
/// What is read in order is compared with its sums on the way; clones share the comparison.
#[derive(Clone)]
pub struct Download {
    session: Session,
    length: UploadLength,
    reader: Arc<dyn BlobReader>,
    comparison: Arc<Mutex<Comparison>>,
    shared: Arc<Shared>,
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
            let session = stored.session;
            let length = session.plan_read(shared.clock.now())?;
            let reader = Arc::from(shared.whole_blob(&session).await?);
            let comparison = Arc::new(Mutex::new(Comparison::new(session.sums())));
            Ok(Download { session, length, reader, comparison, shared })
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
    /// Whoever reads a stretch from its beginning does not get its last bytes if they are not what
    /// arrived; from then on the upload is not opened any more.
    ///
    /// # Errors
    ///
    /// [`EngineError::Storage`] if the device fails, or what it gives is not what arrived.
    pub async fn read(&self, at: UploadOffset, bytes: usize) -> Result<Bytes, EngineError> {
        let left = self.length.remaining(at).unwrap_or(0);
        let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(bytes);
        let (reader, comparison) = (Arc::clone(&self.reader), Arc::clone(&self.comparison));
        let work = blocking(move || {
            let mut buffer = BytesMut::zeroed(bytes);
            let filled = reader.read_at(at, &mut buffer)?;
            buffer.truncate(filled);
            let mut comparison = comparison.lock().unwrap_or_else(PoisonError::into_inner);
            let verdict = comparison.take(at, &buffer);
            Ok((buffer.freeze(), verdict))
        });
        let read = self.shared.runtime.spawn(work).await;
        let (bytes, verdict) = read.unwrap_or(Err(EngineError::ShuttingDown))?;
        let id = self.session.id();
        verdict.map_err(|differs| self.shared.differs(id, differs.to_string())).map(|()| bytes)
    }
}

impl Shared {
    /// Opens the blob of a complete session, if it is all there and nothing wrong is known of it.
    pub(super) async fn whole_blob(
        &self,
        session: &Session,
    ) -> Result<Box<dyn BlobReader>, EngineError> {
        let id = session.id();
        if let Some(what) = self.differing.get(id) {
            return Err(StorageError::Damaged { id, what }.into());
        }
        let reader = match self.blobs.open(id).await {
            Ok(reader) => reader,
            Err(StorageError::Missing(_)) => return Err(lost(id).into()),
            Err(error) => return Err(error.into()),
        };
        // What is too long begins with the bytes that arrived; their sums tell whether that is so.
        if reader.length() < session.offset().get() {
            let what = format!("{} of {} bytes are there", reader.length(), session.offset());
            return Err(StorageError::Damaged { id, what }.into());
        }
        Ok(reader)
    }

    /// Remembers that a blob is not what arrived.
    fn differs(&self, id: UploadId, what: String) -> EngineError {
        self.differing.note(id, what.clone());
        self.observer.observe(Event::Damaged);
        StorageError::Damaged { id, what }.into()
    }
}

/// A blob that ought to be there.
pub(super) fn lost(id: UploadId) -> StorageError {
    StorageError::Damaged { id, what: "its blob is missing".to_owned() }
}

/// Uploads of which a download has found that they are not what arrived.
///
/// Without it somebody whose download was cut would go on behind the wrong bytes. It is forgotten at a
/// restart, and the next download finds it again.
#[derive(Debug, Default)]
pub(super) struct Differing(Mutex<HashMap<UploadId, String>>);

impl Differing {
    /// Past this many the first that comes to hand is forgotten.
    const MOST: usize = 1024;

    fn known(&self) -> MutexGuard<'_, HashMap<UploadId, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, id: UploadId) -> Option<String> {
        self.known().get(&id).cloned()
    }

    fn note(&self, id: UploadId, what: String) {
        let mut known = self.known();
        let first = known.keys().next().copied();
        if let Some(first) = first.filter(|_| known.len() >= Self::MOST) {
            known.remove(&first);
        }
        known.insert(id, what);
    }

    /// Another upload may get this id: a slot that is put to again.
    pub(super) fn forget(&self, id: UploadId) {
        self.known().remove(&id);
    }
}
