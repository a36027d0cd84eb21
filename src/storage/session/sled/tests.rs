use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use super::*;
use crate::storage::contract::session::{
    Subject, every_promise, long_session, session_expiring_at,
};

fn settings(directory: &Path) -> SledSettings {
    SledSettings::new(directory.join("sessions"))
}

fn open(directory: &TempDir) -> Result<SledSessionStore, StorageError> {
    SledSessionStore::open(&settings(directory.path()))
}

every_promise!(|| {
    let directory = TempDir::new().unwrap();
    let store = Arc::new(open(&directory).unwrap());
    let damaged = Arc::clone(&store);
    Subject { store, damage: Box::new(move |id| damaged.damage(id)), guard: Box::new(directory) }
});

/// The operator's words for a store that did not open.
fn trouble(outcome: Result<SledSessionStore, StorageError>) -> SledTrouble {
    match outcome {
        Err(StorageError::Database(trouble)) => *trouble.downcast::<SledTrouble>().unwrap(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opened"),
    }
}

#[tokio::test]
async fn everything_is_still_there_after_opening_again() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    let short = session_expiring_at(UploadId::generate(), 10);
    let long = long_session(UploadId::generate(), 20);
    let gone = session_expiring_at(UploadId::generate(), 30);
    let mut revisions = Vec::new();
    for session in [&short, &long, &gone] {
        revisions.push(store.create(session).await.unwrap());
    }
    revisions[0] = store.commit(&short, revisions[0]).await.unwrap();
    store.delete(gone.id()).await.unwrap();
    store.close().await.unwrap();
    drop(store);

    let store = open(&directory).unwrap();
    for (session, revision) in [(&short, revisions[0]), (&long, revisions[1])] {
        let found = store.get(session.id()).unwrap().unwrap();
        assert_eq!(found, Stored { session: session.clone(), revision });
    }
    assert_eq!(store.get(gone.id()).unwrap(), None);
    let everything = Timestamp::from_unix_milliseconds(u64::MAX);
    assert_eq!(store.expiring(everything, 10).unwrap(), [short.id(), long.id()]);
    assert_eq!(store.ids(None, 10).unwrap().len(), 2);
}

#[tokio::test]
async fn an_acknowledged_commit_is_on_disk_before_the_store_is_closed() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    let session = session_expiring_at(UploadId::generate(), 10);
    store.create(&session).await.unwrap();
    // What a crash at this moment would leave behind.
    let copy = TempDir::new().unwrap();
    let (from, to) = (directory.path().join("sessions"), copy.path().join("sessions"));
    std::fs::create_dir_all(to.join("blobs")).unwrap();
    for name in ["db", "conf"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    assert_eq!(open(&copy).unwrap().get(session.id()).unwrap().unwrap().session, session);
}

#[tokio::test]
async fn what_a_crash_left_of_a_creation_goes_when_its_moment_comes() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    let id = UploadId::generate();
    let at = Timestamp::from_unix_milliseconds(10);
    store.expiry.insert(Some(at), id).unwrap();
    store.pieces.insert(id, Revision::FIRST, Some(at), &[b'x'; 10_000]).unwrap();
    assert_ne!(store.pieces.count(), 0);
    assert_eq!(store.expiring(at, 10).unwrap(), []);
    assert_eq!((store.expiry.count(), store.pieces.count()), (0, 0));
}

#[tokio::test]
async fn a_stale_hint_is_dropped_and_the_true_one_kept() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    let session = session_expiring_at(UploadId::generate(), 50);
    store.create(&session).await.unwrap();
    let stale = Timestamp::from_unix_milliseconds(10);
    store.expiry.insert(Some(stale), session.id()).unwrap();
    assert_eq!(store.expiring(stale, 10).unwrap(), []);
    let due = Timestamp::from_unix_milliseconds(50);
    assert_eq!(store.expiring(due, 10).unwrap(), [session.id()]);
    assert_eq!(store.expiry.count(), 1);
}

/// sled does not sync the files that it makes of long messages; see `value`.
#[tokio::test]
async fn many_long_records_never_become_files_of_their_own() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    let sessions: Vec<_> = (0..200).map(|_| long_session(UploadId::generate(), 10)).collect();
    for session in &sessions {
        let revision = store.create(session).await.unwrap();
        store.commit(session, revision).await.unwrap();
    }
    let blobs = directory.path().join("sessions/blobs");
    assert_eq!(std::fs::read_dir(blobs).unwrap().count(), 0);
    for session in &sessions {
        store.delete(session.id()).await.unwrap();
    }
    assert_eq!((store.expiry.count(), store.pieces.count()), (0, 0));
}

#[tokio::test]
async fn a_store_in_use_says_that_another_tidegate_runs() {
    let directory = TempDir::new().unwrap();
    let first = open(&directory).unwrap();
    let trouble = trouble(open(&directory));
    assert!(matches!(trouble, SledTrouble::Locked(_)), "{trouble}");
    assert!(trouble.to_string().contains("another tidegate is running on"), "{trouble}");
    drop(first);
    open(&directory).unwrap();
}

#[tokio::test]
async fn a_file_in_the_place_of_the_database_is_named() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("sessions"), b"").unwrap();
    let trouble = trouble(open(&directory));
    assert!(matches!(trouble, SledTrouble::Unusable { .. }), "{trouble}");
    assert!(trouble.to_string().contains("sessions"), "{trouble}");
}

#[tokio::test]
async fn a_damaged_database_says_so_and_names_the_way_out() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    for _ in 0..100 {
        store.create(&session_expiring_at(UploadId::generate(), 10)).await.unwrap();
    }
    drop(store);
    // Opening again writes down where everything lies; an empty log contradicts that.
    drop(open(&directory).unwrap());
    std::fs::write(directory.path().join("sessions/db"), b"").unwrap();
    let trouble = trouble(open(&directory));
    assert!(matches!(trouble, SledTrouble::Damaged(_) | SledTrouble::Behind { .. }), "{trouble}");
    assert!(trouble.to_string().contains("tidegate doctor --rebuild"), "{trouble}");
}

#[test]
fn damage_that_is_met_later_says_the_same() {
    let StorageError::Database(met) = open::failed(sled::Error::Corruption { at: None, bt: () })
    else {
        panic!("not a failure of the database");
    };
    assert!(met.to_string().contains("tidegate doctor --rebuild"), "{met}");
}

#[tokio::test]
async fn every_flush_is_observed() {
    let directory = TempDir::new().unwrap();
    let flushes = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&flushes);
    let observer: FlushObserver = Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let settings = SledSettings { observer: Some(observer), ..settings(directory.path()) };
    let store = SledSessionStore::open(&settings).unwrap();
    store.create(&session_expiring_at(UploadId::generate(), 10)).await.unwrap();
    assert_eq!(flushes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_database_is_closed_to_other_users_of_the_machine() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let _store = open(&directory).unwrap();
    let mode = std::fs::metadata(directory.path().join("sessions")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_database_from_before_there_were_owners_is_listed_once() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    let session = session_expiring_at(UploadId::generate(), 10);
    store.create(&session).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let path = settings(directory.path()).path;
    let db = sled::Config::new().path(&path).open().unwrap();
    assert!(db.drop_tree("owners").unwrap());
    db.flush().unwrap();
    drop(db);

    let store = open(&directory).unwrap();
    let owner = session.owner();
    assert_eq!(store.holdings(owner, None, 10).unwrap(), [Holding::of(&session)]);
    // And only once: what is taken off the list stays off it.
    store.unlist(owner, session.id()).unwrap();
    store.close().await.unwrap();
    drop(store);
    assert_eq!(open(&directory).unwrap().holdings(owner, None, 10).unwrap(), []);
}

#[tokio::test]
async fn after_a_flush_that_failed_nothing_is_told_that_the_device_may_not_have() {
    let directory = TempDir::new().unwrap();
    let mut store = open(&directory).unwrap();
    let session = session_expiring_at(UploadId::generate(), 10);
    store.create(&session).await.unwrap();
    store.flusher = Flusher::start(Box::new(|| Err("no device".to_owned())), None).unwrap();
    assert!(store.get(session.id()).is_ok(), "nothing has failed yet");
    assert!(store.commit(&session, Revision::FIRST).await.is_err());
    assert!(matches!(store.get(session.id()), Err(StorageError::Database(_))));
}

#[tokio::test]
async fn what_a_look_has_shown_is_waited_for_until_it_is_flushed() {
    let directory = TempDir::new().unwrap();
    let mut store = open(&directory).unwrap();
    let session = session_expiring_at(UploadId::generate(), 10);
    store.create(&session).await.unwrap();
    store.settled(session.id()).await.unwrap();
    let (begun, begins) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let flush = Box::new(move || {
        let _ = begun.send(());
        released.recv().map_err(|_| "no device".to_owned())
    });
    store.flusher = Flusher::start(flush, None).unwrap();
    let store = Arc::new(store);
    let commit = tokio::spawn({
        let (store, session) = (Arc::clone(&store), session.clone());
        async move { store.commit(&session, Revision::FIRST).await }
    });
    tokio::task::spawn_blocking(move || begins.recv().unwrap()).await.unwrap();
    assert_eq!(store.get(session.id()).unwrap().unwrap().revision, Revision::FIRST.next());
    let mut settled = store.settled(session.id());
    assert!(asked_once(&mut settled).await.is_none(), "the device does not have it yet");
    // The flush under way, and the one that the look asked for.
    release.send(()).unwrap();
    release.send(()).unwrap();
    settled.await.unwrap();
    commit.await.unwrap().unwrap();
    store.settled(session.id()).await.unwrap();
    drop(release);
    assert!(store.commit(&session, Revision::FIRST.next()).await.is_err());
    assert!(store.settled(session.id()).await.is_err());
}

/// What a future says when it is asked once.
async fn asked_once<T>(future: &mut Pending<'_, T>) -> Option<Result<T, StorageError>> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn a_flush_that_failed_has_the_log_written_again_at_the_next_start() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    let session = session_expiring_at(UploadId::generate(), 10);
    store.create(&session).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let path = settings(directory.path()).path;
    doubt::raise(&path);
    let store = open(&directory).unwrap();
    assert_eq!(store.get(session.id()).unwrap().unwrap().session, session);
    assert!(!path.join("unsynced").exists());
}

#[tokio::test]
async fn a_log_that_lost_its_newest_changes_is_told_from_one_that_has_them() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    for _ in 0..50 {
        store.create(&session_expiring_at(UploadId::generate(), 10)).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let log = directory.path().join("sessions/db");
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let trouble = trouble(open(&directory));
    assert!(matches!(trouble, SledTrouble::Behind { .. }), "{trouble}");
    assert!(trouble.to_string().contains("tidegate doctor --rebuild"), "{trouble}");
    // Whoever wants what is left gets it.
    let salvage = SledSettings { salvage: true, ..settings(directory.path()) };
    assert!(!SledSessionStore::open(&salvage).unwrap().ids(None, 100).unwrap().is_empty());
}

#[tokio::test]
async fn without_syncs_nothing_is_claimed_beside_the_log() {
    let directory = TempDir::new().unwrap();
    let unsynced = SledSettings { sync: false, ..settings(directory.path()) };
    drop(open(&directory).unwrap());
    assert!(directory.path().join("sessions/mark").exists());
    let store = SledSessionStore::open(&unsynced).unwrap();
    store.create(&session_expiring_at(UploadId::generate(), 10)).await.unwrap();
    assert!(!directory.path().join("sessions/mark").exists());
}

#[tokio::test]
async fn what_a_list_lacks_is_told_and_set_right() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    let session = session_expiring_at(UploadId::generate(), 50);
    store.create(&session).await.unwrap();
    store.expiry.remove(session.expires_at(), session.id()).unwrap();
    store.unlist(session.owner(), session.id()).unwrap();
    for (mend, count) in [(Mend::No, 2), (Mend::Yes, 2), (Mend::No, 0)] {
        let mut told = Vec::new();
        store.compare_lists(mend, &mut |id, fault| told.push((id, fault))).unwrap();
        assert_eq!(told.len(), count, "{mend:?}: {told:?}");
    }
    let due = Timestamp::from_unix_milliseconds(50);
    assert_eq!(store.expiring(due, 10).unwrap(), [session.id()]);
    assert_eq!(store.holdings(session.owner(), None, 10).unwrap(), [Holding::of(&session)]);
}
