//! What clients do until the gateway dies: all kinds of uploads at once, and deletions and downloads.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::chance::Chance;
use crate::check;
use crate::client::{Answer, Client};
use crate::tally::{Loss, Tally};
use crate::upload::{Standing, Upload, Way};

/// Longest upload.
const LONGEST: u64 = 200 * 1024;
/// Running uploads of one client, above which it rather goes on with those.
const MANY: usize = 12;

/// One client, and what it knows.
#[derive(Debug)]
pub struct Worker {
    chance: Chance,
    /// Its uploads.
    pub uploads: Vec<Upload>,
    /// What it found.
    pub tally: Tally,
    /// Whether the disk fails at times, and with it the gateway's answers.
    pub faults: bool,
    /// Whether the gateway is asked to end meanwhile: then it may refuse, but a HEAD is answered.
    pub leaves: bool,
    /// Whether the last answer was such a failure.
    fails: bool,
}

impl Worker {
    /// A client that knows nothing yet.
    #[must_use]
    pub fn new(chance: Chance) -> Self {
        Self {
            chance,
            uploads: Vec::new(),
            tally: Tally::default(),
            faults: false,
            leaves: false,
            fails: false,
        }
    }

    /// Does one thing after the other for as long as `goes_on` says so.
    pub fn run(&mut self, client: &Client, goes_on: impl Fn() -> bool) {
        while goes_on() {
            let open = self.uploads.iter().filter(|upload| !upload.is_complete()).count();
            match self.chance.below(16) {
                0..=2 if open < MANY => self.create(client, Way::Tus),
                3 if open < MANY => self.join(client),
                4 if open < MANY => self.begin_chunks(client),
                5 if open < MANY => self.ask_for_slot(client),
                6 => self.delete(client),
                7 | 8 => self.download(client),
                _ => self.go_on(client),
            }
            if self.fails {
                // A gateway that cannot write any more answers at once.
                self.fails = false;
                std::thread::park_timeout(Duration::from_millis(5));
            }
        }
    }

    /// A seed of its own for each upload.
    fn piece(&mut self) -> (u64, u64) {
        let most = if self.chance.once_in(3) { LONGEST } else { 20_000 };
        (self.chance.number(), 1 + self.chance.below(most))
    }

    /// A creation, at times with its bytes, at times with only a part of them.
    fn create(&mut self, client: &Client, way: Way) {
        let piece = self.piece();
        let mut upload = Upload::new(String::new(), way, vec![piece]);
        let (mut fields, mut body) = (format!("Upload-Length: {}\r\n", piece.1), Vec::new());
        if upload.way == Way::Part {
            fields.push_str("Upload-Concat: partial\r\n");
        }
        if self.chance.once_in(2) {
            let bytes = if self.chance.once_in(2) { piece.1 } else { self.chance.below(piece.1) };
            body = upload.stretch(0, bytes);
            fields.push_str("Content-Type: application/offset+octet-stream\r\n");
        }
        let Ok(answer) = client.send("POST /files", &fields, &body) else { return };
        if answer.status != 201 {
            return self.odd("creation", &answer);
        }
        upload.path = answer.field("location").unwrap_or_default().to_owned();
        // The answer to a creation without bytes has no offset.
        upload.acknowledged = answer.number("upload-offset").unwrap_or(0);
        self.uploads.push(upload);
    }

    /// Two parts at once, then what joins them.
    fn join(&mut self, client: &Client) {
        let before = self.uploads.len();
        let mut two = [(); 2].map(|()| {
            let worker = Self::new(Chance::new(self.chance.number()));
            Self { faults: self.faults, leaves: self.leaves, ..worker }
        });
        std::thread::scope(|scope| {
            for worker in &mut two {
                scope.spawn(|| worker.send_part(client));
            }
        });
        for worker in two {
            self.uploads.extend(worker.uploads);
            self.tally.add(worker.tally);
        }
        let parts: Vec<&Upload> = self.uploads.iter().skip(before).collect();
        let [first, second] = parts.as_slice() else { return };
        if !(first.is_complete() && second.is_complete()) {
            return;
        }
        let fields = format!("Upload-Concat: final;{} {}\r\n", first.path, second.path);
        let pieces = [first.pieces.as_slice(), second.pieces.as_slice()].concat();
        let Ok(answer) = client.send("POST /files", &fields, b"") else { return };
        if answer.status != 201 {
            return self.odd("joining", &answer);
        }
        let path = answer.field("location").unwrap_or_default().to_owned();
        let mut upload = Upload::new(path, Way::Final, pieces);
        upload.acknowledged = upload.length();
        self.uploads.push(upload);
    }

    /// One part, from its creation to its end.
    fn send_part(&mut self, client: &Client) {
        self.create(client, Way::Part);
        while self.uploads.first().is_some_and(|part| !part.is_complete()) {
            if !self.patch(client, 0, true) {
                return;
            }
        }
    }

    fn ask_for_slot(&mut self, client: &Client) {
        let piece = self.piece();
        let name = self.chance.number();
        let question =
            format!("GET /ask/here?jid=ann@slots.example&name={name:x}.bin&size={}", piece.1);
        let Ok(answer) = client.send(&question, "", b"") else { return };
        if answer.status != 200 {
            return self.odd("a slot", &answer);
        }
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let mut paths = text.lines().filter_map(|line| {
            let (_, path) = line.strip_prefix("http://")?.split_once('/')?;
            Some(format!("/{path}"))
        });
        let Some((put, get)) = paths.next().zip(paths.next()) else {
            return self.odd("a slot", &answer);
        };
        self.uploads.push(Upload::new(get, Way::Slot { put }, vec![piece]));
        self.put_slot(client, self.uploads.len().saturating_sub(1));
    }

    /// All of what belongs into a slot, at times cut off.
    fn put_slot(&mut self, client: &Client, at: usize) {
        let cut = self.chance.once_in(4);
        let Some(upload) = self.uploads.get_mut(at) else { return };
        let Way::Slot { put } = &upload.way else { return };
        let bytes = if cut { self.chance.below(upload.length()) } else { upload.length() };
        match check::put_slot(client, upload, put, bytes) {
            Ok(answer) if answer.status == 201 => {
                (upload.acknowledged, upload.told_by) = (upload.length(), "PUT");
            }
            // What was sent before, and cut off, may be taken up after it on a machine that is busy.
            Ok(answer) if answer.status == 409 => {}
            Ok(answer) => self.odd("PUT", &answer),
            Err(_) => {}
        }
    }

    fn begin_chunks(&mut self, client: &Client) {
        let piece = self.piece();
        let size = 1 + self.chance.below(40_000);
        let size = size.max(piece.1 / 12 + 1);
        let name = format!("/chunked-upload/cut-{:016x}", self.chance.number());
        let upload = Upload::new(name, Way::Chunks(size), vec![piece]);
        let chunk = self.chance.below(piece.1.div_ceil(size));
        self.put(client, upload, chunk);
    }

    /// Sends a chunk; only what was acknowledged once is remembered at all.
    fn put(&mut self, client: &Client, mut upload: Upload, chunk: u64) {
        let sent = check::put_chunk(client, &upload, chunk);
        match sent {
            Ok(answer) if answer.status == 200 => drop(upload.chunks.insert(chunk)),
            Ok(answer) => self.odd("a chunk", &answer),
            Err(_) => {}
        }
        if !upload.chunks.is_empty() {
            self.uploads.push(upload);
        }
    }

    /// The next bytes of a running upload.
    fn go_on(&mut self, client: &Client) {
        let open = (0_usize..)
            .zip(&self.uploads)
            .filter(|(_, upload)| upload.standing == Standing::There && !upload.is_complete());
        let open: Vec<usize> = open.map(|(at, _)| at).collect();
        let Some(at) = self.chance.one_of(&open).copied() else {
            return self.create(client, Way::Tus);
        };
        let Some(upload) = self.uploads.get(at) else { return };
        match upload.way {
            Way::Slot { .. } => self.put_slot(client, at),
            Way::Chunks(size) => {
                let chunk = self.chance.below(upload.length().div_ceil(size));
                let upload = self.uploads.swap_remove(at);
                self.put(client, upload, chunk);
            }
            Way::Tus | Way::Part | Way::Final => drop(self.patch(client, at, false)),
        }
    }

    /// A PATCH: whole or cut off, with a checksum or without. Says whether it was acknowledged.
    fn patch(&mut self, client: &Client, at: usize, to_its_end: bool) -> bool {
        let Some(upload) = self.uploads.get(at) else { return false };
        let (path, from) = (upload.path.clone(), upload.acknowledged);
        let left = upload.length().saturating_sub(from);
        let bytes = if to_its_end { left } else { left.min(1 + self.chance.below(100_000)) };
        let body = upload.stretch(from, from + bytes);
        let mut fields =
            format!("Upload-Offset: {from}\r\nContent-Type: application/offset+octet-stream\r\n");
        if self.chance.once_in(3) {
            let sum = STANDARD.encode(crc32fast::hash(&body).to_be_bytes());
            fields.push_str(&format!("Upload-Checksum: crc32 {sum}\r\n"));
        }
        let cut = !to_its_end && self.chance.once_in(5);
        // Some bring nothing at all, and yet have been there.
        let sent = match cut {
            true if self.chance.once_in(3) => 0,
            true => body.len() / 2,
            false => body.len(),
        };
        match client.send_part(&format!("PATCH {path}"), &fields, &body, sent) {
            Ok(answer) if answer.status == 204 => {
                self.told(at, answer.number("upload-offset"), "PATCH");
                true
            }
            Ok(answer) => {
                if answer.status != 409 {
                    self.odd("PATCH", &answer);
                }
                self.ask(client, at);
                false
            }
            Err(_) => {
                self.ask(client, at);
                false
            }
        }
    }

    fn ask(&mut self, client: &Client, at: usize) {
        let Some(upload) = self.uploads.get(at) else { return };
        let Ok(answer) = client.send(&format!("HEAD {}", upload.path), "", b"") else { return };
        match answer.status {
            200 | 204 => self.told(at, answer.number("upload-offset"), "HEAD"),
            _ => self.odd("HEAD", &answer),
        }
    }

    /// An offset was told: it is never less than one that was told before.
    fn told(&mut self, at: usize, offset: Option<u64>, by: &'static str) {
        let (Some(upload), Some(offset)) = (self.uploads.get_mut(at), offset) else { return };
        if offset < upload.acknowledged {
            let what = format!("{}: {offset} after {}", upload.path, upload.acknowledged);
            self.tally.lose(Loss::Bytes(upload.acknowledged - offset), what);
        }
        (upload.acknowledged, upload.told_by) = (offset, by);
    }

    fn delete(&mut self, client: &Client) {
        // Parts stay: what was joined of them may still be in the making.
        // A slot is not its client's to delete.
        let there = (0_usize..).zip(&self.uploads).filter(|(_, upload)| {
            upload.standing == Standing::There
                && matches!(upload.way, Way::Tus | Way::Final | Way::Chunks(_))
        });
        let there: Vec<usize> = there.map(|(at, _)| at).collect();
        let Some(at) = self.chance.one_of(&there).copied() else { return };
        let Some(upload) = self.uploads.get_mut(at) else { return };
        upload.standing = Standing::Going;
        match client.send(&format!("DELETE {}", upload.path), "", b"") {
            Ok(answer) if answer.status == 204 => upload.standing = Standing::Gone,
            Ok(answer) => self.odd("DELETE", &answer),
            Err(_) => {}
        }
    }

    fn download(&mut self, client: &Client) {
        let done = self.uploads.iter().filter(|upload| {
            upload.standing == Standing::There
                && matches!(upload.way, Way::Tus | Way::Final | Way::Slot { .. })
                && upload.is_complete()
        });
        let done: Vec<&Upload> = done.collect();
        let Some(upload) = self.chance.one_of(&done) else { return };
        let Ok(answer) = client.send(&format!("GET {}", upload.path), "", b"") else { return };
        self.tally.files += 1;
        match (answer.status, &upload.way) {
            (200, _) if answer.body == upload.bytes() => {}
            (200, _) => self.tally.lose(Loss::File, format!("{}: served wrong", upload.path)),
            // It may still be joined.
            (_, Way::Final) => {}
            _ => self.odd("GET", &answer),
        }
    }

    /// An answer that nothing the client did explains.
    fn odd(&mut self, what: &str, answer: &Answer) {
        let refuses = self.leaves && answer.status == 503 && what != "HEAD";
        self.fails = true;
        if !(self.faults || refuses) {
            let text = String::from_utf8_lossy(&answer.body);
            self.tally.lose(Loss::Answer, format!("{what}: {} {text}", answer.status));
        }
    }
}
