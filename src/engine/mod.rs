//! The use cases: what can be done with an upload, whatever protocol asks for it.
//!
//! One verb per file. The engine owns every [`Transfer`] and lends it to whoever receives the
//! bytes; sync and commit run on the engine's own runtime, so that a request which dies in the
//! middle loses nothing. No HTTP word in here.
//!
//! | file | verb or duty |
//! |---|---|
//! | `create` | a new session, with or without its first bytes |
//! | `append` | more bytes at the end |
//! | `put` | a body from the front, or from where it was cut |
//! | `chunk` | the bytes of one chunk, beside others |
//! | `inspect` | where an upload stands; lists of sessions |
//! | `read` | a finished upload, in stretches |
//! | `terminate` | remove an upload |
//! | `concat` | a final upload out of partial ones |
//! | `owner` | all that one owner has |
//! | `quota` | one upload more, if its owner may have it |
//! | `profiles` | what is remembered of clients |
//! | `adopt` | a file of this machine becomes a finished upload |
//! | `transfer` | bytes on their way: written where they arrive, handed back |
//! | `ledger` | the account of a transfer: sync, publish, commit – what makes bytes count |
//! | `account` | the record of an upload while its chunks are written |
//! | `finish` | the last byte is there: the upload becomes visible |
//! | `lease` | one writer per upload, and who may disturb it |
//! | `recovery` | what a crash left behind |
//! | `sound` | what of a blob is still what arrived, by its sums |
//! | `sweep` | recovery of every session after the start |
//! | `unsettled` | which uploads are recovered before they are used again all the same |
//! | `reaper` | what expired, and orphans |
//! | `scribe` | labels beside the blobs, trailing the session store |
//! | `events` | what happened, for metrics |
//! | `settings`, `clock`, `error` | bounds, time, failures |

mod account;
mod adopt;
mod append;
mod chunk;
mod clock;
mod concat;
mod create;
pub mod error;
pub mod events;
mod finish;
mod inspect;
mod lease;
mod ledger;
mod owner;
pub mod profiles;
mod put;
mod quota;
mod read;
mod reaper;
mod recovery;
mod scribe;
pub mod settings;
pub mod sound;
mod sweep;
mod terminate;
#[cfg(test)]
mod tests;
mod transfer;
mod unsettled;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::storage::{BlobStore, Joining, Retries, Retrying, Room, SessionStore, StorageError};
use crate::upload::{BootId, Limits, UploadId};

pub use adopt::{AdoptOrder, Adopted};
pub use append::AppendOrder;
pub use chunk::{ChunkOrder, ChunkStart};
pub use clock::{Clock, SystemClock};
pub use create::{Body, WhenCut};
pub use error::EngineError;
pub use put::{PutOrder, PutStart};
pub use read::{Download, Reader};
pub use settings::{Durability, EngineSettings};
pub use transfer::Transfer;

use concat::Awaited;
use events::{Event, Observer, Switch};
use lease::Leases;
use quota::Quotas;
use scribe::Scribe;
use unsettled::Unsettled;

/// What an engine is made of.
pub struct EngineParts {
    /// Remembers sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// Holds bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// Bounds and times.
    pub settings: EngineSettings,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The kernel's current boot.
    pub boot: BootId,
    /// Wants to know what happens.
    pub observer: Arc<dyn Observer>,
}

/// The engine. Cheap to clone; every clone is the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    /// Dropped last, and then in the background: it may happen on one of its own threads.
    _runtime: Arc<OwnRuntime>,
}

/// What the verbs share.
struct Shared {
    sessions: Arc<dyn SessionStore>,
    blobs: Arc<dyn BlobStore>,
    settings: EngineSettings,
    clock: Arc<dyn Clock>,
    boot: BootId,
    observer: Arc<dyn Observer>,
    retries: Retries,
    leases: Arc<Leases>,
    scribe: Arc<Scribe>,
    awaited: Awaited,
    quotas: Quotas,
    differing: read::Differing,
    /// Whether the sweep after the start has looked at every session: until then each is checked
    /// when it is asked for.
    recovered: AtomicBool,
    unsettled: Unsettled,
    runtime: Handle,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.shared.fmt(formatter)
    }
}

struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn retries(most: u32, observer: Arc<dyn Observer>) -> Retries {
    Retries::new(most, move |retried| observer.observe(Event::Retried(retried)))
}

impl Engine {
    /// Starts an engine: its runtime, the recovery sweep, the reaper and the scribe.
    ///
    /// # Errors
    ///
    /// [`EngineError::Storage`] if the threads cannot be started.
    pub fn start(parts: EngineParts) -> Result<Self, EngineError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(parts.settings.threads.max(1))
            .max_blocking_threads(parts.settings.blocking_threads.max(1))
            .thread_name("tidegate-engine")
            .enable_all()
            .build()
            .map_err(|source| StorageError::Io { doing: "starting the engine", source })?;
        let retries = retries(parts.settings.storage_retries, Arc::clone(&parts.observer));
        let blobs: Arc<dyn BlobStore> = Arc::new(Retrying::over(parts.blobs, retries.clone()));
        let shared = Arc::new(Shared {
            scribe: Scribe::new(Arc::clone(&blobs)),
            leases: Leases::new(parts.settings.silent_after),
            awaited: Awaited::default(),
            quotas: Quotas::default(),
            differing: read::Differing::default(),
            recovered: AtomicBool::new(false),
            unsettled: Unsettled::default(),
            runtime: runtime.handle().clone(),
            sessions: parts.sessions,
            blobs,
            retries,
            settings: parts.settings,
            clock: parts.clock,
            boot: parts.boot,
            observer: parts.observer,
        });
        runtime.spawn(Arc::clone(&shared.scribe).run());
        runtime.spawn(sweep::sweep(Arc::clone(&shared)));
        runtime.spawn(reaper::run(Arc::downgrade(&shared)));
        Ok(Self { shared, _runtime: Arc::new(OwnRuntime(Some(runtime))) })
    }

    /// The bounds of a session.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.settings.limits
    }

    /// Whether the stores can join parts: decides what is advertised.
    #[must_use]
    pub fn can_concatenate(&self) -> bool {
        self.shared.blobs.joining() == Joining::Supported
    }

    /// How much may still be written.
    ///
    /// # Errors
    ///
    /// [`EngineError::Storage`] if the device cannot be asked.
    pub fn room(&self) -> Result<Room, EngineError> {
        Ok(self.shared.blobs.room()?)
    }

    /// Takes note that the client of an upload goes on by another way than before.
    pub fn client_switched(&self, id: UploadId, how: Switch, took: std::time::Duration) {
        let by = how.as_str();
        tracing::info!(upload = %id, how = by, ?took, "the client of {id} goes on by another {by}");
        self.shared.observer.observe(Event::ClientSwitched { how, took });
    }

    /// How many uploads are being written.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.leases.taken()
    }

    /// Stops every transfer, waits until what they received is committed, and closes the stores.
    ///
    /// Whoever calls it bounds the wait: what was received survives in any case.
    pub async fn stop(&self) {
        let shared = Arc::clone(&self.shared);
        let stopping = self.shared.runtime.spawn(async move {
            shared.leases.close();
            shared.leases.emptied().await;
            shared.scribe.finish().await;
            if let Err(error) = shared.sessions.close().await {
                tracing::error!(%error, "the session store did not close cleanly");
            }
        });
        drop(stopping.await);
    }

    /// Runs a use case on the engine's runtime, where it ends even if the caller is dropped.
    async fn run<T, F>(&self, work: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, EngineError>> + Send + 'static,
    {
        match self.shared.runtime.spawn(work).await {
            Ok(result) => result,
            Err(_) => Err(EngineError::ShuttingDown),
        }
    }
}
