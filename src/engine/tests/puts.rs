//! Bodies from the front, or from where they were cut.

use std::task::{Context, Waker};

use super::*;
use crate::engine::{PutOrder, PutStart, WhenCut};
use crate::upload::Refusal;

const BYTES: &[u8] = b"hello world";

fn order(id: UploadId, from: u64) -> PutOrder {
    let length = BYTES.len() as u64;
    PutOrder {
        id,
        owner: Owner::anonymous(),
        from: offset(from),
        body_bytes: Some(length - from),
        opens: Some(of_length(length)),
        when_cut: WhenCut::Keep,
    }
}

async fn begin(engine: &Engine, order: PutOrder) -> Transfer {
    match engine.put(order).await.unwrap() {
        PutStart::Receive(transfer) => transfer,
        PutStart::There(session) => panic!("it is there: {session:?}"),
    }
}

#[tokio::test]
async fn a_body_makes_the_upload_and_a_second_one_finds_it() {
    let (engine, id) = (engine(), UploadId::generate());
    let mut transfer = begin(&engine, order(id, 0)).await;
    write(&mut transfer, BYTES).await.unwrap();
    assert!(transfer.complete().await.unwrap().is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), BYTES);
    assert!(matches!(engine.put(order(id, 0)).await.unwrap(), PutStart::There(_)));
}

#[tokio::test]
async fn what_is_there_of_a_cut_body_is_passed_over() {
    for from in [0, 3, 6] {
        let (engine, id) = (engine(), UploadId::generate());
        let mut cut = begin(&engine, order(id, 0)).await;
        write(&mut cut, &BYTES[..6]).await.unwrap();
        drop(cut);
        let mut transfer = begin(&engine, order(id, from)).await;
        let known = vec![b'?'; 6 - usize::try_from(from).unwrap()];
        write(&mut transfer, &known).await.unwrap();
        write(&mut transfer, &BYTES[6..]).await.unwrap();
        assert!(transfer.complete().await.unwrap().is_complete(), "from {from}");
        assert_eq!(content(&engine, id).await.unwrap(), BYTES, "from {from}");
    }
}

#[tokio::test]
async fn a_body_that_is_cut_before_anything_new_came_changes_nothing() {
    let (engine, id) = (engine(), UploadId::generate());
    let mut cut = begin(&engine, order(id, 0)).await;
    write(&mut cut, &BYTES[..6]).await.unwrap();
    cut.halt().await.unwrap();
    let mut again = begin(&engine, order(id, 0)).await;
    write(&mut again, &BYTES[..3]).await.unwrap();
    assert_eq!(again.halt().await.unwrap().offset(), offset(6));
}

#[tokio::test]
async fn a_body_behind_what_is_there_or_past_the_end_is_refused_and_creates_nothing() {
    let (engine, id) = (engine(), UploadId::generate());
    let refused = engine.put(order(id, 3)).await.unwrap_err();
    let EngineError::Refused(Refusal::OffsetMismatch { expected }) = refused else {
        panic!("{refused}")
    };
    assert_eq!(expected, offset(0));
    let long = PutOrder { body_bytes: Some(12), ..order(id, 0) };
    let refused = engine.put(long).await.unwrap_err();
    assert!(matches!(refused, EngineError::Refused(Refusal::PastTheEnd { .. })));
    assert_eq!(engine.session(id).await.unwrap(), None);
}

#[tokio::test]
async fn a_newer_body_takes_over_an_older_one() {
    let (engine, id) = (engine(), UploadId::generate());
    let mut older = begin(&engine, order(id, 0)).await;
    write(&mut older, &BYTES[..4]).await.unwrap();
    let newer = tokio::spawn({
        let engine = engine.clone();
        async move { begin(&engine, order(id, 0)).await }
    });
    until("the older one is told to stop", async || {
        older.poll_stopped(&mut Context::from_waker(Waker::noop())).is_ready()
    })
    .await;
    drop(older);
    let mut newer = newer.await.unwrap();
    write(&mut newer, BYTES).await.unwrap();
    newer.complete().await.unwrap();
    assert_eq!(content(&engine, id).await.unwrap(), BYTES);
}

#[tokio::test]
async fn what_was_deleted_is_not_put_again() {
    let (engine, id) = (engine(), UploadId::generate());
    let mut transfer = begin(&engine, order(id, 0)).await;
    write(&mut transfer, BYTES).await.unwrap();
    transfer.complete().await.unwrap();
    engine.terminate(id, &Owner::anonymous()).await.unwrap();
    assert!(matches!(engine.put(order(id, 0)).await, Err(EngineError::NotFound)));
}
