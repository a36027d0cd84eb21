//! A device that others fill in the middle of an upload, and that has room again later.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::chain::consult;
use crate::chance::Chance;
use crate::check;
use crate::client::{Answer, Client};
use crate::gateway::{Gateway, Setup};
use crate::tally::{Loss, Tally};
use crate::upload::{Standing, Upload, Way};

/// Rounds on one device.
pub const ROUNDS: u64 = 5;
/// Bytes of the device.
const DEVICE: &str = "size=40m";
/// Longest upload; the device has room for it, unless somebody fills it.
const LONGEST: u64 = 6 * 1024 * 1024;
/// Bytes sent at a time.
const PIECE: usize = 32 * 1024;
/// Short uploads of each round: some are deleted while the device is full.
const SHORT: u64 = 8;
/// How soon an upload goes on once there is room: the gateway asks a few times a second.
const SOON: Duration = Duration::from_secs(5);

/// What was counted.
#[derive(Debug, Default)]
pub struct Report {
    /// Rounds to their end.
    pub rounds: u64,
    /// Bodies that the full device cut off in the middle.
    pub cut: u64,
    /// Deletions while the device was full that were done.
    pub deleted: u64,
    /// Gateways that were killed and started again while the device was full.
    pub restarts: u64,
    /// Looks, and losses.
    pub tally: Tally,
}

impl Report {
    /// Adds what another counted.
    pub fn add(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.cut += other.cut;
        self.deleted += other.deleted;
        self.restarts += other.restarts;
        self.tally.add(other.tally);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = &self.tally;
        writeln!(
            f,
            "{} rounds with a device that others filled: {} bodies cut off by it, {} deletions and {} \
             kills with starts while it was full; {} looks, {} files compared",
            self.rounds, self.cut, self.deleted, self.restarts, tally.looks, tally.files
        )?;
        write!(
            f,
            "lost: {} acknowledged bytes; {} files wrong, {} starts failed, {} unexplained by doctor, \
             {} wrong answers",
            tally.lost_bytes(),
            tally.count(&Loss::File),
            tally.count(&Loss::Start),
            tally.count(&Loss::Doctor),
            tally.count(&Loss::Answer)
        )
    }
}

/// A device in memory, as long as this lives.
struct Device(PathBuf);

impl Device {
    fn mount(at: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&at)?;
        let mut command = Command::new("mount");
        let status = command.args(["-t", "tmpfs", "-o", DEVICE, "tmpfs"]).arg(&at).status()?;
        if status.success() { Ok(Self(at)) } else { Err(io::Error::other("mount failed")) }
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Writes to it until nothing fits any more, as somebody else would.
    fn fill(&self) -> io::Result<()> {
        let mut filler = File::create(self.filler())?;
        for size in [256 * 1024, 4096, 1] {
            while filler.write_all(&vec![b'f'; size]).is_ok() {}
        }
        Ok(())
    }

    fn free(&self) -> io::Result<()> {
        fs::remove_file(self.filler())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}

/// Takes a new device through some rounds.
///
/// # Errors
///
/// If the machine does not let us: mounting, processes, files.
pub fn run(setup: &Setup, seed: u64, rounds: u64) -> io::Result<Report> {
    let device = Device::mount(setup.scratch.join("device"))?;
    let data = device.0.join("data");
    let chance = Chance::part(seed, 300);
    let mut house =
        House { setup, device, data, chance, kept: Vec::new(), report: Report::default() };
    let Some(mut running) = house.start()? else { return Ok(house.report) };
    for _ in 0..rounds {
        match house.round(running)? {
            Some(next) => running = next,
            None => return Ok(house.report),
        }
    }
    if !running.0.stop() {
        house.lose("it does not stop, or not well");
    }
    // Everything is read once more, by another gateway.
    if let Some((gateway, client)) = house.start()? {
        house.look(&client);
        drop(gateway);
    }
    consult(setup, &house.data, &mut house.report.tally)?;
    Ok(house.report)
}

type Running = (Gateway, Client);

struct House<'a> {
    setup: &'a Setup,
    device: Device,
    data: PathBuf,
    chance: Chance,
    /// Short uploads that stay.
    kept: Vec<Upload>,
    report: Report,
}

impl House<'_> {
    fn start(&mut self) -> io::Result<Option<Running>> {
        let gateway = self.setup.start_in_this_boot(Path::new(&self.data))?;
        let Some(client) = gateway.ready() else {
            self.report.tally.lose(Loss::Start, self.setup.last_words());
            return Ok(None);
        };
        Ok(Some((gateway, client)))
    }

    fn lose(&mut self, what: impl Into<String>) {
        let what = format!("{} [round {}]", what.into(), self.report.rounds);
        self.report.tally.lose(Loss::Answer, what);
    }

    /// The device fills in the middle of a body, and has room again. `None` if there is no going on.
    fn round(&mut self, running: Running) -> io::Result<Option<Running>> {
        let client = running.1.clone();
        for _ in 0..SHORT {
            let length = 1 + self.chance.below(3000);
            if let Some(upload) = self.create(&client, length, true) {
                self.kept.push(upload);
            }
        }
        let length = LONGEST / 4 + self.chance.below(LONGEST / 4 * 3);
        let Some(mut long) = self.create(&client, length, false) else { return Ok(None) };
        self.cut_off(&client, &mut long)?;
        self.while_full(&client, &mut long);
        let mut running = running;
        if self.chance.once_in(3) {
            drop(running);
            let Some(next) = self.start()? else { return Ok(None) };
            running = next;
            self.report.restarts += 1;
            self.stands(&running.1, &mut long);
        }
        self.device.free()?;
        if self.chance.once_in(3) {
            drop(running);
            let Some(next) = self.start()? else { return Ok(None) };
            running = next;
        }
        let client = running.1.clone();
        self.go_on(&client, &mut long);
        self.look(&client);
        match client.send(&format!("DELETE {}", long.path), "", b"") {
            Ok(answer) if answer.status == 204 => {}
            other => self.lose(format!("DELETE with room: {other:?}")),
        }
        self.report.rounds += 1;
        Ok(Some(running))
    }

    /// A new upload, with its bytes or without.
    fn create(&mut self, client: &Client, length: u64, whole: bool) -> Option<Upload> {
        let mut upload = Upload::new(String::new(), Way::Tus, vec![(self.chance.number(), length)]);
        let body = if whole { upload.bytes() } else { Vec::new() };
        let fields =
            format!("Upload-Length: {length}\r\nContent-Type: application/offset+octet-stream\r\n");
        match client.send("POST /files", &fields, &body) {
            Ok(answer) if answer.status == 201 => {
                upload.path = answer.field("location").unwrap_or_default().to_owned();
                upload.acknowledged = if whole { length } else { 0 };
                Some(upload)
            }
            other => {
                self.lose(format!("creation with room: {other:?}"));
                None
            }
        }
    }

    /// A body in the middle of which the device fills.
    fn cut_off(&mut self, client: &Client, upload: &mut Upload) -> io::Result<()> {
        let body = upload.bytes();
        let moment = usize::try_from(self.chance.below(upload.length())).unwrap_or(0);
        let head = format!("PATCH {}", upload.path);
        let fields = "Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n";
        let mut stream = client.begin(&head, fields, body.len())?;
        let (before, behind) = body.split_at_checked(moment).unwrap_or((&body, &[]));
        stream.write_all(before)?;
        self.device.fill()?;
        for piece in behind.chunks(PIECE) {
            if stream.write_all(piece).is_err() {
                break;
            }
        }
        match Client::answer(&mut stream, &head) {
            Ok(answer) if [204, 507].contains(&answer.status) => {
                self.told(upload, &answer, "the PATCH that met the full device");
                self.report.cut += u64::from(answer.status == 507);
            }
            other => self.lose(format!("the PATCH that met the full device: {other:?}")),
        }
        self.stands(client, upload);
        Ok(())
    }

    /// An offset in an answer is never less than one that was told before.
    fn told(&mut self, upload: &mut Upload, answer: &Answer, by: &str) {
        let Some(offset) = answer.number("upload-offset") else { return };
        if offset < upload.acknowledged {
            let what = format!("{}: {by}: {offset} after {}", upload.path, upload.acknowledged);
            self.report.tally.lose(Loss::Bytes(upload.acknowledged - offset), what);
        }
        upload.acknowledged = offset;
    }

    /// A HEAD is answered, whatever the device has.
    fn stands(&mut self, client: &Client, upload: &mut Upload) {
        match client.send(&format!("HEAD {}", upload.path), "", b"") {
            Ok(answer) if answer.status == 200 => self.told(upload, &answer, "HEAD"),
            other => self.lose(format!("HEAD: {other:?}")),
        }
    }

    /// What clients do while nothing fits: they look, delete, create and go on.
    fn while_full(&mut self, client: &Client, long: &mut Upload) {
        for _ in 0..4 + self.chance.below(8) {
            match self.chance.below(4) {
                0 => self.stands(client, long),
                1 => match client.send("POST /files", "Upload-Length: 9\r\n", b"") {
                    // Its record may fit where its bytes do not; nobody asks for it again.
                    Ok(answer) if [201, 507].contains(&answer.status) => {}
                    other => self.lose(format!("creation: {other:?}")),
                },
                2 => {
                    let rest = long.stretch(long.acknowledged, long.length());
                    let fields = format!(
                        "Upload-Offset: {}\r\nContent-Type: application/offset+octet-stream\r\n",
                        long.acknowledged
                    );
                    match client.send(&format!("PATCH {}", long.path), &fields, &rest) {
                        Ok(answer) if [204, 507, 409].contains(&answer.status) => {
                            self.told(long, &answer, "PATCH");
                        }
                        other => self.lose(format!("PATCH: {other:?}")),
                    }
                }
                _ => self.delete(client),
            }
        }
        self.stands(client, long);
    }

    fn delete(&mut self, client: &Client) {
        let there: Vec<usize> = (0_usize..)
            .zip(&self.kept)
            .filter(|(_, upload)| upload.standing == Standing::There)
            .map(|(at, _)| at)
            .collect();
        let Some(at) = self.chance.one_of(&there) else { return };
        let mut upload = self.kept.swap_remove(*at);
        match client.send(&format!("DELETE {}", upload.path), "", b"") {
            Ok(answer) if answer.status == 204 => {
                self.report.deleted += 1;
                upload.standing = Standing::Gone;
            }
            other => self.lose(format!("DELETE while full: {other:?}")),
        }
        self.kept.push(upload);
    }

    /// There is room again: the upload goes on where it stood, and is right.
    fn go_on(&mut self, client: &Client, upload: &mut Upload) {
        let until = Instant::now() + SOON;
        self.stands(client, upload);
        while !upload.is_complete() {
            let rest = upload.stretch(upload.acknowledged, upload.length());
            let fields = format!(
                "Upload-Offset: {}\r\nContent-Type: application/offset+octet-stream\r\n",
                upload.acknowledged
            );
            match client.send(&format!("PATCH {}", upload.path), &fields, &rest) {
                Ok(answer) if answer.status == 204 => self.told(upload, &answer, "PATCH"),
                Ok(answer) if answer.status == 507 && Instant::now() < until => {
                    std::thread::park_timeout(Duration::from_millis(20));
                    self.stands(client, upload);
                }
                other => return self.lose(format!("no going on with room: {other:?}")),
            }
        }
        check::compare(client, &upload.path, upload, &mut self.report.tally);
    }

    /// Everything that is to be there is there, and what was deleted is not.
    fn look(&mut self, client: &Client) {
        let tally = &mut self.report.tally;
        self.kept.retain_mut(|upload| check::look(client, upload, tally));
        self.kept.retain(|upload| upload.standing == Standing::There);
    }
}
