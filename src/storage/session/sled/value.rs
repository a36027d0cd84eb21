//! How a record is stored: a head, and pieces if it is long.
//!
//! sled writes a tree node as one message, and a message past an eighth of a mebibyte as a file of
//! its own, which it never syncs: after a power cut the node would be gone, and with it every
//! session in it. A node holds some twenty values, so no value is longer than a few KiB, and what
//! is longer is split.
//!
//! ```text
//! head    revision   u64, big-endian
//!         expiry     u64, big-endian, milliseconds since the Unix epoch; all ones: never
//!         pieces     u16, big-endian: how many follow in the tree `pieces`
//!         record     its first 3 KiB
//! piece   key: id (16 bytes), revision (u64, big-endian), number from 0 (u16, big-endian)
//!         value: the next 3 KiB
//! ```

use sled::Tree;

use crate::storage::{Revision, StorageError};
use crate::upload::record::RecordError;
use crate::upload::{Timestamp, UploadId};

use super::cache;
use super::open::failed;

/// Longest stretch of a record in one value.
pub(super) const PIECE_BYTES: usize = 3 * 1024;

/// Stands for a session that does not expire.
const NEVER: u64 = u64::MAX;

/// What the value in `sessions` begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) revision: Revision,
    pub(super) expires_at: Option<Timestamp>,
    pieces: u16,
    record: &'a [u8],
}

impl<'a> Head<'a> {
    /// Bytes before the record.
    pub(super) const BYTES: usize = 18;

    /// The head in a value; `None` if the value is too short to have one.
    pub(super) fn read(value: &'a [u8]) -> Option<Self> {
        let (revision, rest) = value.split_first_chunk::<8>()?;
        let (expiry, rest) = rest.split_first_chunk::<8>()?;
        let (pieces, record) = rest.split_first_chunk::<2>()?;
        let expiry = u64::from_be_bytes(*expiry);
        Some(Self {
            revision: Revision::from_number(u64::from_be_bytes(*revision)),
            expires_at: (expiry != NEVER).then(|| Timestamp::from_unix_milliseconds(expiry)),
            pieces: u16::from_be_bytes(*pieces),
            record,
        })
    }

    fn write(self) -> Vec<u8> {
        let expiry = self.expires_at.map_or(NEVER, Timestamp::unix_milliseconds);
        let mut value = Vec::with_capacity(Self::BYTES.saturating_add(self.record.len()));
        value.extend_from_slice(&self.revision.number().to_be_bytes());
        value.extend_from_slice(&expiry.to_be_bytes());
        value.extend_from_slice(&self.pieces.to_be_bytes());
        value.extend_from_slice(self.record);
        value
    }
}

/// The tree that holds what does not fit into a head.
pub(super) struct Pieces(Tree);

impl Pieces {
    pub(super) const fn new(tree: Tree) -> Self {
        Self(tree)
    }

    /// Stores the pieces of `record` and returns the value that its head has to become.
    pub(super) fn insert(
        &self,
        id: UploadId,
        revision: Revision,
        expires_at: Option<Timestamp>,
        record: &[u8],
    ) -> Result<Vec<u8>, StorageError> {
        let (first, rest) = record.split_at(record.len().min(PIECE_BYTES));
        let mut pieces = 0_u16;
        for piece in rest.chunks(PIECE_BYTES) {
            let key = key(id, revision, pieces);
            self.0.insert(&key, piece).map_err(failed)?;
            cache::count(&self.0, &key).map_err(failed)?;
            // 65,535 pieces are 192 MiB; the bounds on metadata and parts end far below.
            let too_long = RecordError::Inconsistent("the record is too long to store");
            let next = pieces.checked_add(1);
            pieces = next.ok_or(StorageError::Record { id, source: too_long })?;
        }
        Ok(Head { revision, expires_at, pieces, record: first }.write())
    }

    /// The whole record. A missing piece leaves it short, which its checksum tells.
    pub(super) fn whole(&self, id: UploadId, head: Head<'_>) -> Result<Vec<u8>, StorageError> {
        let mut record = head.record.to_vec();
        for number in 0..head.pieces {
            if let Some(piece) =
                cache::get(&self.0, &key(id, head.revision, number)).map_err(failed)?
            {
                record.extend_from_slice(&piece);
            }
        }
        Ok(record)
    }

    /// Removes the pieces that belong to `head`.
    pub(super) fn remove(&self, id: UploadId, head: Head<'_>) -> Result<(), StorageError> {
        for number in 0..head.pieces {
            self.0.remove(key(id, head.revision, number)).map_err(failed)?;
        }
        Ok(())
    }

    /// Removes the pieces of every revision, also those that a crash left behind.
    pub(super) fn remove_all(&self, id: UploadId) -> Result<(), StorageError> {
        for piece in self.0.scan_prefix(id.as_bytes()).keys() {
            let key = piece.map_err(failed)?;
            self.0.remove(&key).map_err(failed)?;
            cache::count(&self.0, &key).map_err(failed)?;
        }
        Ok(())
    }

    /// The upload of each piece, in order: one that has several comes as often.
    pub(super) fn ids(&self) -> impl Iterator<Item = Result<UploadId, StorageError>> {
        self.0.iter().keys().filter_map(|key| match key {
            Ok(key) => key.first_chunk::<16>().map(|id| Ok(UploadId::from_bytes(*id))),
            Err(error) => Some(Err(failed(error))),
        })
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

fn key(id: UploadId, revision: Revision, number: u16) -> Vec<u8> {
    let mut key = id.as_bytes().to_vec();
    key.extend_from_slice(&revision.number().to_be_bytes());
    key.extend_from_slice(&number.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_head_reads_back_as_it_was_written(number: u64, expiry: Option<u32>, record: Vec<u8>) {
            let head = Head {
                revision: Revision::from_number(number),
                expires_at: expiry.map(|at| Timestamp::from_unix_milliseconds(at.into())),
                pieces: 7,
                record: &record,
            };
            let value = head.write();
            prop_assert_eq!(Head::read(&value), Some(head));
        }

        #[test]
        fn a_value_too_short_for_a_head_has_none(value in prop::collection::vec(0_u8.., 0..Head::BYTES)) {
            prop_assert_eq!(Head::read(&value), None);
        }
    }
}
