//! A client that sends long bodies, and knows to the byte what it has handed to the kernel.

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::check;
use crate::client::{Answer, Client};
use crate::tally::{Loss, Tally};
use crate::upload::{Standing, Upload, Way};

/// Shortest and longest upload.
const LENGTHS: (u64, u64) = (512 * 1024, 4 * 1024 * 1024);
/// Shortest and longest body.
const BODIES: (u64, u64) = (128 * 1024, 3 * 1024 * 1024);
/// Bytes of one write.
const WRITE: usize = 64 * 1024;
/// A write that gets nothing into the kernel for so long looks up, whether its link still lives.
const LOOK_UP: Duration = Duration::from_millis(2);
/// Nothing is taken for so long only by a gateway that is stuck.
const PATIENCE: Duration = Duration::from_secs(30);
/// Finished uploads that it keeps; older ones it deletes.
const KEPT: usize = 1;

/// How far a body has come, for whoever looks on from outside.
#[derive(Debug, Default)]
pub struct Position {
    /// The client's port; 0 while no body is on its way.
    pub port: AtomicU16,
    /// The offset behind the last byte that the kernel has taken.
    pub handed: AtomicU64,
}

/// Links that die without a word: each time another generation of them.
pub type Links = AtomicU64;

/// One client with one upload at a time.
#[derive(Debug)]
pub struct Streamer {
    chance: Chance,
    /// Its uploads; only the last is running.
    pub uploads: Vec<Upload>,
    /// What it found.
    pub tally: Tally,
    /// How far its body has come.
    pub position: Arc<Position>,
    /// Whether the gateway is asked to end meanwhile: then it may refuse.
    pub leaves: bool,
    /// The offset behind the last byte that was ever sent of the running upload.
    sent_to: u64,
    /// Connections that died without a word: nobody closes them.
    dead: Vec<TcpStream>,
}

impl Streamer {
    /// A client that knows nothing yet.
    #[must_use]
    pub fn new(chance: Chance) -> Self {
        Self {
            chance,
            uploads: Vec::new(),
            tally: Tally::default(),
            position: Arc::default(),
            leaves: false,
            sent_to: 0,
            dead: Vec::new(),
        }
    }

    /// Sends for as long as `goes_on` says so.
    pub fn run(&mut self, client: &Client, links: &Links, goes_on: impl Fn() -> bool) {
        while goes_on() {
            match self.uploads.last() {
                Some(upload) if runs(upload) => self.send(client, links),
                Some(_) | None => self.begin(client),
            }
        }
    }

    /// The running upload, what it was told, and how far it was sent, if that is further.
    #[must_use]
    pub fn on_its_way(&self) -> Option<(String, u64, u64)> {
        let upload = self.uploads.last().filter(|upload| runs(upload))?;
        let further = self.sent_to > upload.acknowledged;
        further.then(|| (upload.path.clone(), upload.acknowledged, self.sent_to))
    }

    /// Looks at every upload: nothing of a running one is served, or more of it there than was sent.
    pub fn look(&mut self, client: &Client) {
        let (tally, sent_to) = (&mut self.tally, self.sent_to);
        self.dead.clear();
        self.position.port.store(0, Ordering::Release);
        self.uploads.retain_mut(|upload| check::look(client, upload, tally));
        self.uploads.retain(|upload| upload.standing != Standing::Gone);
        let Some(upload) = self.uploads.last().filter(|upload| runs(upload)) else { return };
        if upload.acknowledged > sent_to {
            let what = format!("{}: {} of {sent_to} sent", upload.path, upload.acknowledged);
            self.tally.lose(Loss::Answer, what);
        }
        refuses_to_serve(client, upload, &mut self.tally);
    }

    /// Sends what is left of the running upload, and compares it.
    pub fn finish(&mut self, client: &Client) {
        if let Some(upload) = self.uploads.last_mut() {
            check::finish(client, upload, &mut self.tally);
        }
    }

    fn between(&mut self, bounds: (u64, u64)) -> u64 {
        bounds.0 + self.chance.below(bounds.1 - bounds.0)
    }

    /// Begins an upload, and deletes one that is old.
    fn begin(&mut self, client: &Client) {
        let many = self.uploads.len() > KEPT;
        let mut there = self.uploads.iter_mut().filter(|it| it.standing == Standing::There);
        if let Some(upload) = there.next().filter(|_| many) {
            upload.standing = Standing::Going;
            let answer = client.send(&format!("DELETE {}", upload.path), "", b"");
            match answer {
                Ok(answer) if answer.status == 204 => upload.standing = Standing::Gone,
                Ok(answer) => self.odd("DELETE", &answer),
                Err(_) => {}
            }
        }
        let length = self.between(LENGTHS);
        let fields = format!("Upload-Length: {length}\r\n");
        let Ok(answer) = client.send("POST /files", &fields, b"") else { return };
        if answer.status != 201 {
            return self.odd("creation", &answer);
        }
        let path = answer.field("location").unwrap_or_default().to_owned();
        let piece = (self.chance.number(), length);
        self.sent_to = 0;
        self.uploads.push(Upload::new(path, Way::Tus, vec![piece]));
    }

    /// One PATCH. If its link dies, it asks by another one and leaves the rest to the next PATCH.
    fn send(&mut self, client: &Client, links: &Links) {
        let bytes = self.between(BODIES);
        let Some(upload) = self.uploads.last() else { return };
        let start = upload.acknowledged;
        let body = upload.stretch(start, start.saturating_add(bytes));
        let head = format!("PATCH {}", upload.path);
        let fields =
            format!("Upload-Offset: {start}\r\nContent-Type: application/offset+octet-stream\r\n");
        let Ok(mut stream) = client.begin(&head, &fields, body.len()) else { return };
        match self.pour(&mut stream, start, &body, links) {
            Ok(true) => match Client::answer(&mut stream, &head) {
                Ok(answer) => self.hear(&answer),
                Err(_) => self.ask(client),
            },
            Ok(false) => {
                self.dead.push(stream);
                self.ask(client);
            }
            Err(_) => self.ask(client),
        }
        self.position.port.store(0, Ordering::Release);
    }

    /// Hands a body to the kernel. False if the link died meanwhile.
    fn pour(
        &mut self,
        stream: &mut TcpStream,
        start: u64,
        body: &[u8],
        links: &Links,
    ) -> io::Result<bool> {
        let (generation, mut moved) = (links.load(Ordering::Acquire), Instant::now());
        stream.set_write_timeout(Some(LOOK_UP))?;
        self.position.handed.store(start, Ordering::Release);
        self.position.port.store(stream.local_addr()?.port(), Ordering::Release);
        let mut rest = body;
        while !rest.is_empty() {
            if links.load(Ordering::Acquire) != generation {
                return Ok(false);
            }
            match stream.write(rest.get(..WRITE).unwrap_or(rest)) {
                Ok(taken) => {
                    rest = rest.get(taken..).unwrap_or_default();
                    moved = Instant::now();
                    let handed = u64::try_from(body.len() - rest.len()).unwrap_or(u64::MAX);
                    let handed = start.saturating_add(handed);
                    self.position.handed.store(handed, Ordering::Release);
                    self.sent_to = self.sent_to.max(handed);
                }
                Err(error) if is_slow(&error) && moved.elapsed() < PATIENCE => {}
                // An answer that came before the body was taken may be there all the same.
                Err(_) => return Ok(true),
            }
        }
        Ok(true)
    }

    fn ask(&mut self, client: &Client) {
        let Some(upload) = self.uploads.last() else { return };
        let Ok(answer) = client.send(&format!("HEAD {}", upload.path), "", b"") else { return };
        match answer.status {
            200 | 204 => self.told(answer.number("upload-offset")),
            _ => {
                let what = format!("{}: HEAD under load: {}", upload.path, answer.status);
                self.tally.lose(Loss::Answer, what);
            }
        }
    }

    fn hear(&mut self, answer: &Answer) {
        match answer.status {
            204 | 409 => self.told(answer.number("upload-offset")),
            503 if self.leaves => self.told(answer.number("upload-offset")),
            _ => self.odd("PATCH", answer),
        }
    }

    /// An offset was told: it is never less than one that was told before.
    fn told(&mut self, offset: Option<u64>) {
        let (Some(upload), Some(offset)) = (self.uploads.last_mut(), offset) else { return };
        if offset < upload.acknowledged {
            let what = format!("{}: {offset} after {}", upload.path, upload.acknowledged);
            self.tally.lose(Loss::Bytes(upload.acknowledged - offset), what);
        }
        upload.acknowledged = offset;
    }

    fn odd(&mut self, what: &str, answer: &Answer) {
        if !(self.leaves && answer.status == 503) {
            let text = String::from_utf8_lossy(&answer.body);
            self.tally.lose(Loss::Answer, format!("{what}: {} {text}", answer.status));
        }
    }
}

fn runs(upload: &Upload) -> bool {
    upload.standing == Standing::There && !upload.is_complete()
}

fn is_slow(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Nothing of a running upload can be downloaded.
pub fn refuses_to_serve(client: &Client, upload: &Upload, tally: &mut Tally) {
    match client.send(&format!("GET {}", upload.path), "", b"") {
        Ok(answer) if (400..500).contains(&answer.status) => {}
        Ok(answer) => {
            tally.lose(Loss::File, format!("{}: half of it: {}", upload.path, answer.status));
        }
        Err(error) => tally.lose(Loss::Answer, format!("{}: GET: {error}", upload.path)),
    }
}
