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
        let mut head =
            format!("{} {} HTTP/1.1\r\nConnection: close\r\n", self.method, self.to.target());
        if !lines.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {}\r\n", self.to.authority()));
        }
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

    /// The lines that a request carries there: credentials go to the site itself only.
    fn lines_for(&self, to: &Address) -> &[(String, String)] {
        if to.origin() == self.endpoint.origin() { &self.lines } else { &[] }
    }

    /// Sends the head of a request.
    pub(super) fn begin(&self, request: &Request<'_>) -> Result<Asked, Unasked> {
        let mut wire = Wire::open(request.to, &self.trust, HTTP_1, self.patience)?;
        let head = request.head(self.lines_for(request.to));
        drop(wire.write_all(head.as_bytes()).and_then(|()| wire.flush()));
        Ok(Asked { wire, has_body: request.method != "HEAD", patience: self.patience })
    }

    /// Sends bytes that are no request, and reads what is made of them.
    pub(super) fn ask_nonsense(&self) -> Result<Answer, Unasked> {
        let mut wire = Wire::open(&self.endpoint, &self.trust, HTTP_1, self.patience)?;
        drop(
            wire.write_all(b"GET / HTTP/1.1\r\nHost: a b\r\n:\r\n\r\n").and_then(|()| wire.flush()),
        );
        Ok(Answer::read(&mut wire, true)?)
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
        self.wire.wait_at_most(patience);
        loop {
            let answer = Answer::read(&mut self.wire, self.has_body)?;
            if answer.status >= 200 {
                return Ok(answer);
            }
        }
    }

    /// Reads the next answer, be it interim.
    pub(super) fn next_answer(&mut self, patience: Duration) -> Result<Answer, Unasked> {
        self.wire.wait_at_most(patience);
        Ok(Answer::read(&mut self.wire, self.has_body)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(lines: &[(&str, &str)]) -> (Site, Address) {
        let endpoint = Address::parse("https://up.example:8443/files").unwrap();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let lines = lines.iter().map(owned).collect();
        let trust = Trust::new(false, None).unwrap();
        let patience = Duration::from_secs(1);
        (Site { endpoint: endpoint.clone(), lines, trust, patience }, endpoint)
    }

    #[test]
    fn credentials_are_for_the_site_itself() {
        let (site, endpoint) = site(&[("Authorization", "Bearer hush")]);
        let elsewhere = Address::parse("https://other.example/files").unwrap();
        let asked = |to: &Address| Request::tus("HEAD", to).head(site.lines_for(to));
        assert!(asked(&endpoint).contains("Authorization: Bearer hush\r\n"));
        assert!(!asked(&elsewhere).contains("hush"));
    }

    #[test]
    fn a_host_may_be_given_in_place_of_the_address() {
        let (site, endpoint) = site(&[("host", "behind.example")]);
        let head = Request::append(&endpoint, 3, 5).head(site.lines_for(&endpoint));
        assert!(
            head.starts_with("PATCH /files HTTP/1.1\r\n") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        assert_eq!(head.to_ascii_lowercase().matches("host: ").count(), 1, "{head}");
        assert!(head.contains("Upload-Offset: 3\r\n") && head.contains("Content-Length: 5\r\n"));
    }
}
