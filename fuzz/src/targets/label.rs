//! Labels: whatever stands in one, reading it is an answer, and a torn line costs no record that was
//! written whole behind it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tidegate::storage::BlobStore;
use tidegate::storage::blob::{FsBlobStore, FsSettings};
use tidegate::upload::{
    BootId, Limits, Metadata, NewSession, Owner, Session, Timestamp, UploadId, UploadLength, record,
};
use tokio::runtime::{Builder, Runtime};

const ID: [u8; 16] = [0x70; 16];

/// A store of this thread, a label in it, and a record that may stand there.
struct Shelf {
    runtime: Runtime,
    store: FsBlobStore,
    label: PathBuf,
    record: Vec<u8>,
    _folder: TempDir,
}

impl Shelf {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let root = folder.path().join("blobs");
        let settings =
            FsSettings { sync: false, reserve_bytes: 0, ..FsSettings::new(root.clone()) };
        let store = FsBlobStore::open(&settings).expect("a store");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let id = UploadId::from_bytes(ID);
        let new = NewSession::of(Owner::anonymous(), UploadLength::new(9), Metadata::default());
        let limits = Limits { session_timeout: Duration::from_secs(60), ..Limits::default() };
        let (boot, now) = (BootId::new("boot".to_owned()), Timestamp::default());
        let session = Session::create(new, id, &limits, boot, now).expect("a session");
        let record = record::encode(&session).expect("a record");
        let label = root.join("labels/7").join(id.to_string());
        Self { runtime, store, label, record, _folder: folder }
    }

    fn read(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        fs::write(&self.label, bytes).expect("a file can be written");
        let read = self.store.read_label(UploadId::from_bytes(ID));
        self.runtime.block_on(read).expect("whatever stands there can be read")
    }
}

thread_local! {
    static SHELF: Shelf = Shelf::new();
}

pub(crate) fn run(data: &[u8]) {
    SHELF.with(|shelf| read(shelf, data));
}

fn read(shelf: &Shelf, data: &[u8]) {
    if let Some(line) = shelf.read(data) {
        assert!(!line.contains(&b'\n') && !line.is_empty());
        assert!(data.windows(line.len()).any(|part| part == line));
    }
    let good = shelf.record.as_slice();
    assert_eq!(shelf.read(&[data, b"\n", good].concat()).as_deref(), Some(good));
    // A line torn behind a good one is passed over, unless it is a record of this very upload.
    let last = shelf.read(&[good, b"\n", data].concat()).expect("a good line");
    assert!(record::decode(&last).is_ok_and(|session| session.id().as_bytes() == &ID));
}
