//! Stores that fail: nothing is acknowledged that is not there.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::storage::{BlobReader, BlobState, BlobWriter, Labels, LocalFile, Pending, Tail, TakeIn};

/// A blob store whose devices fail on command.
struct Faulty {
    inner: Arc<dyn BlobStore>,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    sync: AtomicBool,
    full: AtomicBool,
    publish: AtomicBool,
}

fn broken() -> StorageError {
    StorageError::Io { doing: "a test", source: std::io::Error::other("injected") }
}

impl Faults {
    fn check(fault: &AtomicBool, error: fn() -> StorageError) -> Result<(), StorageError> {
        if fault.load(Ordering::SeqCst) { Err(error()) } else { Ok(()) }
    }
}

struct FaultyWriter {
    inner: Box<dyn BlobWriter>,
    faults: Arc<Faults>,
}

impl BlobWriter for FaultyWriter {
    fn write(&self, at: UploadOffset, batch: &[Bytes]) -> Result<(), StorageError> {
        if Faults::check(&self.faults.full, || StorageError::NoRoom).is_ok() {
            return self.inner.write(at, batch);
        }
        // What fits is kept: the first byte of the batch.
        let first = batch.first().map(|piece| piece.slice(..1)).unwrap();
        self.inner.write(at, &[first])?;
        Err(StorageError::NoRoom)
    }
    fn written(&self) -> Result<UploadOffset, StorageError> {
        self.inner.written()
    }
    fn sync(&self) -> Result<(), StorageError> {
        Faults::check(&self.faults.sync, broken)?;
        self.inner.sync()
    }
    fn cut(&self, at: UploadOffset) -> Result<(), StorageError> {
        self.inner.cut(at)
    }
    fn keep_tail(&self) -> Result<(), StorageError> {
        self.inner.keep_tail()
    }
}

impl BlobStore for Faulty {
    fn begin(
        &self,
        id: UploadId,
        at: UploadOffset,
        tail: Tail,
    ) -> Pending<'_, Box<dyn BlobWriter>> {
        Box::pin(async move {
            let inner = self.inner.begin(id, at, tail).await?;
            let writer = FaultyWriter { inner, faults: Arc::clone(&self.faults) };
            Ok(Box::new(writer) as Box<dyn BlobWriter>)
        })
    }
    fn publish(&self, id: UploadId) -> Pending<'_, ()> {
        Box::pin(async move {
            Faults::check(&self.faults.publish, broken)?;
            self.inner.publish(id).await
        })
    }
    fn state(&self, id: UploadId) -> Pending<'_, Option<BlobState>> {
        self.inner.state(id)
    }
    fn open(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>> {
        self.inner.open(id)
    }
    fn open_unpublished(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>> {
        self.inner.open_unpublished(id)
    }
    fn delete(&self, id: UploadId) -> Pending<'_, ()> {
        self.inner.delete(id)
    }
    fn join(&self, target: UploadId, at: UploadOffset, part: UploadId) -> Pending<'_, u64> {
        self.inner.join(target, at, part)
    }
    fn take_in(&self, id: UploadId, from: LocalFile, way: TakeIn) -> Pending<'_, u64> {
        self.inner.take_in(id, from, way)
    }
    fn room(&self) -> Result<Room, StorageError> {
        self.inner.room()
    }
    fn label(&self, id: UploadId, record: Bytes) -> Pending<'_, ()> {
        self.inner.label(id, record)
    }
    fn read_label(&self, id: UploadId) -> Pending<'_, Option<Vec<u8>>> {
        self.inner.read_label(id)
    }
    fn labels(&self, after: Option<UploadId>, limit: usize) -> Pending<'_, Labels> {
        self.inner.labels(after, limit)
    }
    fn joining(&self) -> Joining {
        self.inner.joining()
    }
    fn sweep(
        &self,
        age: std::time::Duration,
        known: Box<dyn Fn(UploadId) -> bool + Send>,
    ) -> Pending<'_, u64> {
        self.inner.sweep(age, known)
    }
}

fn faulty() -> (House, Arc<Faults>) {
    let mut house = House::new();
    let faults = Arc::new(Faults::default());
    house.blobs = Arc::new(Faulty { inner: house.blobs, faults: Arc::clone(&faults) });
    (house, faults)
}

#[tokio::test]
async fn bytes_that_could_not_be_synced_are_not_acknowledged_and_can_be_sent_again() {
    let (house, faults) = faulty();
    let engine = house.engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    send(&engine, id, 0, b"abc").await;
    faults.sync.store(true, Ordering::SeqCst);
    let mut transfer = engine.append(append(id, 3)).await.unwrap();
    write(&mut transfer, b"def").await.unwrap();
    assert!(matches!(transfer.complete().await, Err(EngineError::Storage(_))));
    assert_eq!(stands_at(&engine, id).await, 3);
    faults.sync.store(false, Ordering::SeqCst);
    assert!(send(&engine, id, 3, b"DEF").await.is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "abcDEF");
}

#[tokio::test]
async fn a_look_beside_a_writer_whose_bytes_cannot_be_synced_tells_what_was_durable_before() {
    let (mut house, faults) = faulty();
    house.settings.silent_after = std::time::Duration::MAX;
    let engine = house.engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    send(&engine, id, 0, b"ab").await;
    let mut transfer = engine.append(append(id, 2)).await.unwrap();
    write(&mut transfer, b"cd").await.unwrap();
    faults.sync.store(true, Ordering::SeqCst);
    assert_eq!(stands_at(&engine, id).await, 2);
    assert!(matches!(transfer.complete().await, Err(EngineError::Storage(_))));
}

#[tokio::test]
async fn a_full_device_keeps_what_fitted_and_tells_the_true_offset() {
    let (house, faults) = faulty();
    let engine = house.engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, b"ab").await.unwrap();
    faults.full.store(true, Ordering::SeqCst);
    assert!(matches!(write(&mut transfer, b"cd").await, Err(EngineError::NoRoom { .. })));
    assert_eq!(transfer.halt().await.unwrap().offset(), offset(3));
    faults.full.store(false, Ordering::SeqCst);
    assert!(send(&engine, id, 3, b"DEF").await.is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "abcDEF");
}

#[tokio::test]
async fn a_finish_that_failed_can_be_repeated() {
    let (house, faults) = faulty();
    let engine = house.engine("this");
    let id = engine.create(of_length(3)).await.unwrap().id();
    faults.publish.store(true, Ordering::SeqCst);
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, b"abc").await.unwrap();
    assert!(matches!(transfer.complete().await, Err(EngineError::Storage(_))));
    let stands = stands_at(&engine, id).await;
    assert!(stands < 3, "a whole upload that is not visible must not look complete");
    faults.publish.store(false, Ordering::SeqCst);
    assert!(send(&engine, id, stands, b"abc").await.is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_checkpoint_that_comes_after_a_failed_finish_commits_nothing() {
    let (house, faults) = faulty();
    let engine = house.engine("this");
    let id = engine.create(of_length(9)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, b"abc").await.unwrap();
    let ledger = transfer.ledger().unwrap();
    faults.sync.store(true, Ordering::SeqCst);
    assert!(matches!(transfer.complete().await, Err(EngineError::Storage(_))));
    faults.sync.store(false, Ordering::SeqCst);
    assert_eq!(ledger.checkpoint().await.unwrap().offset(), offset(0));
    assert_eq!(stands_at(&engine, id).await, 0);
}

#[tokio::test]
async fn no_checkpoint_records_an_upload_as_whole_before_it_is_visible() {
    let house = House::new();
    let engine = house.engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, b"abc").await.unwrap();
    let ledger = transfer.ledger().unwrap();
    assert_eq!(ledger.checkpoint().await.unwrap().offset(), offset(3));
    write(&mut transfer, b"def").await.unwrap();
    assert_eq!(ledger.checkpoint().await.unwrap().offset(), offset(3));
    assert!(transfer.complete().await.unwrap().is_complete());
}

#[tokio::test]
async fn a_checkpoint_makes_bytes_durable_while_the_writer_goes_on() {
    let mut house = House::new();
    house.settings.checkpoint_bytes = 4;
    let engine = house.engine("this");
    let id = engine.create(of_length(10)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, b"abcd").await.unwrap();
    until("the checkpoint is committed", async || {
        house.sessions.get(id).unwrap().unwrap().session.offset() == offset(4)
    })
    .await;
    write(&mut transfer, b"efghij").await.unwrap();
    assert!(transfer.complete().await.unwrap().is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "abcdefghij");
}
