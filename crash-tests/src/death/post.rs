//! A client that sends whole files: forms, and PUTs into slots.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::chance::{Chance, content};
use crate::check;
use crate::client::{Answer, Client};
use crate::gateway::SLOTS;
use crate::tally::{Loss, Tally};
use crate::upload::{Upload, Way};

/// Longest file.
const LONGEST: u64 = 400 * 1024;
/// Files of each kind that it looks at again after every death.
const KEPT: usize = 6;
/// What the slots of this gateway are signed with.
const SECRET: &str = "secret-of-slots-that-live-for-a-minute";

/// The setting that makes the gateway know the slots, those of the load among them.
#[must_use]
pub fn tenants() -> (&'static str, String) {
    let signed = format!("{{scheme='prosody',secret='{SECRET}',base_path='/slots'}}");
    let tenants = format!("[{SLOTS},{signed}]");
    ("TIDEGATE__XEP0363__TENANTS", tenants)
}

/// A place for one file.
#[derive(Debug)]
struct Slot {
    path: String,
    token: String,
    piece: (u64, u64),
    /// Whether it was acknowledged that the file is there.
    stored: bool,
}

impl Slot {
    fn new(chance: &mut Chance) -> Self {
        let piece = (chance.number(), 1 + chance.below(LONGEST));
        let name = format!("{:016x}/file.bin", chance.number());
        let signed = format!("{name}\0{}\0application/octet-stream", piece.1);
        let mut token = String::new();
        // Any length of key will do for HMAC.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) {
            mac.update(signed.as_bytes());
            let bytes = mac.finalize().into_bytes();
            token = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        }
        Self { path: format!("/slots/{name}"), token, piece, stored: false }
    }

    fn bytes(&self) -> Vec<u8> {
        content(self.piece.0, 0, self.piece.1)
    }
}

/// One client.
#[derive(Debug)]
pub struct Poster {
    chance: Chance,
    /// Files of forms that were acknowledged.
    forms: Vec<Upload>,
    slots: Vec<Slot>,
    /// What it found.
    pub tally: Tally,
    /// Whether the gateway is asked to end meanwhile: then it may refuse.
    pub leaves: bool,
}

impl Poster {
    /// A client that knows nothing yet.
    #[must_use]
    pub fn new(chance: Chance) -> Self {
        let (forms, slots) = (Vec::new(), Vec::new());
        Self { chance, forms, slots, tally: Tally::default(), leaves: false }
    }

    /// Sends one file after the other for as long as `goes_on` says so.
    pub fn run(&mut self, client: &Client, goes_on: impl Fn() -> bool) {
        while goes_on() {
            if self.chance.once_in(2) {
                self.form(client);
            } else {
                self.slot(client);
            }
        }
    }

    fn form(&mut self, client: &Client) {
        let piece = (self.chance.number(), 1 + self.chance.below(LONGEST));
        let upload = Upload::new(String::new(), Way::Tus, vec![piece]);
        let boundary = format!("boundary-{:016x}", self.chance.number());
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n"
        );
        let end = format!("\r\n--{boundary}--\r\n");
        let body = [head.into_bytes(), upload.bytes(), end.into_bytes()].concat();
        let fields = format!("Content-Type: multipart/form-data; boundary={boundary}\r\n");
        match client.send("POST /upload", &fields, &body) {
            Ok(answer) if answer.status == 200 => {
                let path = answer.field("location").unwrap_or_default().to_owned();
                let acknowledged = upload.length();
                self.forms.push(Upload { path, acknowledged, told_by: "form", ..upload });
            }
            Ok(answer) => self.odd("a form", &answer),
            Err(_) => {}
        }
    }

    /// A PUT into a slot: a new one, or one into which a PUT was cut off; at times it is cut off.
    fn slot(&mut self, client: &Client) {
        if self.slots.last().is_none_or(|slot| slot.stored) {
            let slot = Slot::new(&mut self.chance);
            self.slots.push(slot);
        }
        let cut = self.chance.once_in(4);
        let Some(slot) = self.slots.last_mut() else { return };
        let body = slot.bytes();
        let sent = if cut { body.len() / 2 } else { body.len() };
        let head = format!("PUT {}?v2={}", slot.path, slot.token);
        match client.send_part(&head, "Content-Type: application/octet-stream\r\n", &body, sent) {
            // The PUT that was cut off by a death had come to its end, or a newer one has the upload.
            Ok(answer) if answer.status == 409 => {
                slot.stored |= String::from_utf8_lossy(&answer.body).contains("slot-complete");
            }
            Ok(answer) if answer.status == 201 => slot.stored = true,
            Ok(answer) => self.odd("a slot", &answer),
            Err(_) => {}
        }
    }

    /// Compares all files; a slot has all of its file or nothing.
    pub fn look(&mut self, client: &Client) {
        let tally = &mut self.tally;
        self.forms.retain_mut(|upload| check::look(client, upload, tally));
        for slot in &mut self.slots {
            tally.looks += 1;
            tally.acknowledged += if slot.stored { slot.piece.1 } else { 0 };
            match client.send(&format!("GET {}", slot.path), "", b"") {
                Ok(answer) if answer.status == 200 && answer.body == slot.bytes() => {
                    tally.files += 1;
                    slot.stored = true;
                }
                // 409 is what clients of tus are told, and this one says that it is one.
                Ok(answer) if [404, 409].contains(&answer.status) && !slot.stored => {}
                Ok(answer) => {
                    let (path, length) = (&slot.path, slot.piece.1);
                    let (status, there) = (answer.status, answer.body.len());
                    let text = String::from_utf8_lossy(&answer.body);
                    let begin: String = text.chars().take(80).collect();
                    let what = format!("{path}: {status} with {there} of {length}: {begin}");
                    tally.lose(Loss::File, what);
                }
                Err(error) => tally.lose(Loss::Answer, format!("{}: {error}", slot.path)),
            }
        }
        let old = self.forms.len().saturating_sub(KEPT);
        drop(self.forms.drain(..old));
        let old = self.slots.len().saturating_sub(KEPT);
        drop(self.slots.drain(..old));
    }

    fn odd(&mut self, what: &str, answer: &Answer) {
        if !(self.leaves && answer.status == 503) {
            let text = String::from_utf8_lossy(&answer.body);
            self.tally.lose(Loss::Answer, format!("{what}: {} {text}", answer.status));
        }
    }
}
