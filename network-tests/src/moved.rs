//! The gateway's own address goes while uploads come by it, and by another one.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use conformance_tests::wire::Connection;

use crate::gateway::Gateway;
use crate::lab::{BY_A, BY_B, Cut, Family, Lab, Server};
use crate::resume::{Kind, Upload, ask_once, connect};
use crate::trouble::Trouble;
use crate::writer::{Progress, send_steadily, send_steadily_by_http2};

/// More than is sent until the address goes.
const LONG: usize = 8 * 1024 * 1024;
/// Uploads by the address that stays, and what is left of each when the other one goes.
const OTHERS: usize = 4;
const LENGTH: usize = 512 * 1024;
const LEFT: usize = 1000;
/// Nothing takes longer on the path that stays.
const STEP: Duration = Duration::from_secs(30);
/// Transfers whose connection ended before their bodies did.
const CUT: &str = "tidegate_transfers_ended_total{ending=\"cut\"}";
/// How often an address goes and comes back in a second, for how long, while how many bytes are sent.
const FLAPS_PER_SECOND: u32 = 10;
const FLAPPING: Duration = Duration::from_secs(3);

/// What happened.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    /// From the moment before the address was gone until the transfer by it was over, and its bytes could be
    /// asked for; `None` if it was not over within the bound.
    pub committed: Option<Duration>,
    /// From that moment until the first of the others was through, who had little left. None sends that before it is
    /// committed, or the bound is over: the gateway is not raced against.
    pub through: Duration,
    /// What the longest of them took, from sending what was left.
    pub paused: Duration,
}

/// How the client comes whose address goes.
#[derive(Clone, Copy, Debug)]
pub struct By {
    /// To which address.
    pub family: Family,
    /// How it frames its request.
    pub framing: Framing,
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// HTTP/1.1
    Http1,
    /// HTTP/2 without TLS, known beforehand.
    Http2,
}

/// Takes the address away by which the client comes; everything is whole in the end, and the address back. The others
/// come by IPv4 and HTTP/1.1.
///
/// # Errors
///
/// [`Trouble`] if anything that had arrived is not told, or an upload is not what was sent.
pub fn address_goes(
    lab: &Lab,
    gateway: &Gateway,
    by: By,
    bound: Duration,
) -> Result<Moved, Trouble> {
    let By { family, framing } = by;
    let upload = Upload::new(Kind::Patch, 21, LONG)?;
    let progress = Progress::default();
    let moved = thread::scope(|scope| {
        let writer = scope.spawn(|| match framing {
            Framing::Http1 => send_steadily(&upload, family.by_a(), &progress).map(drop),
            Framing::Http2 => send_steadily_by_http2(&upload, family.by_a(), &progress),
        });
        let moved = while_sending(lab, gateway, (&upload, &progress), family, bound);
        progress.stop.store(true, Ordering::Relaxed);
        let sent = writer.join().unwrap_or_else(|_| Err(Trouble::wrong("the writer panicked")));
        sent.and(moved)
    });
    let back = lab.address_comes(family);
    let moved = moved?;
    back?;
    Ok(moved)
}

fn while_sending(
    lab: &Lab,
    gateway: &Gateway,
    (upload, progress): (&Upload, &Progress),
    family: Family,
    bound: Duration,
) -> Result<Moved, Trouble> {
    let others: Vec<_> = (0..OTHERS)
        .map(|seed| almost(u64::try_from(seed).unwrap_or(0)))
        .collect::<Result<_, _>>()?;
    let all = u64::try_from(OTHERS).unwrap_or(0).saturating_add(1);
    gateway.reaches(lab, "tidegate_transfers_running", |running| running == all, STEP)?;
    let port = progress.port.load(Ordering::Relaxed);
    until(|| progress.given.load(Ordering::Relaxed) > 1024 * 1024)?;
    let had = lab.arrived(Server::GATEWAY, port)?.unwrap_or(0);
    // Before, so that what the command itself takes makes the times longer and never shorter.
    let gone = Instant::now();
    lab.address_goes(family)?;
    let committed = match gateway.reaches(lab, CUT, |cut| cut > 0, bound) {
        Ok(()) => Some(gone.elapsed()),
        Err(Trouble::Wrong(_)) => None,
        Err(error) => return Err(error),
    };
    let took = thread::scope(|scope| {
        let last = |(upload, connection)| scope.spawn(move || finished(&upload, connection));
        let threads: Vec<_> = others.into_iter().map(last).collect();
        resumed(upload, had, progress)?;
        let panicked = |_| Err(Trouble::wrong("a client panicked"));
        let joined = threads.into_iter().map(|one| one.join().unwrap_or_else(panicked));
        joined.collect::<Result<Vec<_>, _>>()
    })?;
    let through = took.iter().map(|(at, _)| at.saturating_duration_since(gone)).min();
    let paused = took.iter().map(|(_, took)| *took).max();
    Ok(Moved {
        committed,
        through: through.unwrap_or_default(),
        paused: paused.unwrap_or_default(),
    })
}

/// An upload of which little is left to be sent.
fn almost(seed: u64) -> Result<(Upload, Connection), Trouble> {
    let upload = Upload::new(Kind::Patch, seed, LENGTH)?;
    let mut connection = connect(BY_B, STEP)?;
    for (request, range) in upload.requests() {
        connection.send(&request.encode_head(BY_B, &[]))?;
        let most = range.end.saturating_sub(LEFT);
        connection.send(upload.bytes.get(range.start..most).unwrap_or_default())?;
    }
    Ok((upload, connection))
}

/// Sends what is left; when the answer is there, and what that took.
fn finished(upload: &Upload, mut connection: Connection) -> Result<(Instant, Duration), Trouble> {
    let since = Instant::now();
    connection.send(upload.bytes.get(LENGTH.saturating_sub(LEFT)..).unwrap_or_default())?;
    let head = connection.answer("PATCH")?.response.head;
    let (at, took) = (Instant::now(), since.elapsed());
    if head.status != 204 {
        return Err(Trouble::wrong(format!("an upload that paused ends with {}", head.line)));
    }
    upload.is_whole()?;
    Ok((at, took))
}

/// The client by the lost address asks by the other one, and goes on from there.
fn resumed(upload: &Upload, had: u64, progress: &Progress) -> Result<(), Trouble> {
    /// Of a head, and of frames around a megabyte or so, which count among what had arrived and not in the offset.
    const HEAD: u64 = 4096;
    let missing = upload.missing(&ask_once(&upload.question())?)?;
    progress.stop.store(true, Ordering::Relaxed);
    let told = missing.first().map_or(LONG, |range| range.start);
    let counted = u64::try_from(told).unwrap_or(0);
    if counted.saturating_add(HEAD) < had || counted > progress.given.load(Ordering::Relaxed) {
        return Err(Trouble::wrong(format!("{had} bytes had arrived, {counted} are told")));
    }
    for request in missing.iter().flat_map(|range| upload.rest(range)) {
        let head = ask_once(&request)?.response.head;
        if head.status != 204 {
            return Err(Trouble::wrong(format!("the rest is refused: {}", head.line)));
        }
    }
    upload.is_whole()
}

/// An address that goes and comes back all the time, with connections that come by it whenever they can.
/// How long an upload by the other one took, which was to take as long as that.
///
/// # Errors
///
/// [`Trouble`] if it does not end, or is not what was sent.
pub fn flaps(lab: &Lab) -> Result<Duration, Trouble> {
    let (upload, stop) = (Upload::new(Kind::Patch, 22, LENGTH)?, AtomicBool::new(false));
    let flapped = thread::scope(|scope| {
        let flapping = scope.spawn(|| {
            let mut somebody = None;
            while !stop.load(Ordering::Relaxed) {
                lab.address_goes(Family::Ipv4)?;
                thread::park_timeout(Duration::from_secs(1) / FLAPS_PER_SECOND / 2);
                lab.address_comes(Family::Ipv4)?;
                // Somebody has to be there when it goes, or nobody is concerned.
                drop(somebody);
                let address = SocketAddr::from(([10, 71, 0, 2], 8080));
                somebody = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok();
                thread::park_timeout(Duration::from_secs(1) / FLAPS_PER_SECOND / 2);
            }
            Ok(())
        });
        let took = trickled(&upload);
        stop.store(true, Ordering::Relaxed);
        let flapped: Result<(), Trouble> =
            flapping.join().unwrap_or_else(|_| Err(Trouble::wrong("what flaps panicked")));
        flapped.and(took)
    });
    let back = lab.address_comes(Family::Ipv4);
    let flapped = flapped?;
    back?;
    upload.is_whole()?;
    Ok(flapped)
}

/// Sends an upload in equal pieces over the time of flapping; how long that took, with its answer.
fn trickled(upload: &Upload) -> Result<Duration, Trouble> {
    const PIECES: usize = 60;
    let (mut connection, began) = (connect(BY_B, STEP)?, Instant::now());
    for (request, range) in upload.requests() {
        connection.send(&request.encode_head(BY_B, &[]))?;
        for piece in upload.bytes.get(range).unwrap_or_default().chunks(LENGTH.div_ceil(PIECES)) {
            thread::park_timeout(FLAPPING / 60);
            connection.send(piece)?;
        }
    }
    let head = connection.answer("PATCH")?.response.head;
    if head.status != 204 {
        return Err(Trouble::wrong(format!(
            "while an address flaps, an upload ends with {}",
            head.line
        )));
    }
    Ok(began.elapsed())
}

/// A client that goes without a word, and acknowledges nothing: how long until the gateway lets go of it,
/// although it would wait for bytes for a minute.
///
/// # Errors
///
/// [`Trouble::Wrong`] if it does not within `bound`.
pub fn silence_is_noticed(
    lab: &Lab,
    gateway: &Gateway,
    bound: Duration,
) -> Result<Duration, Trouble> {
    let upload = Upload::new(Kind::Patch, 23, LONG)?;
    let progress = Progress::default();
    let noticed = thread::scope(|scope| {
        let writer = scope.spawn(|| send_steadily(&upload, BY_A, &progress));
        let noticed = until(|| progress.given.load(Ordering::Relaxed) > 256 * 1024)
            .and_then(|()| lab.cut(Cut::InTheMiddle))
            .and_then(|()| {
                let cut = Instant::now();
                gateway.reaches(
                    lab,
                    "tidegate_transfers_running",
                    |running| running == 0,
                    bound,
                )?;
                Ok(cut.elapsed())
            });
        progress.stop.store(true, Ordering::Relaxed);
        drop(writer.join());
        noticed
    });
    let mended = lab.mend();
    let noticed = noticed?;
    mended?;
    Ok(noticed)
}

fn until(is_so: impl Fn() -> bool) -> Result<(), Trouble> {
    let end = Instant::now() + STEP;
    while !is_so() {
        if Instant::now() > end {
            return Err(Trouble::wrong("nothing goes by path A while it is whole"));
        }
        thread::park_timeout(Duration::from_micros(200));
    }
    Ok(())
}
