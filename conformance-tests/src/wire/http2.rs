//! Requests over HTTP/2, each on a connection of its own.
//!
//! Nothing can be misspelt here: what HTTP/2 has no room for is refused before it is sent.

use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{self, ResponseFuture};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::MissedTickBehavior;
use tokio::time::error::Elapsed;
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
    let left = limits.until.saturating_duration_since(Instant::now());
    runtime(way)?.block_on(async {
        let transport = secured(connected(way, limits).await?, way.tls, limits).await?;
        let talk = talk(transport, head, request.sent_body());
        let waits = "waiting for the answer";
        tokio::time::timeout(left.min(limits.step), talk).await.map_err(late(waits))?
    })
}

/// Sends a request whose body is `pieces`, one after the other with `pause` behind each, until there are no more or
/// none goes through any more. Tells `opened` our port. Nobody waits for an answer.
///
/// # Errors
///
/// [`WireError`] if it cannot be begun.
pub fn send_steadily(
    way: Way<'_>,
    limits: Limits,
    request: &Request,
    pieces: impl IntoIterator<Item = Bytes>,
    pause: Duration,
    opened: impl FnOnce(u16),
) -> Result<(), WireError> {
    let head = head(way, request, &[])?;
    runtime(way)?.block_on(async {
        let socket = connected(way, limits).await?;
        opened(socket.local_addr().map_or(0, |address| address.port()));
        let (requests, connection) =
            client::handshake(secured(socket, way.tls, limits).await?).await.map_err(broken)?;
        tokio::spawn(connection);
        let mut requests = requests.ready().await.map_err(broken)?;
        let (_answer, mut stream) = requests.send_request(head, false).map_err(broken)?;
        let mut beat = tokio::time::interval(pause);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for piece in pieces {
            let sent = tokio::time::timeout(limits.step, pour(&mut stream, piece)).await;
            if !matches!(sent, Ok(Ok(Poured::All))) {
                return Ok(());
            }
            beat.tick().await;
        }
        // Whether the end is heard is a matter of the link.
        drop(stream.send_data(Bytes::new(), true));
        Ok(())
    })
}

fn runtime(way: Way<'_>) -> Result<Runtime, WireError> {
    let failed = |source| WireError::Connect { address: way.address.to_owned(), source };
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)
}

async fn connected(way: Way<'_>, limits: Limits) -> Result<TcpStream, WireError> {
    let addresses = resolve(way.address, limits.remaining("looking up the host")?)?;
    let failed = |source| WireError::Connect { address: way.address.to_owned(), source };
    let open = TcpStream::connect(addresses.as_slice());
    let socket = tokio::time::timeout(limits.step, open).await.map_err(late("connecting"))?;
    let socket = socket.map_err(failed)?;
    socket.set_nodelay(true).map_err(failed)?;
    Ok(socket)
}

const fn late(doing: &'static str) -> impl FnOnce(Elapsed) -> WireError {
    move |_| WireError::TimedOut { doing }
}

fn broken(error: h2::Error) -> WireError {
    WireError::Http2(error.to_string())
}

async fn secured(
    socket: TcpStream,
    tls: Option<&Tls>,
    limits: Limits,
) -> Result<Box<dyn Transport>, WireError> {
    const DOING: &str = "shaking hands";
    let Some(tls) = tls else { return Ok(Box::new(socket)) };
    let (config, name) = tls.for_http2();
    let shaking = TlsConnector::from(config).connect(name, socket);
    let stream = tokio::time::timeout(limits.step, shaking).await.map_err(late(DOING))?;
    let stream = stream.map_err(|error| WireError::from_io(error, DOING))?;
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
        _ = to_the_end(&mut stream, bytes) => {}
    }
    answer.await
}

async fn to_the_end(stream: &mut SendStream<Bytes>, bytes: Bytes) -> Result<(), h2::Error> {
    match pour(stream, bytes).await? {
        Poured::All => stream.send_data(Bytes::new(), true),
        Poured::NotWanted => Ok(()),
    }
}

/// How far bytes went.
enum Poured {
    All,
    /// The other side takes no more of them.
    NotWanted,
}

/// Sends as flow control lets it.
async fn pour(stream: &mut SendStream<Bytes>, mut bytes: Bytes) -> Result<Poured, h2::Error> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let Some(capacity) = std::future::poll_fn(|context| stream.poll_capacity(context)).await
        else {
            return Ok(Poured::NotWanted);
        };
        let piece = bytes.split_to(capacity?.min(bytes.len()));
        stream.send_data(piece, false)?;
    }
    Ok(Poured::All)
}

async fn whole(mut stream: RecvStream) -> Result<Vec<u8>, WireError> {
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = match piece {
            // The answer is whole, the rest of the request is not wanted (RFC 9113, section 8.1).
            Err(error) if error.reason() == Some(Reason::NO_ERROR) => break,
            piece => piece.map_err(broken)?,
        };
        body.extend_from_slice(&piece);
        if body.len() > BODY_BYTES_MAX {
            return Err(WireError::Malformed("the body never ends".to_owned()));
        }
        stream.flow_control().release_capacity(piece.len()).map_err(broken)?;
    }
    Ok(body)
}
