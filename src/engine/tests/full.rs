//! A session store that has no room for a change: refused, and nothing else is lost by it.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::storage::{Pending, Revision, Stored, Tail};
use crate::upload::{ConcatOrder, Holding, Phase};

/// A store whose device is full on command.
struct FullStore {
    inner: Arc<dyn SessionStore>,
    full: Arc<Full>,
}

#[derive(Default)]
struct Full {
    /// For whatever comes.
    for_all: AtomicBool,
    /// For final uploads.
    for_finals: AtomicBool,
    /// Whether a change was refused.
    refused: AtomicBool,
}

impl FullStore {
    fn check(&self, session: &Session) -> Result<(), StorageError> {
        let is_final = matches!(session.relation(), Relation::Final { .. });
        let full = self.full.for_all.load(Ordering::SeqCst)
            || (is_final && self.full.for_finals.load(Ordering::SeqCst));
        self.full.refused.fetch_or(full, Ordering::SeqCst);
        if full { Err(StorageError::NoRoom) } else { Ok(()) }
    }
}

impl SessionStore for FullStore {
    fn create<'a>(&'a self, session: &'a Session) -> Pending<'a, Revision> {
        Box::pin(async move {
            self.check(session)?;
            self.inner.create(session).await
        })
    }
    fn get(&self, id: UploadId) -> Result<Option<Stored>, StorageError> {
        self.inner.get(id)
    }
    fn commit<'a>(&'a self, session: &'a Session, seen: Revision) -> Pending<'a, Revision> {
        Box::pin(async move {
            self.check(session)?;
            self.inner.commit(session, seen).await
        })
    }
    fn settled(&self, id: UploadId) -> Pending<'_, ()> {
        self.inner.settled(id)
    }
    fn delete(&self, id: UploadId) -> Pending<'_, ()> {
        self.inner.delete(id)
    }
    fn expiring(&self, moment: Timestamp, limit: usize) -> Result<Vec<UploadId>, StorageError> {
        self.inner.expiring(moment, limit)
    }
    fn ids(&self, after: Option<UploadId>, limit: usize) -> Result<Vec<UploadId>, StorageError> {
        self.inner.ids(after, limit)
    }
    fn holdings(
        &self,
        owner: &Owner,
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Vec<Holding>, StorageError> {
        self.inner.holdings(owner, after, limit)
    }
    fn relist(&self, owner: &Owner, id: UploadId) -> Result<Option<Holding>, StorageError> {
        self.inner.relist(owner, id)
    }
    fn unlist(&self, owner: &Owner, id: UploadId) -> Result<(), StorageError> {
        self.inner.unlist(owner, id)
    }
    fn close(&self) -> Pending<'_, ()> {
        self.inner.close()
    }
}

fn filling() -> (House, Arc<Full>) {
    let mut house = House::new();
    let full = Arc::new(Full::default());
    house.sessions = Arc::new(FullStore { inner: house.sessions, full: Arc::clone(&full) });
    (house, full)
}

#[tokio::test]
async fn what_arrived_counts_once_there_is_room_for_its_record() {
    let (house, full) = filling();
    let engine = house.engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, b"abc").await.unwrap();
    full.for_all.store(true, Ordering::SeqCst);
    assert!(matches!(transfer.halt().await, Err(EngineError::NoRoom { .. })));
    assert_eq!(stands_at(&engine, id).await, 0, "as told before: no error for a passing state");
    full.for_all.store(false, Ordering::SeqCst);
    assert_eq!(stands_at(&engine, id).await, 3);
    assert!(send(&engine, id, 3, b"DEF").await.is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "abcDEF");
}

#[tokio::test]
async fn a_finish_that_could_not_be_recorded_is_finished_once_there_is_room() {
    let (house, full) = filling();
    let engine = house.engine("this");
    let id = engine.create(of_length(3)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, b"abc").await.unwrap();
    full.for_all.store(true, Ordering::SeqCst);
    assert!(matches!(transfer.complete().await, Err(EngineError::NoRoom { .. })));
    assert_eq!(stands_at(&engine, id).await, 0);
    full.for_all.store(false, Ordering::SeqCst);
    assert_eq!(stands_at(&engine, id).await, 3, "without a restart");
    assert_eq!(content(&engine, id).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_creation_that_could_not_be_recorded_leaves_no_bytes() {
    let (house, full) = filling();
    let engine = house.engine("this");
    let first = Body { bytes: Some(3), digest: None, when_cut: WhenCut::Keep };
    let mut transfer = engine.create_with_body(of_length(3), first).await.unwrap();
    let id = transfer.id();
    write(&mut transfer, b"abc").await.unwrap();
    full.for_all.store(true, Ordering::SeqCst);
    assert!(matches!(transfer.complete().await, Err(EngineError::NoRoom { .. })));
    assert_eq!(house.blobs.state(id).await.unwrap(), None);
}

#[tokio::test]
async fn what_a_crash_left_is_looked_at_while_there_is_no_room_to_record_it() {
    let (house, full) = filling();
    let engine = house.engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, b"abc").await.unwrap();
    // As after a kill: nothing of the transfer ever ends.
    std::mem::forget(transfer);
    full.for_all.store(true, Ordering::SeqCst);
    let next = house.engine("this");
    assert_eq!(stands_at(&next, id).await, 0);
    full.for_all.store(false, Ordering::SeqCst);
    assert_eq!(stands_at(&next, id).await, 3);
}

/// A final whose part is not there yet.
async fn waiting_final(engine: &Engine) -> (UploadId, UploadId) {
    let part = engine.create(partial(3)).await.unwrap().id();
    let order = ConcatOrder {
        owner: Owner::anonymous(),
        metadata: Metadata::default(),
        parts: vec![part],
        max_length: None,
        as_received: "final;/files/a".to_owned(),
    };
    (part, engine.concatenate(order).await.unwrap().id())
}

#[tokio::test]
async fn a_final_that_was_joined_but_not_recorded_is_finished_when_it_is_asked_for() {
    let (house, _full) = filling();
    let engine = house.engine("this");
    let (part, whole) = waiting_final(&engine).await;
    drop(engine);
    // What a crash between publishing and committing leaves.
    let writer = house.blobs.begin(whole, UploadOffset::ZERO, Tail::Keep).await.unwrap();
    writer.write(UploadOffset::ZERO, &[Bytes::from_static(b"abc")]).unwrap();
    house.blobs.publish(whole).await.unwrap();
    let engine = house.engine("this");
    assert!(send(&engine, part, 0, b"abc").await.is_complete());
    until("it is complete", async || {
        engine.inspect(whole, &Owner::anonymous()).await.unwrap().is_complete()
    })
    .await;
    assert_eq!(content(&engine, whole).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_final_for_which_there_was_no_room_is_joined_when_it_is_asked_for() {
    let (house, full) = filling();
    let engine = house.engine("this");
    let (part, whole) = waiting_final(&engine).await;
    full.for_finals.store(true, Ordering::SeqCst);
    assert!(send(&engine, part, 0, b"abc").await.is_complete());
    until("joining was tried", async || full.refused.load(Ordering::SeqCst)).await;
    let session = engine.inspect(whole, &Owner::anonymous()).await.unwrap();
    assert_eq!(session.phase(), Phase::Assembling);
    full.for_finals.store(false, Ordering::SeqCst);
    until("it is complete", async || {
        engine.inspect(whole, &Owner::anonymous()).await.unwrap().is_complete()
    })
    .await;
    assert_eq!(content(&engine, whole).await.unwrap(), "abc");
}
