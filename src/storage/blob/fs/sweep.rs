//! Listing what is there, one shard at a time, and removing what nobody knows.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::storage::{Labels, StorageError};
use crate::upload::UploadId;

use super::Files;
use super::layout::{Kind, Layout};

impl Files {
    /// See [`BlobStore::labels`](crate::storage::BlobStore::labels).
    ///
    /// Memory is bounded by the ids of one shard, a 256th of all.
    pub(super) fn labels(
        &self,
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Labels, StorageError> {
        let mut page = Labels::default();
        let [first, ..] = after.map_or([0; 16], |id| *id.as_bytes());
        for shard in first..=u8::MAX {
            let found = ids(&self.layout, &Kind::ALL, shard)?;
            let behind = found.into_iter().filter(|id| after.is_none_or(|after| *id > after));
            page.ids.extend(behind.take(limit.saturating_sub(page.ids.len())));
            if page.ids.len() >= limit {
                break;
            }
        }
        Ok(page)
    }

    /// See [`BlobStore::sweep`](crate::storage::BlobStore::sweep).
    ///
    /// Keeps what could be rebuilt from its label, and never looks at finished blobs.
    pub(super) fn sweep(
        &self,
        age: Duration,
        known: &dyn Fn(UploadId) -> bool,
    ) -> Result<u64, StorageError> {
        let mut removed = 0_u64;
        for shard in 0..=u8::MAX {
            for id in ids(&self.layout, &[Kind::Running], shard)? {
                let path = self.layout.path(Kind::Running, id);
                let old = is_old(&path, age).map_err(StorageError::io("looking at an upload"))?;
                if old && self.discard(id, known)? {
                    removed = removed.saturating_add(1);
                }
            }
        }
        Ok(removed)
    }

    /// Removes a running blob that nobody misses; says whether it did.
    fn discard(
        &self,
        id: UploadId,
        known: &dyn Fn(UploadId) -> bool,
    ) -> Result<bool, StorageError> {
        let doing = || StorageError::io("removing an orphan");
        if self.layout.path(Kind::Finished, id).exists() {
            // The second name of a published blob, left by an odd crash; see `publish`.
            return self.remove_running(id).map(|()| true).map_err(doing());
        }
        // The session store is asked last: what it learned meanwhile counts.
        if self.has_good_label(id)? || known(id) {
            return Ok(false);
        }
        self.remove_running(id).map_err(doing())?;
        self.remove_label(id).map_err(doing())?;
        Ok(true)
    }
}

/// Ids that have a file in one of these directories. Marks and half-written labels are no ids.
fn ids(layout: &Layout, kinds: &[Kind], shard: u8) -> Result<BTreeSet<UploadId>, StorageError> {
    let mut found = BTreeSet::new();
    for kind in kinds {
        let listed = list(&layout.shard(*kind, shard), &mut found);
        listed.map_err(StorageError::io("listing uploads"))?;
    }
    Ok(found)
}

fn list(directory: &Path, found: &mut BTreeSet<UploadId>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        found.extend(entry?.file_name().to_str().and_then(|name| name.parse::<UploadId>().ok()));
    }
    Ok(())
}

/// Whether a file was last written at least `age` ago. One that is gone is not old.
fn is_old(path: &Path, age: Duration) -> io::Result<bool> {
    match std::fs::metadata(path).and_then(|metadata| metadata.modified()) {
        // A time in the future, after the clock was set back, is not old either.
        Ok(time) => Ok(SystemTime::now().duration_since(time).is_ok_and(|since| since >= age)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
