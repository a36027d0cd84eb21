//! One TCP connection with deadlines on every step.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::response::{Framing, short};
use super::tls::Stream;
use super::{Answer, Body, Head, Request, Response, Tls, WireError};

/// The most bytes of one response head we keep.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The most bytes of one response body we keep.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How much is handed to the socket, or chunked, at once.
const PIECE_BYTES: usize = 64 * 1024;

/// How long a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest wait for one step: connecting, or the next bytes in either direction.
    pub step: Duration,
    /// Nothing is waited for past this instant.
    pub until: Instant,
}

impl Limits {
    pub(super) fn remaining(&self, doing: &'static str) -> Result<Duration, WireError> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(WireError::TimedOut { doing }) } else { Ok(left.min(self.step)) }
    }
}

/// An open connection to the server under test.
///
/// Dropping it closes in an orderly way (FIN) if everything received was read.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    received: Vec<u8>,
    limits: Limits,
}

impl Connection {
    /// Connects to `address` (`host:port`), trying each address the name resolves to.
    ///
    /// # Errors
    ///
    /// [`WireError::Connect`] when none can be reached within the limits.
    pub fn open(address: &str, limits: Limits) -> Result<Self, WireError> {
        Self::dial(address, limits).map(|socket| Self::over(Stream::Plain(socket), limits))
    }

    /// Connects to `address`, and shakes hands.
    ///
    /// # Errors
    ///
    /// As [`Connection::open`]; [`WireError::Broken`] when the server cannot prove who it is.
    pub fn open_secure(address: &str, limits: Limits, tls: &Tls) -> Result<Self, WireError> {
        const DOING: &str = "shaking hands";
        let socket = Self::dial(address, limits)?;
        let left = limits.remaining(DOING)?;
        socket
            .set_read_timeout(Some(left))
            .and_then(|()| socket.set_write_timeout(Some(left)))
            .and_then(|()| tls.handshake(socket))
            .map(|stream| Self::over(stream, limits))
            .map_err(|error| WireError::from_io(error, DOING))
    }

    fn over(stream: Stream, limits: Limits) -> Self {
        Self { stream, received: Vec::new(), limits }
    }

    fn dial(address: &str, limits: Limits) -> Result<TcpStream, WireError> {
        let failed = |source| WireError::Connect { address: address.to_owned(), source };
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for candidate in resolve(address, limits.remaining("looking up the host")?)? {
            match TcpStream::connect_timeout(&candidate, limits.remaining("connecting")?) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(failed)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }

    /// The port on our side; `None` if the system does not know it any more.
    pub fn local_port(&self) -> Option<u16> {
        self.stream.socket().local_addr().ok().map(|address| address.port())
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    ///
    /// [`WireError::TimedOut`] when the server stops reading, [`WireError::Broken`] when it left.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        const DOING: &str = "sending";
        for piece in bytes.chunks(PIECE_BYTES) {
            let left = self.limits.remaining(DOING)?;
            let socket = self.stream.socket();
            socket
                .set_write_timeout(Some(left))
                .and_then(|()| self.stream.send(piece))
                .map_err(|error| WireError::from_io(error, DOING))?;
        }
        Ok(())
    }

    /// Writes one chunk of a chunked body; an empty one is not sent, as it would end the body.
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    pub fn send_chunk(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        self.send(&framed)
    }

    /// Ends a chunked body.
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    pub fn end_chunks(&mut self) -> Result<(), WireError> {
        self.send(b"0\r\n\r\n")
    }

    /// Writes the body of `request` with the framing it asks for.
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    pub fn send_body(&mut self, body: &Body) -> Result<(), WireError> {
        match body {
            Body::None => Ok(()),
            Body::Sized(bytes) => self.send(bytes),
            Body::Chunked(bytes) => {
                for piece in bytes.chunks(PIECE_BYTES) {
                    self.send_chunk(piece)?;
                }
                self.end_chunks()
            }
        }
    }

    /// Says that nothing more will be sent, and keeps listening.
    ///
    /// # Errors
    ///
    /// [`WireError::Broken`] when the connection is already gone.
    pub fn half_close(&mut self) -> Result<(), WireError> {
        self.stream.end().map_err(|error| WireError::from_io(error, "half-closing"))
    }

    /// Cuts the connection with a TCP reset, as a dying network path would.
    ///
    /// # Errors
    ///
    /// [`WireError::Broken`] when the system refuses.
    pub fn reset(self) -> Result<(), WireError> {
        socket2::SockRef::from(self.stream.socket())
            .set_linger(Some(Duration::ZERO))
            .map_err(|error| WireError::from_io(error, "resetting"))
    }

    /// Waits until the server says something or closes, at most `patience`; `false` means silence.
    ///
    /// This is how a case pauses: it keeps an ear on the connection meanwhile.
    ///
    /// # Errors
    ///
    /// [`WireError::TimedOut`] only when the time of the whole case is over.
    pub fn hears_within(&mut self, patience: Duration) -> Result<bool, WireError> {
        const DOING: &str = "listening";
        if !self.received.is_empty() {
            return Ok(true);
        }
        let left = self.limits.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(WireError::TimedOut { doing: DOING });
        }
        self.stream
            .socket()
            .set_read_timeout(Some(patience.min(left)))
            .map_err(|error| WireError::from_io(error, DOING))?;
        let heard = match &mut self.stream {
            Stream::Plain(socket) => socket.peek(&mut [0]).map(drop),
            // What TLS says between the lines is not heard, so it has to be read.
            stream @ Stream::Tls(_) => {
                let mut piece = [0; 16 * 1024];
                let read = stream.receive(&mut piece);
                read.map(|count| self.received.extend(piece.iter().take(count)))
            }
        };
        match heard {
            Ok(()) => Ok(true),
            Err(error) => {
                let error = WireError::from_io(error, DOING);
                Ok(!matches!(error, WireError::TimedOut { .. }))
            }
        }
    }

    /// Reads the answer to a request with `method`: interim heads, the final head, the body.
    ///
    /// # Errors
    ///
    /// Any [`WireError`]; the connection is of no use afterwards.
    pub fn answer(&mut self, method: &str) -> Result<Answer, WireError> {
        let mut interim = Vec::new();
        loop {
            let head = self.next_head()?;
            if head.status < 200 && head.status != 101 {
                interim.push(head);
                continue;
            }
            let body = match Framing::of(&head, method)? {
                Framing::Empty => Vec::new(),
                Framing::Sized(length) => self.take(length)?,
                Framing::Chunked => self.chunks()?,
                Framing::UntilClose => self.rest()?,
            };
            return Ok(Answer { interim, response: Response { head, body } });
        }
    }

    /// Reads one head, interim or final, and nothing after it.
    ///
    /// # Errors
    ///
    /// Any [`WireError`].
    pub fn next_head(&mut self) -> Result<Head, WireError> {
        loop {
            if let Some(end) = position(&self.received, b"\r\n\r\n") {
                return Head::parse(&self.take(end.saturating_add(4))?);
            }
            let seen = self.received.len().min(5);
            if self.received.get(..seen) != b"HTTP/".get(..seen) {
                return Err(self.not_http());
            }
            if self.received.len() > HEAD_BYTES_MAX {
                return Err(WireError::Malformed("the head never ends".to_owned()));
            }
            match self.fill("waiting for the answer") {
                Err(WireError::Closed { .. }) if !self.received.is_empty() => {
                    return Err(self.not_http());
                }
                filled => filled?,
            }
        }
    }

    fn not_http(&self) -> WireError {
        WireError::NotHttp { beginning: short(&String::from_utf8_lossy(&self.received)) }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        if length > BODY_BYTES_MAX {
            return Err(WireError::Malformed(format!("a body of {length} bytes is too much")));
        }
        while self.received.len() < length {
            self.fill("reading the body")?;
        }
        let rest = self.received.split_off(length);
        Ok(std::mem::replace(&mut self.received, rest))
    }

    fn rest(&mut self) -> Result<Vec<u8>, WireError> {
        loop {
            match self.fill("reading the body") {
                Ok(()) if self.received.len() <= BODY_BYTES_MAX => {}
                Ok(()) => return Err(WireError::Malformed("the body never ends".to_owned())),
                // Nobody said how long the body is, so every end is one, a reset too.
                Err(WireError::Closed { .. } | WireError::Broken { .. }) => {
                    return Ok(std::mem::take(&mut self.received));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn chunks(&mut self) -> Result<Vec<u8>, WireError> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16)
                .map_err(|_| WireError::Malformed(format!("{line:?} is no chunk size")))?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.take(size)?);
            if self.take(2)? != b"\r\n" || body.len() > BODY_BYTES_MAX {
                return Err(WireError::Malformed("a chunk does not end where it says".to_owned()));
            }
        }
    }

    fn line(&mut self) -> Result<String, WireError> {
        loop {
            if let Some(end) = position(&self.received, b"\r\n") {
                let bytes = self.take(end.saturating_add(2))?;
                return Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned());
            }
            if self.received.len() > HEAD_BYTES_MAX {
                return Err(WireError::Malformed("a line never ends".to_owned()));
            }
            self.fill("reading the body")?;
        }
    }

    fn fill(&mut self, doing: &'static str) -> Result<(), WireError> {
        let left = self.limits.remaining(doing)?;
        let mut piece = [0; 16 * 1024];
        let socket = self.stream.socket();
        let read = socket
            .set_read_timeout(Some(left))
            .and_then(|()| self.stream.receive(&mut piece))
            .map_err(|error| WireError::from_io(error, doing))?;
        if read == 0 {
            return Err(WireError::Closed { doing });
        }
        self.received.extend(piece.iter().take(read));
        Ok(())
    }

    /// Writes a whole request: head and body.
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    pub fn send_request(
        &mut self,
        request: &Request,
        host: &str,
        always: &[(String, String)],
    ) -> Result<(), WireError> {
        self.send(&request.encode_head(host, always))?;
        self.send_body(request.sent_body())
    }
}

/// The addresses behind `host:port`. The system's resolver knows no deadline, so a name is looked
/// up on a thread of its own, which is left behind when the time is over.
pub(super) fn resolve(address: &str, patience: Duration) -> Result<Vec<SocketAddr>, WireError> {
    if let Ok(address) = address.parse() {
        return Ok(vec![address]);
    }
    let (sender, receiver) = mpsc::channel();
    let name = address.to_owned();
    thread::spawn(move || sender.send(name.to_socket_addrs().map(Iterator::collect)));
    match receiver.recv_timeout(patience) {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(source)) => Err(WireError::Connect { address: address.to_owned(), source }),
        Err(_) => Err(WireError::TimedOut { doing: "looking up the host" }),
    }
}

fn position(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}
