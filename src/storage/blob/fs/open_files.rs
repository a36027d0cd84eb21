//! [`OpenFiles`]: how many blobs are open at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::storage::StorageError;

/// Counts open blobs and lets there be no more than fit, so that the descriptors that commits need
/// are never taken by new readers and writers.
#[derive(Clone, Debug)]
pub(super) struct OpenFiles(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    open: AtomicUsize,
    most: usize,
}

/// One open blob.
#[derive(Debug)]
pub(super) struct OpenFile(Arc<Counts>);

impl OpenFiles {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Counts { open: AtomicUsize::new(0), most }))
    }

    /// Counts one more until it is dropped.
    ///
    /// # Errors
    ///
    /// [`StorageError::NoDescriptor`] if as many are open as may be.
    pub(super) fn claim(&self) -> Result<OpenFile, StorageError> {
        let claimed = OpenFile(Arc::clone(&self.0));
        if claimed.0.open.fetch_add(1, Ordering::AcqRel) < claimed.0.most {
            Ok(claimed)
        } else {
            Err(StorageError::NoDescriptor)
        }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_open_than_may_be_and_a_closed_one_makes_room() {
        let files = OpenFiles::new(2);
        let first = files.claim().unwrap();
        let _second = files.claim().unwrap();
        assert!(matches!(files.claim(), Err(StorageError::NoDescriptor)));
        assert!(
            matches!(files.claim(), Err(StorageError::NoDescriptor)),
            "a refusal is not counted"
        );
        drop(first);
        assert!(files.claim().is_ok());
    }
}
