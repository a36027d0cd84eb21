//! One byte a second, up and down.

use std::thread;
use std::time::{Duration, Instant};

use conformance_tests::wire::{Connection, Request};

use crate::lab::BY_B;
use crate::resume::{Kind, Upload, ask_once, connect};
use crate::trouble::Trouble;

const SECOND: Duration = Duration::from_secs(1);
/// Between two bytes of a body that is to be ended: off the beat of a gateway that looks once a second, so that none
/// comes in the moment it is ended.
const OFF_BEAT: Duration = Duration::from_millis(700);
const STEP: Duration = Duration::from_secs(30);
/// Bytes of a file that others send and fetch.
const LENGTH: usize = 8 * 1024 * 1024;
/// Files of the others for one measure, and how many measures are taken of each kind.
const FILES: usize = 4;
const MEASURES: usize = 3;
/// Downloads of one byte a second.
const SLOW: usize = 16;

/// Sends one byte a second, `seconds` times, and then the rest of the upload at once.
///
/// # Errors
///
/// [`Trouble::Wrong`] if the gateway does not wait for it.
pub fn is_waited_for(seconds: usize) -> Result<(), Trouble> {
    let (upload, mut connection) = begun(seconds)?;
    for byte in upload.bytes.chunks(1).take(seconds) {
        if connection.hears_within(SECOND)? {
            return Err(Trouble::wrong("one byte a second is refused, without a minimum rate"));
        }
        connection.send(byte)?;
    }
    connection.send(upload.bytes.get(seconds..).unwrap_or_default())?;
    let line = connection.answer("PATCH")?.response.head.line;
    if !line.contains(" 204") {
        return Err(Trouble::wrong(format!("the end of a slow body is answered with {line}")));
    }
    upload.is_whole()
}

/// Sends a byte now and then until the gateway, which has a minimum rate, ends that. Says after how
/// long, and that every byte counts.
///
/// # Errors
///
/// [`Trouble::Wrong`] if it does not end it within `bound`.
pub fn is_ended(bound: Duration) -> Result<Duration, Trouble> {
    let seconds = usize::try_from(bound.as_secs()).unwrap_or(usize::MAX);
    let (upload, mut connection) = begun(seconds)?;
    let (began, mut sent) = (Instant::now(), 0_usize);
    for byte in upload.bytes.chunks(1).take(seconds) {
        connection.send(byte)?;
        sent = sent.saturating_add(1);
        if connection.hears_within(OFF_BEAT)? {
            let status = connection.answer("PATCH")?.response.head.status;
            let took = began.elapsed();
            let missing = upload.missing(&ask_once(&upload.question())?)?;
            let kept = missing.first().map(|range| range.start);
            if status != 408 || kept != Some(sent) {
                let text = format!("it ends with {status}, and of {sent} bytes {kept:?} count");
                return Err(Trouble::wrong(text));
            }
            return Ok(took);
        }
    }
    Err(Trouble::wrong(format!("after {bound:?} a byte every {OFF_BEAT:?} is still taken")))
}

fn begun(seconds: usize) -> Result<(Upload, Connection), Trouble> {
    let upload = Upload::new(Kind::Patch, 7, seconds.saturating_add(1000))?;
    let mut connection = connect(BY_B, STEP)?;
    for (request, _) in upload.requests() {
        connection.send(&request.encode_head(BY_B, &[]))?;
    }
    Ok((upload, connection))
}

/// How long others take beside downloads of one byte a second, as a multiple of what they take
/// without: medians of several measures that alternate.
///
/// # Errors
///
/// [`Trouble`] if a request fails.
pub fn slows_others_down() -> Result<f64, Trouble> {
    let file = Upload::new(Kind::Patch, 8, 3 * LENGTH)?;
    for request in file.rest(&(0..file.bytes.len())) {
        ask_once(&request)?;
    }
    let path = file.question().target().to_owned();
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for seed in 0..MEASURES {
        alone.push(others(seed)?);
        beside.push(beside_slow_ones(&path, seed)?);
    }
    alone.sort();
    beside.sort();
    let median =
        |times: &[Duration]| times.get(MEASURES / 2).map_or(f64::NAN, Duration::as_secs_f64);
    Ok(median(&beside) / median(&alone))
}

fn beside_slow_ones(path: &str, seed: usize) -> Result<Duration, Trouble> {
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        let mut connection = connect(BY_B, STEP)?;
        connection.send(&Request::new("GET", path).encode_head(BY_B, &[]))?;
        // The head, and 16 KiB with it. From here on nothing is taken for the length of the measure:
        // a byte a second opens no window either.
        connection.next_head()?;
        slow.push(connection);
    }
    let took = others(seed);
    drop(slow);
    took
}

/// Several at once send a file, and fetch it.
fn others(seed: usize) -> Result<Duration, Trouble> {
    let began = Instant::now();
    thread::scope(|scope| {
        let one = |number: usize| {
            let seed = u64::try_from(seed.saturating_mul(FILES).saturating_add(number));
            let upload = Upload::new(Kind::Patch, seed.unwrap_or(0), LENGTH)?;
            for request in upload.rest(&(0..LENGTH)) {
                ask_once(&request)?;
            }
            upload.is_whole()
        };
        let all: Vec<_> = (0..FILES).map(|number| scope.spawn(move || one(number))).collect();
        let panicked = |_| Err(Trouble::wrong("a client panicked"));
        all.into_iter().try_for_each(|one| one.join().unwrap_or_else(panicked))
    })?;
    Ok(began.elapsed())
}
