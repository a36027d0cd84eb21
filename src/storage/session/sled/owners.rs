//! What each owner has: keys that begin with the owner, then the id.
//!
//! ```text
//! key     the first 16 bytes of SHA-256 over the owner's name, then the id (16 bytes)
//! value   standing (1 byte), created, expires, bytes, bytes of the day (u64 each, big-endian)
//! ```
//!
//! Nobody in particular owns nothing that is listed here. A database from before there was this
//! tree is read through once; the key `built` says that this was done.

use sha2::{Digest as _, Sha256};
use sled::{IVec, Tree};

use crate::storage::StorageError;
use crate::upload::quota::{Holding, Standing};
use crate::upload::{Owner, Session, Timestamp, UploadId};

use super::cache;
use super::open::failed;

/// Says that every session is listed.
const BUILT: &[u8] = b"built";
/// Stands for a session that does not expire.
const NEVER: u64 = u64::MAX;
/// Bytes of a value.
const VALUE_BYTES: usize = 33;

/// Hints of who has what. The session's record confirms or refutes them.
pub(super) struct OwnerIndex(Tree);

pub(super) type Key = [u8; 32];
type Value = [u8; VALUE_BYTES];

impl OwnerIndex {
    pub(super) const fn new(tree: Tree) -> Self {
        Self(tree)
    }

    /// Whether every session is listed, as far as can be known without looking.
    pub(super) fn is_built(&self) -> Result<bool, StorageError> {
        self.0.contains_key(BUILT).map_err(failed)
    }

    /// Says that every session is listed.
    pub(super) fn set_built(&self) -> Result<(), StorageError> {
        self.0.insert(BUILT, &[]).map(drop).map_err(failed)
    }

    /// Notes what the session's owner has of it; what is noted already is not written again.
    pub(super) fn note(&self, session: &Session) -> Result<(), StorageError> {
        let Some(key) = key(session.owner(), session.id()) else { return Ok(()) };
        let value = written(&Holding::of(session));
        if cache::get(&self.0, &key).map_err(failed)?.as_deref() == Some(&value) {
            return Ok(());
        }
        self.0.insert(key, &value[..]).map(drop).map_err(failed)
    }

    /// Forgets an upload of `owner`.
    pub(super) fn forget(&self, owner: &Owner, id: UploadId) -> Result<(), StorageError> {
        let Some(key) = key(owner, id) else { return Ok(()) };
        self.0.remove(key).map_err(failed)?;
        cache::count(&self.0, &key).map_err(failed)
    }

    /// Whether the session is on its owner's list; nobody in particular has none.
    pub(super) fn has(&self, session: &Session) -> Result<bool, StorageError> {
        let Some(key) = key(session.owner(), session.id()) else { return Ok(true) };
        self.0.contains_key(key).map_err(failed)
    }

    /// Every key, and the upload it names.
    pub(super) fn keys(
        &self,
    ) -> impl Iterator<Item = Result<(IVec, Option<UploadId>), StorageError>> {
        self.0.iter().keys().map(|key| {
            let key = key.map_err(failed)?;
            let entry = key.len() == size_of::<Key>();
            let id = key.last_chunk::<16>().filter(|_| entry).copied().map(UploadId::from_bytes);
            Ok((key, id))
        })
    }

    /// Forgets whatever this key says.
    pub(super) fn remove_key(&self, key: &IVec) -> Result<(), StorageError> {
        self.0.remove(key).map(drop).map_err(failed)
    }

    /// What `owner` has, in the order of ids, behind `after`.
    pub(super) fn of(
        &self,
        owner: &Owner,
        after: Option<UploadId>,
    ) -> impl Iterator<Item = Result<Holding, StorageError>> {
        let last = key(owner, UploadId::from_bytes([u8::MAX; 16]));
        let first = key(owner, after.unwrap_or(UploadId::from_bytes([0; 16])));
        let range = first.zip(last).map(|(first, last)| self.0.range(first..=last));
        let behind = move |id| after.is_none_or(|after| id > after);
        range.into_iter().flatten().filter_map(move |found| match found {
            Ok((key, value)) => read(&key, &value).filter(|one| behind(one.id)).map(Ok),
            Err(error) => Some(Err(failed(error))),
        })
    }
}

/// `None` for nobody in particular.
pub(super) fn key(owner: &Owner, id: UploadId) -> Option<Key> {
    let name = Sha256::digest(owner.name()?.as_bytes());
    let mut key = [0; 32];
    let (first, second) = key.split_at_mut(16);
    first.iter_mut().zip(name).for_each(|(to, from)| *to = from);
    second.copy_from_slice(id.as_bytes());
    Some(key)
}

fn written(holding: &Holding) -> Value {
    let standing = match holding.standing {
        Standing::Running => 0,
        Standing::Part => 1,
        Standing::Kept => 2,
        Standing::Gone => 3,
    };
    let numbers = [
        holding.created_at.unix_milliseconds(),
        holding.expires_at.map_or(NEVER, Timestamp::unix_milliseconds),
        holding.bytes,
        holding.day_bytes,
    ];
    let bytes = std::iter::once(standing).chain(numbers.into_iter().flat_map(u64::to_be_bytes));
    let mut value = [0; VALUE_BYTES];
    value.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    value
}

/// `None` for what is no entry.
fn read(key: &[u8], value: &[u8]) -> Option<Holding> {
    let id = UploadId::from_bytes(*key.last_chunk::<16>()?);
    let (standing, rest) = value.split_first()?;
    let standing = match standing {
        0 => Standing::Running,
        1 => Standing::Part,
        2 => Standing::Kept,
        3 => Standing::Gone,
        _ => return None,
    };
    let mut numbers = rest.chunks_exact(8).map(|number| number.try_into().map(u64::from_be_bytes));
    let mut next = || numbers.next().and_then(Result::ok);
    let (created, expires) = (next()?, next()?);
    let (bytes, day_bytes) = (next()?, next()?);
    let created_at = Timestamp::from_unix_milliseconds(created);
    let expires_at = (expires != NEVER).then(|| Timestamp::from_unix_milliseconds(expires));
    Some(Holding { id, standing, created_at, expires_at, bytes, day_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_entry_reads_back(
            id: [u8; 16], standing in 0_usize..4, created: u64, expires in 0..u64::MAX, bytes: u64, day: u64,
        ) {
            let id = UploadId::from_bytes(id);
            let standing =
                [Standing::Running, Standing::Part, Standing::Kept, Standing::Gone][standing];
            for expires_at in [None, Some(Timestamp::from_unix_milliseconds(expires))] {
                let created_at = Timestamp::from_unix_milliseconds(created);
                let holding =
                    Holding { id, standing, created_at, expires_at, bytes, day_bytes: day };
                let key = key(&Owner::named("alice".to_owned()), id).unwrap();
                prop_assert_eq!(read(&key, &written(&holding)), Some(holding));
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(key: Vec<u8>, value: Vec<u8>) {
            let _ = read(&key, &value);
        }
    }

    #[test]
    fn nobody_in_particular_has_no_entries() {
        assert_eq!(key(&Owner::anonymous(), UploadId::generate()), None);
    }
}
