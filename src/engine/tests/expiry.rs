//! The reaper.

use std::time::Duration;

use super::*;
use crate::upload::Refusal;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn reap(engine: &Engine) {
    engine.shared.reap().await;
}

#[tokio::test]
async fn an_unfinished_upload_expires_is_remembered_and_then_forgotten() {
    let house = House::new();
    let engine = house.engine("this");
    let id = engine.create(of_length(10)).await.unwrap().id();
    send(&engine, id, 0, b"abc").await;
    house.clock.advance(DAY + Duration::from_secs(1));

    let gone = |error| matches!(error, EngineError::Refused(Refusal::Expired));
    assert!(gone(engine.inspect(id, &Owner::anonymous()).await.unwrap_err()));
    reap(&engine).await;
    assert!(gone(engine.append(append(id, 3)).await.unwrap_err()));
    assert_eq!(house.blobs.state(id).await.unwrap(), None);

    house.clock.advance(DAY + Duration::from_secs(1));
    reap(&engine).await;
    assert!(house.sessions.get(id).unwrap().is_none());
}

#[tokio::test]
async fn a_finished_upload_stays_whatever_its_age() {
    let house = House::new();
    let engine = house.engine("this");
    let id = upload(&engine, of_length(3), b"abc").await;
    house.clock.advance(DAY * 1000);
    reap(&engine).await;
    assert_eq!(content(&engine, id).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_finished_upload_goes_when_its_retention_is_over() {
    let mut house = House::new();
    house.settings.limits.retention = Some(DAY);
    let engine = house.engine("this");
    let id = upload(&engine, of_length(3), b"abc").await;
    house.clock.advance(DAY + Duration::from_secs(1));
    reap(&engine).await;
    let refused = content(&engine, id).await.unwrap_err();
    assert!(matches!(refused, EngineError::Refused(Refusal::Expired)));
}

#[tokio::test]
async fn a_running_transfer_is_finished_rather_than_cut_at_its_expiry() {
    let house = House::new();
    let engine = house.engine("this");
    let id = engine.create(of_length(6)).await.unwrap().id();
    let mut transfer = engine.append(append(id, 0)).await.unwrap();
    write(&mut transfer, b"abc").await.unwrap();
    house.clock.advance(DAY + Duration::from_secs(1));
    reap(&engine).await;
    write(&mut transfer, b"def").await.unwrap();
    assert!(transfer.complete().await.unwrap().is_complete());
}

#[tokio::test]
async fn more_expired_uploads_than_a_page_all_go() {
    let house = House::new();
    let engine = house.engine("this");
    for _ in 0..600 {
        engine.create(of_length(1)).await.unwrap();
    }
    house.clock.advance(DAY + Duration::from_secs(1));
    reap(&engine).await;
    assert_eq!(house.sessions.expiring(house.clock.now(), 1000).unwrap(), []);
}
