//! What one owner may have, and all that one owner has.

use std::time::Duration;

use super::*;
use crate::engine::{Body, ChunkOrder, ChunkStart, PutOrder, PutStart, WhenCut};
use crate::upload::quota::{Total, WhenFull};
use crate::upload::{ChunkClaim, ConcatOrder, Departure, Phase, Quota, Refusal, Usage};

fn alice() -> Owner {
    Owner::named("alice".to_owned())
}

fn total(bytes: u64, when_full: WhenFull) -> Quota {
    Quota { total: Some(Total { bytes, when_full }), ..Quota::default() }
}

/// An upload of Alice's, who may have 100 bytes.
fn hers(bytes: u64) -> NewSession {
    within(total(100, WhenFull::Refuse), bytes)
}

fn within(quota: Quota, bytes: u64) -> NewSession {
    NewSession { owner: alice(), quota: Some(quota), ..of_length(bytes) }
}

fn is_reached<T>(outcome: &Result<T, EngineError>) -> bool {
    matches!(outcome, Err(EngineError::Refused(Refusal::QuotaReached { .. })))
}

async fn add(engine: &Engine, id: UploadId, bytes: &[u8]) -> Session {
    let order = AppendOrder { owner: alice(), ..append(id, 0) };
    let mut transfer = engine.append(order).await.unwrap();
    write(&mut transfer, bytes).await.unwrap();
    transfer.complete().await.unwrap()
}

async fn usage(engine: &Engine) -> Usage {
    engine.usage(&alice()).await.unwrap()
}

fn body(bytes: Option<u64>, when_cut: WhenCut) -> Body {
    Body { bytes, digest: None, when_cut }
}

fn put(bytes: u64) -> PutOrder {
    PutOrder {
        id: UploadId::generate(),
        owner: alice(),
        from: UploadOffset::ZERO,
        body_bytes: Some(bytes),
        opens: Some(hers(bytes)),
        when_cut: WhenCut::Keep,
    }
}

fn chunk(bytes: u64) -> ChunkOrder {
    let claim = ChunkClaim {
        chunk: 0,
        total_chunks: None,
        length: Some(bytes),
        chunk_bytes: Some(bytes),
        range: None,
        body_bytes: Some(bytes),
    };
    let opens = Some(NewSession { length: None, ..hers(bytes) });
    ChunkOrder { id: UploadId::generate(), owner: alice(), claim, digest: None, opens }
}

#[tokio::test]
async fn every_way_of_beginning_an_upload_is_counted_and_bounded() {
    let engine = engine();
    engine.create(hers(10)).await.unwrap();
    let with_body = engine.create_with_body(hers(10), body(Some(10), WhenCut::Keep)).await.unwrap();
    assert!(matches!(engine.put(put(10)).await.unwrap(), PutStart::Receive(_)));
    assert!(matches!(engine.chunk(chunk(10)).await.unwrap(), ChunkStart::Receive(_)));
    let part = NewSession { relation: Relation::Partial, ..hers(20) };
    let part = engine.create(part).await.unwrap();
    add(&engine, part.id(), &[7; 20]).await;
    let joined = ConcatOrder {
        owner: alice(),
        metadata: Metadata::default(),
        parts: vec![part.id()],
        as_received: String::new(),
        max_length: None,
    };
    // Its parts were judged already: it is never refused, and counts from now on.
    engine.concatenate(joined.clone()).await.unwrap();
    // 80 bytes are promised or there: 20 fit, 21 do not.
    assert!(is_reached(&engine.create(hers(21)).await));
    let refused = engine.create_with_body(hers(21), body(Some(21), WhenCut::Keep)).await;
    assert!(is_reached(&refused));
    assert!(is_reached(&engine.put(put(21)).await));
    assert!(is_reached(&engine.chunk(chunk(21)).await));
    engine.create(hers(1)).await.unwrap();
    engine.create(hers(19)).await.unwrap();
    assert!(is_reached(&engine.create(hers(1)).await));
    engine.concatenate(joined).await.unwrap();
    drop(with_body);
}

#[tokio::test]
async fn without_an_owner_or_a_quota_nothing_is_counted() {
    let engine = engine();
    for _ in 0..3 {
        let nobodys = NewSession { owner: Owner::anonymous(), ..hers(100) };
        engine.create(nobodys).await.unwrap();
        engine.create(NewSession { quota: None, ..hers(100) }).await.unwrap();
    }
    assert_eq!(usage(&engine).await.bytes, 300);
    assert_eq!(engine.usage(&Owner::anonymous()).await.unwrap(), Usage::default());
}

#[tokio::test]
async fn of_many_creations_at_once_no_more_succeed_than_fit() {
    let engine = engine();
    let attempts = (0..32).map(|number| {
        let engine = engine.clone();
        tokio::spawn(async move {
            if number % 2 == 0 {
                engine.create(hers(30)).await.map(|_| None)
            } else {
                let body = body(Some(30), WhenCut::Keep);
                engine.create_with_body(hers(30), body).await.map(Some)
            }
        })
    });
    let mut granted = Vec::new();
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(transfer) => granted.push(transfer),
            refused => assert!(is_reached(&refused)),
        }
    }
    assert_eq!(granted.len(), 3);
}

#[tokio::test]
async fn an_upload_of_which_nothing_was_stored_gives_back_what_it_was_promised() {
    let engine = engine();
    let transfer =
        engine.create_with_body(hers(100), body(Some(100), WhenCut::Discard)).await.unwrap();
    assert!(is_reached(&engine.create(hers(1)).await));
    drop(transfer);
    until("it is given back", async || engine.create(hers(100)).await.is_ok()).await;
}

#[tokio::test]
async fn an_upload_of_unknown_length_gets_what_is_left() {
    let engine = engine();
    engine.create(hers(60)).await.unwrap();
    let session = engine.create(NewSession { length: None, ..hers(0) }).await.unwrap();
    assert_eq!(session.max_length(), UploadLength::new(40));
}

#[tokio::test]
async fn the_oldest_file_makes_room_and_its_bytes_are_gone() {
    let house = House::new();
    let engine = house.engine("this");
    let quota = total(100, WhenFull::DeleteOldest { down_to: 70 });
    let mut ids = Vec::new();
    for bytes in [40, 30, 20] {
        let id = engine.create(within(quota, bytes)).await.unwrap().id();
        add(&engine, id, &vec![1; usize::try_from(bytes).unwrap()]).await;
        house.clock.advance(Duration::from_secs(1));
        ids.push(id);
    }
    engine.create(within(quota, 11)).await.unwrap();
    let gone = engine.session(ids[0]).await.unwrap().unwrap();
    assert_eq!(gone.phase(), Phase::Gone(Departure::Expired));
    assert!(house.blobs.open(ids[0]).await.is_err());
    assert!(house.blobs.open(ids[1]).await.is_ok(), "61 bytes are fewer than 70");
    assert_eq!(usage(&engine).await, Usage { uploads: 3, running: 1, bytes: 61, day_bytes: 101 });
}

#[tokio::test]
async fn what_is_deleted_counts_for_its_day_as_far_as_it_had_arrived() {
    let house = House::new();
    let engine = house.engine("this");
    let quota = Quota { bytes_per_day: Some(100), ..Quota::default() };
    let id = engine.create(within(quota, 80)).await.unwrap().id();
    assert!(is_reached(&engine.create(within(quota, 21)).await), "80 bytes are promised");
    let mut transfer =
        engine.append(AppendOrder { owner: alice(), ..append(id, 0) }).await.unwrap();
    write(&mut transfer, &[1; 30]).await.unwrap();
    drop(transfer);
    engine.terminate(id, &alice()).await.unwrap();
    engine.create(within(quota, 70)).await.unwrap();
    let refused = engine.create(within(quota, 1)).await;
    let Err(EngineError::Refused(Refusal::QuotaReached { retry_at: Some(later) })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(later, house.clock.now().after(Duration::from_secs(24 * 60 * 60)));
    house.clock.advance(Duration::from_secs(24 * 60 * 60));
    engine.create(within(quota, 30)).await.unwrap();
}

#[tokio::test]
async fn what_nothing_was_put_into_ends_in_time_and_costs_nothing() {
    let house = House::new();
    let engine = house.engine("this");
    let quota = Quota { running: Some(1), bytes_per_day: Some(10), ..total(10, WhenFull::Refuse) };
    let slot = || NewSession {
        begin_by: Some(house.clock.now().after(Duration::from_secs(300))),
        ..within(quota, 10)
    };
    engine.create_as(UploadId::generate(), slot()).await.unwrap();
    let refused = engine.create(slot()).await;
    let Err(EngineError::Refused(Refusal::QuotaReached { retry_at: Some(later) })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(later, house.clock.now().after(Duration::from_secs(300)));
    house.clock.advance(Duration::from_secs(300));
    let used = engine.create_as(UploadId::generate(), slot()).await.unwrap();
    add(&engine, used.id(), &[1; 10]).await;
    house.clock.advance(Duration::from_secs(3600));
    assert!(engine.session(used.id()).await.unwrap().unwrap().is_complete());
    assert_eq!(usage(&engine).await, Usage { uploads: 1, running: 0, bytes: 10, day_bytes: 10 });
}

#[tokio::test]
async fn a_list_that_a_crash_left_behind_is_set_right_before_it_refuses_anything() {
    let house = House::new();
    let phantom = house.engine("this").create(hers(100)).await.unwrap();
    let stored = house.sessions.get(phantom.id()).unwrap().unwrap();
    let mut nobodys = stored.session;
    nobodys.disown();
    house.sessions.commit(&nobodys, stored.revision).await.unwrap();
    assert_eq!(house.sessions.holdings(&alice(), None, 9).unwrap().len(), 1);
    house.engine("that").create(hers(100)).await.unwrap();
}

#[tokio::test]
async fn everything_of_one_owner_goes_and_nothing_of_another() {
    let house = House::new();
    let engine = house.engine("this");
    let finished = engine.create(hers(3)).await.unwrap().id();
    add(&engine, finished, b"abc").await;
    let deleted = engine.create(hers(3)).await.unwrap().id();
    engine.terminate(deleted, &alice()).await.unwrap();
    let running = engine.create(hers(9)).await.unwrap().id();
    let mut writing =
        engine.append(AppendOrder { owner: alice(), ..append(running, 0) }).await.unwrap();
    write(&mut writing, b"abc").await.unwrap();
    let others = upload(&engine, of_length(3), b"abc").await;

    let removing = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.remove_owner(&alice()).await })
    };
    // Told to stop, the writer lets go.
    until("it is stopped", async || write(&mut writing, b"d").await.is_err()).await;
    drop(writing);
    assert_eq!(removing.await.unwrap().unwrap(), 2);
    for id in [finished, deleted, running] {
        let left = engine.session(id).await.unwrap().unwrap();
        assert_eq!(left.phase(), Phase::Gone(Departure::Terminated));
        assert_eq!((left.owner(), left.metadata().is_empty()), (&Owner::anonymous(), true));
        assert!(house.blobs.open(id).await.is_err());
        assert!(house.blobs.open_unpublished(id).await.is_err());
    }
    assert_eq!(house.sessions.holdings(&alice(), None, 9).unwrap(), []);
    assert_eq!(&*content(&engine, others).await.unwrap(), b"abc");
    assert_eq!(engine.remove_owner(&alice()).await.unwrap(), 0);
    assert_eq!(engine.remove_owner(&Owner::anonymous()).await.unwrap(), 0);
}
