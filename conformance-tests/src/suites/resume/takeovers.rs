//! Two requests that meet on one upload.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, NOTICE, Upload};
use crate::content::{length, letters};
use crate::exchange::Exchange;
use crate::wire::{Connection, Request};

/// Silence after which a writer may be taken for dead.
const SILENCE: Duration = Duration::from_millis(200);
/// How many bytes each racing PATCH carries.
const RACE_BYTES: usize = 4096;
/// How often the time of HEAD is taken.
const HEAD_ROUNDS: usize = 5;
/// A writer that paused for longer was not busy, whatever kept it: a server may take it for silent.
const BUSY: Duration = Duration::from_millis(15);
/// How often a writer that was held up on this side may be tried again.
const BUSY_ATTEMPTS: usize = 5;

/// The cases.
pub const GROUP: Group = Group {
    name: "takeovers",
    needs: &["creation"],
    cases: &[
        Case::new("of two patches at one offset exactly one wins", &["T-45", "W-5"], race).alone(),
        Case::new("head does not wait for a silent writer", &["W-6"], head_is_prompt).alone(),
        Case::new("a patch takes over from a silent writer", &["W-7"], patch_takes_over).alone(),
        Case::new("the writer that lost is told the offset", &["W-7"], loser_is_told).alone(),
        Case::new("head does not disturb a busy writer", &["W-8"], head_looks_only).alone(),
        Case::new("a stale patch does not disturb a busy writer", &["W-8"], stale_patch).alone(),
        Case::new("a reader of another upload is not held up", &["W-9"], others_go_on).alone(),
    ],
};

/// Every round races two PATCHes that differ in every byte, and notes who won.
fn race(client: &Client<'_>) -> Verdict {
    let rounds = usize::try_from(client.parameters().race_rounds).unwrap_or(1);
    let total = rounds.saturating_mul(RACE_BYTES);
    let upload = client.create(u64::try_from(total).unwrap_or(u64::MAX))?;
    let mut wanted = Vec::with_capacity(total);
    for _ in 0..rounds {
        wanted.extend(race_once(client, &upload, length(&wanted))?);
        client.offset_is(&upload, length(&wanted))?;
    }
    client.content_is(&upload, &wanted)
}

/// Returns the body of the PATCH that won.
fn race_once(client: &Client<'_>, upload: &Upload, offset: u64) -> Result<Vec<u8>, Stop> {
    let bodies = [vec![b'A'; RACE_BYTES], vec![b'B'; RACE_BYTES]];
    let [first, second] = &bodies;
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(|| client.patch(upload, offset, first));
        let other = client.patch(upload, offset, second);
        (one.join().unwrap_or_else(|_| Err(Stop::failed("the racing thread panicked"))), other)
    });
    let (one, other) = (one?, other?);
    let (loser, body) = match (one.status(), other.status()) {
        (204, 204) => return Err(other.fails("both patches won")),
        (204, _) => (other, first),
        (_, 204) => (one, second),
        _ => return Err(other.fails(format!("no patch won; the other got {}", one.status()))),
    };
    loser.is_one_of(&[409, 423])?;
    Ok(body.clone())
}

/// A writer that announced all of `bytes`, sent the first `count`, and fell silent.
fn silent_writer(
    client: &Client<'_>,
    upload: &Upload,
    offset: u64,
    bytes: &[u8],
    count: usize,
) -> Result<(Connection, Request), Stop> {
    let request = client.append(upload, offset).with("Content-Length", bytes.len().to_string());
    let mut connection = client.begin(&request)?;
    connection.send(bytes.get(..count).unwrap_or_default())?;
    connection.hears_within(SILENCE)?;
    Ok((connection, request))
}

fn head_is_prompt(client: &Client<'_>) -> Verdict {
    let bytes = letters(61, 200_000);
    let mut answers: Vec<Exchange> = Vec::new();
    for _ in 0..HEAD_ROUNDS {
        let upload = client.create(length(&bytes))?;
        let (_writer, _) = silent_writer(client, &upload, 0, &bytes, 123_456)?;
        let exchange = client.head(&upload)?;
        exchange.is(200)?.has("Upload-Offset", "123456")?;
        client.patch(&upload, 123_456, bytes.get(123_456..).unwrap_or_default())?.is(204)?;
        client.content_is(&upload, &bytes)?;
        answers.push(exchange);
    }
    answers.sort_by_key(|exchange| exchange.took);
    let Some(median) = answers.get(HEAD_ROUNDS / 2) else { return Ok(()) };
    let prompt = client.parameters().prompt;
    median
        .check(median.took <= prompt, || {
            format!("half of the answers took {:?} or more; {prompt:?} is the limit", median.took)
        })
        .map(drop)
}

fn patch_takes_over(client: &Client<'_>) -> Verdict {
    let bytes = letters(62, 50_000);
    let upload = client.create(length(&bytes))?;
    let (_writer, _) = silent_writer(client, &upload, 0, &bytes, 20_000)?;
    let rest = bytes.get(20_000..).unwrap_or_default();
    let exchange = client.patch(&upload, 20_000, rest)?;
    exchange
        .is(204)?
        .check(exchange.took < NOTICE, || format!("the takeover took {:?}", exchange.took))?;
    client.content_is(&upload, &bytes)
}

fn loser_is_told(client: &Client<'_>) -> Verdict {
    let bytes = letters(63, 50_000);
    let upload = client.create(length(&bytes))?;
    let (mut writer, request) = silent_writer(client, &upload, 0, &bytes, 20_000)?;
    client.patch(&upload, 20_000, b"x")?.is(204)?;
    if !writer.hears_within(NOTICE)? {
        return Err(Stop::failed("the writer that lost was never told"));
    }
    let exchange = client.finish(&mut writer, &request)?;
    let offset = exchange.is(409)?.number("Upload-Offset")?;
    exchange
        .check(offset == 20_000 || offset == 20_001, || {
            "the offset is neither where it stopped nor where the upload is".to_owned()
        })
        .map(drop)
}

/// What became of a writer that was to be busy, and its longest pause.
struct Written {
    answer: Exchange,
    paused: Duration,
}

/// Sends `bytes` in small pieces until `hurry`, then the rest.
fn busy_writer(
    client: &Client<'_>,
    upload: &Upload,
    bytes: &[u8],
    hurry: &AtomicBool,
) -> Result<Written, Stop> {
    let request = client.append(upload, 0).with("Content-Length", bytes.len().to_string());
    let mut connection = client.begin(&request)?;
    let (mut paused, mut sent) = (Duration::ZERO, Instant::now());
    for piece in bytes.chunks(500) {
        connection.send(piece)?;
        paused = paused.max(sent.elapsed());
        sent = Instant::now();
        if !hurry.load(Ordering::Relaxed) && connection.hears_within(Duration::from_millis(2))? {
            break;
        }
    }
    Ok(Written { answer: client.finish(&mut connection, &request)?, paused })
}

/// Runs `disturb` while a writer is receiving; the writer must succeed all the same.
fn while_busy(client: &Client<'_>, seed: u64, disturb: impl Fn(&Upload) -> Verdict) -> Verdict {
    let bytes = letters(seed, 900_000);
    for attempt in 1..=BUSY_ATTEMPTS {
        let upload = client.create(length(&bytes))?;
        let hurry = AtomicBool::new(false);
        let (written, disturbed) = thread::scope(|scope| {
            let writer = scope.spawn(|| busy_writer(client, &upload, &bytes, &hurry));
            let disturbed = disturb(&upload);
            hurry.store(true, Ordering::Relaxed);
            let panicked = |_| Err(Stop::failed("the writing thread panicked"));
            (writer.join().unwrap_or_else(panicked), disturbed)
        });
        disturbed?;
        let Written { answer, paused } = written?;
        if answer.status() != 204 && paused > BUSY && attempt < BUSY_ATTEMPTS {
            continue;
        }
        answer.is(204)?.has("Upload-Offset", "900000")?;
        return client.content_is(&upload, &bytes);
    }
    Ok(())
}

fn head_looks_only(client: &Client<'_>) -> Verdict {
    while_busy(client, 64, |upload| {
        let (mut seen, mut answers) = (0, 0_u32);
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(500) && answers < 50 {
            let exchange = client.head(upload)?;
            let offset = exchange.is(200)?.number("Upload-Offset")?;
            exchange.check(offset >= seen, || format!("the offset went back from {seen}"))?;
            exchange.check(exchange.took < NOTICE, || format!("it took {:?}", exchange.took))?;
            seen = offset;
            answers = answers.saturating_add(1);
        }
        Ok(())
    })
}

fn stale_patch(client: &Client<'_>) -> Verdict {
    while_busy(client, 65, |upload| {
        for _ in 0..10 {
            let exchange = client.patch(upload, 899_999, b"x")?;
            exchange.is_one_of(&[409, 423])?;
            if exchange.status() == 409 {
                exchange.number("Upload-Offset")?;
            }
        }
        Ok(())
    })
}

fn others_go_on(client: &Client<'_>) -> Verdict {
    let bytes = letters(66, 100_000);
    let finished = client.finished(b"hello")?;
    let mut writers = Vec::new();
    for _ in 0..16 {
        let upload = client.create(length(&bytes))?;
        let request = client.append(&upload, 0).with("Content-Length", "100000");
        let mut connection = client.begin(&request)?;
        connection.send(bytes.get(..50_000).unwrap_or_default())?;
        writers.push(connection);
    }
    let exchange = client.head(&finished)?;
    exchange.is(200)?.check(exchange.took < Duration::from_secs(1), || {
        format!("sixteen silent writers of other uploads held it up for {:?}", exchange.took)
    })?;
    client.content_is(&finished, b"hello")
}
