//! [`SessionStore`]: remembers upload sessions.

use crate::upload::{Holding, Owner, Session, Timestamp, UploadId};

use super::Pending;
use super::error::StorageError;

/// Which version of a record was seen; a commit names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

impl Revision {
    /// The revision of a record that was just created.
    pub const FIRST: Self = Self(1);

    /// The revision with this number, as an adapter stored it.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number an adapter stores.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The revision after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Whether what is found wrong is also set right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// It is.
    Yes,
    /// It is only told.
    No,
}

/// A record and the lists beside it that do not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum ListFault {
    /// It would never expire.
    #[error("it is missing from the order of expiry, so it would never expire")]
    NotDue,
    /// Quotas would not count it.
    #[error("it is missing from its owner's list, so it does not count")]
    NotListed,
    /// Dropped when its moment comes.
    #[error("the order of expiry has an entry of it, but it has no record")]
    DueWithoutRecord,
    /// Dropped when its owner is looked at.
    #[error("an owner's list has an entry of it, but the owner has no such upload")]
    ListedWithoutRecord,
    /// Dropped when its moment comes, if it has one.
    #[error("pieces of its record are there, but not the record")]
    StrayPieces,
}

/// A session and the revision at which it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The session.
    pub session: Session,
    /// The revision a commit has to name.
    pub revision: Revision,
}

/// Remembers upload sessions.
///
/// # Guarantees every implementation gives
///
/// - **Atomic.** A reader sees a record before or after a commit, never a mixture.
/// - **Durable.** Once `create`, `commit` or `delete` returns `Ok`, the change survives `kill -9`
///   and, unless the store was opened for `durability = "os"`, a power cut.
/// - **Exclusive.** Of two commits against one revision, and of two creations of one id, exactly
///   one succeeds; the other gets [`StorageError::Conflict`].
/// - **Cancel-safe.** Dropping a future leaves the record as it was, or fully committed.
/// - **Bounded.** Caches have a configured size, and lists a limit given by the caller.
///
/// What it does not promise: ordering between different uploads.
pub trait SessionStore: Send + Sync + 'static {
    /// Stores a session that must not exist yet.
    fn create<'a>(&'a self, session: &'a Session) -> Pending<'a, Revision>;

    /// The session with this id, if there is one.
    ///
    /// A record that cannot be read is an error that names the id; it does not hide the others. Once a
    /// commit could not be made durable, nothing is read any more: what is in memory may be ahead of
    /// the device, and whoever told it would break a promise.
    ///
    /// # Errors
    ///
    /// [`StorageError::Record`] for a damaged record, [`StorageError::Database`] otherwise.
    fn get(&self, id: UploadId) -> Result<Option<Stored>, StorageError>;

    /// Waits until whatever [`SessionStore::get`] has shown of this id is as durable as a commit that
    /// returned: before that it must not be told to a client. Returns at once if nothing is under way.
    ///
    /// Waits as long as the device does; whoever calls it bounds that.
    fn settled(&self, id: UploadId) -> Pending<'_, ()>;

    /// Replaces the session, if it still is at revision `seen`.
    fn commit<'a>(&'a self, session: &'a Session, seen: Revision) -> Pending<'a, Revision>;

    /// Forgets the session, whatever its revision. Forgetting what is not there is fine.
    fn delete(&self, id: UploadId) -> Pending<'_, ()>;

    /// Ids whose expiry is at or before `moment`, oldest first, at most `limit`.
    ///
    /// May name a session whose expiry has moved since; the caller looks at the record.
    ///
    /// # Errors
    ///
    /// [`StorageError::Database`] if the index cannot be read.
    fn expiring(&self, moment: Timestamp, limit: usize) -> Result<Vec<UploadId>, StorageError>;

    /// Ids in ascending order, starting behind `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StorageError::Database`] if the store cannot be read.
    fn ids(&self, after: Option<UploadId>, limit: usize) -> Result<Vec<UploadId>, StorageError>;

    /// What `owner` has, in the order of ids, behind `after`, at most `limit`; what is gone is listed
    /// until it is unlisted or deleted. Nobody in particular has nothing.
    ///
    /// After a crash an entry may lag behind its record, never lack: [`SessionStore::relist`] sets
    /// it right.
    ///
    /// # Errors
    ///
    /// [`StorageError::Database`] if the list cannot be read.
    fn holdings(
        &self,
        owner: &Owner,
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Vec<Holding>, StorageError>;

    /// Makes the list say what the record says; `None` if `owner` has no such upload (any more).
    ///
    /// # Errors
    ///
    /// [`StorageError::Record`] for a damaged record, which stays listed; [`StorageError::Database`]
    /// otherwise.
    fn relist(&self, owner: &Owner, id: UploadId) -> Result<Option<Holding>, StorageError>;

    /// Takes an upload off the list; its record stays. One that changes later is listed again.
    ///
    /// # Errors
    ///
    /// [`StorageError::Database`] if the list cannot be written.
    fn unlist(&self, owner: &Owner, id: UploadId) -> Result<(), StorageError>;

    /// Compares the order of expiry and the lists of owners with the records, and tells what is wrong
    /// with them; sets it right if `mend` says so. For a store on which no gateway works.
    ///
    /// A store whose lists are made of its records has nothing to tell.
    ///
    /// # Errors
    ///
    /// [`StorageError::Database`] if they cannot be read or written.
    fn compare_lists(
        &self,
        _mend: Mend,
        _tell: &mut dyn FnMut(UploadId, ListFault),
    ) -> Result<(), StorageError> {
        Ok(())
    }

    /// Writes out what is buffered and takes nothing more.
    fn close(&self) -> Pending<'_, ()>;
}
