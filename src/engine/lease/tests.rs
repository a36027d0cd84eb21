//! Who may disturb whom, seat by seat.

use super::*;
use crate::upload::UploadOffset;
use std::sync::Weak;

const PATIENCE: Duration = Duration::from_secs(5);

fn offset(bytes: u64) -> UploadOffset {
    UploadOffset::new(bytes).unwrap()
}

fn leases(silent_after: Duration) -> Arc<Leases> {
    Leases::new(silent_after)
}

fn receiving(leases: &Arc<Leases>, id: UploadId, at: u64) -> Lease {
    let lease = leases.take(id).unwrap();
    lease.seat().receive_from(offset(at), Weak::new());
    lease
}

async fn let_go_when_stopped(lease: Lease) {
    std::future::poll_fn(|cx| lease.seat().poll_stopped(cx)).await;
}

#[tokio::test]
async fn a_patch_at_the_offset_reached_takes_over() {
    let (leases, id) = (leases(Duration::MAX), UploadId::generate());
    let older = tokio::spawn(let_go_when_stopped(receiving(&leases, id, 7)));
    let newer = leases.claim(id, Claim::Append(offset(7)), PATIENCE).await;
    assert!(newer.is_ok());
    older.await.unwrap();
}

#[tokio::test]
async fn a_patch_at_another_offset_leaves_the_writer_alone() {
    let (leases, id) = (leases(Duration::ZERO), UploadId::generate());
    let older = receiving(&leases, id, 7);
    let newer = leases.claim(id, Claim::Append(offset(3)), PATIENCE).await;
    assert!(matches!(newer, Err(Occupied::Receiving(_))));
    assert_eq!(older.seat().stop_reason(), None);
}

#[tokio::test]
async fn a_look_leaves_a_receiving_writer_alone_and_takes_over_from_a_silent_one() {
    let id = UploadId::generate();
    let busy = leases(Duration::MAX);
    let held = receiving(&busy, id, 7);
    let look = busy.claim(id, Claim::Inspect, PATIENCE).await;
    assert!(matches!(look, Err(Occupied::Receiving(_))));
    assert_eq!(held.seat().stop_reason(), None);

    let silent = leases(Duration::ZERO);
    let older = tokio::spawn(let_go_when_stopped(receiving(&silent, id, 7)));
    assert!(silent.claim(id, Claim::Inspect, PATIENCE).await.is_ok());
    older.await.unwrap();
}

#[tokio::test]
async fn a_stopped_writer_writes_nothing_more() {
    let (leases, id) = (leases(Duration::MAX), UploadId::generate());
    let older = receiving(&leases, id, 0);
    let newer = {
        let leases = Arc::clone(&leases);
        tokio::spawn(async move { leases.claim(id, Claim::Terminate, PATIENCE).await })
    };
    std::future::poll_fn(|cx| older.seat().poll_stopped(cx)).await;
    assert_eq!(older.seat().begin_write(), Err(StopReason::Terminated));
    drop(older);
    assert!(newer.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_leaving_writer_is_waited_for_and_not_stopped() {
    let (leases, id) = (leases(Duration::ZERO), UploadId::generate());
    let older = receiving(&leases, id, 0);
    assert_eq!(older.seat().leave(), None);
    let seat = Arc::clone(older.seat());
    let newer = {
        let leases = Arc::clone(&leases);
        tokio::spawn(async move { leases.claim(id, Claim::Append(offset(0)), PATIENCE).await })
    };
    tokio::task::yield_now().await;
    assert_eq!(seat.stop_reason(), None);
    drop(older);
    assert!(newer.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_holder_that_is_stuck_ends() {
    let (leases, id) = (leases(Duration::MAX), UploadId::generate());
    let _stuck = leases.take(id).unwrap();
    let newer = leases.claim(id, Claim::Append(offset(0)), PATIENCE).await;
    assert!(matches!(newer, Err(Occupied::Stuck)));
}

#[tokio::test]
async fn a_closed_house_gives_no_seats_and_stops_every_holder() {
    let (leases, id) = (leases(Duration::MAX), UploadId::generate());
    let held = receiving(&leases, id, 0);
    leases.close();
    assert_eq!(held.seat().stop_reason(), Some(StopReason::Shutdown));
    assert!(matches!(leases.take(UploadId::generate()), Err(Occupied::ShuttingDown)));
    drop(held);
    leases.emptied().await;
    assert_eq!(leases.taken(), 0);
}
