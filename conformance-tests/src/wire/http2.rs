//! One request over HTTP/2, on a connection of its own.
//!
//! Nothing can be misspelt here: what HTTP/2 has no room for is refused before it is sent.

use std::time::Instant;

use bytes::Bytes;
use h2::client::{self, ResponseFuture};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::connection::{BODY_BYTES_MAX, Limits, resolve};
use super::{Answer, Body, Head, Headers, Request, Response, Tls, WireError};

/// Fields that belong to the connection, of which HTTP/2 has its own idea (RFC 9113, section 8.2.2).
const OF_THE_CONNECTION: &[&str] =
    &["Connection", "Transfer-Encoding", "Keep-Alive", "Upgrade", "Proxy-Connection", "Host"];

/// Where requests go.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Host and port.
    pub address: &'a str,
    /// What the request calls the server.
    pub authority: &'a str,
    /// TLS, which then has to agree on HTTP/2; without it HTTP/2 is taken for known.
    pub tls: Option<&'a Tls>,
}

trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// Sends a request and reads the answer. An answer that comes before the body was sent counts.
///
/// # Errors
///
/// [`WireError::NotForHttp2`] for what it cannot carry; any other [`WireError`].
pub fn exchange(
    way: Way<'_>,
    limits: Limits,
    request: &Request,
    always: &[(String, String)],
) -> Result<Answer, WireError> {
    let head = head(way, request, always)?;
    let addresses = resolve(way.address, limits.remaining("looking up the host")?)?;
    let failed = |source| WireError::Connect { address: way.address.to_owned(), source };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let left = limits.until.saturating_duration_since(Instant::now());
    runtime.block_on(async {
        let open = async {
            let socket = TcpStream::connect(addresses.as_slice()).await.map_err(failed)?;
            socket.set_nodelay(true).map_err(failed)?;
            secured(socket, way.tls).await
        };
        let late = |doing| move |_| WireError::TimedOut { doing };
        let transport =
            tokio::time::timeout(limits.step, open).await.map_err(late("connecting"))??;
        let talk = talk(transport, head, request.sent_body());
        let waits = "waiting for the answer";
        tokio::time::timeout(left.min(limits.step), talk).await.map_err(late(waits))?
    })
}

async fn secured(socket: TcpStream, tls: Option<&Tls>) -> Result<Box<dyn Transport>, WireError> {
    let Some(tls) = tls else { return Ok(Box::new(socket)) };
    let (config, name) = tls.for_http2();
    let stream = TlsConnector::from(config)
        .connect(name, socket)
        .await
        .map_err(|error| WireError::from_io(error, "shaking hands"))?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(WireError::Http2("the server did not choose it by ALPN".to_owned()));
    }
    Ok(Box::new(stream))
}

/// The head as HTTP/2 has it.
fn head(
    way: Way<'_>,
    request: &Request,
    always: &[(String, String)],
) -> Result<http::Request<()>, WireError> {
    let cannot = |what: &str| WireError::NotForHttp2 { what: what.to_owned() };
    let scheme = if way.tls.is_some() { "https" } else { "http" };
    let mut head = http::Request::builder()
        .method(request.method())
        .uri(format!("{scheme}://{}{}", way.authority, request.target()))
        .body(())
        .map_err(|_| cannot("this request line"))?;
    let own = request.fields().iter().map(|(name, value)| (name, value.as_slice()));
    let always = always.iter().filter(|_| !request.is_anonymous());
    for (name, value) in always.map(|(name, value)| (name, value.as_bytes())).chain(own) {
        if OF_THE_CONNECTION.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(cannot(name));
        }
        let name_in_small = http::HeaderName::from_bytes(name.as_bytes());
        let name_in_small = name_in_small.map_err(|_| cannot("this field name"))?;
        let value = http::HeaderValue::from_bytes(value).map_err(|_| cannot("this field value"))?;
        head.headers_mut().append(name_in_small, value);
    }
    if let (Body::Sized(bytes), None) = (request.sent_body(), request.field("Content-Length")) {
        head.headers_mut().insert("content-length", bytes.len().into());
    }
    Ok(head)
}

async fn talk(
    transport: Box<dyn Transport>,
    head: http::Request<()>,
    body: &Body,
) -> Result<Answer, WireError> {
    let broken = |error: h2::Error| WireError::Http2(error.to_string());
    let (requests, connection) = client::handshake(transport).await.map_err(broken)?;
    tokio::spawn(connection);
    let mut requests = requests.ready().await.map_err(broken)?;
    let bytes = match body {
        Body::None => None,
        Body::Sized(bytes) | Body::Chunked(bytes) => Some(Bytes::copy_from_slice(bytes)),
    };
    let (answer, stream) = requests.send_request(head, bytes.is_none()).map_err(broken)?;
    let answer = match bytes {
        None => answer.await.map_err(broken)?,
        Some(bytes) => beside(answer, stream, bytes).await.map_err(broken)?,
    };
    let (parts, stream) = answer.into_parts();
    let fields = parts.headers.iter();
    let head = Head {
        status: parts.status.as_u16(),
        line: format!("HTTP/2 {}", parts.status.as_u16()),
        headers: Headers::of(fields.map(|(name, value)| (name.as_str(), value.as_bytes()))),
    };
    let body = whole(stream).await?;
    Ok(Answer { interim: Vec::new(), response: Response { head, body } })
}

/// Sends the body and waits for the answer, whichever comes first.
async fn beside(
    mut answer: ResponseFuture,
    mut stream: SendStream<Bytes>,
    bytes: Bytes,
) -> Result<http::Response<RecvStream>, h2::Error> {
    tokio::select! {
        biased;
        answer = &mut answer => return answer,
        // Whoever stops reading says why in the answer.
        _ = pour(&mut stream, bytes) => {}
    }
    answer.await
}

/// Sends as flow control lets it.
async fn pour(stream: &mut SendStream<Bytes>, mut bytes: Bytes) -> Result<(), h2::Error> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let Some(capacity) = std::future::poll_fn(|context| stream.poll_capacity(context)).await
        else {
            return Ok(());
        };
        let piece = bytes.split_to(capacity?.min(bytes.len()));
        stream.send_data(piece, false)?;
    }
    stream.send_data(Bytes::new(), true)
}

async fn whole(mut stream: RecvStream) -> Result<Vec<u8>, WireError> {
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = match piece {
            // The answer is whole, the rest of the request is not wanted (RFC 9113, section 8.1).
            Err(error) if error.reason() == Some(Reason::NO_ERROR) => break,
            piece => piece.map_err(|error| WireError::Http2(error.to_string()))?,
        };
        body.extend_from_slice(&piece);
        if body.len() > BODY_BYTES_MAX {
            return Err(WireError::Malformed("the body never ends".to_owned()));
        }
        let released = stream.flow_control().release_capacity(piece.len());
        released.map_err(|error| WireError::Http2(error.to_string()))?;
    }
    Ok(body)
}
