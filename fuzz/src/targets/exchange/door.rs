//! A gateway in memory, reached through its real routes: everything but the socket.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::error::PayloadError;
use actix_http::header::{HeaderName, HeaderValue};
use actix_http::{Method, Payload, Request, Uri};
use actix_service::Service as _;
use actix_web::App;
use actix_web::body::to_bytes;
use actix_web::test::{TestRequest, init_service};
use actix_web::web::Data;
use bytes::Bytes;
use futures_core::Stream;
use sha2::Digest as _;
use tidegate::auth::{Authority, Parts, StaticToken, Tokens};
use tidegate::engine::events::Unobserved;
use tidegate::engine::{Engine, EngineParts, EngineSettings, SystemClock};
use tidegate::http::Gateway;
use tidegate::http::connection::OpenConnections;
use tidegate::http::expect::ExpectService;
use tidegate::http::metrics::Metrics;
use tidegate::http::routes::routes;
use tidegate::http::settings::{
    ChunkSettings, CorsSettings, ExtensionSettings, HttpSettings, SlotSettings, SlotTenant,
};
use tidegate::http::trace::Trace;
use tidegate::http::tuner::TuningSettings;
use tidegate::protocol::chunked::NameKey;
use tidegate::protocol::xep0363::{BasePath, Scheme, Secret, SlotKey, Tenant};
use tidegate::slots::Keeping;
use tidegate::storage::BlobStore;
use tidegate::storage::blob::MemoryBlobStore;
use tidegate::storage::session::MemorySessionStore;
use tidegate::tuning::{Bounds, GuardSettings, LotKey, Rollout};
use tidegate::upload::{BootId, Limits, UploadLength};
use tokio::sync::Notify;

/// What the stores hold at most; whatever wants more is refused for want of room.
pub(super) const CAPACITY_BYTES: u64 = 1 << 20;
/// Longest slot.
const MAX_SLOT_BYTES: u64 = 1000;
const SLOT_SECRET: &str = "secret of slots";

type Asked = Pin<Box<dyn Future<Output = Answer>>>;

/// The gateway, and what is behind it.
pub(super) struct Door {
    pub(super) engine: Engine,
    pub(super) blobs: Arc<dyn BlobStore>,
    ask: Rc<dyn Fn(Request) -> Asked>,
    judge: ExpectService,
}

/// An answer that has arrived.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    fields: Vec<(String, String)>,
    /// `None` if it broke off.
    pub(super) body: Option<Bytes>,
}

impl Answer {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        lines.next().map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.parse().ok()
    }

    pub(super) const fn is_success(&self) -> bool {
        self.status < 400
    }
}

/// A request before it is sent.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) fields: Vec<(String, Vec<u8>)>,
    pub(super) pieces: VecDeque<Bytes>,
    pub(super) then: Then,
}

/// What follows the pieces of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    End,
    Break,
    Silence,
}

impl Ask {
    pub(super) fn new(method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { method, target, fields: Vec::new(), pieces: VecDeque::new(), then: Then::End }
    }

    pub(super) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let mut lines = self.fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        std::str::from_utf8(&lines.next()?.1).ok()?.parse().ok()
    }

    /// The request; `None` if no HTTP server would hand it on.
    fn request(&self, stalled: &Rc<Notify>) -> Option<Request> {
        let target = Uri::try_from(self.target.as_str()).ok()?;
        if !self.target.starts_with('/') {
            return None;
        }
        let method = Method::from_bytes(self.method.as_bytes()).ok()?;
        let peer: SocketAddr = "10.0.0.1:4000".parse().ok()?;
        let mut request = TestRequest::default().peer_addr(peer).to_request();
        request.head_mut().method = method;
        request.head_mut().uri = target;
        for (name, value) in &self.fields {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            request.head_mut().headers.append(name, HeaderValue::from_bytes(value).ok()?);
        }
        let (pieces, then, stalled) = (self.pieces.clone(), self.then, Rc::clone(stalled));
        let payload: Pin<Box<dyn Stream<Item = _>>> = Box::pin(Pieces { pieces, then, stalled });
        Some(request.replace_payload(Payload::Stream { payload }).0)
    }
}

/// A body that arrives in pieces.
struct Pieces {
    pieces: VecDeque<Bytes>,
    then: Then,
    /// Told when the reader has taken everything and waits for more.
    stalled: Rc<Notify>,
}

impl Stream for Pieces {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match (self.pieces.pop_front(), self.then) {
            (Some(piece), _) => Poll::Ready(Some(Ok(piece))),
            (None, Then::End) => Poll::Ready(None),
            (None, Then::Break) => Poll::Ready(Some(Err(PayloadError::Incomplete(None)))),
            (None, Then::Silence) => {
                self.stalled.notify_one();
                Poll::Pending
            }
        }
    }
}

/// A request on its way.
pub(super) struct Underway {
    task: tokio::task::JoinHandle<Answer>,
    stalled: Rc<Notify>,
}

impl Underway {
    /// The answer; `None` once the body has stalled and there is none yet.
    pub(super) async fn answer_or_stall(&mut self) -> Option<Answer> {
        tokio::select! {
            biased;
            answer = &mut self.task => Some(answer.expect("no handler panics")),
            () = self.stalled.notified() => None,
        }
    }

    /// The answer, if it has come meanwhile.
    pub(super) async fn answer_if_there(&mut self) -> Option<Answer> {
        if self.task.is_finished() { Some(self.answer().await) } else { None }
    }

    async fn answer(&mut self) -> Answer {
        (&mut self.task).await.expect("no handler panics")
    }

    /// The client is gone.
    pub(super) fn drop_it(self) {
        self.task.abort();
    }
}

impl Door {
    pub(super) async fn open() -> Self {
        let blobs: Arc<dyn BlobStore> = Arc::new(MemoryBlobStore::new(CAPACITY_BYTES));
        let engine = Engine::start(EngineParts {
            sessions: Arc::new(MemorySessionStore::new()),
            blobs: Arc::clone(&blobs),
            settings: EngineSettings {
                threads: 1,
                silent_after: Duration::from_millis(1),
                limits: Limits { max_parts: 4, max_metadata_bytes: 200, ..Limits::default() },
                ..EngineSettings::default()
            },
            clock: Arc::new(SystemClock),
            boot: BootId::new("boot".to_owned()),
            observer: Arc::new(Unobserved),
        });
        let engine = engine.expect("an engine starts");
        let authority = Arc::new(Authority::new(Parts { tokens: tokens(), ..Parts::default() }));
        let settings = settings();
        let trace = Trace::new(Metrics::new(OpenConnections::default()), &settings.trusted_proxies);
        let gateway = Gateway::new(engine.clone(), authority, settings).expect("a gateway");
        let gateway = Data::new(gateway);
        let judge = ExpectService::new(gateway.clone());
        let app = init_service(App::new().wrap(trace).configure(routes(gateway))).await;
        let app = Rc::new(app);
        let ask = move |request| -> Asked {
            let app = Rc::clone(&app);
            Box::pin(async move {
                let answer = app.call(request).await.expect("an answer, whatever it is");
                let status = answer.status().as_u16();
                let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
                let fields = answer.headers().iter();
                let fields = fields.map(|(name, value)| (name.to_string(), text(value))).collect();
                let body = to_bytes(answer.into_body()).await.ok();
                Answer { status, fields, body }
            })
        };
        Self { engine, blobs, ask: Rc::new(ask), judge }
    }

    /// Sends a request; `None` if it is none that an HTTP server would hand on.
    pub(super) async fn send(&self, ask: &Ask) -> Option<Underway> {
        let stalled = Rc::new(Notify::new());
        let request = ask.request(&stalled)?;
        // Whoever would ask before sending the body must not be sent away for nothing.
        let refused = self.judge.judge(&request).await.err().map(|refusal| refusal.status());
        let answer = (self.ask)(request);
        let told = refused.map(|status| format!("{ask:?}: refused with {status}, then done"));
        let task = tokio::task::spawn_local(async move {
            let answer = answer.await;
            if let Some(told) = told {
                assert!(!answer.is_success(), "{told}: {answer:?}");
            }
            answer
        });
        Some(Underway { task, stalled })
    }

    /// Sends a request whose body ends, and waits for the answer.
    pub(super) async fn ask(&self, ask: &Ask) -> Option<Answer> {
        Some(self.send(ask).await?.answer().await)
    }
}

/// The token by which a slot may be written.
pub(super) fn slot_token(slot: &str, length: u64) -> String {
    let secret = Secret::new(SLOT_SECRET).expect("a secret");
    let text = format!("{slot}\0{length}\0text/plain");
    let code = secret.sign(&[text.as_bytes()]).expect("a signature");
    code.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tokens() -> Tokens {
    let token = |name: &str| StaticToken {
        name: name.to_owned(),
        sha256: sha2::Sha256::digest(format!("{name}-secret")).into(),
        max_length: UploadLength::new(30).filter(|_| name == "ben"),
        public_downloads: false,
    };
    Tokens::new(vec![token("ann"), token("ben")])
}

fn settings() -> HttpSettings {
    let tenant = Tenant {
        base: BasePath::new("/slots").expect("a path"),
        scheme: Scheme::Prosody,
        secret: Secret::new(SLOT_SECRET).expect("a secret"),
    };
    let max_length = UploadLength::new(MAX_SLOT_BYTES);
    let tenant = SlotTenant { tenant, max_length, keeping: Keeping::Configured, quota: None };
    HttpSettings {
        base_path: "/files".to_owned(),
        form_path: Some("/upload".to_owned()),
        public_url: None,
        trusted_proxies: vec!["10.0.0.0/8".parse().expect("a network")],
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
            chunk_bytes: NonZeroU64::new(8).expect("not zero"),
            names: NameKey::new([7; 32]),
        }),
        slots: SlotSettings { tenants: vec![tenant], ids: SlotKey::new([9; 32]) },
        quota: None,
        read_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(60),
        idle_timeout: Duration::from_secs(60),
        upload_timeout: None,
        min_rate_bytes_per_second: 0,
        max_streams: 128,
        memory_bytes: 1024 * 1024,
        batch_bytes: 16,
        read_buffer_bytes: 16,
        tuning: TuningSettings {
            rollout: Rollout::percent(50),
            follows: true,
            buffers: Bounds::new(8, 32),
            guard: GuardSettings {
                window: Duration::from_secs(3600),
                margin_percent: 10,
                least_transfers: 200,
            },
        },
        lots: LotKey::new([3; 32]),
        linger: Duration::from_secs(1),
        linger_bytes: 1024,
        tells_chunk_size: true,
        remembered_paths: 16,
        resumption: true,
    }
}
