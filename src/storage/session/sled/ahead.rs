//! Room for the log, taken ahead.
//!
//! sled takes a write that fails for the end: it writes nothing more until it is opened again, and
//! what it has in memory may then not be told to anybody. So it must not meet a full device, and the
//! reserve does not see to that, because others fill devices, too. The file system is therefore asked
//! for blocks behind the end of the log before they are needed (`fallocate`, which leaves the size as
//! it is), and a change is refused while sled still has room for what is under way.
//!
//! A file system that gives no blocks ahead is asked how much is free instead: better than nothing,
//! but somebody else may take it first.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use rustix::io::Errno;

use crate::storage::StorageError;

/// Bytes taken ahead: some thousand changes. sled writes in segments of 512 KiB.
const TAKEN: u64 = 4 * 1024 * 1024;
/// With less than this left, only deletions are taken …
const FOR_CHANGES: u64 = 1536 * 1024;
/// … and with less than this nothing is.
const FOR_DELETIONS: u64 = 768 * 1024;
/// What `st_blocks` counts in, whatever the file system's blocks are.
const BLOCK: u64 = 512;

/// What a change to the store makes of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// It stores something.
    Keep,
    /// It makes room in the end.
    Delete,
}

/// Measures what is left for the log, after taking what can be had. Blocking, brief.
type Measure = Box<dyn Fn() -> u64 + Send + Sync>;

/// What is left for the log.
pub(super) struct Ahead {
    measure: Measure,
    left_bytes: AtomicU64,
}

impl Ahead {
    /// Takes room for the log in `directory`.
    pub(super) fn of(directory: &Path) -> io::Result<Self> {
        let log = OpenOptions::new().write(true).open(directory.join("db"))?;
        Ok(Self::with(Box::new(move || taken(&log))))
    }

    pub(super) fn with(measure: Measure) -> Self {
        let left_bytes = AtomicU64::new(measure());
        Self { measure, left_bytes }
    }

    /// Takes what the log has used up.
    pub(super) fn renew(&self) {
        self.left_bytes.store((self.measure)(), Ordering::Release);
    }

    /// Whether a change is taken.
    ///
    /// # Errors
    ///
    /// [`StorageError::NoRoom`] if too little is left for the log, before anything was changed.
    pub(super) fn check(&self, aim: Aim) -> Result<(), StorageError> {
        let needed = match aim {
            Aim::Keep => FOR_CHANGES,
            Aim::Delete => FOR_DELETIONS,
        };
        if self.left_bytes.load(Ordering::Acquire) >= needed {
            return Ok(());
        }
        // There may be room again, and refusing is rare enough to make sure.
        self.renew();
        if self.left_bytes.load(Ordering::Acquire) >= needed {
            Ok(())
        } else {
            Err(StorageError::NoRoom)
        }
    }
}

/// Gives back what was taken ahead of the log in `directory`, if the device is short of room:
/// opening writes more than the log. Nothing happens if somebody has the database open.
pub(super) fn give_back(directory: &Path) {
    let Ok(log) = OpenOptions::new().write(true).open(directory.join("db")) else { return };
    if free(&log) >= TAKEN || flock(&log, FlockOperation::NonBlockingLockExclusive).is_err() {
        return;
    }
    // Cut at its end, a file loses what lies behind it. Without success opening has less room.
    let cut = log.metadata().and_then(|metadata| log.set_len(metadata.len()));
    drop(cut);
}

/// Bytes behind the end of the log, after asking for as many as there should be.
fn taken(log: &File) -> u64 {
    let Ok(metadata) = log.metadata() else { return 0 };
    let there = metadata.blocks().saturating_mul(BLOCK).saturating_sub(metadata.len());
    if there >= TAKEN / 2 {
        return there;
    }
    for wanted in [TAKEN, TAKEN / 2] {
        match fallocate(log, FallocateFlags::KEEP_SIZE, metadata.len(), wanted) {
            Ok(()) => return wanted,
            Err(Errno::NOSPC | Errno::DQUOT) => {}
            Err(_) => return free(log),
        }
    }
    there
}

/// Bytes that are free on the device of a file.
fn free(file: &File) -> u64 {
    let device = rustix::fs::fstatvfs(file);
    device.map_or(0, |device| device.f_bavail.saturating_mul(device.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// A device whose room a test decides about.
    fn device() -> (Arc<AtomicU64>, Ahead) {
        let room = Arc::new(AtomicU64::new(TAKEN));
        let measured = Arc::clone(&room);
        (room, Ahead::with(Box::new(move || measured.load(Ordering::SeqCst))))
    }

    #[test]
    fn what_deletes_is_taken_for_longer_than_what_stores() {
        let (room, ahead) = device();
        room.store(FOR_DELETIONS, Ordering::SeqCst);
        ahead.renew();
        assert!(matches!(ahead.check(Aim::Keep), Err(StorageError::NoRoom)));
        assert!(ahead.check(Aim::Delete).is_ok());
        room.store(FOR_DELETIONS - 1, Ordering::SeqCst);
        ahead.renew();
        assert!(matches!(ahead.check(Aim::Delete), Err(StorageError::NoRoom)));
    }

    #[test]
    fn room_that_is_there_again_is_found_without_a_flush() {
        let (room, ahead) = device();
        room.store(0, Ordering::SeqCst);
        ahead.renew();
        assert!(ahead.check(Aim::Keep).is_err());
        room.store(TAKEN, Ordering::SeqCst);
        assert!(ahead.check(Aim::Keep).is_ok());
    }

    #[test]
    fn blocks_are_taken_behind_the_end_and_given_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        std::fs::write(&path, vec![7; 10_000]).unwrap();
        let ahead = Ahead::of(directory.path()).unwrap();
        assert!(ahead.check(Aim::Keep).is_ok());
        assert_eq!(std::fs::read(&path).unwrap(), vec![7; 10_000]);
        give_back(directory.path());
        assert_eq!(std::fs::read(&path).unwrap(), vec![7; 10_000]);
    }
}
