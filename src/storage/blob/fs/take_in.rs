//! A file that lies on this machine becomes a published blob.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use crate::storage::{BlobWriter, LocalFile, StorageError, TakeIn};
use crate::upload::{UploadId, UploadOffset};

use super::Files;
use super::join::copy;
use super::layout::Kind;
use super::publish::remove;
use super::writer::damaged;

impl Files {
    /// See [`BlobStore::take_in`](crate::storage::BlobStore::take_in).
    pub(super) fn take_in(
        self: &Arc<Self>,
        id: UploadId,
        from: &LocalFile,
        way: TakeIn,
    ) -> Result<u64, StorageError> {
        if self.layout.path(Kind::Finished, id).exists() {
            return Err(damaged(id, "it is published already"));
        }
        match way {
            TakeIn::Copy => self.take_copy(id, &from.file),
            TakeIn::Link => self.take_link(id, from),
        }
    }

    fn take_copy(self: &Arc<Self>, id: UploadId, from: &File) -> Result<u64, StorageError> {
        let doing = || StorageError::io("copying a file");
        let before = from.metadata().map_err(doing())?;
        self.room.admit(before.len())?;
        let writer = self.begin(id, UploadOffset::ZERO, crate::storage::Tail::Keep)?;
        let missing = copy(from, writer.file(), 0, before.len()).map_err(doing())?;
        let after = from.metadata().map_err(doing())?;
        if missing > 0 || stamp(&before) != stamp(&after) {
            return Err(damaged(id, "the file was changed while it was copied"));
        }
        writer.sync()?;
        self.publish(id)?;
        Ok(before.len())
    }

    /// The link goes to the final name at once: a running blob may be cut, and the file is not ours
    /// to cut.
    fn take_link(&self, id: UploadId, from: &LocalFile) -> Result<u64, StorageError> {
        let finished = self.layout.path(Kind::Finished, id);
        let link = || {
            self.remove_running(id)?;
            std::fs::hard_link(&from.path, &finished)?;
            let (linked, opened) = (File::open(&finished)?, from.file.metadata()?);
            let there = linked.metadata()?;
            if (there.dev(), there.ino()) != (opened.dev(), opened.ino()) {
                remove(&finished)?;
                return Err(io::Error::other("another file took its place"));
            }
            if self.sync {
                linked.sync_all()?;
            }
            self.settle(Kind::Finished, id)?;
            Ok(there.len())
        };
        link().map_err(StorageError::io("linking a file"))
    }
}

/// What changes when somebody writes.
fn stamp(metadata: &std::fs::Metadata) -> (u64, i64, i64) {
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}
