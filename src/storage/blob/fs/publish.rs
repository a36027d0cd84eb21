//! Making a finished blob visible, and removing one. Both survive a power cut.

use std::io;
use std::path::Path;

use crate::storage::StorageError;
use crate::upload::UploadId;

use super::Files;
use super::layout::Kind;
use super::writer::create;

impl Files {
    /// See [`BlobStore::publish`](crate::storage::BlobStore::publish).
    ///
    /// An upload of length zero may have no blob; publishing makes an empty one. Whether an upload
    /// is whole is for the caller to know.
    ///
    /// Only the directory that gains the name is synced. If the one that loses it is not yet on the
    /// device when the power goes, the blob has both names afterwards, and everybody who looks
    /// prefers the finished one.
    pub(super) fn publish(&self, id: UploadId) -> Result<(), StorageError> {
        let publish = || {
            let running = self.layout.path(Kind::Running, id);
            let finished = self.layout.path(Kind::Finished, id);
            match rename(&running, &finished) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => match create(&finished) {
                    // Published before. Its sync may not have happened, so it follows below.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    created => created.map(drop),
                },
                renamed => renamed,
            }?;
            remove(&self.layout.marker(id))?;
            self.settle(Kind::Finished, id)
        };
        publish().map_err(StorageError::io("publishing an upload"))
    }

    /// See [`BlobStore::delete`](crate::storage::BlobStore::delete).
    ///
    /// The label goes last: as long as anything else is left, the upload can be found.
    pub(super) fn delete(&self, id: UploadId) -> Result<(), StorageError> {
        let delete = || {
            self.remove_running(id)?;
            if self.remove_or_move(&self.layout.path(Kind::Finished, id))? {
                self.settle(Kind::Finished, id)?;
            }
            self.remove_label(id)
        };
        delete().map_err(StorageError::io("deleting an upload"))?;
        self.room.forget();
        Ok(())
    }

    /// Removes the running blob and its mark.
    pub(super) fn remove_running(&self, id: UploadId) -> io::Result<()> {
        let removed = self.remove_or_move(&self.layout.path(Kind::Running, id))?;
        let unmarked = remove(&self.layout.marker(id))?;
        if removed || unmarked { self.settle(Kind::Running, id) } else { Ok(()) }
    }

    /// Removes the label.
    pub(super) fn remove_label(&self, id: UploadId) -> io::Result<()> {
        let removed = self.remove_or_move(&self.layout.path(Kind::Labels, id))?;
        if removed { self.settle(Kind::Labels, id) } else { Ok(()) }
    }

    /// Removes a file. What is none, and has its name all the same, is moved out of the way, because
    /// nobody knows what it holds.
    fn remove_or_move(&self, path: &Path) -> io::Result<bool> {
        match remove(path) {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                self.move_aside(path, &name).map(|_| true)
            }
            removed => removed,
        }
    }
}

/// Moves a file inside the store. Atomic; durable only once its new directory is synced.
#[expect(clippy::disallowed_methods, reason = "this module is where renames are made durable")]
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Removes a file; says whether there was one.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
