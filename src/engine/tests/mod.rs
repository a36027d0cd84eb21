//! Use cases against memory stores.
//!
//! | file | holds |
//! |---|---|
//! | `uploads` | creating, appending, finishing, reading, removing |
//! | `takeover` | who disturbs whom |
//! | `joining` | final uploads |
//! | `crashes` | what recovery makes of what a crash left behind |
//! | `expiry` | the reaper |
//! | `quotas` | what one owner may have |
//! | `faults` | stores that fail |
//! | `retries` | devices that fail in passing |
//! | `full` | a session store without room |
//! | `histories` | random steps, compared with a plain model |

mod adopting;
mod chunks;
mod crashes;
mod expiry;
mod faults;
mod full;
mod histories;
mod joining;
mod puts;
mod quotas;
mod retries;
mod takeover;
mod uploads;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::*;
use crate::engine::events::Unobserved;
use crate::storage::blob::memory::MemoryBlobStore;
use crate::storage::session::memory::MemorySessionStore;
use crate::upload::{
    AppendRequest, Digest, Metadata, NewSession, Owner, Relation, Session, Timestamp, UploadId,
    UploadLength, UploadOffset,
};

/// A clock that stands until it is moved.
#[derive(Debug)]
struct HandClock(AtomicU64);

impl HandClock {
    fn advance(&self, by: std::time::Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_milliseconds(self.0.load(Ordering::SeqCst))
    }
}

/// Stores that outlive an engine, as a disk outlives a process.
struct House {
    sessions: Arc<dyn SessionStore>,
    blobs: Arc<dyn BlobStore>,
    clock: Arc<HandClock>,
    settings: EngineSettings,
}

impl House {
    fn new() -> Self {
        Self {
            sessions: Arc::new(MemorySessionStore::new()),
            blobs: Arc::new(MemoryBlobStore::new(1 << 30)),
            clock: Arc::new(HandClock(AtomicU64::new(1_700_000_000_000))),
            settings: EngineSettings::default(),
        }
    }

    /// An engine in the boot with this name.
    fn engine(&self, boot: &str) -> Engine {
        let parts = EngineParts {
            sessions: Arc::clone(&self.sessions),
            blobs: Arc::clone(&self.blobs),
            settings: self.settings.clone(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            boot: BootId::new(boot.to_owned()),
            observer: Arc::new(Unobserved),
        };
        Engine::start(parts).unwrap()
    }
}

fn engine() -> Engine {
    House::new().engine("this")
}

fn offset(bytes: u64) -> UploadOffset {
    UploadOffset::new(bytes).unwrap()
}

fn of_length(bytes: u64) -> NewSession {
    NewSession::of(Owner::anonymous(), UploadLength::new(bytes), Metadata::default())
}

fn partial(bytes: u64) -> NewSession {
    NewSession { relation: Relation::Partial, ..of_length(bytes) }
}

fn append(id: UploadId, at: u64) -> AppendOrder {
    AppendOrder {
        id,
        owner: Owner::anonymous(),
        request: AppendRequest { at: offset(at), declares: None, body_bytes: None },
        digest: None,
    }
}

async fn write(transfer: &mut Transfer, bytes: &[u8]) -> Result<(), EngineError> {
    transfer.write(&mut vec![Bytes::copy_from_slice(bytes)]).await
}

/// Appends `bytes` in a request of their own.
async fn send(engine: &Engine, id: UploadId, at: u64, bytes: &[u8]) -> Session {
    let mut transfer = engine.append(append(id, at)).await.unwrap();
    write(&mut transfer, bytes).await.unwrap();
    transfer.complete().await.unwrap()
}

async fn upload(engine: &Engine, new: NewSession, bytes: &[u8]) -> UploadId {
    let id = engine.create(new).await.unwrap().id();
    send(engine, id, 0, bytes).await;
    id
}

async fn stands_at(engine: &Engine, id: UploadId) -> u64 {
    engine.inspect(id, &Owner::anonymous()).await.unwrap().offset().get()
}

async fn content(engine: &Engine, id: UploadId) -> Result<Bytes, EngineError> {
    let download = engine.read(id, Reader::Owner(Owner::anonymous())).await?;
    download.read(UploadOffset::ZERO, usize::try_from(download.length()).unwrap()).await
}

fn sha1_of(bytes: &[u8]) -> Digest {
    let mut hasher = crate::upload::DigestHasher::new(crate::upload::DigestAlgorithm::Sha1);
    hasher.update(bytes);
    hasher.finish()
}

/// Waits, without sleeping, until `condition` holds; fails after a while.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !condition().await {
        assert!(std::time::Instant::now() < deadline, "waited in vain until {what}");
        tokio::task::yield_now().await;
    }
}
