//! What cannot be seen from the other end of a wire: who is believed, who owns, what is held in
//! memory. Everything else is a conformance case.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use actix_http::Request;
use actix_http::body::MessageBody as _;
use actix_service::{Service, ServiceFactory as _};
use actix_web::App;
use actix_web::test::{self, TestRequest};
use actix_web::web::Data;
use sha2::Digest as _;

use crate::auth::{Authority, Parts, StaticToken, Tokens};
use crate::engine::events::Unobserved;
use crate::engine::profiles::{ProfileSettings, Profiles};
use crate::engine::{Clock as _, Engine, EngineParts, EngineSettings, SystemClock};
use crate::protocol::chunked::NameKey;
use crate::protocol::xep0363::SlotKey;
use crate::storage::blob::memory::MemoryBlobStore;
use crate::storage::session::memory::MemorySessionStore;
use crate::storage::session::memory_profiles::MemoryProfileStore;
use crate::tuning::profile::Rules;
use crate::tuning::{Bounds, GuardSettings, LotKey, Rollout};
use crate::upload::{BootId, UploadLength};

use super::client::{ClientHash, Clients};
use super::expect::ExpectService;
use super::routes::routes;
use super::settings::{ChunkSettings, CorsSettings, ExtensionSettings, HttpSettings, SlotSettings};
use super::tuner::TuningSettings;
use super::{Gateway, GatewayError};

mod chunked;
mod cuts;
mod desk;
mod expect;
mod fitting;
mod quotas;
mod resumption;
mod slots;

fn settings() -> HttpSettings {
    HttpSettings {
        base_path: "/files".to_owned(),
        form_path: Some("/upload".to_owned()),
        public_url: None,
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        cors: CorsSettings {
            enabled: true,
            origins: Vec::new(),
            credentials: false,
            max_age: Duration::from_secs(60),
        },
        public_downloads: false,
        extensions: ExtensionSettings {
            creation: true,
            creation_with_upload: true,
            creation_defer_length: true,
            expiration: true,
            checksum: true,
            termination: true,
            concatenation: true,
        },
        chunks: Some(ChunkSettings {
            chunk_bytes: NonZeroU64::new(5_000_000).unwrap(),
            names: NameKey::new([7; 32]),
        }),
        slots: SlotSettings { tenants: Vec::new(), ids: SlotKey::new([9; 32]) },
        quota: None,
        read_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(60),
        idle_timeout: Duration::from_secs(60),
        upload_timeout: None,
        min_rate_bytes_per_second: 0,
        tuning: tuning(0),
        tells_chunk_size: true,
        lots: LotKey::new([3; 32]),
        batch_bytes: 1024,
        read_buffer_bytes: 1024,
        memory_bytes: 1024 * 1024,
        linger: Duration::from_secs(1),
        linger_bytes: 1024,
        max_streams: 128,
        remembered_paths: 100,
        resumption: true,
    }
}

/// Clients of which nothing is known yet.
pub(super) fn clients() -> Clients {
    let rules = Rules { detects_connections: true, most_chunk_bytes: 1 << 20 };
    let lifetime = Duration::from_secs(3600);
    let settings = ProfileSettings { enabled: true, most: 10, lifetime, rules };
    let store = Arc::new(MemoryProfileStore::default());
    let profiles = Profiles::open(settings, store, SystemClock.now()).unwrap();
    Clients::new(profiles, ClientHash::new([2; 32]))
}

/// So many sessions of a hundred are fitted.
fn tuning(percent: u8) -> TuningSettings {
    let window = Duration::from_secs(3600);
    TuningSettings {
        rollout: Rollout::percent(percent),
        follows: true,
        buffers: Bounds::new(16 * 1024, 1024 * 1024),
        guard: GuardSettings { window, margin_percent: 10, least_transfers: 200 },
    }
}

fn gateway(settings: HttpSettings) -> Result<Data<Gateway>, GatewayError> {
    guarded(Parts::default(), settings)
}

fn guarded(parts: Parts, settings: HttpSettings) -> Result<Data<Gateway>, GatewayError> {
    let authority = Arc::new(Authority::new(parts));
    let engine = EngineParts {
        sessions: Arc::new(MemorySessionStore::new()),
        blobs: Arc::new(MemoryBlobStore::new(1 << 30)),
        settings: EngineSettings { threads: 1, ..EngineSettings::default() },
        clock: Arc::new(SystemClock),
        boot: BootId::new("boot".to_owned()),
        observer: Arc::new(Unobserved),
    };
    Gateway::new(Engine::start(engine).unwrap(), authority, settings).map(Data::new)
}

/// The answer: status, a way to read fields, body.
struct Answer {
    status: u16,
    fields: actix_http::header::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(|value| value.to_str().ok())
    }
}

async fn ask(gateway: &Data<Gateway>, request: TestRequest) -> Answer {
    let app = test::init_service(App::new().configure(routes(gateway.clone()))).await;
    let answer = test::call_service(&app, request.to_request()).await;
    let (status, fields) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, fields, body: test::read_body(answer).await.to_vec() }
}

fn creation(length: &str) -> TestRequest {
    TestRequest::post()
        .uri("/files")
        .insert_header(("Tus-Resumable", "1.0.0"))
        .insert_header(("Upload-Length", length))
}

fn with_bytes(bytes: &'static str) -> TestRequest {
    creation(&bytes.len().to_string())
        .insert_header(("Content-Type", "application/offset+octet-stream"))
        .insert_header(("Content-Length", bytes.len().to_string()))
        .set_payload(bytes)
}

fn forwarded(peer: &str) -> TestRequest {
    let peer: SocketAddr = peer.parse().unwrap();
    creation("1")
        .peer_addr(peer)
        .insert_header(("X-Forwarded-Proto", "https"))
        .insert_header(("X-Forwarded-Host", "up.example.org"))
}

/// A token for Ann, and one for Bob that is bounded and opens what he has uploaded.
fn tokens() -> Parts {
    let token = |name: &str| StaticToken {
        name: name.to_owned(),
        sha256: sha2::Sha256::digest(format!("{name}-secret")).into(),
        max_length: UploadLength::new(8).filter(|_| name == "bob"),
        public_downloads: name == "bob",
    };
    Parts { tokens: Tokens::new(vec![token("ann"), token("bob")]), ..Parts::default() }
}

fn owned(public_downloads: bool) -> Data<Gateway> {
    guarded(tokens(), HttpSettings { public_downloads, ..settings() }).unwrap()
}

fn by(name: &str, request: TestRequest) -> TestRequest {
    request.insert_header(("Authorization", format!("Bearer {name}-secret")))
}

async fn uploaded_by_ann(gateway: &Data<Gateway>) -> String {
    let answer = ask(gateway, by("ann", with_bytes("hello"))).await;
    assert_eq!(answer.status, 201);
    answer.field("location").unwrap().to_owned()
}

#[tokio::test]
async fn a_proxy_is_believed_only_if_it_is_a_configured_one() {
    let gateway = gateway(settings()).unwrap();
    let location = |answer: &Answer| answer.field("location").unwrap().to_owned();
    let believed = ask(&gateway, forwarded("10.1.2.3:80")).await;
    assert!(location(&believed).starts_with("https://up.example.org/files/"));
    let mapped = ask(&gateway, forwarded("[::ffff:10.1.2.3]:80")).await;
    assert!(location(&mapped).starts_with("https://up.example.org/files/"));
    let stranger = ask(&gateway, forwarded("192.0.2.1:80")).await;
    assert!(location(&stranger).starts_with("/files/"));
}

#[tokio::test]
async fn the_public_url_beats_whatever_a_proxy_says() {
    let public_url = Some("https://public.example/in".to_owned());
    let gateway = gateway(HttpSettings { public_url, ..settings() }).unwrap();
    let answer = ask(&gateway, forwarded("10.1.2.3:80")).await;
    assert!(answer.field("location").unwrap().starts_with("https://public.example/in/files/"));
}

#[tokio::test]
async fn a_public_url_that_is_none_makes_no_gateway() {
    let public_url = Some("public.example".to_owned());
    assert!(matches!(
        gateway(HttpSettings { public_url, ..settings() }),
        Err(GatewayError::PublicUrl(_))
    ));
}

#[tokio::test]
async fn an_upload_is_its_owners_and_nobody_else_can_even_see_it() {
    let gateway = owned(false);
    let url = uploaded_by_ann(&gateway).await;
    let tus = |request: TestRequest| request.uri(&url).insert_header(("Tus-Resumable", "1.0.0"));
    let head = || TestRequest::default().method(actix_http::Method::HEAD);
    assert_eq!(ask(&gateway, by("ann", TestRequest::get().uri(&url))).await.body, b"hello");
    for (asked, status) in [
        (by("bob", TestRequest::get().uri(&url)), 404),
        (by("bob", tus(head())), 404),
        (by("bob", tus(TestRequest::delete())), 404),
        (TestRequest::get().uri(&url), 401),
        (tus(head()), 401),
        (tus(TestRequest::delete()), 401),
        (by("ann", tus(head())), 200),
        (by("ann", tus(TestRequest::delete())), 204),
    ] {
        assert_eq!(ask(&gateway, asked).await.status, status);
    }
}

#[tokio::test]
async fn an_override_is_authorised_as_what_it_turns_into() {
    let gateway = owned(false);
    let url = uploaded_by_ann(&gateway).await;
    let sneaky = TestRequest::default()
        .method(actix_http::Method::OPTIONS)
        .uri(&url)
        .insert_header(("X-HTTP-Method-Override", "DELETE"))
        .insert_header(("Tus-Resumable", "1.0.0"));
    assert_eq!(ask(&gateway, sneaky).await.status, 401);
}

#[tokio::test]
async fn with_public_downloads_the_address_opens_the_file_but_not_the_upload() {
    let gateway = owned(true);
    let url = uploaded_by_ann(&gateway).await;
    let head = || TestRequest::default().method(actix_http::Method::HEAD).uri(&url);
    let file = ask(&gateway, TestRequest::get().uri(&url)).await;
    assert_eq!((file.status, file.body.as_slice()), (200, &b"hello"[..]));
    assert!(file.field("cache-control").unwrap().starts_with("public"));
    for looked in [ask(&gateway, head()).await, ask(&gateway, by("bob", head())).await] {
        assert_eq!((looked.status, looked.field("upload-offset")), (200, None));
        assert!(looked.field("etag").is_some());
    }
    let owner = ask(&gateway, by("ann", head())).await;
    assert_eq!(owner.field("upload-offset"), Some("5"));
    assert!(owner.field("etag").is_some());
}

///
#[tokio::test]
async fn an_owner_s_downloads_can_be_open_while_those_of_others_are_not() {
    let gateway = owned(false);
    let bobs = ask(&gateway, by("bob", with_bytes("hello"))).await;
    let (bobs, anns) =
        (bobs.field("location").unwrap().to_owned(), uploaded_by_ann(&gateway).await);
    let get = |url: &str| TestRequest::get().uri(url);
    let head = |url: &str| get(url).method(actix_http::Method::HEAD);
    let open = ask(&gateway, get(&bobs)).await;
    assert_eq!((open.status, open.body.as_slice()), (200, &b"hello"[..]));
    assert!(open.field("cache-control").unwrap().starts_with("public"));
    assert_eq!(ask(&gateway, by("ann", get(&bobs))).await.status, 200);
    for looked in [ask(&gateway, head(&bobs)).await, ask(&gateway, by("ann", head(&bobs))).await] {
        assert_eq!((looked.status, looked.field("upload-offset")), (200, None));
    }
    assert_eq!(ask(&gateway, get(&anns)).await.status, 401);
    assert_eq!(ask(&gateway, head(&anns)).await.status, 401);
    assert_eq!(ask(&gateway, by("bob", get(&anns))).await.status, 404);
}

///
#[tokio::test]
async fn a_bounded_credential_creates_nothing_longer() {
    let gateway = owned(false);
    assert_eq!(ask(&gateway, by("bob", creation("8"))).await.status, 201);
    let refused = ask(&gateway, by("bob", creation("9"))).await;
    assert_eq!((refused.status, refused.field("tus-max-size")), (413, Some("8")));
    let deferred = TestRequest::post()
        .uri("/files")
        .insert_header(("Tus-Resumable", "1.0.0"))
        .insert_header(("Upload-Defer-Length", "1"));
    let deferred = ask(&gateway, by("bob", deferred)).await.field("location").unwrap().to_owned();
    let patch = |fields: [(&'static str, &'static str); 2]| {
        let patch = TestRequest::patch()
            .uri(&deferred)
            .insert_header(("Tus-Resumable", "1.0.0"))
            .insert_header(("Content-Type", "application/offset+octet-stream"));
        by("bob", fields.into_iter().fold(patch, TestRequest::insert_header))
    };
    let declared = patch([("Upload-Offset", "0"), ("Upload-Length", "9")]);
    assert_eq!(ask(&gateway, declared).await.status, 413);
    let sent = patch([("Upload-Offset", "0"), ("Content-Length", "9")]).set_payload("123456789");
    assert_eq!(ask(&gateway, sent).await.status, 413);
}

#[tokio::test]
async fn every_answer_to_a_page_can_be_read_by_it() {
    let gateway = owned(false);
    for request in [
        TestRequest::get().uri("/nowhere"),
        TestRequest::put().uri("/files"),
        TestRequest::get().uri("/files/not-an-id"),
        TestRequest::post().uri("/files/"),
        TestRequest::patch().uri("/files/0123456789abcdef0123456789abcdef"),
    ] {
        let answer = ask(&gateway, request.insert_header(("Origin", "https://a.example"))).await;
        assert!(answer.status >= 400);
        assert_eq!(answer.field("access-control-allow-origin"), Some("*"));
        assert!(answer.field("access-control-expose-headers").is_some());
        assert!(answer.body.starts_with(b"{\"error\":\""));
    }
}

async fn expected(gateway: &Data<Gateway>, request: TestRequest) -> Result<Request, u16> {
    let service = ExpectService::new(gateway.clone()).new_service(()).await.unwrap();
    service.call(request.to_request()).await.map_err(|refusal| {
        assert!(refusal.headers().contains_key("access-control-allow-origin"));
        assert!(!refusal.body().size().is_eof());
        refusal.status().as_u16()
    })
}

#[tokio::test]
async fn a_body_of_another_kind_is_ignored_if_it_turns_out_empty() {
    let gateway = gateway(settings()).unwrap();
    let chunked = |bytes: &'static str| {
        creation("5")
            .insert_header(("Content-Type", "text/plain"))
            .insert_header(("Transfer-Encoding", "chunked"))
            .set_payload(bytes)
    };
    assert_eq!(ask(&gateway, chunked("")).await.status, 201);
    assert_eq!(ask(&gateway, chunked("hello")).await.status, 415);
}

fn form(content: &str) -> TestRequest {
    let disposition = "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"";
    TestRequest::post()
        .uri("/upload")
        .insert_header(("Content-Type", "multipart/form-data; boundary=b"))
        .set_payload(format!("--b\r\n{disposition}\r\n\r\n{content}\r\n--b--\r\n"))
}

#[tokio::test]
async fn the_file_of_a_form_belongs_to_who_sent_it() {
    let gateway = owned(false);
    assert_eq!(ask(&gateway, form("hello")).await.status, 401);
    let stored = ask(&gateway, by("ann", form("hello"))).await;
    assert_eq!(stored.status, 200);
    let url = stored.field("location").unwrap().to_owned();
    let fetch = || TestRequest::get().uri(&url);
    assert_eq!(ask(&gateway, by("ann", fetch())).await.body, b"hello");
    assert_eq!(ask(&gateway, by("bob", fetch())).await.status, 404);
}

#[tokio::test]
async fn where_forms_are_switched_off_nothing_is_served() {
    let gateway = gateway(HttpSettings { form_path: None, ..settings() }).unwrap();
    assert_eq!(ask(&gateway, form("hello")).await.status, 404);
}
