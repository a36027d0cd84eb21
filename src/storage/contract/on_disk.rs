//! The stores that the gateway runs on, for tests of the layers above, which name no adapter.

use std::path::Path;
use std::sync::Arc;

use crate::storage::blob::{FsBlobStore, FsSettings};
use crate::storage::session::{SledSessionStore, SledSettings};
use crate::storage::{BlobStore, SessionStore};

/// New stores in `directory`, with every sync, and without a reserve.
pub(crate) fn stores(directory: &Path) -> (Arc<dyn SessionStore>, Arc<dyn BlobStore>) {
    let blobs = FsSettings { reserve_bytes: 0, ..FsSettings::new(directory.join("blobs")) };
    let sessions = SledSettings::new(directory.join("sessions"));
    let sessions = SledSessionStore::open(&sessions).unwrap();
    (Arc::new(sessions), Arc::new(FsBlobStore::open(&blobs).unwrap()))
}
