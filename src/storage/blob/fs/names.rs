//! Which names of running blobs may be missing on the device.
//!
//! A blob whose bytes are synced is lost all the same if its name is not. Whoever makes a name sees
//! to it that its directory is synced with the first bytes; but it may be killed, its sync may fail,
//! or it may have run with `durability = "os"`. Then somebody else who goes on with the blob has to
//! do it, and this is how it knows: a directory is doubtful until it was synced once since the
//! store was opened, and again after every change that nobody is about to sync.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::storage::StorageError;
use crate::upload::UploadId;

use super::Files;
use super::layout::{Kind, SHARDS, Shard, sync_directory};

/// What is known of the directories of running blobs.
#[derive(Debug)]
pub(super) struct Names([Doubts; SHARDS]);

/// What is known of one directory. Doubts are counted, so that a sync settles only what was there
/// before it began.
#[derive(Debug)]
struct Doubts {
    raised: AtomicU64,
    settled: AtomicU64,
}

impl Names {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        let doubtful = |_| Doubts { raised: AtomicU64::new(1), settled: AtomicU64::new(0) };
        Self(std::array::from_fn(doubtful))
    }

    fn of(&self, id: UploadId) -> Option<&Doubts> {
        self.0.get(Shard::of(id).index())
    }

    /// A name was changed, and nobody is about to sync it.
    pub(super) fn doubt(&self, id: UploadId) {
        if let Some(doubts) = self.of(id) {
            doubts.raised.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Whether names in the directory of this id may be missing on the device.
    fn are_doubtful(&self, id: UploadId) -> bool {
        self.of(id).is_none_or(|doubts| {
            doubts.settled.load(Ordering::Acquire) < doubts.raised.load(Ordering::Acquire)
        })
    }

    /// Runs `sync`, and notes whether there is any doubt afterwards.
    fn settle(&self, id: UploadId, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let Some(doubts) = self.of(id) else { return sync() };
        let raised = doubts.raised.load(Ordering::Acquire);
        match sync() {
            Ok(()) => drop(doubts.settled.fetch_max(raised, Ordering::AcqRel)),
            Err(error) => {
                self.doubt(id);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Files {
    /// Makes the names in the directory of this id durable, if durability is wanted.
    pub(super) fn settle(&self, kind: Kind, id: UploadId) -> io::Result<()> {
        if !self.sync {
            return Ok(());
        }
        let sync = || sync_directory(&self.layout.directory(kind, id));
        match kind {
            Kind::Running => self.names.settle(id, sync),
            Kind::Finished | Kind::Labels => sync(),
        }
    }

    /// As [`Files::settle`] for a running blob, but only if its name may be missing on the device.
    pub(super) fn settle_doubts(&self, id: UploadId) -> io::Result<()> {
        if self.names.are_doubtful(id) { self.settle(Kind::Running, id) } else { Ok(()) }
    }

    /// Takes a mark away whose going nobody is about to sync: were it there again after a power
    /// cut, it would take back what is acknowledged until then.
    pub(super) fn unmark(&self, id: UploadId) -> Result<(), StorageError> {
        let removed = super::publish::remove(&self.layout.marker(id))
            .map_err(StorageError::io("marking an unproven tail"))?;
        if removed {
            self.names.doubt(id);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_doubtful_until_it_was_synced_after_the_last_change() {
        let (names, id) = (Names::new(), UploadId::generate());
        assert!(names.are_doubtful(id), "whoever was here before may have been killed");
        names.settle(id, || Ok(())).unwrap();
        assert!(!names.are_doubtful(id));
        names.doubt(id);
        assert!(names.are_doubtful(id));
    }

    #[test]
    fn a_sync_settles_nothing_that_changed_after_it_began() {
        let (names, id) = (Names::new(), UploadId::generate());
        let changed_meanwhile = || {
            names.doubt(id);
            Ok(())
        };
        names.settle(id, changed_meanwhile).unwrap();
        assert!(names.are_doubtful(id));
    }

    #[test]
    fn a_sync_that_failed_leaves_a_doubt_that_an_older_one_does_not_settle() {
        let (names, id) = (Names::new(), UploadId::generate());
        let older = || {
            assert!(names.settle(id, || Err(io::ErrorKind::Other.into())).is_err());
            Ok(())
        };
        names.settle(id, older).unwrap();
        assert!(names.are_doubtful(id));
    }
}
