//! Chunks: any order, in parallel, beside tus, after crashes.

use std::task::Waker;

use super::*;
use crate::engine::{ChunkOrder, ChunkStart};
use crate::upload::geometry::{Against, ClaimedRange, Contradiction, Statement};
use crate::upload::{ChunkClaim, Departure, Phase, Refusal};

const BYTES: &[u8] = b"the quick brown fox jumps over the lazy dog";
const CHUNK: u64 = 10;

fn claim(chunk: u64) -> ChunkClaim {
    ChunkClaim {
        chunk,
        total_chunks: None,
        length: Some(BYTES.len() as u64),
        chunk_bytes: Some(CHUNK),
        range: None,
        body_bytes: None,
    }
}

fn order(id: UploadId, chunk: u64) -> ChunkOrder {
    let new = NewSession::of(Owner::anonymous(), None, Metadata::default());
    let (owner, claim) = (Owner::anonymous(), claim(chunk));
    ChunkOrder { id, owner, claim, digest: None, opens: Some(new) }
}

fn bytes_of(chunk: u64) -> &'static [u8] {
    let start = usize::try_from(chunk * CHUNK).unwrap();
    &BYTES[start..BYTES.len().min(start + usize::try_from(CHUNK).unwrap())]
}

async fn begin(engine: &Engine, order: ChunkOrder) -> Transfer {
    match engine.chunk(order).await.unwrap() {
        ChunkStart::Receive(transfer) => transfer,
        ChunkStart::There(session) => panic!("the chunk is there: {session:?}"),
    }
}

async fn send_chunk(engine: &Engine, id: UploadId, chunk: u64) -> Session {
    let mut transfer = begin(engine, order(id, chunk)).await;
    write(&mut transfer, bytes_of(chunk)).await.unwrap();
    transfer.complete().await.unwrap()
}

async fn is_there(engine: &Engine, id: UploadId, chunk: u64) -> bool {
    match engine.chunk(order(id, chunk)).await.unwrap() {
        ChunkStart::There(_) => true,
        ChunkStart::Receive(_) => false,
    }
}

#[tokio::test]
async fn chunks_in_any_order_make_the_upload() {
    let (engine, id) = (engine(), UploadId::generate());
    for (chunk, offset) in [(3, 0), (0, 10), (4, 10), (1, 20)] {
        assert_eq!(send_chunk(&engine, id, chunk).await.offset().get(), offset);
    }
    assert!(content(&engine, id).await.is_err());
    assert!(send_chunk(&engine, id, 2).await.is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), BYTES);
}

#[tokio::test]
async fn chunks_are_written_in_parallel_and_none_disturbs_another() {
    let (engine, id) = (engine(), UploadId::generate());
    let mut transfers = Vec::new();
    for chunk in 0..5 {
        transfers.push(begin(&engine, order(id, chunk)).await);
    }
    for (chunk, transfer) in (0..).zip(&mut transfers) {
        write(transfer, bytes_of(chunk)).await.unwrap();
    }
    let ends: Vec<_> =
        transfers.into_iter().map(|transfer| tokio::spawn(transfer.complete())).collect();
    for end in ends {
        end.await.unwrap().unwrap();
    }
    assert_eq!(content(&engine, id).await.unwrap(), BYTES);
    assert_eq!(engine.running(), 0);
}

#[tokio::test]
async fn a_chunk_that_is_there_is_not_received_again() {
    let (engine, id) = (engine(), UploadId::generate());
    send_chunk(&engine, id, 2).await;
    assert!(is_there(&engine, id, 2).await);
    assert!(!is_there(&engine, id, 3).await);
    for chunk in [0, 1, 3, 4] {
        send_chunk(&engine, id, chunk).await;
    }
    assert!(is_there(&engine, id, 3).await);
}

#[tokio::test]
async fn what_arrived_of_a_cut_chunk_is_kept_and_not_written_again() {
    let (engine, id) = (engine(), UploadId::generate());
    let mut transfer = begin(&engine, order(id, 2)).await;
    write(&mut transfer, &bytes_of(2)[..6]).await.unwrap();
    let session = transfer.halt().await.unwrap();
    assert_eq!(session.received().bytes(), 6);
    // From where it was cut ...
    let claim =
        ChunkClaim { range: Some(ClaimedRange { first: 24, last: 29, complete: 43 }), ..claim(2) };
    let mut transfer = begin(&engine, ChunkOrder { claim, ..order(id, 2) }).await;
    write(&mut transfer, &bytes_of(2)[4..8]).await.unwrap();
    assert_eq!(transfer.halt().await.unwrap().received().bytes(), 8);
    // ... or all of it again: what is there is passed over, whatever is sent for it.
    let mut transfer = begin(&engine, order(id, 2)).await;
    write(&mut transfer, b"????????").await.unwrap();
    write(&mut transfer, &bytes_of(2)[8..]).await.unwrap();
    transfer.complete().await.unwrap();
    for chunk in [0, 1, 3, 4] {
        send_chunk(&engine, id, chunk).await;
    }
    assert_eq!(content(&engine, id).await.unwrap(), BYTES);
}

#[tokio::test]
async fn a_chunk_cannot_be_continued_behind_what_is_there_of_it() {
    let (engine, id) = (engine(), UploadId::generate());
    send_chunk(&engine, id, 0).await;
    let range = Some(ClaimedRange { first: 23, last: 29, complete: 43 });
    let claim = ChunkClaim { range, ..claim(2) };
    let refused = engine.chunk(ChunkOrder { claim, ..order(id, 2) }).await.unwrap_err();
    let expected = offset(20);
    assert!(
        matches!(refused, EngineError::Refused(Refusal::OffsetMismatch { expected: at }) if at == expected)
    );
}

#[tokio::test]
async fn a_chunk_that_cannot_be_taken_creates_nothing() {
    let (engine, id) = (engine(), UploadId::generate());
    let range = Some(ClaimedRange { first: 23, last: 29, complete: 43 });
    let claim = ChunkClaim { range, ..claim(2) };
    engine.chunk(ChunkOrder { claim, ..order(id, 2) }).await.unwrap_err();
    assert_eq!(engine.session(id).await.unwrap(), None);
}

#[tokio::test]
async fn a_body_longer_than_its_chunk_is_refused_and_the_chunk_is_kept() {
    let (engine, id) = (engine(), UploadId::generate());
    let mut transfer = begin(&engine, order(id, 1)).await;
    let refused = write(&mut transfer, &BYTES[10..25]).await.unwrap_err();
    let expected = Contradiction {
        statement: Statement::BodyLength,
        against: Against::Request,
        expected: CHUNK,
    };
    let EngineError::Refused(Refusal::ChunkContradicts(told)) = refused else {
        panic!("{refused}")
    };
    assert_eq!(told, expected);
    assert_eq!(transfer.halt().await.unwrap().received().bytes(), CHUNK);
}

#[tokio::test]
async fn a_body_shorter_than_its_chunk_is_refused_and_kept_as_far_as_it_goes() {
    let (engine, id) = (engine(), UploadId::generate());
    let mut transfer = begin(&engine, order(id, 1)).await;
    write(&mut transfer, b"quick").await.unwrap();
    let refused = transfer.complete().await.unwrap_err();
    assert!(matches!(refused, EngineError::Refused(Refusal::ChunkContradicts(_))));
    let session = engine.inspect(id, &Owner::anonymous()).await.unwrap();
    assert_eq!(session.received().bytes(), 5);
}

#[tokio::test]
async fn of_two_writers_of_one_chunk_the_newer_wins() {
    let (engine, id) = (engine(), UploadId::generate());
    let mut older = begin(&engine, order(id, 0)).await;
    write(&mut older, &bytes_of(0)[..4]).await.unwrap();
    let newer = tokio::spawn({
        let engine = engine.clone();
        async move { begin(&engine, order(id, 0)).await }
    });
    until("the older one is told to stop", async || {
        older.poll_stopped(&mut std::task::Context::from_waker(Waker::noop())).is_ready()
    })
    .await;
    assert!(
        matches!(older.halt().await, Err(EngineError::TakenOver { offset: at }) if at == offset(4))
    );
    let mut newer = newer.await.unwrap();
    write(&mut newer, bytes_of(0)).await.unwrap();
    assert_eq!(newer.complete().await.unwrap().offset(), offset(10));
}

#[tokio::test]
async fn a_patch_passes_over_chunks_that_are_there_and_its_answer_jumps_ahead() {
    let (engine, id) = (engine(), UploadId::generate());
    send_chunk(&engine, id, 1).await;
    send_chunk(&engine, id, 3).await;
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    // What it says of chunk 1 is not what is there; what is there stays.
    write(&mut transfer, b"the quick ?").await.unwrap();
    assert_eq!(transfer.halt().await.unwrap().offset(), offset(20));
    assert_eq!(send(&engine, id, 20, &BYTES[20..32]).await.offset(), offset(40));
    assert!(send(&engine, id, 40, &BYTES[40..]).await.is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), BYTES);
}

#[tokio::test]
async fn a_tus_upload_is_finished_by_chunks() {
    let engine = engine();
    let id = engine.create(of_length(BYTES.len() as u64)).await.unwrap().id();
    send(&engine, id, 0, &BYTES[..13]).await;
    assert!(is_there(&engine, id, 0).await);
    for chunk in [4, 2, 3] {
        assert_eq!(send_chunk(&engine, id, chunk).await.offset(), offset(13));
    }
    assert!(send_chunk(&engine, id, 1).await.is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), BYTES);
}

#[tokio::test]
async fn a_patch_with_a_wrong_checksum_takes_no_chunk_with_it() {
    let (engine, id) = (engine(), UploadId::generate());
    send_chunk(&engine, id, 3).await;
    let digest = Some(sha1_of(b"something else"));
    let order = AppendOrder { digest, ..append(id, 0) };
    let mut transfer = engine.append(order).await.unwrap();
    write(&mut transfer, &BYTES[..20]).await.unwrap();
    assert!(matches!(transfer.complete().await, Err(EngineError::ChecksumMismatch { .. })));
    for chunk in [0, 1, 2, 4] {
        send_chunk(&engine, id, chunk).await;
    }
    assert_eq!(content(&engine, id).await.unwrap(), BYTES);
}

#[tokio::test]
async fn a_chunk_with_a_wrong_digest_does_not_count() {
    let (engine, id) = (engine(), UploadId::generate());
    let wrong = ChunkOrder { digest: Some(sha1_of(b"other")), ..order(id, 1) };
    let mut transfer = begin(&engine, wrong).await;
    write(&mut transfer, bytes_of(1)).await.unwrap();
    assert!(matches!(transfer.complete().await, Err(EngineError::ChecksumMismatch { .. })));
    assert!(!is_there(&engine, id, 1).await);
    let right = ChunkOrder { digest: Some(sha1_of(bytes_of(1))), ..order(id, 1) };
    let mut transfer = begin(&engine, right).await;
    write(&mut transfer, bytes_of(1)).await.unwrap();
    transfer.complete().await.unwrap();
    assert!(is_there(&engine, id, 1).await);
}

#[tokio::test]
async fn a_chunk_takes_over_a_patch_and_a_patch_takes_over_chunks() {
    let (engine, id) = (engine(), UploadId::generate());
    send_chunk(&engine, id, 4).await;
    let mut patch = engine.append(append(id, 0)).await.unwrap();
    write(&mut patch, b"the").await.unwrap();
    let chunk = tokio::spawn({
        let engine = engine.clone();
        async move { begin(&engine, order(id, 2)).await }
    });
    let stopped = |transfer: &Transfer| {
        transfer.poll_stopped(&mut std::task::Context::from_waker(Waker::noop())).is_ready()
    };
    until("the patch is told to stop", async || stopped(&patch)).await;
    drop(patch);
    let chunk = chunk.await.unwrap();
    // A stale patch disturbs nobody; one at the offset takes over.
    let stale = engine.append(append(id, 1)).await.unwrap_err();
    assert!(
        matches!(stale, EngineError::Refused(Refusal::OffsetMismatch { expected }) if expected == offset(3))
    );
    assert!(!stopped(&chunk));
    let patch = tokio::spawn({
        let engine = engine.clone();
        async move { engine.append(append(id, 3)).await }
    });
    until("the chunk is told to stop", async || stopped(&chunk)).await;
    drop(chunk);
    let mut patch = patch.await.unwrap().unwrap();
    write(&mut patch, &BYTES[3..]).await.unwrap();
    patch.complete().await.unwrap();
    assert_eq!(content(&engine, id).await.unwrap(), BYTES);
}

#[tokio::test]
async fn a_deletion_takes_over_every_chunk_and_new_ones_wait_behind_it() {
    let (engine, id) = (engine(), UploadId::generate());
    let one = begin(&engine, order(id, 0)).await;
    let other = begin(&engine, order(id, 1)).await;
    let deletion = tokio::spawn({
        let engine = engine.clone();
        async move { engine.terminate(id, &Owner::anonymous()).await }
    });
    let noop = || std::task::Context::from_waker(Waker::noop());
    until("both are told to stop", async || {
        one.poll_stopped(&mut noop()).is_ready() && other.poll_stopped(&mut noop()).is_ready()
    })
    .await;
    drop(one);
    let late = tokio::spawn({
        let engine = engine.clone();
        async move { engine.chunk(order(id, 2)).await.map(drop) }
    });
    tokio::task::yield_now().await;
    drop(other);
    deletion.await.unwrap().unwrap();
    assert!(matches!(late.await.unwrap(), Err(EngineError::NotFound)));
}

#[tokio::test]
async fn a_look_disturbs_no_chunk() {
    let mut house = House::new();
    house.settings.silent_after = std::time::Duration::ZERO;
    let (engine, id) = (house.engine("this"), UploadId::generate());
    let mut transfer = begin(&engine, order(id, 0)).await;
    write(&mut transfer, b"the q").await.unwrap();
    assert_eq!(stands_at(&engine, id).await, 5);
    let mut other = begin(&engine, order(id, 1)).await;
    write(&mut other, b"br").await.unwrap();
    let peeked = engine.peek(id, &Owner::anonymous()).await.unwrap();
    assert_eq!(peeked.received().bytes(), 7, "what arrived of every chunk counts");
    write(&mut transfer, b"uick ").await.unwrap();
    transfer.complete().await.unwrap();
    assert_eq!(stands_at(&engine, id).await, 12);
    write(&mut other, b"own fox ").await.unwrap();
    other.complete().await.unwrap();
    assert_eq!(stands_at(&engine, id).await, 20);
}

#[tokio::test]
async fn an_upload_of_somebody_else_is_as_if_it_were_not_there() {
    let (engine, id) = (engine(), UploadId::generate());
    send_chunk(&engine, id, 0).await;
    let owner = Owner::named("mallory".to_owned());
    let missing = engine.chunk(ChunkOrder { owner, opens: None, ..order(id, 1) }).await;
    assert!(matches!(missing, Err(EngineError::NotFound)));
}

#[tokio::test]
async fn committed_chunks_survive_a_kill_and_what_lies_between_them_is_not_believed() {
    let house = House::new();
    let id = UploadId::generate();
    let engine = house.engine("this");
    send_chunk(&engine, id, 3).await;
    let mut torn = begin(&engine, order(id, 1)).await;
    write(&mut torn, b"quick").await.unwrap();
    // As a kill would: nothing settles.
    std::mem::forget(torn);
    for boot in ["this", "next"] {
        let engine = house.engine(boot);
        assert_eq!(stands_at(&engine, id).await, 0);
        let session = engine.inspect(id, &Owner::anonymous()).await.unwrap();
        assert_eq!(session.received().bytes(), CHUNK);
    }
    let engine = house.engine("next");
    for chunk in [0, 1, 2, 4] {
        send_chunk(&engine, id, chunk).await;
    }
    assert_eq!(content(&engine, id).await.unwrap(), BYTES);
}

#[tokio::test]
async fn a_power_cut_takes_unsynced_chunks_that_are_torn_and_leaves_the_sound_ones() {
    let mut house = House::new();
    house.settings.durability = Durability::Os;
    let id = UploadId::generate();
    let engine = house.engine("this");
    for chunk in [0, 2, 4] {
        send_chunk(&engine, id, chunk).await;
    }
    let writer = house.blobs.begin(id, offset(43), crate::storage::Tail::Recorded).await.unwrap();
    writer.write(offset(22), &[Bytes::from_static(b"\0\0")]).unwrap();
    let engine = house.engine("next");
    let session = engine.inspect(id, &Owner::anonymous()).await.unwrap();
    assert_eq!(session.offset(), offset(10));
    assert_eq!(session.received().bytes(), 13);
    for chunk in [1, 2, 3] {
        send_chunk(&engine, id, chunk).await;
    }
    assert_eq!(content(&engine, id).await.unwrap(), BYTES);
}

#[tokio::test]
async fn an_upload_becomes_visible_only_with_the_digest_it_was_begun_with() {
    let engine = engine();
    for (digest, visible) in [(sha1_of(BYTES), true), (sha1_of(b"other"), false)] {
        let id = UploadId::generate();
        let new = NewSession {
            expects: Some(digest),
            ..NewSession::of(Owner::anonymous(), None, Metadata::default())
        };
        for chunk in [1, 0, 2, 4] {
            let order = ChunkOrder { opens: Some(new.clone()), ..order(id, chunk) };
            let mut transfer = begin(&engine, order).await;
            write(&mut transfer, bytes_of(chunk)).await.unwrap();
            transfer.complete().await.unwrap();
        }
        let mut transfer = begin(&engine, order(id, 3)).await;
        write(&mut transfer, bytes_of(3)).await.unwrap();
        let last = transfer.complete().await;
        assert_eq!(last.is_ok(), visible);
        assert_eq!(content(&engine, id).await.is_ok(), visible);
        let late = engine.chunk(ChunkOrder { opens: None, ..order(id, 0) }).await;
        assert_eq!(matches!(late, Err(EngineError::NotFound)), !visible);
        let phase = engine.session(id).await.unwrap().unwrap().phase();
        assert_eq!(phase == Phase::Gone(Departure::Terminated), !visible);
    }
}

#[tokio::test]
async fn chunks_that_came_in_great_disorder_are_summed_up_behind_the_answer() {
    let (engine, id) = (engine(), UploadId::generate());
    let total = 1200_u64;
    let tiny =
        |chunk: u64| ChunkClaim { length: Some(total), chunk_bytes: Some(1), ..claim(chunk) };
    for chunk in (1..total).step_by(2).chain((0..total).step_by(2)) {
        let order = ChunkOrder { claim: tiny(chunk), ..order(id, chunk) };
        let mut transfer = begin(&engine, order).await;
        write(&mut transfer, b"x").await.unwrap();
        transfer.complete().await.unwrap();
    }
    until("all of it is summed up", async || {
        let session = engine.session(id).await.unwrap().unwrap();
        assert!(session.is_complete());
        session.sums().covered() == total
    })
    .await;
}

#[tokio::test]
async fn a_cut_form_leaves_nothing_and_a_whole_one_is_as_long_as_it_turned_out() {
    let house = House::new();
    let engine = house.engine("this");
    let body = Body { bytes: None, digest: None, when_cut: WhenCut::Discard };
    let new = NewSession::of(Owner::anonymous(), None, Metadata::default());
    let mut transfer = engine.create_with_body(new.clone(), body.clone()).await.unwrap();
    let id = transfer.id();
    write(&mut transfer, b"half of").await.unwrap();
    transfer.halt().await.unwrap();
    assert!(engine.session(id).await.unwrap().is_none());
    assert!(house.blobs.state(id).await.unwrap().is_none());
    let mut transfer = engine.create_with_body(new, body).await.unwrap();
    let id = transfer.id();
    write(&mut transfer, b"all of it").await.unwrap();
    assert!(transfer.complete().await.unwrap().is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "all of it");
}

#[tokio::test]
async fn a_chunk_of_an_upload_whose_bytes_are_gone_begins_it_anew() {
    let house = House::new();
    let (engine, id) = (house.engine("this"), UploadId::generate());
    send_chunk(&engine, id, 2).await;
    until("the sweep is through", async || engine.shared.recovered.load(Ordering::SeqCst)).await;
    house.blobs.delete(id).await.unwrap();
    send_chunk(&engine, id, 0).await;
    assert!(!is_there(&engine, id, 2).await);
    for chunk in 1..5 {
        send_chunk(&engine, id, chunk).await;
    }
    assert_eq!(content(&engine, id).await.unwrap(), BYTES);
}
