//! Creating, appending, finishing, reading, removing.

use super::*;
use crate::upload::Refusal;

#[tokio::test]
async fn bytes_sent_in_pieces_become_one_file() {
    let engine = engine();
    let id = engine.create(of_length(11)).await.unwrap().id();
    assert_eq!(send(&engine, id, 0, b"hello ").await.offset(), offset(6));
    assert!(matches!(content(&engine, id).await, Err(EngineError::Refused(Refusal::NotComplete))));
    assert!(send(&engine, id, 6, b"world").await.is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "hello world");
}

#[tokio::test]
async fn an_upload_without_bytes_is_complete_at_once() {
    let engine = engine();
    let session = engine.create(of_length(0)).await.unwrap();
    assert!(session.is_complete());
    assert_eq!(content(&engine, session.id()).await.unwrap(), "");
}

#[tokio::test]
async fn a_creation_can_bring_its_bytes() {
    let engine = engine();
    let body = Body { bytes: Some(5), digest: Some(sha1_of(b"hello")), when_cut: WhenCut::Keep };
    let mut transfer = engine.create_with_body(of_length(5), body).await.unwrap();
    let id = transfer.id();
    write(&mut transfer, b"hello").await.unwrap();
    assert!(transfer.complete().await.unwrap().is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_creation_whose_checksum_does_not_match_leaves_nothing_behind() {
    let house = House::new();
    let engine = house.engine("this");
    let body = Body { bytes: Some(5), digest: Some(sha1_of(b"other")), when_cut: WhenCut::Keep };
    let mut transfer = engine.create_with_body(of_length(5), body).await.unwrap();
    let id = transfer.id();
    write(&mut transfer, b"hello").await.unwrap();
    let failure = transfer.complete().await.unwrap_err();
    assert!(matches!(failure, EngineError::ChecksumMismatch { offset: None }));
    assert!(house.sessions.get(id).unwrap().is_none());
    assert_eq!(house.blobs.state(id).await.unwrap(), None);
}

fn all_or_nothing() -> (NewSession, Body) {
    let body = Body { bytes: None, digest: None, when_cut: WhenCut::Discard };
    (NewSession { length: None, ..of_length(0) }, body)
}

#[tokio::test]
async fn a_body_that_counts_only_whole_is_complete_with_the_length_it_has_reached() {
    for bytes in [&b"hello"[..], b""] {
        let house = House::new();
        let engine = house.engine("this");
        let (new, body) = all_or_nothing();
        let mut transfer = engine.create_with_body(new, body).await.unwrap();
        write(&mut transfer, bytes).await.unwrap();
        assert!(house.sessions.get(transfer.id()).unwrap().is_none());
        let metadata = Metadata::parse("name d29ybGQ=").unwrap();
        let session = transfer.complete_here(metadata.clone()).await.unwrap();
        assert!(session.is_complete());
        assert_eq!(session.metadata(), &metadata);
        assert_eq!(content(&engine, session.id()).await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_body_that_counts_only_whole_leaves_nothing_behind_when_it_is_cut() {
    let mut house = House::new();
    house.settings.checkpoint_bytes = 1;
    let engine = house.engine("this");
    for halted in [true, false] {
        let (new, body) = all_or_nothing();
        let mut transfer = engine.create_with_body(new, body).await.unwrap();
        let id = transfer.id();
        write(&mut transfer, b"hel").await.unwrap();
        write(&mut transfer, b"lo").await.unwrap();
        if halted {
            transfer.halt().await.unwrap();
        } else {
            drop(transfer);
        }
        let blobs = &house.blobs;
        until("its bytes are gone", async || blobs.state(id).await.unwrap().is_none()).await;
        assert!(house.sessions.get(id).unwrap().is_none());
    }
}

#[tokio::test]
async fn a_dropped_transfer_keeps_what_was_written() {
    let engine = engine();
    let id = engine.create(of_length(100)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, &[7; 40]).await.unwrap();
    drop(transfer);
    // A look waits for whoever is committing, so it needs no second try.
    assert_eq!(stands_at(&engine, id).await, 40);
}

#[tokio::test]
async fn a_mismatch_takes_back_exactly_the_bytes_of_its_request() {
    let engine = engine();
    let id = engine.create(of_length(11)).await.unwrap().id();
    send(&engine, id, 0, b"hello ").await;
    let wrong = AppendOrder { digest: Some(sha1_of(b"other")), ..append(id, 6) };
    let mut transfer = engine.append(wrong).await.unwrap();
    write(&mut transfer, b"worms").await.unwrap();
    let failure = transfer.complete().await.unwrap_err();
    assert!(
        matches!(failure, EngineError::ChecksumMismatch { offset: Some(at) } if at == offset(6))
    );
    assert_eq!(stands_at(&engine, id).await, 6);

    let right = AppendOrder { digest: Some(sha1_of(b"world")), ..append(id, 6) };
    let mut transfer = engine.append(right).await.unwrap();
    write(&mut transfer, b"world").await.unwrap();
    assert!(transfer.complete().await.unwrap().is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "hello world");
}

#[tokio::test]
async fn bytes_that_cannot_be_proven_are_not_kept_when_the_body_is_cut() {
    let engine = engine();
    let id = engine.create(of_length(10)).await.unwrap().id();
    let order = AppendOrder { digest: Some(sha1_of(b"whatever")), ..append(id, 0) };
    let mut transfer = engine.append(order).await.unwrap();
    write(&mut transfer, b"what").await.unwrap();
    assert_eq!(transfer.halt().await.unwrap().offset(), offset(0));
    assert_eq!(stands_at(&engine, id).await, 0);
}

#[tokio::test]
async fn a_body_past_the_length_is_cut_at_the_length() {
    let engine = engine();
    let id = engine.create(of_length(4)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    let failure = write(&mut transfer, b"hello").await.unwrap_err();
    assert!(matches!(failure, EngineError::Refused(Refusal::PastTheEnd { .. })));
    assert_eq!(transfer.halt().await.unwrap().offset(), offset(4));
}

#[tokio::test]
async fn a_length_can_be_declared_with_the_last_bytes_or_after_them() {
    let engine = engine();
    for (declared_with, sent) in [(3_u64, &b"abc"[..]), (3, b"")] {
        let id = engine.create(NewSession { length: None, ..of_length(0) }).await.unwrap().id();
        let start = if sent.is_empty() {
            send(&engine, id, 0, b"abc").await;
            3
        } else {
            0
        };
        let mut order = append(id, start);
        order.request.declares = UploadLength::new(declared_with);
        let mut transfer = engine.append(order).await.unwrap();
        write(&mut transfer, sent).await.unwrap();
        assert!(transfer.complete().await.unwrap().is_complete());
        assert_eq!(content(&engine, id).await.unwrap(), "abc");
    }
}

#[tokio::test]
async fn a_deleted_upload_is_not_found_again() {
    let engine = engine();
    let id = upload(&engine, of_length(3), b"abc").await;
    engine.terminate(id, &Owner::anonymous()).await.unwrap();
    let owner = Owner::anonymous();
    assert!(matches!(engine.inspect(id, &owner).await, Err(EngineError::NotFound)));
    assert!(matches!(engine.terminate(id, &owner).await, Err(EngineError::NotFound)));
    assert!(matches!(engine.append(append(id, 3)).await, Err(EngineError::NotFound)));
    assert!(matches!(content(&engine, id).await, Err(EngineError::NotFound)));
}

#[tokio::test]
async fn an_upload_is_only_its_owners() {
    let engine = engine();
    let alice = Owner::named("alice".to_owned());
    let mallory = Owner::named("mallory".to_owned());
    let new = NewSession { owner: alice.clone(), ..of_length(3) };
    let id = engine.create(new).await.unwrap().id();
    let order = AppendOrder { owner: mallory.clone(), ..append(id, 0) };
    assert!(matches!(engine.append(order).await, Err(EngineError::NotFound)));
    assert!(matches!(engine.inspect(id, &mallory).await, Err(EngineError::NotFound)));
    assert!(matches!(engine.terminate(id, &mallory).await, Err(EngineError::NotFound)));
    assert!(engine.inspect(id, &alice).await.is_ok());
}

#[tokio::test]
async fn stopping_commits_what_was_received_and_takes_nothing_more() {
    let house = House::new();
    let engine = house.engine("this");
    let id = engine.create(of_length(10)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, b"abc").await.unwrap();
    let stopping = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.stop().await })
    };
    std::future::poll_fn(|cx| transfer.poll_stopped(cx)).await;
    assert!(matches!(write(&mut transfer, b"d").await, Err(EngineError::ShuttingDown)));
    assert!(matches!(transfer.halt().await, Err(EngineError::ShuttingDown)));
    stopping.await.unwrap();
    assert!(matches!(engine.append(append(id, 3)).await, Err(EngineError::ShuttingDown)));
    assert_eq!(house.sessions.get(id).unwrap().unwrap().session.offset(), offset(3));
}
