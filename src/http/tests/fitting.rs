//! A fitted arm that does worse is switched off, and one that does not is left alone.

use std::sync::Arc;
use std::time::Duration;

use actix_web::App;
use actix_web::test::{self, TestRequest};
use actix_web::web::Data;

use super::{gateway, settings, tuning};
use crate::http::Gateway;
use crate::http::metrics::ArmMetrics;
use crate::http::routes::routes;
use crate::http::tuner::{Tuner, TuningSettings};
use crate::tuning::{Bounds, Fitted, Fitting, GuardSettings, LotKey, Measure, Rollout};

/// Long enough to be compared.
const FILE_BYTES: usize = 256 * 1024;

/// Gets it all wrong: every transfer goes by four kilobytes.
struct Worse;

impl Fitting for Worse {
    fn first(&self, _: Option<u64>, _: Bounds) -> usize {
        4096
    }

    fn next(&self, _: usize, _: &Measure, _: Bounds) -> usize {
        4096
    }
}

fn halves() -> TuningSettings {
    let window = Duration::from_secs(3600);
    let guard = GuardSettings { window, margin_percent: 50, least_transfers: 100 };
    TuningSettings { guard, ..tuning(50) }
}

fn fitted_by(fitting: Arc<dyn Fitting>) -> (Data<Gateway>, Tuner) {
    let settings = super::HttpSettings { read_buffer_bytes: 64 * 1024, ..settings() };
    let gateway = gateway(settings).unwrap();
    let key = LotKey::new([5; 32]);
    let tuner = Tuner::deciding_by(fitting, halves(), key, ArmMetrics::default());
    (Data::new(gateway.get_ref().clone().tuned_by(tuner.clone())), tuner)
}

/// Uploads and downloads a file of its own so many times, or until fitting is switched off; says how often.
async fn serve(gateway: &Data<Gateway>, tuner: &Tuner, most: usize) -> usize {
    let app = test::init_service(App::new().configure(routes(gateway.clone()))).await;
    for turn in 0..most {
        let creation = TestRequest::post()
            .uri("/files")
            .insert_header(("Tus-Resumable", "1.0.0"))
            .insert_header(("Upload-Length", FILE_BYTES.to_string()))
            .insert_header(("Content-Type", "application/offset+octet-stream"))
            .insert_header(("Content-Length", FILE_BYTES.to_string()))
            .set_payload(vec![7; FILE_BYTES]);
        let answer = test::call_service(&app, creation.to_request()).await;
        assert_eq!(answer.status(), 201);
        let location = answer.headers().get("Location").unwrap().to_str().unwrap().to_owned();
        let download = TestRequest::get().uri(&location).to_request();
        let body = test::read_body(test::call_service(&app, download).await).await;
        assert_eq!(body.len(), FILE_BYTES);
        if tuner.rolled_back().is_some() {
            return turn;
        }
    }
    most
}

#[tokio::test]
async fn a_forced_regression_is_rolled_back_within_the_window_and_stays_off_until_told() {
    let (gateway, tuner) = fitted_by(Arc::new(Worse));
    let took = serve(&gateway, &tuner, 1000).await;
    let why = tuner.rolled_back().unwrap_or_else(|| panic!("not after {took} downloads"));
    assert!(why.contains("downloads with adaptive buffers were slower"), "{why}");
    // Everybody is served by fixed buffers from now on.
    for _ in 0..100 {
        let id = crate::upload::UploadId::generate();
        let course = tuner.course(crate::tuning::Direction::Down, id, 777, None);
        assert_eq!(course.buffer_bytes(usize::MAX), 777);
    }
    tuner.reload(halves());
    assert!(tuner.rolled_back().is_some(), "the same settings once more decide nothing");
    let guard = GuardSettings { margin_percent: 60, ..halves().guard };
    tuner.reload(TuningSettings { guard, ..halves() });
    assert!(tuner.rolled_back().is_some(), "what is compared is not what is fitted");
    tuner.reload(TuningSettings { rollout: Rollout::percent(40), guard, ..halves() });
    assert_eq!(tuner.rolled_back(), None);
}

#[tokio::test]
async fn a_healthy_one_is_left_alone() {
    let (gateway, tuner) = fitted_by(Arc::new(Fitted));
    assert_eq!(serve(&gateway, &tuner, 500).await, 500, "{:?}", tuner.rolled_back());
}
