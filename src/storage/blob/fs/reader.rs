//! Reading stretches of a blob.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::storage::{BlobReader, StorageError};
use crate::upload::{UploadId, UploadOffset};

use super::Files;
use super::layout::Kind;
use super::open_files::OpenFile;
use super::writer::damaged;

/// Reads one blob, as long as it was when it was opened.
pub(super) struct FsReader {
    file: File,
    length: u64,
    _open: OpenFile,
}

impl Files {
    /// See [`BlobStore::open`](crate::storage::BlobStore::open).
    pub(super) fn open(&self, id: UploadId) -> Result<FsReader, StorageError> {
        self.reader(Kind::Finished, id)
    }

    /// See [`BlobStore::open_unpublished`](crate::storage::BlobStore::open_unpublished).
    pub(super) fn open_unpublished(&self, id: UploadId) -> Result<FsReader, StorageError> {
        self.reader(Kind::Running, id)
    }

    fn reader(&self, kind: Kind, id: UploadId) -> Result<FsReader, StorageError> {
        let claimed = self.open.claim()?;
        let open = || {
            let file = File::open(self.layout.path(kind, id))?;
            let metadata = file.metadata()?;
            let length = metadata.len();
            Ok((FsReader { file, length, _open: claimed }, metadata.is_file()))
        };
        match open() {
            Ok((reader, true)) => Ok(reader),
            Ok((_, false)) => Err(damaged(id, "what has its name is no file")),
            Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => {
                Err(StorageError::Missing(id))
            }
            Err(error) => Err(StorageError::io("opening an upload for reading")(error)),
        }
    }
}

impl BlobReader for FsReader {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, at: UploadOffset, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let (mut at, mut filled) = (at.get(), 0_usize);
        let mut rest = buffer;
        while !rest.is_empty() {
            match self.file.read_at(rest, at) {
                Ok(0) => break,
                Ok(read) => {
                    filled = filled.saturating_add(read);
                    at = at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
                    rest = rest.split_at_mut(read).1;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StorageError::io("reading an upload")(error)),
            }
        }
        Ok(filled)
    }
}
