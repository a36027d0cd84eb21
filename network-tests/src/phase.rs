//! Moments at which a client can vanish, and the ways in which it does.

use std::ops::Range;
use std::time::{Duration, Instant};

use conformance_tests::wire::{Connection, Request};

use crate::gateway::{Gateway, Held};
use crate::lab::{BY_A, Cut, Lab};
use crate::resume::{Kind, Upload, ask, ask_once, connect};
use crate::trouble::Trouble;

/// Bytes of an upload, and how many of them are sent before the client vanishes.
const LENGTH: usize = 300_000;
const SENT: usize = 100_000;
/// More than all buffers between a gateway and a client that does not read.
const LARGE: usize = 24 * 1024 * 1024;
const STEP: Duration = Duration::from_secs(30);

/// How a client vanishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a reset.
    Reset,
    /// It says nothing more, and does not read.
    Silence,
    /// Its link dies, and it is told nothing either.
    DeadLink,
}

impl Ending {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Reset, Self::Silence, Self::DeadLink];
}

/// When a client vanishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Connected, and nothing said.
    BeforeTheHead,
    /// In the middle of a head.
    InTheHead,
    /// Behind a head that announces a body.
    BehindTheHead,
    /// In a body, by one of the protocols.
    InTheBody(Kind),
    /// In a piece of a chunked body.
    InAPiece,
    /// In the body of a creation.
    InACreation,
    /// In a form.
    InAForm,
    /// Behind the last byte, before the answer.
    BehindTheBody,
    /// In the answer to a download.
    InADownload,
    /// Behind an answer, on a connection that could carry more.
    BetweenRequests,
}

impl Phase {
    /// Every one.
    pub const ALL: [Self; 12] = [
        Self::BeforeTheHead,
        Self::InTheHead,
        Self::BehindTheHead,
        Self::InTheBody(Kind::Patch),
        Self::InTheBody(Kind::Slot),
        Self::InTheBody(Kind::Chunks),
        Self::InAPiece,
        Self::InACreation,
        Self::InAForm,
        Self::BehindTheBody,
        Self::InADownload,
        Self::BetweenRequests,
    ];

    /// The protocol of the upload that is left unfinished, and how much of it was sent.
    const fn upload(self) -> Option<(Kind, usize)> {
        match self {
            Self::BehindTheHead => Some((Kind::Patch, 0)),
            Self::InTheBody(kind) => Some((kind, SENT)),
            Self::InAPiece => Some((Kind::Patch, SENT)),
            Self::BehindTheBody => Some((Kind::Patch, LENGTH)),
            Self::BeforeTheHead
            | Self::InTheHead
            | Self::InACreation
            | Self::InAForm
            | Self::InADownload
            | Self::BetweenRequests => None,
        }
    }
}

/// A client that is about to vanish.
struct Client {
    phase: Phase,
    connection: Connection,
    upload: Option<Upload>,
}

/// Lets clients vanish at every phase, and waits until the gateway has given back what they had.
/// Says how long that took.
///
/// # Errors
///
/// [`Trouble::Wrong`] if it takes longer than `bound`, if an upload does not stand where it should,
/// or cannot be completed.
pub fn vanish(
    lab: &Lab,
    gateway: &Gateway,
    ending: Ending,
    before: Held,
    bound: Duration,
) -> Result<Duration, Trouble> {
    let download = large()?;
    let mut clients = Vec::new();
    for (seed, phase) in (1_u64..).zip(Phase::ALL) {
        clients.push(Client::arrive(phase, seed, &download)?);
    }
    if ending == Ending::DeadLink {
        lab.cut(Cut::InTheMiddle)?;
    }
    let (left, uploads): (Vec<_>, Vec<_>) =
        clients.into_iter().map(|one| (one.connection, (one.phase, one.upload))).unzip();
    // A reset into the void is what is left of a client whose link died.
    let mut silent = Vec::new();
    for connection in left {
        match ending {
            Ending::Reset | Ending::DeadLink => connection.reset()?,
            Ending::Silence => silent.push(connection),
        }
    }
    let began = Instant::now();
    let settled = gateway.settles(lab, before, bound);
    if ending == Ending::DeadLink {
        lab.mend()?;
    }
    settled?;
    let took = began.elapsed();
    drop(silent);
    for (phase, upload) in uploads {
        let said = |error| Trouble::wrong(format!("{phase:?}, {ending:?}: {error}"));
        if let Some(upload) = upload {
            stands_and_completes(phase, &upload).map_err(said)?;
        }
    }
    Ok(took)
}

impl Client {
    fn arrive(phase: Phase, seed: u64, download: &str) -> Result<Self, Trouble> {
        let mut connection = connect(BY_A, STEP)?;
        let upload = phase.upload().map(|(kind, _)| Upload::new(kind, seed, LENGTH)).transpose()?;
        match (phase, &upload) {
            (Phase::InTheHead, _) => {
                connection.send(b"PATCH /files/0 HTTP/1.1\r\nHost: x\r\nUpl")?
            }
            (Phase::InAPiece, Some(upload)) => {
                let head = first(upload).without("Content-Length");
                connection
                    .send(&head.with("Transfer-Encoding", "chunked").encode_head(BY_A, &[]))?;
                connection.send(b"40000\r\n")?;
                connection.send(part(upload, 0..SENT))?;
            }
            (_, Some(upload)) => {
                let sent = phase.upload().map_or(0, |(_, sent)| sent);
                connection.send(&first(upload).encode_head(BY_A, &[]))?;
                connection.send(part(upload, 0..sent))?;
            }
            (Phase::InACreation, None) => {
                let head = Request::tus("POST", "/files")
                    .with("Upload-Length", LENGTH.to_string())
                    .with("Content-Type", "application/offset+octet-stream");
                begin(&mut connection, &head, SENT)?;
            }
            (Phase::InAForm, None) => {
                let head = Request::new("POST", "/upload")
                    .with("Content-Type", "multipart/form-data; boundary=edge");
                let form = head.with("Content-Length", LENGTH.to_string());
                connection.send(&form.encode_head(BY_A, &[]))?;
                let part = "Content-Disposition: form-data; name=\"file\"; filename=\"a\"";
                connection.send(format!("--edge\r\n{part}\r\n\r\n").as_bytes())?;
                connection.send(&vec![b'x'; SENT])?;
            }
            (Phase::InADownload, None) => {
                connection.send(&Request::new("GET", download).encode_head(BY_A, &[]))?;
                connection.next_head()?;
            }
            (Phase::BetweenRequests, None) => {
                ask(&mut connection, &Request::tus("OPTIONS", "/files"))?;
            }
            (
                Phase::BeforeTheHead
                | Phase::BehindTheHead
                | Phase::InTheBody(_)
                | Phase::InAPiece
                | Phase::BehindTheBody,
                None,
            ) => {}
        }
        // An answer would be heard; otherwise this is the time in which what was sent is read.
        connection.hears_within(Duration::from_millis(20))?;
        Ok(Self { phase, connection, upload })
    }
}

/// A file that does not fit into the buffers of the kernel.
fn large() -> Result<String, Trouble> {
    let upload = Upload::new(Kind::Patch, 99, LARGE)?;
    for request in upload.rest(&(0..LARGE)) {
        let answer = ask_once(&request)?;
        if answer.response.head.status != 204 {
            return Err(Trouble::wrong(format!(
                "no file to download: {}",
                answer.response.head.line
            )));
        }
    }
    Ok(upload.question().target().to_owned())
}

fn begin(connection: &mut Connection, head: &Request, sent: usize) -> Result<(), Trouble> {
    let head = head.clone().with("Content-Length", LENGTH.to_string());
    connection.send(&head.encode_head(BY_A, &[]))?;
    Ok(connection.send(&vec![b'x'; sent])?)
}

/// The head of the first request of an upload.
fn first(upload: &Upload) -> Request {
    let requests = upload.requests();
    requests.into_iter().next().map_or_else(|| upload.question(), |(request, _)| request)
}

fn part(upload: &Upload, range: Range<usize>) -> &[u8] {
    upload.bytes.get(range).unwrap_or_default()
}

/// Everything that was sent counts: it had been read when its client vanished.
fn stands_and_completes(phase: Phase, upload: &Upload) -> Result<(), Trouble> {
    let mut missing = upload.missing(&ask_once(&upload.question())?)?;
    let bytes: usize = missing.iter().map(Range::len).sum();
    let sent = phase.upload().map_or(0, |(_, sent)| sent);
    if bytes != LENGTH - sent {
        return Err(Trouble::wrong(format!("{bytes} of {LENGTH} are missing, {sent} were sent")));
    }
    missing.retain(|range| !range.is_empty());
    for request in missing.iter().flat_map(|range| upload.rest(range)) {
        let line = ask_once(&request)?.response.head.line;
        if !line.contains(" 20") {
            return Err(Trouble::wrong(format!("the rest is refused: {line}")));
        }
    }
    upload.is_whole()
}
