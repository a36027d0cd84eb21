//! Sessions in sled 0.34, embedded: the default.
//!
//! sled is old software without a maintainer, so little is asked of it: single-record
//! compare-and-swap and ordered scans, never a transaction over several records. Another store
//! could take its place, and `tidegate doctor --rebuild` does without it.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `sessions` | id | head: revision, expiry, first stretch of the record (`value`) |
//! | `pieces` | id, revision, number | the rest of a long record (`value`) |
//! | `expiry` | moment, id | nothing: a hint that `sessions` confirms (`index`) |
//! | `profiles` | client, hashed | what is known of it (`profiles`) |
//! | `owners` | owner, id | what quotas count of it: a hint that `sessions` confirms (`owners`) |
//!
//! **Order of writes.** Pieces and the new hint go in before the head is swapped, old ones come out
//! after it. sled's log keeps that order, so a crash leaves at worst a hint or pieces too many;
//! [`SessionStore::expiring`] drops those when their moment comes. What an owner has is listed before
//! the head of a new session and after that of an older one, so that a crash may leave too much in
//! the list, but never too little.
//!
//! | file | holds |
//! |---|---|
//! | `border` | where a panic of sled ends |
//! | `lists` | what is due, what is there, what somebody has |
//! | `compare` | the lists beside the records, compared with them |
//! | `open` | opening, and what an operator is told when that fails |
//! | `doubt` | what a failed flush means for the next start |
//! | `value` | heads and pieces |
//! | `index` | the order of expiry |
//! | `owners` | what each owner has |
//! | `profiles` | what is known of clients, which has nothing to do with the rest |
//! | `mark` | how many flushes there were, so that a loss is noticed |
//! | `cache` | keeping sled's page cache to its size |
//! | `snapshots` | those that are half-made or damaged, and the log until it has opened without one |
//! | `flush` | group commit: many waiters, one flush |
//! | `ahead` | room for the log, taken before it is needed |

mod ahead;
mod border;
mod cache;
mod compare;
mod doubt;
mod flush;
mod index;
mod lists;
mod mark;
mod open;
mod owners;
mod profiles;
mod snapshots;
mod value;

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sled::{IVec, Tree};

use crate::storage::{ListFault, Mend, Pending, Revision, SessionStore, StorageError, Stored};
use crate::upload::{Holding, Owner, Phase, Session, Timestamp, UploadId, record};

use ahead::{Ahead, Aim};
use flush::Flusher;
use index::ExpiryIndex;
pub use open::SledTrouble;
use owners::OwnerIndex;
pub use profiles::SledProfileStore;
use value::{Head, Pieces};

/// Called after every flush, on the flushing thread; must be quick.
pub type FlushObserver = Arc<dyn Fn() + Send + Sync>;

/// How the database is opened.
#[derive(Clone)]
pub struct SledSettings {
    /// Directory of the database, created with mode 0700 if it is not there. Nothing else lives
    /// in it.
    pub path: PathBuf,
    /// Bytes that sled may keep in its page cache, as they are on disk; `cache` says what comes on
    /// top.
    pub cache_bytes: u64,
    /// Whether a commit waits for the device (`durability = "fsync"`). Otherwise it waits only
    /// until the operating system has it, which survives `kill -9` but not a power cut.
    pub sync: bool,
    /// Whether to take whatever can still be read, and not to mind that changes are lost: for the doctor,
    /// who has set the database aside.
    pub salvage: bool,
    /// Told of every flush, for metrics.
    pub observer: Option<FlushObserver>,
}

impl SledSettings {
    /// Default of `cache_bytes`.
    pub const CACHE_BYTES: u64 = 2 * 1024 * 1024;

    /// The settings that keep every promise, for a database in `path`.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, cache_bytes: Self::CACHE_BYTES, sync: true, salvage: false, observer: None }
    }
}

impl fmt::Debug for SledSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SledSettings")
            .field("path", &self.path)
            .field("cache_bytes", &self.cache_bytes)
            .field("sync", &self.sync)
            .finish_non_exhaustive()
    }
}

/// Locks that writers of one id share; enough that two ids rarely meet.
const TURNS: u64 = 64;

/// Keeps sessions in a sled database.
///
/// Keeps every promise of [`SessionStore`]. [`SessionStore::get`] may show a commit whose flush is
/// still under way; whoever must not, waits for [`SessionStore::settled`].
pub struct SledSessionStore {
    sessions: Tree,
    pieces: Pieces,
    expiry: ExpiryIndex,
    owners: OwnerIndex,
    profiles: Tree,
    /// Held for the few microseconds in which a head and what belongs to it change together.
    /// Never across an `await`, and never during a flush. Each knows the number of its last change.
    turns: Vec<Mutex<u64>>,
    flusher: Flusher,
    ahead: Arc<Ahead>,
}

/// A turn to change an id. Whatever was done in it counts as a change once it is over: even a change
/// that failed half-way can be read.
struct Turn<'a> {
    last_change: MutexGuard<'a, u64>,
    flusher: &'a Flusher,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.last_change = self.flusher.changed();
    }
}

impl fmt::Debug for SledSessionStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SledSessionStore").finish_non_exhaustive()
    }
}

impl SledSessionStore {
    /// Whether there is a database in `path`, whatever it is worth.
    #[must_use]
    pub fn exists(path: &Path) -> bool {
        path.join("db").exists()
    }

    /// Opens the database, or creates it.
    ///
    /// # Errors
    ///
    /// [`StorageError::Database`] over a [`SledTrouble`] that says what to do: the database is in
    /// use, damaged, or its directory cannot be used.
    pub fn open(settings: &SledSettings) -> Result<Self, StorageError> {
        let opened = open::open(settings)?;
        let flusher = Flusher::start(opened.flush, settings.observer.clone())?;
        let store = Self {
            sessions: opened.sessions,
            pieces: Pieces::new(opened.pieces),
            expiry: ExpiryIndex::new(opened.expiry),
            owners: OwnerIndex::new(opened.owners),
            profiles: opened.profiles,
            turns: (0..TURNS).map(|_| Mutex::default()).collect(),
            flusher,
            ahead: opened.ahead,
        };
        border::caught(|| store.list_all())?;
        Ok(store)
    }

    /// What is known of clients, in the same database; shares nothing else with the sessions.
    #[must_use]
    pub fn profile_store(&self) -> SledProfileStore {
        SledProfileStore::new(self.profiles.clone(), Arc::clone(&self.ahead))
    }

    /// Waits for this id's turn to change.
    fn turn(&self, id: UploadId) -> Option<Turn<'_>> {
        Some(Turn { last_change: self.last_change(id)?, flusher: &self.flusher })
    }

    /// The number of the last change of this id, or of one that shares its turn.
    fn last_change(&self, id: UploadId) -> Option<MutexGuard<'_, u64>> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(id);
        let turn = usize::try_from(hash % TURNS).ok().and_then(|index| self.turns.get(index))?;
        // Nothing is left half-changed by a panic that a crash would not also leave.
        Some(turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn head(&self, id: UploadId) -> Result<Option<IVec>, StorageError> {
        cache::get(&self.sessions, id.as_bytes()).map_err(open::failed)
    }

    /// Swaps the head if the store is where `seen` says. Not flushed yet.
    fn put(&self, session: &Session, seen: Option<Revision>) -> Result<Revision, StorageError> {
        let id = session.id();
        let record =
            record::encode(session).map_err(|source| StorageError::Record { id, source })?;
        self.flusher.check()?;
        self.ahead.check(aim(session))?;
        let _turn = self.turn(id);
        let old = self.head(id)?;
        let old_head = old.as_ref().and_then(|value| Head::read(value));
        if old_head.map(|head| head.revision) != seen || old.is_some() != seen.is_some() {
            return Err(StorageError::Conflict);
        }
        let revision = seen.map_or(Revision::FIRST, Revision::next);
        let expires_at = session.expires_at();
        self.expiry.insert(expires_at, id)?;
        if seen.is_none() {
            self.owners.note(session)?;
        }
        let head = self.pieces.insert(id, revision, expires_at, &record)?;
        // The turn already excludes others; the database has the last word all the same.
        let swap = self.sessions.compare_and_swap(id.as_bytes(), old.as_ref(), Some(head));
        swap.map_err(open::failed)?.map_err(|_| StorageError::Conflict)?;
        if let Some(head) = old_head {
            if head.expires_at != expires_at {
                self.expiry.remove(head.expires_at, id)?;
            }
            self.pieces.remove(id, head)?;
            self.owners.note(session)?;
        }
        Ok(revision)
    }

    /// Removes head, hint and pieces. Not flushed yet.
    fn remove(&self, id: UploadId) -> Result<(), StorageError> {
        self.flusher.check()?;
        self.ahead.check(Aim::Delete)?;
        let _turn = self.turn(id);
        if let Ok(Some(stored)) = self.read(id) {
            self.owners.forget(stored.session.owner(), id)?;
        }
        let old = self.sessions.remove(id.as_bytes()).map_err(open::failed)?;
        cache::count(&self.sessions, id.as_bytes()).map_err(open::failed)?;
        if let Some(head) = old.as_ref().and_then(|value| Head::read(value)) {
            self.expiry.remove(head.expires_at, id)?;
        }
        self.pieces.remove_all(id)
    }

    fn read(&self, id: UploadId) -> Result<Option<Stored>, StorageError> {
        let Some(value) = self.head(id)? else { return Ok(None) };
        let unreadable = |source| StorageError::Record { id, source };
        let head = Head::read(&value).ok_or_else(|| unreadable(record::RecordError::NotARecord))?;
        let bytes = self.pieces.whole(id, head)?;
        let session = record::decode(&bytes).map_err(unreadable)?;
        if session.id() != id {
            let of_another =
                record::RecordError::Inconsistent("it is the record of another upload");
            return Err(unreadable(of_another));
        }
        Ok(Some(Stored { session, revision: head.revision }))
    }

    /// The record as it is now; see [`SessionStore::get`].
    fn look_up(&self, id: UploadId) -> Result<Option<Stored>, StorageError> {
        match self.read(id) {
            // A long record may lose its pieces to a commit between two looks: look once more
            // while nobody can commit.
            Err(StorageError::Record { .. }) => {
                let _turn = self.turn(id);
                self.read(id)
            }
            answer @ (Ok(_)
            | Err(
                StorageError::Conflict
                | StorageError::Missing(_)
                | StorageError::NoRoom
                | StorageError::NoDescriptor
                | StorageError::Damaged { .. }
                | StorageError::Io { .. }
                | StorageError::Database(_)
                | StorageError::Closed,
            )) => answer,
        }
    }

    /// Overwrites the record with bytes that are none.
    #[cfg(test)]
    pub(crate) fn damage(&self, id: UploadId) {
        let value = self.head(id).unwrap().unwrap();
        let mut broken = value[..Head::BYTES].to_vec();
        broken.extend_from_slice(b"not a record");
        self.sessions.insert(id.as_bytes(), broken).unwrap();
    }
}

/// What remembers that an upload is gone lets its bytes go.
fn aim(session: &Session) -> Aim {
    match session.phase() {
        Phase::Receiving | Phase::Assembling | Phase::Complete => Aim::Keep,
        Phase::Gone(_) => Aim::Delete,
    }
}

impl SessionStore for SledSessionStore {
    // `put` runs when the future is first polled and does not wait: a future dropped before that
    // changed nothing, one dropped later leaves a whole commit that the next flush carries along.

    fn create<'a>(&'a self, session: &'a Session) -> Pending<'a, Revision> {
        Box::pin(async move {
            let revision = border::caught(|| self.put(session, None))?;
            self.flusher.flushed().await.map(|()| revision)
        })
    }

    fn get(&self, id: UploadId) -> Result<Option<Stored>, StorageError> {
        self.flusher.sound()?;
        border::caught(|| self.look_up(id))
    }

    fn settled(&self, id: UploadId) -> Pending<'_, ()> {
        Box::pin(async move {
            // Whoever is changing it right now is waited for: what was read may be that change.
            let change = self.last_change(id).map_or(u64::MAX, |change| *change);
            self.flusher.covered(change).await
        })
    }

    fn commit<'a>(&'a self, session: &'a Session, seen: Revision) -> Pending<'a, Revision> {
        Box::pin(async move {
            let revision = border::caught(|| self.put(session, Some(seen)))?;
            self.flusher.flushed().await.map(|()| revision)
        })
    }

    fn delete(&self, id: UploadId) -> Pending<'_, ()> {
        Box::pin(async move {
            border::caught(|| self.remove(id))?;
            // Even if nothing was there: somebody else's removal may not be flushed yet.
            self.flusher.flushed().await
        })
    }

    fn expiring(&self, moment: Timestamp, limit: usize) -> Result<Vec<UploadId>, StorageError> {
        border::caught(|| self.due(moment, limit))
    }

    fn ids(&self, after: Option<UploadId>, limit: usize) -> Result<Vec<UploadId>, StorageError> {
        border::caught(|| self.list(after, limit))
    }

    fn holdings(
        &self,
        owner: &Owner,
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Vec<Holding>, StorageError> {
        border::caught(|| self.owners.of(owner, after).take(limit).collect())
    }

    fn relist(&self, owner: &Owner, id: UploadId) -> Result<Option<Holding>, StorageError> {
        border::caught(|| self.list_again(owner, id))
    }

    fn unlist(&self, owner: &Owner, id: UploadId) -> Result<(), StorageError> {
        border::caught(|| self.owners.forget(owner, id))
    }

    fn compare_lists(
        &self,
        mend: Mend,
        tell: &mut dyn FnMut(UploadId, ListFault),
    ) -> Result<(), StorageError> {
        border::caught(|| self.compare(mend, tell))
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(self.flusher.close())
    }
}

#[cfg(test)]
mod tests;
