//! Which uploads are recovered before they are used again, although the sweep is through.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::upload::UploadId;

/// Uploads that are remembered; with more of them, every upload counts as one.
const MAX_UNSETTLED: usize = 4096;

/// Uploads whose record may be behind their blob: a commit was refused, or the sweep could not recover
/// them. Bounded: past its bound it holds every upload, which costs a look at the blob each time.
#[derive(Debug, Default)]
pub(super) struct Unsettled(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    ids: HashSet<UploadId>,
    every: bool,
}

impl Unsettled {
    fn held(&self) -> MutexGuard<'_, Held> {
        // A panic cannot leave a set half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers one.
    pub(super) fn note(&self, id: UploadId) {
        let mut held = self.held();
        if held.ids.contains(&id) || held.every {
            return;
        }
        if held.ids.len() < MAX_UNSETTLED {
            held.ids.insert(id);
        } else {
            held.every = true;
            tracing::error!(
                "more than {MAX_UNSETTLED} uploads wait for their recovery; from now on each is looked at \
                 when it is asked for"
            );
        }
    }

    /// Whether this one has to be recovered.
    pub(super) fn has(&self, id: UploadId) -> bool {
        let held = self.held();
        held.every || held.ids.contains(&id)
    }

    /// Record and blob of this one agree now.
    pub(super) fn forget(&self, id: UploadId) {
        self.held().ids.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_counts_until_it_is_forgotten() {
        let (unsettled, id) = (Unsettled::default(), UploadId::generate());
        assert!(!unsettled.has(id));
        unsettled.note(id);
        assert!(unsettled.has(id));
        unsettled.forget(id);
        assert!(!unsettled.has(id));
    }

    #[test]
    fn past_4096_unsettled_uploads_every_upload_is_one() {
        let (unsettled, other) = (Unsettled::default(), UploadId::generate());
        for _ in 0..MAX_UNSETTLED {
            unsettled.note(UploadId::generate());
        }
        assert!(!unsettled.has(other));
        unsettled.note(UploadId::generate());
        assert!(unsettled.has(other));
    }
}
