use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::storage::contract::blob::{Subject, every_promise};
use crate::storage::contract::session::session_expiring_at;
use crate::upload::record;

fn settings(directory: &Path) -> FsSettings {
    FsSettings { reserve_bytes: 0, ..FsSettings::new(directory.join("blobs")) }
}

fn open(directory: &TempDir) -> FsBlobStore {
    FsBlobStore::open(&settings(directory.path())).unwrap()
}

every_promise!(|| {
    let directory = TempDir::new().unwrap();
    let full = FsSettings { reserve_bytes: u64::MAX, ..settings(directory.path()) };
    Subject {
        store: Arc::new(open(&directory)),
        full: Arc::new(FsBlobStore::open(&full).unwrap()),
        guard: Box::new(directory),
    }
});

fn at(bytes: u64) -> UploadOffset {
    UploadOffset::new(bytes).unwrap()
}

async fn write(store: &FsBlobStore, id: UploadId, bytes: &'static [u8], tail: Tail) {
    let writer = store.begin(id, at(0), tail).await.unwrap();
    writer.write(at(0), &[Bytes::from_static(bytes)]).unwrap();
    writer.sync().unwrap();
}

fn label_of(id: UploadId, moment: u64) -> Bytes {
    record::encode(&session_expiring_at(id, moment)).unwrap().into()
}

/// The file of this id, by the documented layout.
fn file(directory: &TempDir, kind: &str, id: UploadId, suffix: &str) -> PathBuf {
    let (id, root) = (id.to_string(), directory.path().join("blobs"));
    root.join(kind).join(id.get(..1).unwrap()).join(format!("{id}{suffix}"))
}

#[tokio::test]
async fn everything_is_still_there_after_opening_again() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let [running, unproven, finished] = [(); 3].map(|()| UploadId::generate());
    write(&store, running, b"running", Tail::Keep).await;
    write(&store, unproven, b"unproven", Tail::Discard).await;
    write(&store, finished, b"finished", Tail::Keep).await;
    store.publish(finished).await.unwrap();
    store.label(finished, label_of(finished, 1)).await.unwrap();
    drop(store);

    let store = open(&directory);
    let state = |offset, published| Some(BlobState { offset: at(offset), published });
    assert_eq!(store.state(running).await.unwrap(), state(7, false));
    assert_eq!(store.state(unproven).await.unwrap(), state(0, false));
    assert_eq!(store.state(finished).await.unwrap(), state(8, true));
    assert_eq!(store.read_label(finished).await.unwrap().unwrap(), label_of(finished, 1));
}

#[tokio::test]
async fn files_lie_where_the_storage_layout_says_and_are_private() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = UploadId::generate();
    write(&store, id, b"abc", Tail::Discard).await;
    store.label(id, label_of(id, 1)).await.unwrap();
    let mark = file(&directory, "running", id, ".unproven");
    assert_eq!(std::fs::read_link(mark).unwrap().to_str(), Some("0"));
    assert_eq!(std::fs::read(file(&directory, "running", id, "")).unwrap(), b"abc");
    store.publish(id).await.unwrap();
    let (blob, label) = (file(&directory, "finished", id, ""), file(&directory, "labels", id, ""));
    assert_eq!(std::fs::read(&blob).unwrap(), b"abc");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&blob), mode(&label)), (0o600, 0o600));
    assert_eq!(mode(blob.parent().unwrap()), 0o700);
    assert_eq!(mode(&directory.path().join("blobs")), 0o700);
    assert_eq!(
        std::fs::read_dir(file(&directory, "running", id, "").parent().unwrap()).unwrap().count(),
        0
    );
}

#[tokio::test]
async fn a_torn_label_leaves_the_one_before_it() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = UploadId::generate();
    let (first, second) = (label_of(id, 1), label_of(id, 2));
    store.label(id, first.clone()).await.unwrap();
    store.label(id, second.clone()).await.unwrap();
    let path = file(&directory, "labels", id, "");
    let whole = std::fs::read(&path).unwrap();
    for torn in first.len()..whole.len() {
        std::fs::write(&path, &whole[..torn]).unwrap();
        assert_eq!(store.read_label(id).await.unwrap().unwrap(), first, "torn at {torn}");
    }
    // What a power cut may leave behind the last sync.
    std::fs::write(&path, [&first[..], &[0; 100]].concat()).unwrap();
    store.label(id, second.clone()).await.unwrap();
    assert_eq!(store.read_label(id).await.unwrap().unwrap(), second);
}

#[tokio::test]
async fn a_label_that_is_none_comes_back_to_be_judged() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = UploadId::generate();
    std::fs::write(file(&directory, "labels", id, ""), b"scribble\nmore").unwrap();
    assert_eq!(store.read_label(id).await.unwrap().unwrap(), b"more");
    let other = label_of(UploadId::generate(), 1);
    std::fs::write(file(&directory, "labels", id, ""), &other).unwrap();
    assert_eq!(store.sweep(Duration::ZERO, Box::new(|_| false)).await.unwrap(), 0);
    assert!(!store.files.has_good_label(id).unwrap(), "the label of another upload");
}

#[tokio::test]
async fn a_label_file_stays_short_however_often_it_is_written() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = UploadId::generate();
    for moment in 0..1000 {
        store.label(id, label_of(id, moment)).await.unwrap();
    }
    let path = file(&directory, "labels", id, "");
    assert!(std::fs::metadata(&path).unwrap().len() <= 64 * 1024);
    assert_eq!(store.read_label(id).await.unwrap().unwrap(), label_of(id, 999));
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_second_name_left_by_a_crash_is_swept_and_the_finished_one_counts() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = UploadId::generate();
    write(&store, id, b"abc", Tail::Keep).await;
    store.publish(id).await.unwrap();
    store.label(id, label_of(id, 1)).await.unwrap();
    let running = file(&directory, "running", id, "");
    std::fs::hard_link(file(&directory, "finished", id, ""), &running).unwrap();
    let state = BlobState { offset: at(3), published: true };
    assert_eq!(store.state(id).await.unwrap(), Some(state));
    assert_eq!(store.sweep(Duration::ZERO, Box::new(|_| true)).await.unwrap(), 1);
    assert!(!running.exists());
    assert_eq!(store.state(id).await.unwrap(), Some(state));
    assert!(store.read_label(id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_mark_that_is_none_is_an_error_and_not_a_guess() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = UploadId::generate();
    write(&store, id, b"abc", Tail::Keep).await;
    let mark = file(&directory, "running", id, ".unproven");
    std::fs::write(&mark, b"").unwrap();
    assert!(matches!(store.state(id).await, Err(StorageError::Damaged { .. })));
    std::fs::remove_file(&mark).unwrap();
    std::os::unix::fs::symlink("-1", &mark).unwrap();
    assert!(matches!(store.state(id).await, Err(StorageError::Damaged { .. })));
}

#[test]
fn a_directory_that_cannot_be_used_is_named_at_the_start() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("blobs"), b"a file").unwrap();
    let Err(StorageError::Io { source, .. }) = FsBlobStore::open(&settings(directory.path()))
    else {
        panic!("it opened");
    };
    assert!(source.to_string().contains("blobs"), "{source}");
    // Nobody, not even an administrator, can create directories here.
    let Err(StorageError::Io { source, .. }) = FsBlobStore::open(&settings(Path::new("/proc")))
    else {
        panic!("it opened");
    };
    assert!(source.to_string().contains("/proc/blobs"), "{source}");
}

/// A device that is really full is met by the integration tests, which can make one.
#[test]
fn a_full_device_and_a_full_quota_both_mean_that_there_is_no_room() {
    use rustix::io::Errno;
    for (errno, no_room) in [(Errno::NOSPC, true), (Errno::DQUOT, true), (Errno::IO, false)] {
        let error = StorageError::io("writing an upload")(io::Error::from(errno));
        assert_eq!(matches!(error, StorageError::NoRoom), no_room, "{errno:?}");
    }
}

#[tokio::test]
async fn without_sync_everything_but_the_power_cut_still_holds() {
    let directory = TempDir::new().unwrap();
    let settings = FsSettings { sync: false, ..settings(directory.path()) };
    let store = FsBlobStore::open(&settings).unwrap();
    let id = UploadId::generate();
    write(&store, id, b"abc", Tail::Discard).await;
    store.publish(id).await.unwrap();
    drop(store);
    let reader = open(&directory).open(id).await.unwrap();
    assert_eq!(reader.length(), 3);
}

#[tokio::test]
async fn a_linked_file_is_published_without_a_copy_and_outlives_its_deletion_here() {
    use std::os::unix::fs::MetadataExt;

    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let path = directory.path().join("old");
    std::fs::write(&path, "hello").unwrap();
    let local = || LocalFile { file: std::fs::File::open(&path).unwrap(), path: path.clone() };
    let id = UploadId::generate();
    assert_eq!(store.take_in(id, local(), TakeIn::Link).await.unwrap(), 5);
    assert_eq!(std::fs::metadata(&path).unwrap().nlink(), 2);
    assert_eq!(store.state(id).await.unwrap().unwrap().offset, at(5));
    // It never has the name of a running blob, which could be cut.
    assert!(matches!(store.begin(id, at(0), Tail::Keep).await, Err(StorageError::Damaged { .. })));
    store.delete(id).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"hello");
}

#[tokio::test]
async fn a_link_that_is_another_file_than_was_opened_is_refused() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let (path, other) = (directory.path().join("old"), directory.path().join("other"));
    std::fs::write(&path, "hello").unwrap();
    std::fs::write(&other, "other").unwrap();
    let local = LocalFile { file: std::fs::File::open(&path).unwrap(), path: other };
    let id = UploadId::generate();
    assert!(store.take_in(id, local, TakeIn::Link).await.is_err());
    assert!(store.state(id).await.unwrap().is_none());
}

/// A sync that would have to bring the directory to the device fails, because it is not there; the
/// open file is.
#[expect(clippy::disallowed_methods, reason = "a directory that is away for a moment")]
fn syncs_its_directory(directory: &TempDir, id: UploadId, writer: &dyn BlobWriter) -> bool {
    let shard = file(directory, "running", id, "").parent().unwrap().to_owned();
    let aside = directory.path().join("aside");
    std::fs::rename(&shard, &aside).unwrap();
    let synced = writer.sync().is_ok();
    std::fs::rename(&aside, &shard).unwrap();
    !synced
}

/// An id in the same directory.
fn neighbour(id: UploadId) -> UploadId {
    let [first, ..] = *id.as_bytes();
    UploadId::from_bytes([first; 16])
}

#[tokio::test]
async fn a_name_that_nobody_synced_is_synced_by_whoever_goes_on() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = UploadId::generate();
    // Its directory is known to be on the device as it was.
    write(&store, neighbour(id), b"abc", Tail::Keep).await;
    // Whoever made it went without a byte, or failed before it could sync.
    drop(store.begin(id, at(0), Tail::Keep).await.unwrap());
    let writer = store.begin(id, at(0), Tail::Keep).await.unwrap();
    writer.write(at(0), &[Bytes::from_static(b"abc")]).unwrap();
    assert!(syncs_its_directory(&directory, id, writer.as_ref()));
    // What failed once stays failed; the next writer does it.
    assert!(writer.sync().is_err());
    store.begin(id, at(0), Tail::Keep).await.unwrap().sync().unwrap();
    let writer = store.begin(id, at(0), Tail::Keep).await.unwrap();
    writer.write(at(0), &[Bytes::from_static(b"abc")]).unwrap();
    writer.sync().unwrap();
    let writer = store.begin(id, at(3), Tail::Keep).await.unwrap();
    assert!(!syncs_its_directory(&directory, id, writer.as_ref()), "once is enough");
}

#[tokio::test]
async fn a_name_that_a_killed_process_left_is_synced_by_the_next_one() {
    let directory = TempDir::new().unwrap();
    let (store, id) = (open(&directory), UploadId::generate());
    let writer = store.begin(id, at(0), Tail::Keep).await.unwrap();
    writer.write(at(0), &[Bytes::from_static(b"abc")]).unwrap();
    drop((writer, store));
    let store = open(&directory);
    let writer = store.begin(id, at(3), Tail::Keep).await.unwrap();
    assert!(syncs_its_directory(&directory, id, writer.as_ref()));
}

#[tokio::test]
async fn the_going_of_a_mark_is_synced_before_anything_behind_it_counts() {
    let directory = TempDir::new().unwrap();
    let (store, id) = (open(&directory), UploadId::generate());
    write(&store, id, b"abc", Tail::Keep).await;
    drop(store.begin(id, at(3), Tail::Discard).await.unwrap());
    // It takes the mark away, and goes without having synced anything.
    drop(store.begin(id, at(3), Tail::Keep).await.unwrap());
    let writer = store.begin(id, at(3), Tail::Keep).await.unwrap();
    assert!(syncs_its_directory(&directory, id, writer.as_ref()));
}

#[tokio::test]
async fn what_is_no_file_is_neither_read_nor_believed_and_moved_away_by_a_deletion() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = UploadId::generate();
    let place = file(&directory, "finished", id, "");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("inside"), b"whose").unwrap();
    assert!(matches!(store.state(id).await, Err(StorageError::Damaged { .. })));
    assert!(matches!(store.open(id).await, Err(StorageError::Damaged { .. })));
    store.delete(id).await.unwrap();
    assert!(!place.exists());
    let aside = directory.path().join("blobs/quarantine").join(id.to_string());
    assert_eq!(std::fs::read(aside.join("inside")).unwrap(), b"whose");
}

#[tokio::test]
async fn what_is_set_aside_never_replaces_what_was_set_aside_before() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = UploadId::generate();
    for bytes in [b"one", b"two"] {
        write(&store, id, bytes, Tail::Keep).await;
        assert_eq!(store.set_aside(id).await.unwrap().len(), 1);
        assert_eq!(store.state(id).await.unwrap(), None);
    }
    let aside = directory.path().join("blobs/quarantine");
    assert_eq!(std::fs::read(aside.join(format!("{id}.running"))).unwrap(), b"one");
    assert_eq!(std::fs::read(aside.join(format!("{id}.running.1"))).unwrap(), b"two");
}

#[tokio::test]
async fn what_is_cut_off_a_published_blob_is_kept() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = UploadId::generate();
    write(&store, id, b"abcdef", Tail::Keep).await;
    store.publish(id).await.unwrap();
    let tail = store.cut_published(id, UploadOffset::new(2).unwrap()).await.unwrap();
    assert_eq!(std::fs::read(tail).unwrap(), b"cdef");
    assert_eq!(std::fs::read(file(&directory, "finished", id, "")).unwrap(), b"ab");
}
