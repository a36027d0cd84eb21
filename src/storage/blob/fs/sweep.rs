//! Listing what is there in pages, and removing what nobody knows.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::storage::{Labels, StorageError};
use crate::upload::UploadId;

use super::Files;
use super::layout::{Kind, Shard};

/// Ids looked at in one go by a sweep.
const PAGE: usize = 1000;

impl Files {
    /// See [`BlobStore::labels`](crate::storage::BlobStore::labels).
    pub(super) fn labels(
        &self,
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Labels, StorageError> {
        Ok(Labels { ids: self.ids(&Kind::ALL, after, limit)? })
    }

    /// See [`BlobStore::sweep`](crate::storage::BlobStore::sweep).
    ///
    /// Keeps what could be rebuilt from its label, and never looks at finished blobs.
    pub(super) fn sweep(
        &self,
        age: Duration,
        known: &dyn Fn(UploadId) -> bool,
    ) -> Result<u64, StorageError> {
        let (mut removed, mut after) = (0_u64, None);
        loop {
            let page = self.ids(&[Kind::Running], after, PAGE)?;
            let Some(last) = page.last() else { return Ok(removed) };
            after = Some(*last);
            for id in page {
                let path = self.layout.path(Kind::Running, id);
                let old = is_old(&path, age).map_err(StorageError::io("looking at an upload"))?;
                if old && self.discard(id, known)? {
                    removed = removed.saturating_add(1);
                }
            }
        }
    }

    /// The first `limit` ids behind `after` that have a file of one of these kinds, ascending.
    ///
    /// Memory is bounded by `limit`, whatever the directories hold.
    fn ids(
        &self,
        kinds: &[Kind],
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Vec<UploadId>, StorageError> {
        let mut ids = Vec::new();
        for shard in Shard::all().skip_while(|shard| after.is_some_and(|id| *shard < Shard::of(id)))
        {
            let mut nearest =
                Nearest { after, limit: limit.saturating_sub(ids.len()), ids: BTreeSet::new() };
            for kind in kinds {
                let listed = nearest.take_from(&self.layout.shard(*kind, shard));
                listed.map_err(StorageError::io("listing uploads"))?;
            }
            ids.extend(nearest.ids);
            if ids.len() >= limit {
                break;
            }
        }
        Ok(ids)
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

/// The smallest ids behind `after`, at most `limit`.
struct Nearest {
    after: Option<UploadId>,
    limit: usize,
    ids: BTreeSet<UploadId>,
}

impl Nearest {
    /// Looks through one directory. Marks and half-written labels have no names that are ids.
    fn take_from(&mut self, directory: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.parse::<UploadId>().ok());
            self.ids.extend(id.filter(|id| self.after.is_none_or(|after| *id > after)));
            if self.ids.len() > self.limit {
                self.ids.pop_last();
            }
        }
        Ok(())
    }
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
