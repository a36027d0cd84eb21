//! Appending one file to another without carrying the bytes through this process.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::copy_file_range;
use rustix::io::Errno;

use crate::storage::StorageError;
use crate::upload::{UploadId, UploadOffset};

use super::Files;
use super::layout::Kind;
use super::writer::{cut, damaged};

/// Most bytes of one call into the kernel, so that a shutdown never waits long for one.
const STEP_BYTES: usize = 64 * 1024 * 1024;
/// Buffer of the slow way.
const BUFFER_BYTES: usize = 256 * 1024;

impl Files {
    /// See [`BlobStore::join`](crate::storage::BlobStore::join). Not synced.
    ///
    /// `copy_file_range` shares blocks by itself where the file system can and the offsets allow
    /// it, so cloning is not asked for separately. Where it does not work at all, the bytes go
    /// through a buffer.
    pub(super) fn join(
        &self,
        target: UploadId,
        at: UploadOffset,
        part: UploadId,
    ) -> Result<u64, StorageError> {
        let doing = || StorageError::io("joining uploads");
        let from = match File::open(self.layout.path(Kind::Finished, part)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StorageError::Missing(part));
            }
            Err(error) => return Err(doing()(error)),
        };
        let bytes = from.metadata().map_err(doing())?.len();
        let (to, _) = self.open_running(target, at)?;
        cut(&to, target, at)?;
        self.room.admit(bytes)?;
        if copy(&from, &to, at.get(), bytes).map_err(doing())? > 0 {
            return Err(damaged(part, "it became shorter while it was read"));
        }
        Ok(bytes)
    }
}

/// Copies the first `bytes` of a file into another, from `at` on; returns how many of them were
/// missing. Not synced.
pub(super) fn copy(from: &File, to: &File, at: u64, bytes: u64) -> io::Result<u64> {
    let mut stretch = Stretch { from, to, read: 0, write: at, left: bytes };
    match stretch.copy_in_kernel() {
        Err(error) if lacks_support(error) => stretch.copy_through_buffer()?,
        copied => copied?,
    }
    Ok(stretch.left)
}

/// What is still to be copied, and where.
struct Stretch<'a> {
    from: &'a File,
    to: &'a File,
    read: u64,
    write: u64,
    left: u64,
}

impl Stretch<'_> {
    fn copy_in_kernel(&mut self) -> Result<(), Errno> {
        while self.left > 0 {
            let step = usize::try_from(self.left).unwrap_or(usize::MAX).min(STEP_BYTES);
            let (read, write) = (Some(&mut self.read), Some(&mut self.write));
            match copy_file_range(self.from, read, self.to, write, step) {
                // Some file systems answer so instead of saying that they cannot.
                Ok(0) => return Err(Errno::OPNOTSUPP),
                Ok(copied) => self.took(copied),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn copy_through_buffer(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while self.left > 0 {
            let step = usize::try_from(self.left).unwrap_or(usize::MAX).min(BUFFER_BYTES);
            let (space, _) = buffer.split_at_mut(step);
            let copied = match self.from.read_at(space, self.read) {
                Ok(0) => return Ok(()),
                Ok(copied) => copied,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.to.write_all_at(space.split_at(copied).0, self.write)?;
            let bytes = u64::try_from(copied).unwrap_or(u64::MAX);
            self.read = self.read.saturating_add(bytes);
            self.write = self.write.saturating_add(bytes);
            self.took(copied);
        }
        Ok(())
    }

    /// The kernel has moved the positions by itself.
    fn took(&mut self, copied: usize) {
        self.left = self.left.saturating_sub(u64::try_from(copied).unwrap_or(u64::MAX));
    }
}

/// Whether the slow way may work where the kernel's did not.
fn lacks_support(error: Errno) -> bool {
    [Errno::XDEV, Errno::NOSYS, Errno::OPNOTSUPP, Errno::INVAL, Errno::PERM].contains(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slow_way_copies_the_same_bytes() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let bytes: Vec<u8> = (0..=250).cycle().take(BUFFER_BYTES * 2 + 17).collect();
        from.write_all_at(&bytes, 0).unwrap();
        let left = u64::try_from(bytes.len()).unwrap();
        let mut stretch = Stretch { from: &from, to: &to, read: 0, write: 5, left };
        stretch.copy_through_buffer().unwrap();
        assert_eq!(stretch.left, 0);
        let mut copy = vec![0; bytes.len()];
        to.read_exact_at(&mut copy, 5).unwrap();
        assert!(copy == bytes);
        assert_eq!(to.metadata().unwrap().len(), left + 5);
    }

    #[test]
    fn a_source_that_ends_early_is_noticed_on_both_ways() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        from.write_all_at(b"short", 0).unwrap();
        let mut stretch = Stretch { from: &from, to: &to, read: 0, write: 0, left: 9 };
        assert_eq!(stretch.copy_in_kernel(), Err(Errno::OPNOTSUPP));
        stretch.copy_through_buffer().unwrap();
        assert_eq!(stretch.left, 4);
    }
}
