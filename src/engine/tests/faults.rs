//! Stores that fail: nothing is acknowledged that is not there.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::*;
use crate::storage::{
    BlobReader, BlobState, BlobWriter, Labels, LocalFile, Pending, Revision, Stored, Tail, TakeIn,
};
use crate::upload::{ConcatOrder, Holding, Phase};

/// A blob store whose devices fail on command.
pub(super) struct Faulty {
    inner: Arc<dyn BlobStore>,
    faults: Arc<Faults>,
}

#[derive(Default)]
pub(super) struct Faults {
    /// So many writes fail in passing, with half of their first piece written.
    pub(super) writes_failing: AtomicU64,
    /// So many openings, for writing or reading, fail in passing.
    pub(super) openings_failing: AtomicU64,
    /// So many syncs fail, in a way that passes elsewhere.
    pub(super) syncs_failing: AtomicU64,
    /// How often a sync was asked for.
    pub(super) syncs: AtomicU64,
    sync: AtomicBool,
    full: AtomicBool,
    publish: AtomicBool,
    /// A write takes this many milliseconds.
    slow: AtomicU64,
    /// Writing waits while this is set.
    pub(super) writing_shut: AtomicBool,
    /// Which threads wrote.
    pub(super) wrote: Mutex<Vec<std::thread::ThreadId>>,
    /// Joining waits until this is opened, if it is shut.
    joining: tokio::sync::Mutex<()>,
    /// Bytes that were written once more.
    renewed: AtomicU64,
}

fn broken() -> StorageError {
    StorageError::Io { doing: "a test", source: std::io::Error::other("injected") }
}

fn passing() -> StorageError {
    let source = std::io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error());
    StorageError::Io { doing: "a test", source }
}

impl Faults {
    /// Uses one of the failures up.
    fn pass(failures: &AtomicU64) -> Result<(), StorageError> {
        let used =
            failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if used.is_ok() { Err(passing()) } else { Ok(()) }
    }

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
        self.faults.wrote.lock().unwrap().push(std::thread::current().id());
        while self.faults.writing_shut.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let slow = Duration::from_millis(self.faults.slow.load(Ordering::SeqCst));
        let began = std::time::Instant::now();
        while began.elapsed() < slow {
            std::thread::yield_now();
        }
        if let Err(error) = Faults::pass(&self.faults.writes_failing) {
            let half = batch.first().map(|piece| piece.slice(..piece.len() / 2)).unwrap();
            self.inner.write(at, &[half])?;
            return Err(error);
        }
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
    fn renew(&self, from: UploadOffset, to: UploadOffset) -> Result<(), StorageError> {
        self.faults.renewed.fetch_add(to.since(from).unwrap(), Ordering::SeqCst);
        self.inner.renew(from, to)
    }
    fn sync(&self) -> Result<(), StorageError> {
        self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        Faults::pass(&self.faults.syncs_failing)?;
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
            Faults::pass(&self.faults.openings_failing)?;
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
        Box::pin(async move {
            Faults::pass(&self.faults.openings_failing)?;
            self.inner.open(id).await
        })
    }
    fn open_unpublished(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>> {
        self.inner.open_unpublished(id)
    }
    fn delete(&self, id: UploadId) -> Pending<'_, ()> {
        self.inner.delete(id)
    }
    fn join(&self, target: UploadId, at: UploadOffset, part: UploadId) -> Pending<'_, u64> {
        Box::pin(async move {
            drop(self.faults.joining.lock().await);
            self.inner.join(target, at, part).await
        })
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
        age: Duration,
        known: Box<dyn Fn(UploadId) -> bool + Send>,
    ) -> Pending<'_, u64> {
        self.inner.sweep(age, known)
    }
}

pub(super) fn faulty() -> (House, Arc<Faults>) {
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
    house.settings.silent_after = Duration::MAX;
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

#[tokio::test]
async fn after_a_write_that_was_slow_the_next_one_leaves_the_thread_that_receives() {
    let (house, faults) = faulty();
    let engine = house.engine("this");
    let id = engine.create(of_length(4)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    let slow = u64::try_from(house.settings.slow_write.as_millis()).unwrap() + 10;
    for (bytes, took) in [(b"a", 0), (b"b", slow), (b"c", 0), (b"d", 0)] {
        faults.slow.store(took, Ordering::SeqCst);
        write(&mut transfer, bytes).await.unwrap();
    }
    assert!(transfer.complete().await.unwrap().is_complete());
    let here = std::thread::current().id();
    let wrote: Vec<bool> = faults.wrote.lock().unwrap().iter().map(|id| *id == here).collect();
    assert_eq!(wrote, [true, true, false, true]);
    assert_eq!(content(&engine, id).await.unwrap(), "abcd");
}

#[tokio::test]
async fn a_final_is_answered_in_time_while_its_parts_are_still_being_joined() {
    let (mut house, faults) = faulty();
    house.settings.assemble_wait = Duration::from_millis(20);
    let engine = house.engine("this");
    let part = upload(&engine, partial(3), b"abc").await;
    let order = ConcatOrder {
        owner: Owner::anonymous(),
        metadata: Metadata::default(),
        parts: vec![part],
        max_length: None,
        as_received: "final;/files/a".to_owned(),
    };
    let shut = faults.joining.lock().await;
    let whole = engine.concatenate(order).await.unwrap();
    assert_eq!(whole.phase(), Phase::Assembling);
    drop(shut);
    until("the parts are joined", async || {
        engine.inspect(whole.id(), &Owner::anonymous()).await.unwrap().is_complete()
    })
    .await;
    assert_eq!(content(&engine, whole.id()).await.unwrap(), "abc");
}

#[tokio::test]
async fn past_4096_labels_that_wait_whoever_brings_the_next_one_waits() {
    let house = House::new();
    let engine = house.engine("this");
    let scribe = Scribe::new(Arc::clone(&house.blobs));
    let first = engine.create(of_length(1)).await.unwrap();
    scribe.note(&first).await;
    for _ in 1..4096 {
        scribe.note(&engine.create(of_length(1)).await.unwrap()).await;
    }
    scribe.note(&first).await;
    let last = engine.create(of_length(1)).await.unwrap();
    let mut waits = Box::pin(scribe.note(&last));
    assert!(tokio::time::timeout(Duration::from_millis(20), &mut waits).await.is_err());
    tokio::join!(waits, scribe.finish());
    scribe.finish().await;
    assert!(house.blobs.read_label(last.id()).await.unwrap().is_some());
}

#[tokio::test]
async fn what_a_killed_process_wrote_is_written_again_before_it_counts() {
    let (house, faults) = faulty();
    let id = {
        let engine = house.engine("this");
        until("the sweep is through", async || engine.shared.recovered.load(Ordering::SeqCst))
            .await;
        let id = engine.create(of_length(6)).await.unwrap().id();
        send(&engine, id, 0, b"abc").await;
        let writer = house.blobs.begin(id, offset(3), Tail::Keep).await.unwrap();
        writer.write(offset(3), &[Bytes::from_static(b"de")]).unwrap();
        id
    };
    // The system may take those for written, because an older sync failed.
    let engine = house.engine("this");
    assert_eq!(stands_at(&engine, id).await, 5);
    assert_eq!(faults.renewed.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_was_published_before_a_kill_is_published_again_before_it_is_told() {
    let (house, faults) = faulty();
    let id = {
        let engine = house.engine("this");
        until("the sweep is through", async || engine.shared.recovered.load(Ordering::SeqCst))
            .await;
        let id = engine.create(of_length(3)).await.unwrap().id();
        let writer = house.blobs.begin(id, offset(0), Tail::Keep).await.unwrap();
        writer.write(offset(0), &[Bytes::from_static(b"abc")]).unwrap();
        house.blobs.publish(id).await.unwrap();
        id
    };
    // The name of the finished blob may not be on the device.
    faults.publish.store(true, Ordering::SeqCst);
    let engine = house.engine("this");
    assert!(engine.inspect(id, &Owner::anonymous()).await.is_err());
    until("the sweep is through", async || engine.shared.recovered.load(Ordering::SeqCst)).await;
    assert!(engine.inspect(id, &Owner::anonymous()).await.is_err(), "what failed is tried again");
    faults.publish.store(false, Ordering::SeqCst);
    assert!(engine.inspect(id, &Owner::anonymous()).await.unwrap().is_complete());
}

/// A session store on a device that does not take what is flushed.
struct Stalled(Arc<dyn SessionStore>);

impl SessionStore for Stalled {
    fn settled(&self, _: UploadId) -> Pending<'_, ()> {
        Box::pin(std::future::pending())
    }
    fn create<'a>(&'a self, session: &'a Session) -> Pending<'a, Revision> {
        self.0.create(session)
    }
    fn get(&self, id: UploadId) -> Result<Option<Stored>, StorageError> {
        self.0.get(id)
    }
    fn commit<'a>(&'a self, session: &'a Session, seen: Revision) -> Pending<'a, Revision> {
        self.0.commit(session, seen)
    }
    fn delete(&self, id: UploadId) -> Pending<'_, ()> {
        self.0.delete(id)
    }
    fn expiring(&self, moment: Timestamp, limit: usize) -> Result<Vec<UploadId>, StorageError> {
        self.0.expiring(moment, limit)
    }
    fn ids(&self, after: Option<UploadId>, limit: usize) -> Result<Vec<UploadId>, StorageError> {
        self.0.ids(after, limit)
    }
    fn holdings(
        &self,
        owner: &Owner,
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Vec<Holding>, StorageError> {
        self.0.holdings(owner, after, limit)
    }
    fn relist(&self, owner: &Owner, id: UploadId) -> Result<Option<Holding>, StorageError> {
        self.0.relist(owner, id)
    }
    fn unlist(&self, owner: &Owner, id: UploadId) -> Result<(), StorageError> {
        self.0.unlist(owner, id)
    }
    fn close(&self) -> Pending<'_, ()> {
        self.0.close()
    }
}

#[tokio::test]
async fn nothing_is_told_of_a_record_before_the_device_has_it() {
    let mut house = House::new();
    house.settings.takeover_timeout = Duration::from_millis(1);
    house.sessions = Arc::new(Stalled(house.sessions));
    let (engine, owner) = (house.engine("this"), Owner::anonymous());
    let id = upload(&engine, of_length(3), b"abc").await;
    assert!(matches!(engine.inspect(id, &owner).await, Err(EngineError::Busy)));
    assert!(matches!(engine.peek(id, &owner).await, Err(EngineError::Busy)));
    let order = PutOrder {
        id,
        owner,
        from: offset(0),
        body_bytes: None,
        opens: None,
        when_cut: WhenCut::Keep,
    };
    assert!(matches!(engine.put(order).await, Err(EngineError::Busy)));
}
