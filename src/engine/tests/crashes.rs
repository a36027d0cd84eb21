//! What recovery makes of what a crash left behind.
//!
//! A crash is an engine that is forgotten while a transfer runs: what it wrote is in the blob,
//! what it committed is in the record, and nothing is tidied up.

use super::*;
use crate::storage::Tail;

/// An engine whose own sweep will not meddle with what a test is about to leave behind.
async fn swept(house: &House, boot: &str) -> Engine {
    let engine = house.engine(boot);
    until("the sweep is through", async || engine.shared.recovered.load(Ordering::SeqCst)).await;
    engine
}

/// An upload of which `committed` was acknowledged and `written` was written behind it.
async fn crashed(
    house: &House,
    boot: &str,
    committed: &[u8],
    written: &[u8],
    tail: Tail,
) -> UploadId {
    let engine = swept(house, boot).await;
    let id = engine.create(of_length(100)).await.unwrap().id();
    send(&engine, id, 0, committed).await;
    let at = offset(committed.len() as u64);
    let writer = house.blobs.begin(id, at, tail).await.unwrap();
    writer.write(at, &[Bytes::copy_from_slice(written)]).unwrap();
    id
}

#[tokio::test]
async fn after_a_kill_everything_that_was_written_is_kept() {
    let house = House::new();
    let id = crashed(&house, "this", b"abc", b"def", Tail::Keep).await;
    let engine = house.engine("this");
    assert_eq!(stands_at(&engine, id).await, 6);
    let session = engine.inspect(id, &Owner::anonymous()).await.unwrap();
    assert_eq!(session.sums().covered(), 6);
    send(&engine, id, 6, &[7; 94]).await;
    assert!(content(&engine, id).await.unwrap().starts_with(b"abcdef\x07"));
}

#[tokio::test]
async fn a_request_that_the_sweep_meets_does_not_keep_an_upload_from_being_recovered() {
    let house = House::new();
    let engine = swept(&house, "this").await;
    let id = crashed(&house, "this", b"abc", b"def", Tail::Keep).await;
    engine.shared.recovered.store(false, Ordering::SeqCst);
    let request = engine.shared.leases.take(id).unwrap();
    let sweep = tokio::spawn({
        let shared = Arc::clone(&engine.shared);
        async move { shared.sweep_one(id).await }
    });
    tokio::task::yield_now().await;
    // Its owner was somebody else: it goes without having looked at the blob.
    drop(request);
    sweep.await.unwrap().unwrap();
    engine.shared.recovered.store(true, Ordering::SeqCst);
    assert_eq!(stands_at(&engine, id).await, 6);
}

#[tokio::test]
async fn a_look_that_waited_for_a_request_recovers_what_that_did_not() {
    let house = House::new();
    let engine = swept(&house, "this").await;
    let id = crashed(&house, "this", b"abc", b"def", Tail::Keep).await;
    engine.shared.recovered.store(false, Ordering::SeqCst);
    let request = engine.shared.leases.take(id).unwrap();
    let look = tokio::spawn({
        let engine = engine.clone();
        async move { stands_at(&engine, id).await }
    });
    tokio::task::yield_now().await;
    // It goes without having looked at the blob.
    drop(request);
    assert_eq!(look.await.unwrap(), 6);
}

#[tokio::test]
async fn after_a_power_cut_the_committed_offset_counts() {
    let house = House::new();
    let id = crashed(&house, "before", b"abc", b"def", Tail::Keep).await;
    let engine = house.engine("after");
    assert_eq!(stands_at(&engine, id).await, 3);
    send(&engine, id, 3, &[7; 97]).await;
    assert!(content(&engine, id).await.unwrap().starts_with(b"abc\x07"));
}

#[tokio::test]
async fn bytes_that_waited_for_a_checksum_are_not_kept() {
    let house = House::new();
    let id = crashed(&house, "this", b"abc", b"def", Tail::Discard).await;
    assert_eq!(stands_at(&house.engine("this"), id).await, 3);
}

#[tokio::test]
async fn an_upload_touched_in_a_newer_boot_is_believed_in_that_boot() {
    let house = House::new();
    let id = crashed(&house, "before", b"abc", b"", Tail::Keep).await;
    {
        let engine = house.engine("after");
        let mut transfer = engine.append(append(id, 3)).await.unwrap();
        write(&mut transfer, b"def").await.unwrap();
        // Forgotten, not dropped: as a kill would do.
        std::mem::forget(transfer);
    }
    assert_eq!(stands_at(&house.engine("after"), id).await, 6);
}

#[tokio::test]
async fn what_was_published_but_not_committed_is_complete() {
    let house = House::new();
    let id = {
        let engine = swept(&house, "this").await;
        let id = engine.create(of_length(6)).await.unwrap().id();
        send(&engine, id, 0, b"abc").await;
        let writer = house.blobs.begin(id, offset(3), Tail::Keep).await.unwrap();
        writer.write(offset(3), &[Bytes::from_static(b"def")]).unwrap();
        house.blobs.publish(id).await.unwrap();
        id
    };
    let engine = house.engine("other");
    assert!(engine.inspect(id, &Owner::anonymous()).await.unwrap().is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "abcdef");
}

#[tokio::test]
async fn bytes_that_were_never_synced_are_compared_with_their_sums_after_a_power_cut() {
    let mut house = House::new();
    house.settings.durability = Durability::Os;
    let id = crashed(&house, "before", &[1; 50], b"", Tail::Keep).await;
    // The power cut: the record survived, the last bytes of the blob did not.
    let writer = house.blobs.begin(id, offset(40), Tail::Keep).await.unwrap();
    writer.write(offset(40), &[Bytes::from_static(&[0; 10])]).unwrap();
    assert_eq!(stands_at(&house.engine("after"), id).await, 0, "cut to the last sound stretch");
}

#[tokio::test]
async fn a_finished_file_that_was_never_synced_is_not_served_torn() {
    let mut house = House::new();
    house.settings.durability = Durability::Os;
    let bytes = [1; 50];
    let (sound, torn) = {
        let engine = house.engine("before");
        let sound = upload(&engine, of_length(50), &bytes).await;
        let torn = upload(&engine, of_length(50), &bytes).await;
        (sound, torn)
    };
    // Put other bytes under the second one, as a lost page would.
    house.blobs.delete(torn).await.unwrap();
    let writer = house.blobs.begin(torn, offset(0), Tail::Keep).await.unwrap();
    writer.write(offset(0), &[Bytes::from_static(&[0; 50])]).unwrap();
    house.blobs.publish(torn).await.unwrap();

    let engine = house.engine("after");
    assert_eq!(content(&engine, sound).await.unwrap(), &bytes[..]);
    assert!(matches!(content(&engine, torn).await, Err(EngineError::Storage(_))));
}

#[tokio::test]
async fn an_upload_whose_blob_is_lost_starts_again_from_the_front() {
    let house = House::new();
    let id = crashed(&house, "this", b"abc", b"", Tail::Keep).await;
    house.blobs.delete(id).await.unwrap();
    let engine = house.engine("this");
    assert_eq!(stands_at(&engine, id).await, 0);
    assert!(send(&engine, id, 0, &[7; 100]).await.is_complete());
}

#[tokio::test]
async fn a_writer_that_finds_its_bytes_gone_is_told_from_where_it_can_go_on() {
    let house = House::new();
    let engine = swept(&house, "this").await;
    let id = engine.create(of_length(100)).await.unwrap().id();
    send(&engine, id, 0, &[7; 50]).await;
    house.blobs.delete(id).await.unwrap();
    let refused = engine.append(append(id, 50)).await.map(drop);
    let expected = UploadOffset::ZERO;
    let is_told = matches!(
        &refused,
        Err(EngineError::Refused(crate::upload::Refusal::OffsetMismatch { expected: told }))
            if *told == expected
    );
    assert!(is_told, "{refused:?}");
    assert_eq!(stands_at(&engine, id).await, 0);
    assert!(send(&engine, id, 0, &[7; 100]).await.is_complete());
}

#[tokio::test]
async fn what_was_published_in_part_is_not_taken_for_the_whole() {
    let house = House::new();
    let id = crashed(&house, "this", b"abc", b"def", Tail::Keep).await;
    house.blobs.publish(id).await.unwrap();
    let engine = house.engine("other");
    let looked = engine.inspect(id, &Owner::anonymous()).await;
    assert!(matches!(looked, Err(EngineError::Storage(StorageError::Damaged { .. }))));
}
