//! A file that was there before the gateway becomes a finished upload.

use std::sync::Arc;

use crate::storage::{LocalFile, StorageError, Stored, TakeIn};
use crate::upload::{
    NewSession, Phase, Progress, Received, Session, Sums, Timestamp, UploadId, UploadOffset,
};

use super::error::EngineError;
use super::events::Event;
use super::sound::read_on;
use super::{Engine, Shared};

/// An order to take a file of this machine in.
#[derive(Debug)]
pub struct AdoptOrder {
    /// Which upload it becomes.
    pub id: UploadId,
    /// What is known about it; its length is the file's.
    pub new: NewSession,
    /// The file.
    pub from: LocalFile,
    /// How it is taken in.
    pub way: TakeIn,
    /// Bytes of the file.
    pub bytes: u64,
    /// Since when it has been there.
    pub since: Timestamp,
}

/// What became of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// It is a finished upload now.
    Taken,
    /// It was taken in before.
    There,
    /// An upload is there that is not finished, or has another length: nothing was changed.
    Other {
        /// Bytes that are there.
        bytes: u64,
    },
    /// There was an upload, which expired or was deleted: it does not come back.
    Gone,
    /// By its age it would have expired already.
    Over,
}

impl Engine {
    /// Makes a file a finished upload, unless there is an upload already. Durable when it returns.
    ///
    /// The file stays as it is. What an interrupted attempt left is made anew.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoRoom`], [`EngineError::Busy`] if somebody writes that upload, or
    /// [`EngineError::Storage`] if the file cannot be read to its end or is changed meanwhile.
    /// Nothing is left of it then.
    pub async fn adopt(&self, order: AdoptOrder) -> Result<Adopted, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let _lease = shared.leases.take(order.id).map_err(|_| EngineError::Busy)?;
            if let Some(stored) = shared.sessions.get(order.id)? {
                return Ok(found(&stored, order.bytes));
            }
            let front = Received::front(end_of(order.bytes)?, Sums::default());
            if shared.adopted(&order, front)?.is_expired(shared.clock.now()) {
                return Ok(Adopted::Over);
            }
            let id = order.id;
            match shared.take_in(order).await {
                Ok(session) => {
                    shared.scribe.write(&session).await?;
                    shared.observer.observe(Event::Completed { bytes: session.offset().get() });
                    Ok(Adopted::Taken)
                }
                Err(error) => {
                    shared.blobs.delete(id).await?;
                    Err(error)
                }
            }
        })
        .await
    }
}

impl Shared {
    /// Takes the bytes and stores the record. Without its record the blob means nothing.
    async fn take_in(&self, mut order: AdoptOrder) -> Result<Session, EngineError> {
        let id = order.id;
        // What an attempt without a record left.
        self.blobs.delete(id).await?;
        let path = order.from.path.clone();
        let file = order.from.file.try_clone().map_err(StorageError::io("opening a file"))?;
        let from = LocalFile { file, path };
        order.bytes = self.blobs.take_in(id, from, order.way).await?;
        let end = end_of(order.bytes)?;
        // From what is kept, not from what was read: these are the bytes that will be served.
        let sums = read_on(self.blobs.open(id).await?, Sums::default(), end).await?;
        let session = self.adopted(&order, Received::front(end, sums))?;
        self.sessions.create(&session).await?;
        Ok(session)
    }

    fn adopted(&self, order: &AdoptOrder, received: Received) -> Result<Session, EngineError> {
        let synced = self.settings.durability.is_synced();
        let progress = Progress { received, boot: self.boot.clone(), synced };
        let limits = &self.settings.limits;
        Ok(Session::adopted(order.new.clone(), order.id, progress, limits, order.since)?)
    }
}

/// No device holds a file that is longer than any upload.
fn end_of(bytes: u64) -> Result<UploadOffset, EngineError> {
    UploadOffset::new(bytes).ok_or(EngineError::NoRoom { offset: None })
}

fn found(stored: &Stored, bytes: u64) -> Adopted {
    let session = &stored.session;
    match session.phase() {
        Phase::Complete if session.offset().get() == bytes => Adopted::There,
        Phase::Complete | Phase::Receiving | Phase::Assembling => {
            Adopted::Other { bytes: session.offset().get() }
        }
        Phase::Gone(_) => Adopted::Gone,
    }
}
