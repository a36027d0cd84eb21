//! The admin side and the access log, over real stores in memory.

#![expect(clippy::unwrap_used, reason = "tests: a failure here is the report")]

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpResponse, web};
use serde_json::{Value, json};
use tidegate::engine::{Engine, EngineParts, EngineSettings, SystemClock};
use tidegate::http::admin::{Admin, ComponentStanding, routes};
use tidegate::http::connection::OpenConnections;
use tidegate::http::metrics::{Metrics, Now};
use tidegate::http::trace::{REQUEST_ID, Trace};
use tidegate::http::tuner::{Tuner, TuningSettings};
use tidegate::storage::blob::memory::MemoryBlobStore;
use tidegate::storage::session::memory::MemorySessionStore;
use tidegate::tuning::{Bounds, GuardSettings, LotKey, Rollout};
use tidegate::upload::{BootId, Metadata, NewSession, Owner, Session, UploadLength};

/// The least room with which a gateway is ready.
const ROOM_BYTES: u64 = 1024 * 1024;

fn tuning() -> TuningSettings {
    TuningSettings {
        rollout: Rollout::percent(50),
        follows: true,
        buffers: Bounds::new(16 * 1024, 1024 * 1024),
        guard: GuardSettings {
            window: Duration::from_secs(3600),
            margin_percent: 10,
            least_transfers: 200,
        },
    }
}

/// An engine whose device has this much room, and what looks at it.
struct House {
    engine: Engine,
    metrics: Arc<Metrics>,
    components: Vec<ComponentStanding>,
    stopping: Arc<AtomicBool>,
    tuner: Tuner,
}

impl House {
    fn new(capacity_bytes: u64) -> Self {
        let metrics = Metrics::new(OpenConnections::default());
        let engine = Engine::start(EngineParts {
            sessions: Arc::new(MemorySessionStore::new()),
            blobs: Arc::new(MemoryBlobStore::new(capacity_bytes)),
            settings: EngineSettings::default(),
            clock: Arc::new(SystemClock),
            boot: BootId::new("this one".to_owned()),
            observer: metrics.clone(),
        });
        let components = Vec::new();
        let tuner = Tuner::new(tuning(), LotKey::new([1; 32]), metrics.arms());
        Self { engine: engine.unwrap(), metrics, stopping: Arc::default(), components, tuner }
    }

    async fn session(&self) -> Session {
        let metadata = Metadata::parse("filename c2VjcmV0LXBsYW5zLnBkZg==").unwrap();
        let owner = Owner::named("alice".to_owned());
        let new = NewSession::of(owner, UploadLength::new(10), metadata);
        self.engine.create(new).await.unwrap()
    }

    async fn ask(&self, method: Method, uri: &str, host: &str) -> (StatusCode, String) {
        let admin = web::Data::new(Admin {
            engine: self.engine.clone(),
            metrics: Arc::clone(&self.metrics),
            components: {
                let components = self.components.clone();
                Box::new(move || components.clone())
            },
            stopping: Arc::clone(&self.stopping),
            tuner: self.tuner.clone(),
            clients: None,
        });
        let app = init_service(App::new().configure(routes(admin))).await;
        let request = TestRequest::default().method(method).uri(uri).insert_header(("Host", host));
        read(call_service(&app, request.to_request()).await).await
    }

    async fn get(&self, uri: &str) -> (StatusCode, Value) {
        let (status, body) = self.ask(Method::GET, uri, "localhost:9090").await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

async fn read<B: MessageBody>(answer: ServiceResponse<B>) -> (StatusCode, String)
where
    B::Error: std::fmt::Debug,
{
    let status = answer.status();
    (status, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
}

#[tokio::test]
async fn a_gateway_with_room_is_alive_and_ready() {
    let house = House::new(ROOM_BYTES);
    assert_eq!(house.get("/health/live").await, (StatusCode::OK, json!({"live": true})));
    let ready = json!({"ready": true, "reasons": []});
    assert_eq!(house.get("/health/ready").await, (StatusCode::OK, ready));
}

#[tokio::test]
async fn a_component_that_is_not_connected_is_told_but_does_not_make_the_gateway_unready() {
    let mut house = House::new(ROOM_BYTES);
    let standing = |domain: &str, why: Option<&str>| ComponentStanding {
        domain: domain.to_owned(),
        connected: why.is_none(),
        why: why.map(str::to_owned),
    };
    house.components = vec![standing("a.example", None), standing("b.example", Some("no answer"))];
    let (status, body) = house.get("/health/ready").await;
    assert_eq!(status, StatusCode::OK);
    let components = json!([
        {"domain": "a.example", "connected": true},
        {"domain": "b.example", "connected": false, "why": "no answer"},
    ]);
    assert_eq!(body, json!({"ready": true, "reasons": [], "components": components}));
    let (_, metrics) = house.ask(Method::GET, "/metrics", "localhost:9090").await;
    for line in [
        "tidegate_xmpp_component_connected{domain=\"a.example\"} 1",
        "tidegate_xmpp_component_connected{domain=\"b.example\"} 0",
        "tidegate_slots_total{outcome=\"granted\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[tokio::test]
async fn a_gateway_is_not_ready_when_the_disk_reserve_is_reached() {
    let (status, body) = House::new(ROOM_BYTES - 1).get("/health/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, json!({"ready": false, "reasons": ["disk-reserve-reached"]}));
}

#[tokio::test]
async fn a_gateway_is_alive_but_not_ready_while_it_is_stopping() {
    let house = House::new(ROOM_BYTES);
    house.stopping.store(true, Ordering::Release);
    let (status, body) = house.get("/health/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, json!({"ready": false, "reasons": ["stopping"]}));
    assert_eq!(house.get("/health/live").await.0, StatusCode::OK);
}

#[tokio::test]
async fn sessions_are_listed_in_pages_until_a_page_is_empty() {
    let house = House::new(ROOM_BYTES);
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.push(house.session().await.id().to_string());
    }
    expected.sort();
    let (mut listed, mut uri) = (Vec::new(), "/sessions?limit=2".to_owned());
    loop {
        let (status, page) = house.get(&uri).await;
        assert_eq!(status, StatusCode::OK);
        let sessions = page.get("sessions").and_then(Value::as_array).unwrap().clone();
        assert!(sessions.len() <= 2);
        listed
            .extend(sessions.iter().map(|one| one.get("id").unwrap().as_str().unwrap().to_owned()));
        let Some(next) = page.get("next").and_then(Value::as_str) else { break };
        uri = format!("/sessions?limit=2&after={next}");
    }
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn a_session_is_shown_without_the_name_of_its_file() {
    let house = House::new(ROOM_BYTES);
    let id = house.session().await.id();
    let (status, shown) = house.get(&format!("/sessions/{id}")).await;
    assert_eq!(status, StatusCode::OK);
    for (key, value) in [
        ("id", json!(id.to_string())),
        ("owner", json!("alice")),
        ("phase", json!("receiving")),
        ("offset", json!(0)),
        ("length", json!(10)),
        ("relation", json!("whole")),
    ] {
        assert_eq!(shown.get(key), Some(&value), "{key}");
    }
    let text = shown.to_string();
    assert!(!text.contains("c2VjcmV0") && !text.contains("secret-plans"), "{text}");
}

#[tokio::test]
async fn a_removed_session_is_gone() {
    let house = House::new(ROOM_BYTES);
    let uri = format!("/sessions/{}", house.session().await.id());
    assert_eq!(house.ask(Method::DELETE, &uri, "localhost").await.0, StatusCode::NO_CONTENT);
    assert_eq!(house.ask(Method::DELETE, &uri, "localhost").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn everything_of_one_owner_is_counted_and_removed() {
    let house = House::new(ROOM_BYTES);
    let ids = [house.session().await.id(), house.session().await.id()];
    let shown = json!({"owner": "alice", "uploads": 2, "running": 2, "bytes": 20, "day_bytes": 20});
    assert_eq!(house.get("/owners?name=alice").await, (StatusCode::OK, shown));
    let (status, body) = house.ask(Method::DELETE, "/owners?name=alice", "localhost").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "{\"removed\":2}"));
    for id in ids {
        let (_, left) = house.get(&format!("/sessions/{id}")).await;
        assert_eq!(
            (left.get("owner"), left.get("phase")),
            (Some(&Value::Null), Some(&json!("terminated")))
        );
    }
    let nothing = json!({"owner": "alice", "uploads": 0, "running": 0, "bytes": 0, "day_bytes": 0});
    assert_eq!(house.get("/owners?name=alice").await, (StatusCode::OK, nothing));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let house = House::new(ROOM_BYTES);
    for (uri, expected) in [
        ("/sessions?limit=0", StatusCode::BAD_REQUEST),
        ("/sessions?limit=1001", StatusCode::BAD_REQUEST),
        ("/sessions?limit=-1", StatusCode::BAD_REQUEST),
        ("/sessions?limit=1&limit=2", StatusCode::BAD_REQUEST),
        ("/sessions?after=nothing", StatusCode::BAD_REQUEST),
        ("/sessions?colour=red", StatusCode::BAD_REQUEST),
        ("/sessions/..%2f..", StatusCode::BAD_REQUEST),
        ("/owners", StatusCode::BAD_REQUEST),
        ("/owners?name=", StatusCode::BAD_REQUEST),
        ("/owners?name=a&name=b", StatusCode::BAD_REQUEST),
        ("/sessions/00000000000000000000000000000001", StatusCode::NOT_FOUND),
        ("/elsewhere", StatusCode::NOT_FOUND),
    ] {
        let (status, body) = house.get(uri).await;
        assert_eq!(status, expected, "{uri}");
        assert!(body.get("error").is_some_and(Value::is_string), "{uri}: {body}");
    }
}

#[tokio::test]
async fn a_request_for_another_name_is_refused_whatever_it_asks() {
    let house = House::new(ROOM_BYTES);
    let uri = format!("/sessions/{}", house.session().await.id());
    for (method, uri) in [
        (Method::GET, "/health/live"),
        (Method::GET, "/metrics"),
        (Method::DELETE, uri.as_str()),
        (Method::GET, "http://rebound.example/sessions"),
    ] {
        let (status, _) = house.ask(method, uri, "rebound.example:9090").await;
        assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{uri}");
    }
    let absolute = house.ask(Method::GET, "http://rebound.example/sessions", "localhost").await;
    assert_eq!(absolute.0, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(house.get(&uri).await.0, StatusCode::OK, "and nothing was removed");
}

#[tokio::test]
async fn metrics_tell_of_the_engine_and_the_device() {
    let house = House::new(ROOM_BYTES);
    house.session().await;
    let (status, text) = house.ask(Method::GET, "/metrics", "127.0.0.1:9090").await;
    assert_eq!(status, StatusCode::OK);
    for line in ["tidegate_uploads_created_total 1", "tidegate_disk_usable_bytes 1048576"] {
        assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
    }
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The client that is logged for a request that says it was forwarded for `192.0.2.7`.
async fn logged_about(peer: &str, trusted: &str) -> Value {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let metrics = Metrics::new(OpenConnections::default());
    let app = App::new()
        .wrap(Trace::new(metrics, &[trusted.parse().unwrap()]))
        .default_service(web::to(HttpResponse::Accepted));
    let app = init_service(app).await;
    let request = TestRequest::get()
        .peer_addr(peer.parse().unwrap())
        .insert_header(("X-Forwarded-For", "198.51.100.1, 192.0.2.7"));
    read_body(call_service(&app, request.to_request()).await).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    serde_json::from_str::<Value>(&text).unwrap().pointer("/fields/client").unwrap().clone()
}

#[tokio::test]
async fn the_log_names_the_client_as_a_trusted_proxy_does_and_believes_nobody_else() {
    assert_eq!(logged_about("10.0.0.1:80", "10.0.0.0/8").await, json!("192.0.2.7"));
    assert_eq!(logged_about("192.0.2.1:80", "10.0.0.0/8").await, json!("192.0.2.1"));
}

#[tokio::test]
async fn a_request_is_logged_once_without_query_token_or_file_name() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let metrics = Metrics::new(OpenConnections::default());
    let id = "0123456789abcdef0123456789abcdef";
    let app = App::new()
        .wrap(Trace::new(Arc::clone(&metrics), &[]))
        .default_service(web::to(|| async { HttpResponse::Accepted().body("twelve bytes") }));
    let app = init_service(app).await;
    let request = TestRequest::patch()
        .uri(&format!("/files/{id}?name=plans.pdf"))
        .insert_header(("Authorization", "Bearer hush"))
        .insert_header(("Upload-Metadata", "filename cGxhbnMucGRm"))
        .insert_header(("X-Request-ID", "from-a-stranger"));
    let answer = call_service(&app, request.to_request()).await;
    let given = answer.headers().get(&REQUEST_ID).unwrap().to_str().unwrap().to_owned();
    assert_eq!(given.len(), 32, "a stranger's id is not taken over: {given}");
    read_body(answer).await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    for secret in ["plans", "hush", "cGxhbnMucGRm", "stranger", "?"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let line: Value = serde_json::from_str(&text).unwrap();
    let (fields, span) = (line.get("fields").unwrap(), line.get("span").unwrap());
    assert_eq!(fields.get("status"), Some(&json!(202)));
    assert_eq!(fields.get("sent_bytes"), Some(&json!(12)));
    assert!(fields.get("duration_microseconds").is_some_and(Value::is_u64));
    assert_eq!(span.get("method"), Some(&json!("PATCH")));
    assert_eq!(span.get("upload"), Some(&json!(id)));
    assert_eq!(span.get("request"), Some(&json!(given)));
    let counted = "tidegate_http_requests_total{method=\"PATCH\",status=\"2xx\"} 1";
    assert!(metrics.encode(Now::default()).unwrap().contains(counted));
}
