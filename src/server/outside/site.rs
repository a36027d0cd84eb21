//! [`Site`]: the deployment that is looked at, and how it is asked.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::address::Address;
use super::answer::{Answer, NoAnswer};
use super::wire::{ConnectError, Trust, Wire};

/// What HTTP/1.1 is called in a TLS handshake.
const HTTP_1: &[u8] = b"http/1.1";
/// The version of tus that is spoken.
const VERSION: &str = "1.0.0";
/// How much of a body is written at a time.
static PIECE: [u8; 64 * 1024] = [b'.'; 64 * 1024];

/// Why something could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Unasked {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is no answer.
    #[error(transparent)]
    Answer(#[from] NoAnswer),
}

/// An upload endpoint, as clients outside see it.
#[derive(Debug)]
pub(super) struct Site {
    /// Where uploads are created.
    pub(super) endpoint: Address,
    /// Lines that every request carries: credentials, as a rule. Never shown.
    pub(super) lines: Vec<(String, String)>,
    /// Whom TLS believes.
    pub(super) trust: Trust,
    /// How long an answer may take.
    pub(super) patience: Duration,
}

/// What is asked. The body, if there is one, is made of dots.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    method: &'static str,
    to: &'a Address,
    fields: Vec<(&'static str, String)>,
    body_bytes: u64,
}

impl<'a> Request<'a> {
    /// A request without a body.
    pub(super) const fn new(method: &'static str, to: &'a Address) -> Self {
        Self { method, to, fields: Vec::new(), body_bytes: 0 }
    }

    /// A request of tus, version 1.0.0.
    pub(super) fn tus(method: &'static str, to: &'a Address) -> Self {
        Self::new(method, to).with("Tus-Resumable", VERSION)
    }

    /// Adds bytes to an upload.
    pub(super) fn append(to: &'a Address, offset: u64, bytes: u64) -> Self {
        let request = Self::tus("PATCH", to).with("Upload-Offset", offset.to_string());
        let request = request.with("Content-Type", "application/offset+octet-stream");
        Self { body_bytes: bytes, ..request }
    }

    /// Adds a line.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    fn head(&self, lines: &[(String, String)]) -> String {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.method,
            self.to.target(),
            self.to.authority()
        );
        let given = lines.iter().map(|(name, value)| (name.as_str(), value));
        for (name, value) in self.fields.iter().map(|(name, value)| (*name, value)).chain(given) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "DELETE") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body_bytes));
        }
        head + "\r\n"
    }
}

impl Site {
    /// Makes one request on a connection of its own and reads its answer.
    pub(super) fn ask(&self, request: &Request<'_>) -> Result<Answer, Unasked> {
        let mut asked = self.begin(request)?;
        // Who refuses early may not read on; what it has to say is read all the same.
        drop(asked.send(request.body_bytes));
        asked.answer(self.patience)
    }

    /// Sends the head of a request. Its credentials go to the site itself only.
    pub(super) fn begin(&self, request: &Request<'_>) -> Result<Asked, Unasked> {
        let mut wire = Wire::open(request.to, &self.trust, HTTP_1, self.patience)?;
        let own = request.to.origin() == self.endpoint.origin();
        let head = request.head(if own { &self.lines } else { &[] });
        drop(wire.write_all(head.as_bytes()).and_then(|()| wire.flush()));
        Ok(Asked { wire, has_body: request.method != "HEAD", patience: self.patience })
    }

    /// Sends bytes that are no request, and reads what is made of them.
    pub(super) fn ask_nonsense(&self) -> Result<Answer, Unasked> {
        let mut wire = Wire::open(&self.endpoint, &self.trust, HTTP_1, self.patience)?;
        drop(
            wire.write_all(b"GET / HTTP/1.1\r\nHost: a b\r\n:\r\n\r\n").and_then(|()| wire.flush()),
        );
        Ok(Answer::read(&mut wire, true, Instant::now() + self.patience)?)
    }
}

/// A request whose head has been sent.
pub(super) struct Asked {
    wire: Wire,
    has_body: bool,
    patience: Duration,
}

impl Asked {
    /// Sends this much of the body.
    ///
    /// # Errors
    ///
    /// Whoever is there reads no more.
    pub(super) fn send(&mut self, bytes: u64) -> io::Result<()> {
        // As with every read, a single write is bounded by the connection; all of them, here.
        let deadline = Instant::now() + self.patience.saturating_mul(6);
        let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
        while left > 0 {
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let piece = PIECE.get(..left).unwrap_or(&PIECE);
            self.wire.write_all(piece)?;
            left = left.saturating_sub(piece.len());
        }
        self.wire.flush()
    }

    /// Reads the final answer.
    pub(super) fn answer(&mut self, patience: Duration) -> Result<Answer, Unasked> {
        let deadline = Instant::now() + patience;
        loop {
            let answer = self.read(deadline)?;
            if answer.status >= 200 {
                return Ok(answer);
            }
        }
    }

    /// Reads the next answer, be it interim.
    pub(super) fn next_answer(&mut self, patience: Duration) -> Result<Answer, Unasked> {
        self.read(Instant::now() + patience)
    }

    fn read(&mut self, deadline: Instant) -> Result<Answer, Unasked> {
        let left = deadline.saturating_duration_since(Instant::now());
        // If it cannot be set, the longer patience of the connection holds.
        drop(self.wire.wait_at_most(left));
        Ok(Answer::read(&mut self.wire, self.has_body, deadline)?)
    }
}
