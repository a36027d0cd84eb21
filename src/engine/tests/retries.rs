//! Devices that fail in passing: nobody hears of it, and nothing is written twice.

use std::pin::pin;
use std::task::{Context, Waker};

use super::faults::faulty;
use super::*;
use crate::engine::{ChunkOrder, ChunkStart, PutOrder, PutStart, WhenCut};
use crate::upload::ChunkClaim;

#[tokio::test]
async fn a_write_that_fails_in_passing_is_repeated_elsewhere_and_nobody_hears_of_it() {
    let (house, faults) = faulty();
    let engine = house.engine("this");
    let id = engine.create(of_length(9)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, b"abc").await.unwrap();
    faults.writes_failing.store(2, Ordering::SeqCst);
    write(&mut transfer, b"def").await.unwrap();
    write(&mut transfer, b"ghi").await.unwrap();
    assert!(transfer.complete().await.unwrap().is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "abcdefghi");
    // The first attempt is made by whoever received the bytes; whoever waits is somebody else.
    let wrote = faults.wrote.lock().unwrap().clone();
    let here = std::thread::current().id();
    assert_eq!((wrote[0] == here, wrote[1] == here), (true, true));
    assert!(wrote[2] != here && wrote[3] != here);
}

#[tokio::test]
async fn a_device_that_fails_again_and_again_is_given_up_after_as_many_retries_as_are_set() {
    for retries in [2, 0] {
        let (mut house, faults) = faulty();
        house.settings.storage_retries = retries;
        let engine = house.engine("this");
        let id = engine.create(of_length(6)).await.unwrap().id();
        send(&engine, id, 0, b"ab").await;
        let before = faults.wrote.lock().unwrap().len();
        faults.writes_failing.store(1000, Ordering::SeqCst);
        let mut transfer = engine.append(append(id, 2)).await.unwrap();
        assert!(matches!(write(&mut transfer, b"cdef").await, Err(EngineError::Storage(_))));
        let attempts = faults.wrote.lock().unwrap().len() - before;
        assert_eq!(attempts, usize::try_from(retries).unwrap() + 1);
        faults.writes_failing.store(0, Ordering::SeqCst);
        // What was written is kept, as on a full device.
        assert_eq!(transfer.halt().await.unwrap().offset(), offset(4));
        send(&engine, id, 4, b"ef").await;
        assert_eq!(content(&engine, id).await.unwrap(), "abcdef");
    }
}

#[tokio::test]
async fn a_write_over_bytes_that_are_there_goes_on_where_it_failed() {
    let (house, faults) = faulty();
    let engine = house.engine("this");
    let id = engine.create(of_length(8)).await.unwrap().id();
    send(&engine, id, 0, b"abc").await;
    let order = PutOrder {
        id,
        owner: Owner::anonymous(),
        from: UploadOffset::ZERO,
        body_bytes: Some(8),
        opens: None,
        when_cut: WhenCut::Keep,
    };
    let PutStart::Receive(mut transfer) = engine.put(order).await.unwrap() else {
        panic!("it is not whole")
    };
    faults.writes_failing.store(2, Ordering::SeqCst);
    let mut batch = vec![Bytes::from_static(b"abcde"), Bytes::from_static(b"fgh")];
    transfer.write(&mut batch).await.unwrap();
    assert!(transfer.complete().await.unwrap().is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "abcdefgh");
}

#[tokio::test]
async fn a_chunk_is_written_again_where_it_belongs() {
    let (house, faults) = faulty();
    let engine = house.engine("this");
    let id = UploadId::generate();
    let bring = async |chunk: u64, bytes: &'static [u8]| {
        let claim = ChunkClaim {
            chunk,
            total_chunks: None,
            length: Some(8),
            chunk_bytes: Some(4),
            range: None,
            body_bytes: Some(4),
        };
        let owner = Owner::anonymous();
        let new = NewSession::of(owner.clone(), None, Metadata::default());
        let order = ChunkOrder { id, owner, claim, digest: None, opens: Some(new) };
        let ChunkStart::Receive(mut transfer) = engine.chunk(order).await.unwrap() else {
            panic!("it is not there yet")
        };
        write(&mut transfer, bytes).await.unwrap();
        transfer.complete().await.unwrap()
    };
    faults.writes_failing.store(1, Ordering::SeqCst);
    bring(1, b"efgh").await;
    faults.writes_failing.store(2, Ordering::SeqCst);
    assert!(bring(0, b"abcd").await.is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "abcdefgh");
}

#[tokio::test]
async fn opening_is_repeated_and_syncing_is_not() {
    let (house, faults) = faulty();
    let engine = house.engine("this");
    let id = engine.create(of_length(3)).await.unwrap().id();
    faults.openings_failing.store(2, Ordering::SeqCst);
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, b"abc").await.unwrap();
    faults.syncs_failing.store(1, Ordering::SeqCst);
    let before = faults.syncs.load(Ordering::SeqCst);
    assert!(matches!(transfer.complete().await, Err(EngineError::Storage(_))));
    assert_eq!(faults.syncs.load(Ordering::SeqCst), before + 1);
    assert_eq!(stands_at(&engine, id).await, 0);
    send(&engine, id, 0, b"abc").await;
    faults.openings_failing.store(2, Ordering::SeqCst);
    assert_eq!(content(&engine, id).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_client_that_leaves_while_the_device_is_given_time_loses_nothing() {
    let (house, faults) = faulty();
    let engine = house.engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    faults.writes_failing.store(2, Ordering::SeqCst);
    {
        let mut batch = vec![Bytes::from_static(b"abc")];
        let mut writing = pin!(transfer.write(&mut batch));
        assert!(writing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(transfer);
    until("what had arrived counts", async || stands_at(&engine, id).await == 3).await;
    send(&engine, id, 3, b"def").await;
    assert_eq!(content(&engine, id).await.unwrap(), "abcdef");
}
