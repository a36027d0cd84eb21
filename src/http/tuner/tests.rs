//! What is remembered of the client of a transfer.

use super::*;
use crate::http::tests::clients;
use crate::protocol::head::BodyLength;
use crate::protocol::tus::examples::head;
use crate::tuning::profile::Connection as Kind;
use crate::upload::Owner;

const SECOND: Duration = Duration::from_secs(1);

fn tuner(percent: u8) -> Tuner {
    let guard = GuardSettings { window: SECOND, margin_percent: 10, least_transfers: 64 };
    let (rollout, buffers) = (Rollout::percent(percent), Bounds::new(4096, 4096));
    let settings = TuningSettings { rollout, follows: true, buffers, guard };
    Tuner::new(settings, LotKey::new([1; 32]), ArmMetrics::default())
}

/// How a client is taken to be connected after ten megabytes in ten seconds, of which so long was waited for
/// something else.
fn taken_for(percent: u8, waited: Duration, path: Option<PathMeasure>) -> Option<Kind> {
    let (clients, ann) = (clients(), Owner::named("ann".to_owned()));
    let client = clients.who(&head("POST", &[], BodyLength::Empty), &ann, None).unwrap();
    let mut course = tuner(percent).course(Direction::Up, UploadId::generate(), 4096, None);
    let now = Instant::now();
    course.began = now.checked_sub(SECOND * 10).unwrap();
    course.window.since = course.began;
    course.is_of(Some(client.clone()));
    course.waited(waited);
    let (bytes, device) = (10_000_000, Duration::ZERO);
    course.moved(Move { bytes, device, waited: Duration::ZERO }, now, || path);
    drop(course);
    client.profile().unwrap().connection()
}

#[test]
fn a_client_is_not_taken_for_slow_because_it_had_to_wait_for_us() {
    assert_eq!(taken_for(100, Duration::ZERO, None), Some(Kind::Mobile));
    assert_eq!(taken_for(100, SECOND * 8, None), Some(Kind::Broadband));
}

#[test]
fn what_is_remembered_of_a_path_does_not_depend_on_the_arm() {
    let path = PathMeasure { rtt: Duration::from_millis(80), delivery_rate: None };
    for percent in [0, 100] {
        let taken = taken_for(percent, SECOND * 8, Some(path));
        assert_eq!(taken, Some(Kind::Mobile), "{percent} % are fitted");
    }
}
