//! HTTP to the application. The only file that names the crates for it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pool, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::ForwardSettings;
use super::inquiry::{Inquiry, Meaning, meaning};

/// Longest head of an answer.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// An answer's body says nothing to us. It is read this far, so that its connection can be used
/// again, and no longer than this.
const MAX_BODY_BYTES: usize = 16 * 1024;
const BODY_PATIENCE: Duration = Duration::from_millis(200);
/// A connection without work is closed after this long.
const IDLE: Duration = Duration::from_secs(20);
/// No file of certificates is longer.
const MAX_CA_BYTES: u64 = 4 * 1024 * 1024;

/// Why the application could not be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("auth.forward.url is not an address that can be asked")]
    Url,
    /// The certificates of the system, or those in the file, cannot be used.
    #[error("the certificates{} cannot be used", named(path.as_deref()))]
    Certificates {
        /// Which file; `None` for the system's.
        path: Option<PathBuf>,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    Random,
}

fn named(path: Option<&Path>) -> String {
    path.map_or_else(|| " of the system".to_owned(), |path| format!(" in {}", path.display()))
}

/// Connections to the application, used again and again.
#[derive(Debug)]
pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    uri: Uri,
}

impl Client {
    pub(super) fn new(settings: &ForwardSettings) -> Result<Self, ClientError> {
        let uri: Uri = settings.url.parse().map_err(|_| ClientError::Url)?;
        if uri.host().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(ClientError::Url);
        }
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.timeout));
        let secure = uri.scheme_str() == Some("https");
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(secure, settings.ca.as_deref())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(settings.max_requests)
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .build(connector);
        Ok(Self { pool, uri })
    }

    /// Asks, and reads what the answer means. Redirects are not followed, cookies not kept.
    ///
    /// # Errors
    ///
    /// Why there is no answer, in words for the log: without the credentials.
    pub(super) async fn ask(
        &self,
        inquiry: &Inquiry,
        settings: &ForwardSettings,
    ) -> Result<Meaning, String> {
        let answer = match self.send(inquiry).await {
            // A connection from the pool may have been closed by the other side in the meantime.
            Err(Failed::Sent(error)) if !error.is_connect() => self.send(inquiry).await,
            sent => sent,
        };
        let answer = answer.map_err(Failed::in_words)?;
        let (head, body) = answer.into_parts();
        let lines = |name: &str| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok();
            let values = name.map(|name| head.headers.get_all(name));
            values.into_iter().flatten().map(HeaderValue::as_bytes).collect()
        };
        let meaning = meaning(head.status.as_u16(), lines, settings);
        let rest = Limited::new(body, MAX_BODY_BYTES).collect();
        drop(tokio::time::timeout(BODY_PATIENCE, rest).await);
        Ok(meaning)
    }

    async fn send(&self, inquiry: &Inquiry) -> Result<Response<Incoming>, Failed> {
        let mut request = Request::get(self.uri.clone());
        for (name, value) in &inquiry.lines {
            request = request.header(name.as_str(), value.as_slice());
        }
        let request = request.body(Empty::new()).map_err(|_| Failed::Unsendable)?;
        self.pool.request(request).await.map_err(Failed::Sent)
    }
}

enum Failed {
    Unsendable,
    Sent(Error),
}

impl Failed {
    fn in_words(self) -> String {
        match self {
            Self::Unsendable => "its question cannot be sent".to_owned(),
            Self::Sent(error) => {
                let first: &dyn std::error::Error = &error;
                let causes = std::iter::successors(Some(first), |error| error.source());
                causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
            }
        }
    }
}

/// Trust for `https`; nobody is trusted where it is not used.
fn tls(secure: bool, ca: Option<&Path>) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let failed = |source| ClientError::Certificates { path: ca.map(Path::to_owned), source };
    let builder = match ca {
        _ if !secure => builder.with_root_certificates(RootCertStore::empty()),
        Some(path) => builder.with_root_certificates(roots(path).map_err(failed)?),
        None => builder.with_native_roots().map_err(failed)?,
    };
    Ok(builder.with_no_client_auth())
}

fn roots(path: &Path) -> io::Result<RootCertStore> {
    let mut pem = Vec::new();
    File::open(path)?.take(MAX_CA_BYTES).read_to_end(&mut pem)?;
    let unusable = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| unusable("it is not PEM"))?;
        roots.add(certificate).map_err(|_| unusable("one of them is damaged"))?;
    }
    if roots.is_empty() { Err(unusable("there are none in it")) } else { Ok(roots) }
}
