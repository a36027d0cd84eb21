//! Positioned writes into a running blob.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::storage::{BlobState, BlobWriter, StorageError, Tail};
use crate::upload::{UploadId, UploadOffset};

use super::Files;
use super::layout::{FILE_MODE, Kind};
use super::marker;
use super::open_files::OpenFile;
use super::publish::remove;

/// Most slices of one vectored write (`IOV_MAX` on Linux).
const MAX_SLICES: usize = 1024;
/// Bytes that are written again at a time.
const RENEW_BYTES: usize = 256 * 1024;

/// Writes one running blob.
pub(super) struct FsWriter {
    files: Arc<Files>,
    id: UploadId,
    file: File,
    /// The name may not be durable yet: the first sync has to see to that. Also if somebody else
    /// made it: as long as nothing was synced there is no telling what became of it.
    new_name: AtomicBool,
    /// After a failed sync the system may have dropped what was to be written, and a later success
    /// would say nothing about it.
    sync_failed: AtomicBool,
    _open: OpenFile,
}

impl Files {
    /// See [`BlobStore::begin`](crate::storage::BlobStore::begin).
    pub(super) fn begin(
        self: &Arc<Self>,
        id: UploadId,
        at: UploadOffset,
        tail: Tail,
    ) -> Result<FsWriter, StorageError> {
        let open = self.open.claim()?;
        let (file, new) = self.open_running(id, at)?;
        match tail {
            Tail::Recorded => reaches(&file, id, at).map(drop)?,
            Tail::Keep | Tail::Discard if new => {}
            // Before the mark moves: what lies behind `at` may be an older unproven tail.
            Tail::Keep | Tail::Discard => cut(&file, id, at)?,
        }
        match tail {
            Tail::Keep | Tail::Recorded if new => {}
            Tail::Keep | Tail::Recorded => self.unmark(id)?,
            Tail::Discard => marker::set(&self.layout.marker(id), at)
                .map_err(StorageError::io("marking an unproven tail"))?,
        }
        Ok(FsWriter {
            files: Arc::clone(self),
            id,
            file,
            new_name: AtomicBool::new(new || at == UploadOffset::ZERO),
            sync_failed: AtomicBool::new(false),
            _open: open,
        })
    }

    /// Opens the running blob for writing, and says whether it is new.
    ///
    /// A new blob can only be continued at its front, and only while there is no finished one.
    pub(super) fn open_running(
        &self,
        id: UploadId,
        at: UploadOffset,
    ) -> Result<(File, bool), StorageError> {
        let doing = StorageError::io("opening an upload for writing");
        let path = self.layout.path(Kind::Running, id);
        if at > UploadOffset::ZERO {
            return match OpenOptions::new().read(true).write(true).open(path) {
                Ok(file) => Ok((file, false)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Err(damaged(id, "there is nothing to continue"))
                }
                Err(error) => Err(doing(error)),
            };
        }
        match create(&path) {
            Ok(file) if self.layout.path(Kind::Finished, id).exists() => {
                drop(file);
                remove(&path).map_err(doing)?;
                Err(damaged(id, "it is published already"))
            }
            Ok(file) => Ok((file, true)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let file = OpenOptions::new().read(true).write(true).open(path).map_err(doing)?;
                Ok((file, false))
            }
            Err(error) => Err(doing(error)),
        }
    }

    /// See [`BlobStore::state`](crate::storage::BlobStore::state).
    pub(super) fn state(&self, id: UploadId) -> Result<Option<BlobState>, StorageError> {
        let doing = || StorageError::io("looking at an upload");
        // The finished name first: after an odd crash both may exist, and then it is the true one.
        if let Some(bytes) = self.length(Kind::Finished, id)? {
            return Ok(Some(BlobState { offset: offset(id, bytes)?, published: true }));
        }
        let Some(bytes) = self.length(Kind::Running, id)? else {
            return Ok(None);
        };
        let there = offset(id, bytes)?;
        let unproven = match marker::get(&self.layout.marker(id)) {
            Err(error) if marker::is_unreadable(&error) => {
                return Err(damaged(id, "the mark of its unproven tail is unreadable"));
            }
            unproven => unproven.map_err(doing())?,
        };
        let proven = unproven.map_or(there, |from| from.min(there));
        Ok(Some(BlobState { offset: proven, published: false }))
    }

    /// Bytes of a blob, if there is one.
    fn length(&self, kind: Kind, id: UploadId) -> Result<Option<u64>, StorageError> {
        match std::fs::metadata(self.layout.path(kind, id)) {
            Ok(metadata) if !metadata.is_file() => Err(damaged(id, "what has its name is no file")),
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::io("looking at an upload")(error)),
        }
    }
}

/// Creates a file that must not be there.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Cuts a blob back to `at`; never pads it, because the padding would pass for a client's bytes.
pub(super) fn cut(file: &File, id: UploadId, at: UploadOffset) -> Result<(), StorageError> {
    if reaches(file, id, at)? > at.get() {
        file.set_len(at.get()).map_err(StorageError::io("cutting an upload back"))?;
    }
    Ok(())
}

/// Bytes of a blob, which are at least those before `at`.
fn reaches(file: &File, id: UploadId, at: UploadOffset) -> Result<u64, StorageError> {
    let there = file.metadata().map_err(StorageError::io("looking at an upload"))?.len();
    if there < at.get() {
        return Err(damaged(id, "it is shorter than the offset to continue from"));
    }
    Ok(there)
}

pub(super) fn damaged(id: UploadId, what: &str) -> StorageError {
    StorageError::Damaged { id, what: what.to_owned() }
}

fn offset(id: UploadId, bytes: u64) -> Result<UploadOffset, StorageError> {
    UploadOffset::new(bytes).ok_or_else(|| damaged(id, "it is longer than any upload"))
}

impl FsWriter {
    /// The running blob itself.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }
}

impl BlobWriter for FsWriter {
    fn write(&self, at: UploadOffset, batch: &[Bytes]) -> Result<(), StorageError> {
        let bytes = batch.iter().map(Bytes::len).fold(0, usize::saturating_add);
        self.files.room.admit(u64::try_from(bytes).unwrap_or(u64::MAX))?;
        write_all(&self.file, at.get(), batch).map_err(StorageError::io("writing an upload"))
    }

    fn written(&self) -> Result<UploadOffset, StorageError> {
        let metadata = self.file.metadata().map_err(StorageError::io("looking at an upload"))?;
        offset(self.id, metadata.len())
    }

    fn renew(&self, from: UploadOffset, to: UploadOffset) -> Result<(), StorageError> {
        write_again(&self.file, from.get(), to.get())
            .map_err(StorageError::io("writing the end of an upload again"))
    }

    fn sync(&self) -> Result<(), StorageError> {
        if !self.files.sync {
            return Ok(());
        }
        let sync = || {
            if self.sync_failed.load(Ordering::Acquire) {
                return Err(io::Error::other("an earlier sync of this upload failed"));
            }
            // Data and size; times are not worth a journal commit.
            self.file.sync_data()?;
            if self.new_name.load(Ordering::Acquire) {
                self.files.settle(Kind::Running, self.id)?;
                self.new_name.store(false, Ordering::Release);
            }
            self.files.settle_doubts(self.id)
        };
        sync().map_err(|error| {
            self.sync_failed.store(true, Ordering::Release);
            StorageError::io("syncing an upload")(error)
        })
    }

    fn cut(&self, at: UploadOffset) -> Result<(), StorageError> {
        cut(&self.file, self.id, at)
    }

    fn keep_tail(&self) -> Result<(), StorageError> {
        self.files.unmark(self.id)?;
        // Also if somebody else took it away, and could not sync that.
        if self.files.sync {
            let doing = StorageError::io("marking a tail as proven");
            self.files.settle_doubts(self.id).map_err(doing)?;
        }
        Ok(())
    }
}

/// Writes all of `batch` at `at`. On an error, what was written stays.
fn write_all(file: &File, mut at: u64, batch: &[Bytes]) -> io::Result<()> {
    let filled = batch.iter().filter(|bytes| !bytes.is_empty());
    let mut slices: Vec<_> = filled.map(|bytes| IoSlice::new(bytes)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        let (now, _) = rest.split_at(rest.len().min(MAX_SLICES));
        match rustix::io::pwritev(file, now, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                at = at.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
                IoSlice::advance_slices(&mut rest, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes bytes where they are.
fn write_again(file: &File, mut at: u64, end: u64) -> io::Result<()> {
    let mut buffer = vec![0; RENEW_BYTES];
    while let Some(left) = end.checked_sub(at).filter(|left| *left > 0) {
        let step = usize::try_from(left).unwrap_or(usize::MAX).min(RENEW_BYTES);
        let (bytes, _) = buffer.split_at_mut(step);
        file.read_exact_at(bytes, at)?;
        file.write_all_at(bytes, at)?;
        at = at.saturating_add(u64::try_from(step).unwrap_or(u64::MAX));
    }
    Ok(())
}
