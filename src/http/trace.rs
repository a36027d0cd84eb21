//! [`Trace`]: a request id for every request, a span around its work, one line when it ends.
//!
//! The line says who asked for what and what came of it: the client's address as far as it is known,
//! method, upload id, status, bytes and duration. Never a query string, a token or a file name.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use actix_web::{Error, HttpMessage};
use bytes::Bytes;
use futures_core::ready;
use ipnet::IpNet;
use pin_project_lite::pin_project;
use tracing::Span;
use tracing::field::Empty;
use uuid::Uuid;

use crate::upload::UploadId;

use super::arrival;
use super::call::head;
use super::connection::{Carrier, Connection};
use super::metrics::{Metrics, RequestMethod};

/// The field that carries a request id, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest request id that is taken from a proxy.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// The id of a request; among its extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// A fresh one.
    fn generate() -> Self {
        let mut text = Uuid::encode_buffer();
        let text = Uuid::new_v4().simple().encode_lower(&mut text);
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("none")))
    }

    /// The one that a proxy gave, if there is exactly one and it can be logged as it is.
    fn given(fields: &HeaderMap) -> Option<Self> {
        let mut lines = fields.get_all(&REQUEST_ID);
        let line = lines.next()?;
        let text = line.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:+=/@".contains(byte);
        let valid = (1..=MAX_REQUEST_ID_BYTES).contains(&text.len()) && text.iter().all(plain);
        (valid && lines.next().is_none()).then(|| Self(line.clone()))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("none")
    }
}

/// The middleware. Outermost, so that it sees every answer.
#[derive(Clone, Debug)]
pub struct Trace {
    metrics: Arc<Metrics>,
    trusted: Arc<[IpNet]>,
    /// Paths that are secrets: what stands in them is not an upload to be named.
    hidden: Arc<[String]>,
}

impl Trace {
    /// Request ids and addresses of clients are believed from `trusted_proxies`, and from peers on a Unix socket.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, trusted_proxies: &[IpNet]) -> Self {
        Self { metrics, trusted: trusted_proxies.into(), hidden: Arc::default() }
    }

    /// Looks for no upload in these paths and below them, however much they look like one.
    #[must_use]
    pub fn hiding(self, paths: impl IntoIterator<Item = String>) -> Self {
        Self { hidden: paths.into_iter().collect(), ..self }
    }

    /// The upload that a path is about.
    fn upload(&self, path: &str) -> Option<UploadId> {
        let hidden = self.hidden.iter().any(|hidden| path.starts_with(hidden.as_str()));
        upload_in(path).filter(|_| !hidden)
    }

    fn trusts(&self, connection: Option<&Connection>) -> bool {
        let Some(connection) = connection else { return false };
        match connection.peer_address() {
            Some(peer) => {
                let peer: IpAddr = peer.ip().to_canonical();
                self.trusted.iter().any(|network| network.contains(&peer))
            }
            None => connection.carrier() == Carrier::Unix,
        }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Trace
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<TracedBody<B>>;
    type Error = Error;
    type Transform = Tracing<S>;
    type InitError = ();
    type Future = std::future::Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        std::future::ready(Ok(Tracing { inner, trace: self.clone() }))
    }
}

/// A service whose requests are traced.
#[derive(Debug)]
pub struct Tracing<S> {
    inner: S,
    trace: Trace,
}

impl<S, B> Service<ServiceRequest> for Tracing<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<TracedBody<B>>;
    type Error = Error;
    type Future = Traced<S::Future>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let connection = request.request().conn_data::<Connection>().cloned();
        let given =
            self.trace.trusts(connection.as_ref()).then(|| RequestId::given(request.headers()));
        let id = given.flatten().unwrap_or_else(RequestId::generate);
        let method = RequestMethod::of(request.method());
        let upload = self.trace.upload(request.path());
        let peer = request.head().peer_addr.map(|address| address.ip());
        let said = arrival::said(&self.trace.trusted, peer, || head(request.head()));
        let span = tracing::info_span!(
            "request",
            request = id.as_str(),
            method = method.as_str(),
            upload = Empty,
        );
        if let Some(upload) = upload {
            span.record("upload", tracing::field::display(upload));
        }
        request.extensions_mut().insert(id.clone());
        let metrics = Arc::clone(&self.trace.metrics);
        let entry = Entry {
            metrics,
            connection,
            client: said.client.or(peer),
            span,
            method,
            upload,
            start: Instant::now(),
            status: None,
            sent_bytes: 0,
        };
        let inner = entry.span.in_scope(|| self.inner.call(request));
        Traced { inner, id, entry: Some(entry) }
    }
}

pin_project! {
    /// A request on its way.
    pub struct Traced<F> {
        #[pin]
        inner: F,
        id: RequestId,
        entry: Option<Entry>,
    }
}

impl<F, B> Future for Traced<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<TracedBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this.entry.as_ref().map(|entry| entry.span.enter());
        let mut outcome = ready!(this.inner.poll(context));
        drop(entered);
        let mut entry = this.entry.take();
        match (&mut outcome, &mut entry) {
            (Ok(answer), Some(entry)) => {
                answer.headers_mut().insert(REQUEST_ID, this.id.0.clone());
                entry.answered(answer.status(), answer.headers());
            }
            // What middleware gives up on becomes an answer further out, without a request id.
            (Err(error), Some(entry)) => {
                entry.status = Some(error.as_response_error().status_code());
            }
            (_, None) => {}
        }
        Poll::Ready(outcome.map(|answer| answer.map_body(|_, inner| TracedBody { inner, entry })))
    }
}

pin_project! {
    /// The body of an answer; when it has been handed over, the request is logged.
    pub struct TracedBody<B> {
        #[pin]
        inner: B,
        entry: Option<Entry>,
    }
}

impl<B: MessageBody> MessageBody for TracedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.inner.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.project();
        let entered = this.entry.as_ref().map(|entry| entry.span.enter());
        let next = ready!(this.inner.poll_next(context));
        drop(entered);
        if let (Some(Ok(bytes)), Some(entry)) = (&next, this.entry) {
            let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            entry.sent_bytes = entry.sent_bytes.saturating_add(bytes);
        }
        Poll::Ready(next)
    }
}

/// One line of the log. Written when dropped: after the answer, or when the client went away.
struct Entry {
    metrics: Arc<Metrics>,
    connection: Option<Connection>,
    client: Option<IpAddr>,
    span: Span,
    method: RequestMethod,
    upload: Option<UploadId>,
    start: Instant,
    status: Option<StatusCode>,
    sent_bytes: u64,
}

impl Entry {
    fn answered(&mut self, status: StatusCode, fields: &HeaderMap) {
        self.status = Some(status);
        if self.upload.is_some() {
            return;
        }
        // A creation: the upload has just got its id.
        let location = fields.get(LOCATION).and_then(|location| location.to_str().ok());
        self.upload = location.and_then(upload_in);
        if let Some(upload) = self.upload {
            self.span.record("upload", tracing::field::display(upload));
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let took = self.start.elapsed();
        self.metrics.request(self.method, self.status, took);
        tracing::info!(
            parent: &self.span,
            client = self.client.map(tracing::field::display),
            status = self.status.map(|status| status.as_u16()),
            received_bytes = self.connection.as_ref().and_then(Connection::received_bytes),
            sent_bytes = self.sent_bytes,
            duration_microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "{}",
            if self.status.is_some() { "answered" } else { "given up by the client" },
        );
    }
}

/// The upload that a path is about, whatever comes before; a query is never looked at.
fn upload_in(path: &str) -> Option<UploadId> {
    let path = path.split('?').next()?;
    path.trim_end_matches('/').rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(lines: &[&'static str]) -> Option<String> {
        let mut fields = HeaderMap::new();
        for line in lines {
            fields.append(REQUEST_ID, HeaderValue::from_static(line));
        }
        RequestId::given(&fields).map(|id| id.as_str().to_owned())
    }

    #[test]
    fn a_request_id_is_taken_over_only_if_it_can_be_logged_as_it_is() {
        assert_eq!(given(&["0af7651916cd43dd-1"]).as_deref(), Some("0af7651916cd43dd-1"));
        let long: &'static str = Box::leak("a".repeat(129).into_boxed_str());
        for bad in [&[][..], &[""], &["a b"], &["a\"b"], &["{}"], &["a", "b"], &[long]] {
            assert_eq!(given(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn generated_request_ids_differ_and_would_be_taken_over() {
        let (first, second) = (RequestId::generate(), RequestId::generate());
        assert_ne!(first, second);
        let mut fields = HeaderMap::new();
        fields.insert(REQUEST_ID, first.0.clone());
        assert_eq!(RequestId::given(&fields), Some(first));
    }

    #[test]
    fn the_upload_is_found_in_paths_and_locations() {
        let id = UploadId::generate();
        for path in [
            format!("/files/{id}"),
            format!("https://a.example/x/{id}/"),
            format!("/f/{id}?link=a/b"),
        ] {
            assert_eq!(upload_in(&path), Some(id));
        }
        assert_eq!(upload_in("/files/"), None);
        assert_eq!(upload_in(""), None);
    }

    #[test]
    fn a_secret_path_is_not_taken_for_an_upload() {
        let id = UploadId::generate();
        let metrics = Metrics::new(crate::http::connection::OpenConnections::default());
        let trace = Trace::new(metrics, &[]).hiding([format!("/slots/{id}")]);
        assert_eq!(trace.upload(&format!("/files/{id}")), Some(id));
        for path in [format!("/slots/{id}"), format!("/slots/{id}/")] {
            assert_eq!(trace.upload(&path), None, "{path}");
        }
    }
}
