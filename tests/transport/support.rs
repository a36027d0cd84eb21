//! A small application behind real listeners, and clients that speak bytes.

use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::web::{self, Bytes, Payload};
use actix_web::{App, HttpRequest, HttpResponse};
use futures_core::Stream as _;
use rustls_pki_types::ServerName;
use rustls_pki_types::pem::PemObject;
use tempfile::TempDir;
use tidegate::http::connection::{Carrier, Connection};
use tidegate::http::listener::{Hooks, ListenError, Serving, Stopper, serve};
use tidegate::http::metrics::Metrics;
use tidegate::http::settings::{ListenAddress, ListenerSettings, ServerSettings, TlsSettings};
use tidegate::http::trace::Trace;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Nothing here takes this long unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) const INTERIM: &[u8] =
    b"HTTP/1.1 104 Upload Resumption Supported\r\nupload-offset: 5\r\n\r\n";

/// A server that is running.
pub(crate) struct Running {
    pub(crate) addresses: Vec<ListenAddress>,
    pub(crate) stopper: Stopper,
    pub(crate) serving: JoinHandle<std::io::Result<()>>,
    pub(crate) held: Arc<Held>,
}

/// Requests to `/hold` say that they are there, and wait.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) arrived: Notify,
    pub(crate) released: Notify,
}

impl Running {
    pub(crate) fn port(&self) -> u16 {
        match &self.addresses[0] {
            ListenAddress::Tcp(address) => address.port(),
            ListenAddress::Unix(_) => panic!("not a TCP listener"),
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port())).await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.stopper.stop();
        self.stopper.stop();
        in_time(self.serving).await.unwrap().unwrap();
    }
}

pub(crate) fn plain() -> ListenerSettings {
    let address = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
    ListenerSettings { address, tls: None, h2c: false }
}

pub(crate) fn unix(path: &Path) -> ListenerSettings {
    ListenerSettings { address: ListenAddress::Unix(path.to_owned()), tls: None, h2c: false }
}

/// A certificate for `localhost`, just made.
pub(crate) struct Identity {
    folder: TempDir,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let identity = Self { folder: tempfile::tempdir().unwrap() };
        identity.renew();
        identity
    }

    pub(crate) fn renew(&self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(self.settings().certificate, made.cert.pem()).unwrap();
        std::fs::write(self.settings().key, made.signing_key.serialize_pem()).unwrap();
    }

    pub(crate) fn settings(&self) -> TlsSettings {
        TlsSettings {
            certificate: self.folder.path().join("chain.pem"),
            key: self.folder.path().join("key.pem"),
            reload_interval: Duration::from_millis(20),
            handshake_timeout: DEADLINE,
        }
    }

    pub(crate) fn listener(&self) -> ListenerSettings {
        ListenerSettings { tls: Some(self.settings()), ..plain() }
    }

    /// Connects by TLS and trusts the certificate that is in the file now.
    pub(crate) async fn connect(
        &self,
        server: &Running,
        alpn: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        let certificate =
            rustls_pki_types::CertificateDer::from_pem_file(self.settings().certificate);
        roots.add(certificate.unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, server.connect().await).await
    }
}

pub(crate) fn settings() -> ServerSettings {
    ServerSettings {
        workers: 1,
        stop_timeout: Duration::from_secs(10),
        ..ServerSettings::default()
    }
}

pub(crate) fn start(listeners: &[ListenerSettings], settings: &ServerSettings) -> Running {
    try_start(listeners, settings, &Hooks::default()).unwrap()
}

pub(crate) fn try_start(
    listeners: &[ListenerSettings],
    settings: &ServerSettings,
    hooks: &Hooks,
) -> Result<Running, ListenError> {
    let held = Arc::new(Held::default());
    let for_app = web::Data::from(Arc::clone(&held));
    let metrics = Metrics::new(hooks.connections.clone());
    let trace = Trace::new(metrics, &["127.0.0.0/8".parse().unwrap()]);
    let serving: Serving = serve(listeners, settings, hooks, move || {
        App::new()
            .wrap(trace.clone())
            .app_data(for_app.clone())
            .route("/refuse", web::post().to(refuse))
            .route("/conflict", web::post().to(HttpResponse::Conflict))
            .route("/sink", web::post().to(sink))
            .route("/where", web::get().to(whereabouts))
            .route("/interim", web::post().to(interim))
            .route("/late", web::post().to(late))
            .route("/close", web::get().to(close))
            .route("/big", web::get().to(big))
            .route("/pieces", web::get().to(pieces))
            .route("/piece", web::get().to(piece))
            .route("/hold", web::get().to(hold))
    })?;
    let (addresses, stopper) = (serving.addresses().to_vec(), serving.stopper());
    Ok(Running { addresses, stopper, serving: tokio::spawn(serving.run()), held })
}

async fn refuse() -> HttpResponse {
    HttpResponse::PayloadTooLarge().body("too much")
}

/// Reads some of the body, and gives up a while later.
async fn late(mut body: Payload) -> HttpResponse {
    let _ = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    HttpResponse::RequestTimeout().body("too late")
}

async fn sink(mut body: Payload) -> HttpResponse {
    let mut bytes = 0;
    while let Some(chunk) = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
        match chunk {
            Ok(chunk) => bytes += chunk.len(),
            Err(error) => return HttpResponse::BadRequest().body(error.to_string()),
        }
    }
    HttpResponse::Ok().body(bytes.to_string())
}

async fn whereabouts(request: HttpRequest) -> HttpResponse {
    let connection = request.conn_data::<Connection>().unwrap();
    let carrier = match connection.carrier() {
        Carrier::Tcp => "tcp",
        Carrier::Tls => "tls",
        Carrier::Unix => "unix",
    };
    let (peer, local) = (connection.peer_address(), connection.local_address());
    let counted = (connection.read_bytes(), connection.written_bytes());
    HttpResponse::Ok().body(format!("{carrier} {peer:?} {local:?} {counted:?}"))
}

async fn interim(request: HttpRequest, mut body: Payload) -> HttpResponse {
    let connection = request.conn_data::<Connection>().unwrap();
    let first = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await;
    assert!(first.is_some());
    connection.send_interim(INTERIM).unwrap();
    sink(body).await
}

async fn close(request: HttpRequest) -> HttpResponse {
    request.conn_data::<Connection>().unwrap().close();
    std::future::pending().await
}

async fn big() -> HttpResponse {
    HttpResponse::Ok().body(Bytes::from(vec![b'x'; 64 * 1024 * 1024]))
}

async fn pieces() -> HttpResponse {
    HttpResponse::Ok().streaming(Pieces(PIECES))
}

async fn piece() -> HttpResponse {
    HttpResponse::Ok().body(vec![b'x'; PIECES * PIECE])
}

pub(crate) const PIECES: usize = 24;
pub(crate) const PIECE: usize = 16 * 1024;

/// A body in several pieces.
struct Pieces(usize);

impl futures_core::Stream for Pieces {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
        self.0 = left;
        Poll::Ready(Some(Ok(Bytes::from(vec![b'x'; PIECE]))))
    }
}

async fn hold(held: web::Data<Held>) -> HttpResponse {
    held.arrived.notify_one();
    held.released.notified().await;
    HttpResponse::Ok().body("released")
}

/// What comes of `future`, unless it hangs.
pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("took too long"))
}

/// Sends `request` and reads one answer with a `Content-Length`; gives its head and body as text.
pub(crate) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &str,
) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    answer(stream).await
}

/// Reads one answer with a `Content-Length`.
pub(crate) async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    in_time(async {
        let head = head(stream).await;
        let length = head.to_lowercase();
        let length = length
            .split("content-length: ")
            .nth(1)
            .map_or("0", |rest| rest.split("\r\n").next().unwrap());
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        head + &String::from_utf8(body).unwrap()
    })
    .await
}

/// Reads up to the empty line, and not a byte more.
pub(crate) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    in_time(async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    })
    .await
}

pub(crate) const GET_WHERE: &str = "GET /where HTTP/1.1\r\nHost: localhost\r\n\r\n";
