//! What only the doctor does: looking for what does not belong here, and setting it aside.

use std::fs::{DirBuilder, File, FileType, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::storage::{Cleared, StorageError, Stray};
use crate::upload::{UploadId, UploadOffset};

use super::Files;
use super::layout::{DIRECTORY_MODE, FILE_MODE, Kind, Shard, sync_directory};
use super::publish::{remove, rename};
use super::writer::create;

/// Bytes copied at a time.
const COPY_BYTES: usize = 256 * 1024;

impl Files {
    /// See [`BlobCare::strays`](crate::storage::BlobCare::strays).
    pub(super) fn strays(&self, limit: usize) -> Result<Vec<Stray>, StorageError> {
        let mut strays = Vec::new();
        for kind in Kind::ALL {
            for shard in Shard::all() {
                let directory = self.layout.shard(kind, shard);
                if is_closed(&directory, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
                    strays.push(Stray::Closed(directory));
                    continue;
                }
                self.strays_in(kind, shard, &directory, limit, &mut strays)
                    .map_err(StorageError::io("listing uploads"))?;
                if strays.len() >= limit {
                    return Ok(strays);
                }
            }
        }
        Ok(strays)
    }

    fn strays_in(
        &self,
        kind: Kind,
        shard: Shard,
        directory: &Path,
        limit: usize,
        strays: &mut Vec<Stray>,
    ) -> io::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            if strays.len() >= limit {
                return Ok(());
            }
            let entry = entry?;
            let (path, name, is) = (entry.path(), entry.file_name(), entry.file_type()?);
            let name = name.to_str().unwrap_or_default();
            strays.extend(match name.parse::<UploadId>() {
                Ok(id) if Shard::of(id) == shard => self.misfit(kind, path, is),
                Ok(_) => Some(Stray::Foreign(path)),
                Err(_) => self.beside(kind, name, path, is),
            });
        }
        Ok(())
    }

    /// What is wrong with something that has the name of a blob or a label.
    fn misfit(&self, kind: Kind, path: PathBuf, is: FileType) -> Option<Stray> {
        let wanted = match kind {
            Kind::Running | Kind::Labels => Access::READ_OK | Access::WRITE_OK,
            Kind::Finished => Access::READ_OK,
        };
        if !is.is_file() {
            Some(Stray::Foreign(path))
        } else if is_closed(&path, wanted) {
            Some(Stray::Closed(path))
        } else {
            None
        }
    }

    /// What something that has another name is: a mark, a label that was being written, or neither.
    fn beside(&self, kind: Kind, name: &str, path: PathBuf, is: FileType) -> Option<Stray> {
        let marked = name.strip_suffix(".unproven").and_then(|id| id.parse::<UploadId>().ok());
        let labelled = name.strip_suffix(".new").and_then(|id| id.parse::<UploadId>().ok());
        match (kind, marked, labelled) {
            // One that cannot be read is for whoever knows how far its upload got.
            (Kind::Running, Some(id), _) if self.layout.path(Kind::Running, id).exists() => None,
            (Kind::Running, Some(_), _) if is.is_symlink() => Some(Stray::Leftover(path)),
            (Kind::Labels, _, Some(_)) if is.is_file() => Some(Stray::Leftover(path)),
            (Kind::Running | Kind::Finished | Kind::Labels, _, _) => Some(Stray::Foreign(path)),
        }
    }

    /// See [`BlobCare::clear`](crate::storage::BlobCare::clear).
    pub(super) fn clear(&self, stray: &Stray) -> Result<Cleared, StorageError> {
        let clear = || match stray {
            Stray::Leftover(path) => remove(path).map(|_| Cleared::Removed),
            Stray::Foreign(path) => {
                let parent = path.parent().and_then(Path::file_name).unwrap_or_default();
                let name = path.file_name().unwrap_or_default();
                let name = [parent, name].map(|part| part.to_string_lossy().into_owned());
                self.move_aside(path, &name.join("-")).map(Cleared::SetAside)
            }
            Stray::Closed(path) => {
                let mode = if path.is_dir() { DIRECTORY_MODE } else { FILE_MODE };
                std::fs::set_permissions(path, Permissions::from_mode(mode))?;
                Ok(Cleared::Opened)
            }
        };
        clear().map_err(StorageError::io("clearing up"))
    }

    /// See [`BlobCare::set_aside`](crate::storage::BlobCare::set_aside).
    pub(super) fn set_aside(&self, id: UploadId) -> Result<Vec<PathBuf>, StorageError> {
        let all = [
            (self.layout.path(Kind::Running, id), "running"),
            (self.layout.marker(id), "unproven"),
            (self.layout.path(Kind::Finished, id), "finished"),
            (self.layout.path(Kind::Labels, id), "label"),
        ];
        let mut moved = Vec::new();
        for (path, what) in all {
            if path.symlink_metadata().is_ok() {
                let aside = self.move_aside(&path, &format!("{id}.{what}"));
                moved.push(aside.map_err(StorageError::io("setting an upload aside"))?);
            }
        }
        Ok(moved)
    }

    /// See [`BlobCare::cut_published`](crate::storage::BlobCare::cut_published).
    ///
    /// The copy is on the device before anything is cut off, so that a crash at most leaves a copy of
    /// what is still there.
    pub(super) fn cut_published(
        &self,
        id: UploadId,
        at: UploadOffset,
    ) -> Result<PathBuf, StorageError> {
        let cut = || {
            let mut options = File::options();
            let blob = options.read(true).write(true).open(self.layout.path(Kind::Finished, id))?;
            let aside = free(&self.quarantine()?, &format!("{id}.tail"));
            copy_tail(&blob, at.get(), &create(&aside)?)?;
            sync_directory(&self.layout.quarantine())?;
            blob.set_len(at.get())?;
            blob.sync_all()?;
            Ok(aside)
        };
        cut().map_err(StorageError::io("cutting an upload back"))
    }

    /// Moves something out of the way, under a name that was free; returns where it is now.
    pub(super) fn move_aside(&self, path: &Path, name: &str) -> io::Result<PathBuf> {
        let aside = free(&self.quarantine()?, name);
        rename(path, &aside)?;
        sync_directory(&self.layout.quarantine())?;
        Ok(aside)
    }

    fn quarantine(&self) -> io::Result<PathBuf> {
        let path = self.layout.quarantine();
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(&path)?;
        path.parent().map_or(Ok(()), sync_directory)?;
        Ok(path)
    }
}

/// A name in `directory` that nothing has yet. One process works on the directory.
fn free(directory: &Path, name: &str) -> PathBuf {
    let taken = |path: &PathBuf| path.symlink_metadata().is_ok();
    let numbered = (1_u64..).map(|number| directory.join(format!("{name}.{number}")));
    let mut names = std::iter::once(directory.join(name)).chain(numbered);
    names.find(|path| !taken(path)).unwrap_or_else(|| directory.join(name))
}

fn copy_tail(from: &File, mut at: u64, to: &File) -> io::Result<()> {
    let (mut buffer, mut written) = (vec![0; COPY_BYTES], 0_u64);
    loop {
        let read = from.read_at(&mut buffer, at)?;
        if read == 0 {
            return to.sync_all();
        }
        to.write_all_at(buffer.get(..read).unwrap_or_default(), written)?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        (at, written) = (at.saturating_add(read), written.saturating_add(read));
    }
}

fn is_closed(path: &Path, wanted: Access) -> bool {
    access(path, wanted) == Err(rustix::io::Errno::ACCESS)
}
