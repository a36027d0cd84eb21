//! The self-describing record of an upload: `labels/a/<id>`.
//!
//! A file of its own, because it outlives everything that may happen to the blob: it is there
//! before the first byte, publishing does not touch it, and any way to copy files copies it too,
//! which cannot be said of extended attributes (and they hold 4 KiB where metadata alone may be
//! 8 KiB).
//!
//! Records are appended, each on a line of its own, and the last one that passes its own checksum
//! counts: a torn write leaves the record before it. A file that has grown long is written anew.
//! Nothing is synced: a label may trail the session store by seconds.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use crate::storage::StorageError;
use crate::upload::{UploadId, record};

use super::Files;
use super::layout::{FILE_MODE, Kind};
use super::publish::rename;

/// A label file is written anew rather than made longer than this by another record.
const LONG_BYTES: u64 = 64 * 1024;
/// Nothing longer is read: no label of ours comes near it.
const MAX_READ_BYTES: u64 = 4 * 1024 * 1024;

impl Files {
    /// See [`BlobStore::label`](crate::storage::BlobStore::label).
    pub(super) fn label(&self, id: UploadId, record: &[u8]) -> Result<(), StorageError> {
        let write = || {
            if record.contains(&b'\n') {
                return Err(io::Error::other("a label is one line"));
            }
            let path = self.layout.path(Kind::Labels, id);
            let mut options = OpenOptions::new();
            let mut file = options.append(true).create(true).mode(FILE_MODE).open(&path)?;
            let there = file.metadata()?.len();
            let grown = there.saturating_add(u64::try_from(record.len()).unwrap_or(u64::MAX));
            if there == 0 {
                file.write_all(record)
            } else if grown < LONG_BYTES {
                // The break comes first, so that a torn line does not spoil this one.
                file.write_all(&[b"\n", record].concat())
            } else {
                self.write_anew(id, record)
            }
        };
        write().map_err(StorageError::io("labelling an upload"))
    }

    fn write_anew(&self, id: UploadId, record: &[u8]) -> io::Result<()> {
        let staged = self.layout.new_label(id);
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&staged)?;
        file.write_all(record)?;
        // Rare, so it is no loss to be sure that the new file is not empty after a power cut.
        if self.sync {
            file.sync_data()?;
        }
        rename(&staged, &self.layout.path(Kind::Labels, id))
    }

    /// See [`BlobStore::read_label`](crate::storage::BlobStore::read_label).
    ///
    /// If no record passes its checks the last one comes back as it is, so that whoever reads it
    /// learns what is wrong with it.
    pub(super) fn read_label(&self, id: UploadId) -> Result<Option<Vec<u8>>, StorageError> {
        let read = || {
            let file = File::open(self.layout.path(Kind::Labels, id))?;
            let mut bytes = Vec::new();
            file.take(MAX_READ_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes: Vec<u8> = match read() {
            Ok(bytes) => bytes,
            Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StorageError::io("reading a label")(error)),
        };
        let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let good = lines.clone().rev().find(|line| is_of(id, line));
        Ok(good.or_else(|| lines.next_back()).map(<[u8]>::to_vec))
    }

    /// Whether the upload could be rebuilt from its label.
    pub(super) fn has_good_label(&self, id: UploadId) -> Result<bool, StorageError> {
        Ok(self.read_label(id)?.is_some_and(|line| is_of(id, &line)))
    }
}

fn is_of(id: UploadId, line: &[u8]) -> bool {
    record::decode(line).is_ok_and(|session| session.id() == id)
}
