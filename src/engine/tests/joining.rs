//! Final uploads.

use super::*;
use crate::upload::{ConcatOrder, Phase, Refusal};

fn order(parts: &[UploadId]) -> ConcatOrder {
    ConcatOrder {
        owner: Owner::anonymous(),
        metadata: Metadata::default(),
        parts: parts.to_vec(),
        max_length: None,
        as_received: "final;/files/a /files/b".to_owned(),
    }
}

#[tokio::test]
async fn complete_parts_are_joined_in_the_order_given_also_twice() {
    let engine = engine();
    let a = upload(&engine, partial(3), b"abc").await;
    let b = upload(&engine, partial(2), b"de").await;
    let session = engine.concatenate(order(&[b, a, b])).await.unwrap();
    assert!(session.is_complete());
    assert_eq!(content(&engine, session.id()).await.unwrap(), "deabcde");
    assert_eq!(session.sums().covered(), 7);
}

#[tokio::test]
async fn a_final_waits_for_its_unfinished_parts() {
    let engine = engine();
    let a = upload(&engine, partial(3), b"abc").await;
    let b = engine.create(partial(2)).await.unwrap().id();
    let session = engine.concatenate(order(&[a, b])).await.unwrap();
    assert_eq!(session.phase(), Phase::Assembling);
    assert_eq!(session.length(), UploadLength::new(5));
    send(&engine, b, 0, b"de").await;
    until("the parts are joined", async || {
        engine.inspect(session.id(), &Owner::anonymous()).await.unwrap().is_complete()
    })
    .await;
    assert_eq!(content(&engine, session.id()).await.unwrap(), "abcde");
}

#[tokio::test]
async fn somebody_who_looks_just_then_does_not_keep_a_final_from_being_joined() {
    let engine = engine();
    let a = engine.create(partial(3)).await.unwrap().id();
    let whole = engine.concatenate(order(&[a])).await.unwrap().id();
    let look = engine.shared.leases.take(whole).unwrap();
    let joining = tokio::spawn(Arc::clone(&engine.shared).assemble(whole));
    send(&engine, a, 0, b"abc").await;
    let other = tokio::spawn(Arc::clone(&engine.shared).assemble(whole));
    tokio::task::yield_now().await;
    drop(look);
    joining.await.unwrap().unwrap();
    other.await.unwrap().unwrap();
    assert_eq!(content(&engine, whole).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_waiting_final_is_joined_after_a_restart() {
    let house = House::new();
    let engine = house.engine("this");
    let a = engine.create(partial(3)).await.unwrap().id();
    let whole = engine.concatenate(order(&[a])).await.unwrap().id();
    drop(engine);
    let engine = house.engine("this");
    send(&engine, a, 0, b"abc").await;
    until("the parts are joined", async || {
        engine.inspect(whole, &Owner::anonymous()).await.unwrap().is_complete()
    })
    .await;
    assert_eq!(content(&engine, whole).await.unwrap(), "abc");
}

#[tokio::test]
async fn deleting_a_part_afterwards_does_not_touch_the_final() {
    let engine = engine();
    let a = upload(&engine, partial(3), b"abc").await;
    let whole = engine.concatenate(order(&[a])).await.unwrap().id();
    engine.terminate(a, &Owner::anonymous()).await.unwrap();
    assert_eq!(content(&engine, whole).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_missing_part_is_named_and_nothing_is_created() {
    let house = House::new();
    let engine = house.engine("this");
    let missing = UploadId::generate();
    let refused = engine.concatenate(order(&[missing])).await.unwrap_err();
    assert!(matches!(
        refused,
        EngineError::Refused(Refusal::PartMissing { part }) if part == missing
    ));
    assert_eq!(house.sessions.ids(None, 10).unwrap(), []);
}

#[tokio::test]
async fn a_partial_is_not_for_reading() {
    let engine = engine();
    let a = upload(&engine, partial(3), b"abc").await;
    assert!(matches!(
        content(&engine, a).await,
        Err(EngineError::Refused(Refusal::PartialIsNotServed))
    ));
}
