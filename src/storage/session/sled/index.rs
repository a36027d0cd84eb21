//! The order of expiry: keys that sort by moment, then by id.

use sled::{IVec, Tree};

use crate::storage::StorageError;
use crate::upload::{Timestamp, UploadId};

use super::open::failed;

/// Hints of what expires when. The session's head confirms or refutes them.
pub(super) struct ExpiryIndex(Tree);

/// Moment in milliseconds since the Unix epoch, big-endian, then the id.
type Key = [u8; 24];

impl ExpiryIndex {
    pub(super) const fn new(tree: Tree) -> Self {
        Self(tree)
    }

    /// Notes an expiry; noting it twice is fine, never expiring needs no note.
    pub(super) fn insert(
        &self,
        moment: Option<Timestamp>,
        id: UploadId,
    ) -> Result<(), StorageError> {
        let Some(moment) = moment else { return Ok(()) };
        self.0.insert(key(moment, id), &[]).map(drop).map_err(failed)
    }

    /// Forgets an expiry.
    pub(super) fn remove(
        &self,
        moment: Option<Timestamp>,
        id: UploadId,
    ) -> Result<(), StorageError> {
        let Some(moment) = moment else { return Ok(()) };
        self.0.remove(key(moment, id)).map(drop).map_err(failed)
    }

    /// Hints at or before `moment`, oldest first.
    pub(super) fn until(
        &self,
        moment: Timestamp,
    ) -> impl Iterator<Item = Result<(Timestamp, UploadId), StorageError>> {
        let last = key(moment, UploadId::from_bytes([u8::MAX; 16]));
        self.0.range(..=last).keys().filter_map(|found| match found {
            Ok(found) => read(&found).map(Ok),
            Err(error) => Some(Err(failed(error))),
        })
    }

    /// Whether an expiry is noted; never expiring needs no note.
    pub(super) fn has(
        &self,
        moment: Option<Timestamp>,
        id: UploadId,
    ) -> Result<bool, StorageError> {
        let Some(moment) = moment else { return Ok(true) };
        self.0.contains_key(key(moment, id)).map_err(failed)
    }

    /// Every key, and what it says if it says anything.
    pub(super) fn keys(
        &self,
    ) -> impl Iterator<Item = Result<(IVec, Option<(Timestamp, UploadId)>), StorageError>> {
        self.0.iter().keys().map(|key| {
            let key = key.map_err(failed)?;
            let entry = read(&key);
            Ok((key, entry))
        })
    }

    /// Forgets whatever this key says.
    pub(super) fn remove_key(&self, key: &IVec) -> Result<(), StorageError> {
        self.0.remove(key).map(drop).map_err(failed)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

fn key(moment: Timestamp, id: UploadId) -> Key {
    let mut key = [0; 24];
    let (first, second) = key.split_at_mut(8);
    first.copy_from_slice(&moment.unix_milliseconds().to_be_bytes());
    second.copy_from_slice(id.as_bytes());
    key
}

/// Only these are ever keys of this tree; `None` for anything else.
fn read(key: &[u8]) -> Option<(Timestamp, UploadId)> {
    let (moment, id) = key.split_first_chunk::<8>()?;
    let moment = Timestamp::from_unix_milliseconds(u64::from_be_bytes(*moment));
    Some((moment, UploadId::from_bytes(id.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_sort_by_moment_then_by_id(a: (u64, [u8; 16]), b: (u64, [u8; 16])) {
            let of = |(at, id)| (Timestamp::from_unix_milliseconds(at), UploadId::from_bytes(id));
            let (a, b) = (of(a), of(b));
            prop_assert_eq!(key(a.0, a.1).cmp(&key(b.0, b.1)), a.cmp(&b));
            prop_assert_eq!(read(&key(a.0, a.1)), Some(a));
        }
    }
}
