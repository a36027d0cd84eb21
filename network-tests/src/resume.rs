//! One upload, by whichever protocol: how it begins, where it stands, what is still to be sent.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use conformance_tests::content::{after, letters};
use conformance_tests::slot::hmac_sha256;
use conformance_tests::wire::{Answer, Connection, Limits, Request};
use serde_json::Value;

use crate::gateway::SLOT_SECRET;
use crate::lab::Server;
use crate::trouble::Trouble;

/// Bytes of a chunk.
const CHUNK: usize = 192 * 1024;
/// No step takes longer on a gateway that lives.
const STEP: Duration = Duration::from_secs(30);

/// The protocol that an upload begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// tus: PATCH, HEAD, PATCH.
    Patch,
    /// A PUT into a slot, then tus: HEAD, PATCH.
    Slot,
    /// Chunk headers: PUT, status, PUT of what is missing.
    Chunks,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Patch, Self::Slot, Self::Chunks];

    /// What it is called in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Patch => "PATCH, then HEAD",
            Self::Slot => "PUT to a slot, then HEAD",
            Self::Chunks => "chunks, then status",
        }
    }
}

/// One upload.
#[derive(Clone, Debug)]
pub struct Upload {
    server: Server,
    kind: Kind,
    /// Where it is: a path, with the token of a slot; for chunks the name of the session.
    place: String,
    /// What is to arrive.
    pub bytes: Vec<u8>,
}

/// A connection to a server.
///
/// # Errors
///
/// [`Trouble::Wire`] if there is none.
pub fn connect(address: &str, step: Duration) -> Result<Connection, Trouble> {
    let limits = Limits { step, until: after(Duration::from_secs(600)) };
    Ok(Connection::open(address, limits)?)
}

/// Sends the gateway a request on an open connection, and reads the answer.
///
/// # Errors
///
/// [`Trouble::Wire`] if there is none.
pub fn ask(connection: &mut Connection, request: &Request) -> Result<Answer, Trouble> {
    ask_of(Server::GATEWAY, connection, request)
}

/// The same on a connection of its own, by the path that stays.
///
/// # Errors
///
/// As [`ask`].
pub fn ask_once(request: &Request) -> Result<Answer, Trouble> {
    ask_once_of(Server::GATEWAY, request)
}

fn ask_of(
    server: Server,
    connection: &mut Connection,
    request: &Request,
) -> Result<Answer, Trouble> {
    connection.send_request(request, &server.by_b(), &[])?;
    Ok(connection.answer(request.method())?)
}

fn ask_once_of(server: Server, request: &Request) -> Result<Answer, Trouble> {
    ask_of(server, &mut connect(&server.by_b(), STEP)?, request)
}

impl Upload {
    /// Makes an upload of `length` bytes on the gateway. Nothing of it is sent.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the gateway does not make it.
    pub fn new(kind: Kind, seed: u64, length: usize) -> Result<Self, Trouble> {
        Self::on(Server::GATEWAY, kind, seed, length)
    }

    /// Makes an upload of `length` bytes on `server`. Nothing of it is sent.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the server does not make it.
    pub fn on(server: Server, kind: Kind, seed: u64, length: usize) -> Result<Self, Trouble> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let bytes = letters(seed, length);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let place = match kind {
            Kind::Patch => created(server, length)?,
            Kind::Slot => {
                let name = format!("{number}/file.bin");
                let signed = format!("{name}\0{length}\0image/png");
                let code = hmac_sha256(SLOT_SECRET.as_bytes(), signed.as_bytes());
                let token: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("/slots/{name}?v2={token}")
            }
            Kind::Chunks => format!("lab-{number}"),
        };
        Ok(Self { server, kind, place, bytes })
    }

    /// Where it is made.
    #[must_use]
    pub const fn server(&self) -> Server {
        self.server
    }

    /// Sends its server a request on an open connection, and reads the answer.
    ///
    /// # Errors
    ///
    /// As [`ask`].
    pub fn ask(&self, connection: &mut Connection, request: &Request) -> Result<Answer, Trouble> {
        ask_of(self.server, connection, request)
    }

    /// The same on a connection of its own, by the path that stays.
    ///
    /// # Errors
    ///
    /// As [`ask`].
    pub fn ask_once(&self, request: &Request) -> Result<Answer, Trouble> {
        ask_once_of(self.server, request)
    }

    /// What its first writer sends, one request after the other: heads that announce a body, and
    /// which bytes that is.
    #[must_use]
    pub fn requests(&self) -> Vec<(Request, Range<usize>)> {
        let whole = 0..self.bytes.len();
        match self.kind {
            Kind::Patch => vec![(self.part(&whole), whole)],
            Kind::Slot => {
                let put = Request::new("PUT", &self.place).with("Content-Type", "image/png");
                vec![(put.with("Content-Length", whole.len().to_string()), whole)]
            }
            Kind::Chunks => self.chunks(&whole).map(|range| (self.part(&range), range)).collect(),
        }
    }

    /// The question where it stands.
    #[must_use]
    pub fn question(&self) -> Request {
        match self.kind {
            Kind::Patch | Kind::Slot => Request::tus("HEAD", &self.place),
            Kind::Chunks => {
                Request::new("GET", &format!("/upload-status?session_id={}", self.place))
            }
        }
    }

    /// What is missing, as the answer to the question tells.
    ///
    /// # Errors
    ///
    /// [`Trouble::Wrong`] if it does not.
    pub fn missing(&self, answer: &Answer) -> Result<Vec<Range<usize>>, Trouble> {
        let head = &answer.response.head;
        if head.status != 200 {
            return Err(Trouble::wrong(format!("asked where it stands, it says {}", head.line)));
        }
        let told = match self.kind {
            Kind::Patch | Kind::Slot => {
                let offset = head.headers.get("Upload-Offset").and_then(|text| text.parse().ok());
                offset.map(|offset| std::iter::once(offset..self.bytes.len()).collect())
            }
            Kind::Chunks => missing_ranges(&answer.response.body),
        };
        told.ok_or_else(|| Trouble::wrong(format!("it does not tell where it stands: {answer:?}")))
    }

    /// The requests that bring `range`; more than one if it lies in several chunks.
    #[must_use]
    pub fn rest(&self, range: &Range<usize>) -> Vec<Request> {
        let ranges: Vec<_> = match self.kind {
            Kind::Patch | Kind::Slot => vec![range.clone()],
            Kind::Chunks => self.chunks(range).collect(),
        };
        let body = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        ranges.iter().map(|range| self.part(range).body(body(range))).collect()
    }

    /// The head of a request that brings one range.
    fn part(&self, range: &Range<usize>) -> Request {
        let request = match self.kind {
            Kind::Patch | Kind::Slot => Request::tus("PATCH", &self.place)
                .with("Upload-Offset", range.start.to_string())
                .with("Content-Type", "application/offset+octet-stream"),
            Kind::Chunks => {
                let (last, all) = (range.end.saturating_sub(1), self.bytes.len());
                Request::new("PUT", "/chunked-upload")
                    .with("X-Upload-Session-ID", &self.place)
                    .with("X-Chunk-Number", (range.start / CHUNK).to_string())
                    .with("X-Total-Chunks", all.div_ceil(CHUNK).to_string())
                    .with("X-Chunk-Size", CHUNK.to_string())
                    .with("Content-Range", format!("bytes {}-{last}/{all}", range.start))
            }
        };
        request.with("Content-Length", range.len().to_string())
    }

    /// `range` cut where chunks end.
    fn chunks(&self, range: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
        let (mut at, end) = (range.start, range.end);
        std::iter::from_fn(move || {
            let start = at;
            at = (start / CHUNK + 1).saturating_mul(CHUNK).min(end);
            (start < end).then_some(start..at)
        })
    }

    /// It is there, byte for byte.
    ///
    /// # Errors
    ///
    /// [`Trouble::Wrong`] if it is not.
    pub fn is_whole(&self) -> Result<(), Trouble> {
        let path = match self.kind {
            Kind::Patch => self.place.clone(),
            Kind::Slot => self.place.split('?').next().unwrap_or_default().to_owned(),
            Kind::Chunks => url_of(&self.ask_once(&self.question())?.response.body)?,
        };
        let answer = self.ask_once(&Request::new("GET", &path))?;
        if answer.response.head.status != 200 || answer.response.body != self.bytes {
            let line = &answer.response.head.line;
            return Err(Trouble::wrong(format!("{path} is not what was sent: {line}")));
        }
        Ok(())
    }
}

fn created(server: Server, length: usize) -> Result<String, Trouble> {
    let request = Request::tus("POST", "/files").with("Upload-Length", length.to_string());
    let answer = ask_once_of(server, &request)?;
    let location = answer.response.head.headers.get("Location");
    let path = location.and_then(|place| Some(place.get(place.find("/files/")?..)?.to_owned()));
    path.ok_or_else(|| {
        let line = &answer.response.head.line;
        Trouble::wrong(format!("no upload was made below /files: {line}, Location {location:?}"))
    })
}

fn missing_ranges(body: &[u8]) -> Option<Vec<Range<usize>>> {
    let told: Value = serde_json::from_slice(body).ok()?;
    let number = |value: &Value, key: &str| usize::try_from(value.get(key)?.as_u64()?).ok();
    let ranges = told.get("missing")?.as_array()?;
    ranges
        .iter()
        .map(|one| Some(number(one, "from")?..number(one, "to")?.checked_add(1)?))
        .collect()
}

fn url_of(body: &[u8]) -> Result<String, Trouble> {
    let told: Option<Value> = serde_json::from_slice(body).ok();
    let url = told.as_ref().and_then(|told| told.get("upload_url")?.as_str());
    let path = url.and_then(|url| Some(url.get(url.find("/files/")?..)?.to_owned()));
    path.ok_or_else(|| Trouble::wrong("the status names no address of the file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_where_chunks_end() {
        let upload = Upload {
            server: Server::GATEWAY,
            kind: Kind::Chunks,
            place: String::new(),
            bytes: vec![0; 3 * CHUNK],
        };
        let cut: Vec<_> = upload.chunks(&(CHUNK / 2..2 * CHUNK + 7)).collect();
        assert_eq!(cut, [CHUNK / 2..CHUNK, CHUNK..2 * CHUNK, 2 * CHUNK..2 * CHUNK + 7]);
    }

    #[test]
    fn what_is_missing_is_read_from_a_status() {
        let ranges = missing_ranges(br#"{"missing":[{"from":3,"to":5},{"from":9,"to":9}]}"#);
        assert_eq!(ranges, Some(vec![3..6, 9..10]));
        assert_eq!(missing_ranges(br#"{"missing":[{"from":3}]}"#), None);
    }
}
