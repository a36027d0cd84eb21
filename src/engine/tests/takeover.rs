//! Who disturbs whom.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::faults::{Faults, faulty};
use super::*;
use crate::upload::Refusal;

fn house(silent_after: Duration) -> House {
    let mut house = House::new();
    house.settings.silent_after = silent_after;
    house
}

#[tokio::test]
async fn a_newer_request_at_the_offset_reached_takes_over_and_nothing_is_lost() {
    let engine = house(Duration::MAX).engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut older = engine.append(append(id, 0)).await.unwrap();
    write(&mut older, b"abc").await.unwrap();

    let newer = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.append(append(id, 3)).await })
    };
    std::future::poll_fn(|cx| older.poll_stopped(cx)).await;
    assert!(matches!(write(&mut older, b"xyz").await, Err(EngineError::TakenOver { .. })));
    let told = older.halt().await.unwrap_err();
    assert!(matches!(told, EngineError::TakenOver { offset: at } if at == offset(3)));

    let mut newer = newer.await.unwrap().unwrap();
    write(&mut newer, b"def").await.unwrap();
    assert!(newer.complete().await.unwrap().is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "abcdef");
}

#[tokio::test]
async fn a_stale_request_learns_the_durable_offset_and_leaves_the_writer_alone() {
    let house = house(Duration::ZERO);
    let engine = house.engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut older = engine.append(append(id, 0)).await.unwrap();
    write(&mut older, b"abc").await.unwrap();

    let refused = engine.append(append(id, 1)).await.unwrap_err();
    let expected = Refusal::OffsetMismatch { expected: offset(3) };
    assert!(matches!(refused, EngineError::Refused(refusal) if refusal == expected));
    let committed = house.sessions.get(id).unwrap().unwrap().session.offset();
    assert_eq!(committed, offset(3), "an offset that was told is durable");

    write(&mut older, b"def").await.unwrap();
    assert!(older.complete().await.unwrap().is_complete());
}

#[tokio::test]
async fn a_look_reads_beside_a_receiving_writer() {
    let house = house(Duration::MAX);
    let engine = house.engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut older = engine.append(append(id, 0)).await.unwrap();
    write(&mut older, b"abc").await.unwrap();
    assert_eq!(
        stands_at(&engine, id).await,
        3,
        "whoever lost a link a moment ago sends nothing twice"
    );
    let committed = house.sessions.get(id).unwrap().unwrap().session.offset();
    assert_eq!(committed, offset(3), "an offset that was told is durable");
    write(&mut older, b"def").await.unwrap();
    assert!(older.complete().await.unwrap().is_complete());
}

#[tokio::test]
async fn a_look_at_a_silent_writer_gets_the_exact_offset() {
    let engine = house(Duration::ZERO).engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut silent = engine.append(append(id, 0)).await.unwrap();
    write(&mut silent, b"abc").await.unwrap();
    let pump = tokio::spawn(async move {
        std::future::poll_fn(|cx| silent.poll_stopped(cx)).await;
        silent.halt().await
    });
    assert_eq!(stands_at(&engine, id).await, 3);
    assert!(matches!(pump.await.unwrap(), Err(EngineError::TakenOver { .. })));
    assert!(send(&engine, id, 3, b"def").await.is_complete());
}

#[tokio::test]
async fn a_deletion_stops_the_writer() {
    let engine = house(Duration::MAX).engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut older = engine.append(append(id, 0)).await.unwrap();
    write(&mut older, b"abc").await.unwrap();
    let pump = tokio::spawn(async move {
        std::future::poll_fn(|cx| older.poll_stopped(cx)).await;
        older.halt().await
    });
    engine.terminate(id, &Owner::anonymous()).await.unwrap();
    assert!(matches!(pump.await.unwrap(), Err(EngineError::NotFound)));
    assert_eq!(engine.running(), 0);
}

#[tokio::test]
async fn a_writer_whose_bytes_are_unproven_yields_at_its_start() {
    let engine = house(Duration::MAX).engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let order = AppendOrder { digest: Some(sha1_of(b"abcdef")), ..append(id, 0) };
    let mut older = engine.append(order).await.unwrap();
    write(&mut older, b"abc").await.unwrap();
    let pump = tokio::spawn(async move {
        std::future::poll_fn(|cx| older.poll_stopped(cx)).await;
        older.halt().await
    });
    let mut newer = engine.append(append(id, 0)).await.unwrap();
    assert!(matches!(pump.await.unwrap(), Err(EngineError::TakenOver { .. })));
    write(&mut newer, b"ABCDEF").await.unwrap();
    assert!(newer.complete().await.unwrap().is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "ABCDEF");
}

/// Two requests race at one offset: the file is one of the bodies, never a mix (T-45).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_racing_requests_exactly_one_wins() {
    let engine = house(Duration::MAX).engine("this");
    for _ in 0..200 {
        let id = engine.create(of_length(64)).await.unwrap().id();
        let racer = |byte: u8| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let mut transfer = engine.append(append(id, 0)).await?;
                for _ in 0..4 {
                    if let Err(error) = write(&mut transfer, &[byte; 16]).await {
                        drop(transfer.halt().await);
                        return Err(error);
                    }
                    tokio::task::yield_now().await;
                }
                transfer.complete().await
            })
        };
        let (a, b) = (racer(b'a'), racer(b'b'));
        let (a, b) = (a.await.unwrap(), b.await.unwrap());
        assert_ne!(a.is_ok(), b.is_ok(), "{a:?} {b:?}");
        let winner = if a.is_ok() { [b'a'; 64] } else { [b'b'; 64] };
        assert_eq!(content(&engine, id).await.unwrap(), &winner[..]);
    }
}

#[tokio::test]
async fn a_peek_leaves_even_a_silent_writer_alone() {
    let engine = house(Duration::ZERO).engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut writer = engine.append(append(id, 0)).await.unwrap();
    write(&mut writer, b"abc").await.unwrap();
    let peeked = engine.peek(id, &Owner::anonymous()).await.unwrap();
    assert_eq!(peeked.offset(), offset(3));
    let stranger = Owner::named("stranger".to_owned());
    assert!(matches!(engine.peek(id, &stranger).await, Err(EngineError::NotFound)));
    write(&mut writer, b"def").await.unwrap();
    assert!(writer.complete().await.unwrap().is_complete());
    assert!(engine.peek(id, &Owner::anonymous()).await.unwrap().is_complete());
}

/// A link that died a moment ago: the writer is not silent yet, and nobody stops it.
#[tokio::test]
async fn whoever_looks_at_a_writer_that_was_just_heard_can_go_on_from_the_answer() {
    let engine = house(Duration::MAX).engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut dead = engine.append(append(id, 0)).await.unwrap();
    write(&mut dead, b"abc").await.unwrap();
    let at = stands_at(&engine, id).await;
    let pump = tokio::spawn(async move {
        std::future::poll_fn(|cx| dead.poll_stopped(cx)).await;
        dead.halt().await
    });
    let mut newer = engine.append(append(id, at)).await.unwrap();
    assert!(matches!(pump.await.unwrap(), Err(EngineError::TakenOver { .. })));
    write(&mut newer, b"def").await.unwrap();
    assert!(newer.complete().await.unwrap().is_complete());
    assert_eq!(content(&engine, id).await.unwrap(), "abcdef");
}

/// An upload of which "abc" is being written until the device goes on (`writing_shut`), and who writes it.
async fn hung_up(house: &House, faults: &Faults) -> (Engine, UploadId, JoinHandle<Transfer>) {
    let engine = house.engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    faults.writing_shut.store(true, Ordering::SeqCst);
    let here = Handle::current();
    let writer = tokio::task::spawn_blocking(move || {
        here.block_on(write(&mut transfer, b"abc")).unwrap();
        transfer
    });
    let began = std::time::Instant::now();
    while faults.wrote.lock().unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "nothing was written");
        tokio::task::yield_now().await;
    }
    (engine, id, writer)
}

/// A device that takes its time, and a link that died meanwhile.
#[tokio::test]
async fn whoever_looks_while_a_batch_is_written_is_told_of_it_once_it_is_there() {
    let (mut house, faults) = faulty();
    house.settings.silent_after = Duration::MAX;
    let (engine, id, writer) = hung_up(&house, &faults).await;
    let mut look = Box::pin(stands_at(&engine, id));
    let early = tokio::time::timeout(Duration::from_millis(100), &mut look).await;
    // Before anything can fail: nobody leaves while a thread waits for it.
    faults.writing_shut.store(false, Ordering::SeqCst);
    assert!(early.is_err(), "told {early:?} of what was being written");
    assert_eq!(look.await, 3);
    drop(writer.await.unwrap());
}

#[tokio::test]
async fn whoever_looks_while_a_device_hangs_is_told_what_was_durable_before() {
    let (mut house, faults) = faulty();
    house.settings.takeover_timeout = Duration::from_millis(20);
    let (engine, id, writer) = hung_up(&house, &faults).await;
    let look = tokio::time::timeout(Duration::from_secs(30), stands_at(&engine, id)).await;
    faults.writing_shut.store(false, Ordering::SeqCst);
    assert_eq!(look, Ok(0));
    drop(writer.await.unwrap());
}

#[tokio::test]
async fn a_look_beside_a_writer_does_not_count_bytes_that_no_checksum_has_proven() {
    let engine = house(Duration::MAX).engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let order = AppendOrder { digest: Some(sha1_of(b"abcdef")), ..append(id, 0) };
    let mut older = engine.append(order).await.unwrap();
    write(&mut older, b"abc").await.unwrap();
    assert_eq!(stands_at(&engine, id).await, 0);
    write(&mut older, b"def").await.unwrap();
    assert!(older.complete().await.unwrap().is_complete());
}
