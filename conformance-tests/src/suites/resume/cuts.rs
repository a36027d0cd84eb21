//! Connections that end in the middle of something.

use std::time::Duration;

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, NOTICE, Upload};
use crate::content::{Numbers, length, letters};
use crate::wire::{Connection, Request};

/// Long enough for a server on the same machine to have read what was sent.
const SETTLE: Duration = Duration::from_millis(150);
/// How often one upload is cut before it completes.
const CUTS: u64 = 12;

/// The cases.
pub const GROUP: Group = Group {
    name: "cuts",
    needs: &["creation"],
    cases: &[
        Case::new("a patch that is closed midway keeps what arrived", &["T-35", "W-1"], closed),
        Case::new("a patch that is half-closed keeps what arrived", &["T-35", "W-1"], half_closed),
        Case::new("a patch that is reset keeps what arrived", &["T-35", "W-1"], reset),
        Case::new("a chunked patch that is cut keeps what arrived", &["T-35", "W-1"], chunked),
        Case::new("a body shorter than stated is not an end", &["T-35", "W-1"], short_body),
        Case::new("an upload cut again and again is exact", &["T-35", "W-2"], again_and_again),
        Case::new("the lost answer of the last patch can be had again", &["W-3"], lost_answer),
        Case::new("a client that stalls is disconnected", &["T-36"], stalls).alone(),
        Case::new("requests one after another share a connection", &["W-4"], keep_alive),
    ],
};

/// Begins a PATCH of all of `bytes` and sends the first `count` of them.
fn begin(
    client: &Client<'_>,
    upload: &Upload,
    bytes: &[u8],
    count: usize,
) -> Result<(Connection, Request), Stop> {
    let request = client.append(upload, 0).with("Content-Length", bytes.len().to_string());
    let mut connection = client.begin(&request)?;
    connection.send(bytes.get(..count).unwrap_or_default())?;
    Ok((connection, request))
}

/// After a cut: the offset becomes exactly `count`, and the rest completes the upload.
fn resumes(client: &Client<'_>, upload: &Upload, bytes: &[u8], count: usize) -> Verdict {
    let offset = u64::try_from(count).unwrap_or(u64::MAX);
    client.offset_becomes(upload, offset)?;
    let rest = bytes.get(count..).unwrap_or_default();
    client.patch(upload, offset, rest)?.is(204)?;
    client.content_is(upload, bytes)
}

fn closed(client: &Client<'_>) -> Verdict {
    let bytes = letters(51, 100_000);
    let upload = client.create(length(&bytes))?;
    let (connection, _) = begin(client, &upload, &bytes, 61_234)?;
    drop(connection);
    resumes(client, &upload, &bytes, 61_234)
}

fn half_closed(client: &Client<'_>) -> Verdict {
    let bytes = letters(52, 100_000);
    let upload = client.create(length(&bytes))?;
    let (mut connection, _) = begin(client, &upload, &bytes, 61_234)?;
    connection.half_close()?;
    resumes(client, &upload, &bytes, 61_234)
}

fn reset(client: &Client<'_>) -> Verdict {
    let bytes = letters(53, 100_000);
    let upload = client.create(length(&bytes))?;
    let (mut connection, _) = begin(client, &upload, &bytes, 61_234)?;
    // What the server has not read when the reset arrives is lost on the way, not by the server.
    connection.hears_within(SETTLE)?;
    connection.reset()?;
    resumes(client, &upload, &bytes, 61_234)
}

fn chunked(client: &Client<'_>) -> Verdict {
    let bytes = letters(54, 100_000);
    let upload = client.create(length(&bytes))?;
    let request = client.append(&upload, 0).with("Transfer-Encoding", "chunked");
    let mut connection = client.begin(&request)?;
    for piece in bytes.get(..60_000).unwrap_or_default().chunks(7_500) {
        connection.send_chunk(piece)?;
    }
    drop(connection);
    resumes(client, &upload, &bytes, 60_000)
}

/// The upload must not be taken for complete, nor the request for a success.
fn short_body(client: &Client<'_>) -> Verdict {
    let bytes = letters(55, 1000);
    let upload = client.create(length(&bytes))?;
    let (mut connection, request) = begin(client, &upload, &bytes, 999)?;
    connection.half_close()?;
    if let Ok(exchange) = client.finish(&mut connection, &request) {
        exchange.check(exchange.status() != 204, || "a cut patch was a success".to_owned())?;
    }
    resumes(client, &upload, &bytes, 999)
}

fn again_and_again(client: &Client<'_>) -> Verdict {
    let bytes = letters(56, 400_000);
    let mut numbers = Numbers::seeded(56);
    let upload = client.create(length(&bytes))?;
    let mut acknowledged = 0_u64;
    for round in 0..CUTS {
        let exchange = client.head(&upload)?;
        let offset = exchange.is(200)?.number("Upload-Offset")?;
        exchange.check(offset >= acknowledged, || {
            format!("the offset went back from {acknowledged}")
        })?;
        acknowledged = offset;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = bytes.get(start..).unwrap_or_default();
        let request = client.append(&upload, offset).with("Content-Length", rest.len().to_string());
        let mut connection = client.begin(&request)?;
        let count = usize::try_from(numbers.below(30_000)).unwrap_or_default().min(rest.len());
        // A late writer may have moved the offset since: then this is refused, which is fine.
        let _ = connection.send(rest.get(..count).unwrap_or_default());
        if round % 2 == 0 {
            connection.reset()?;
        }
    }
    finish_from_head(client, &upload, &bytes)
}

/// A late writer may still move the offset once after HEAD, so a refusal is tried again.
fn finish_from_head(client: &Client<'_>, upload: &Upload, bytes: &[u8]) -> Verdict {
    let mut last = None;
    for _ in 0..10 {
        let offset = client.offset(upload)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = bytes.get(start..).unwrap_or_default();
        let exchange = client.patch(upload, offset, rest)?;
        if exchange.status() == 204 {
            return client.content_is(upload, bytes);
        }
        exchange.is_one_of(&[409, 423])?;
        last = Some(exchange);
    }
    Err(last.map_or_else(
        || Stop::failed("the upload could not be completed"),
        |exchange| exchange.fails("the upload could not be completed"),
    ))
}

fn lost_answer(client: &Client<'_>) -> Verdict {
    let bytes = letters(57, 20_000);
    let upload = client.create(length(&bytes))?;
    let (connection, _) = begin(client, &upload, &bytes, bytes.len())?;
    drop(connection);
    client.offset_becomes(&upload, 20_000)?;
    let again = client.patch(&upload, 0, &bytes)?;
    again.is_one_of(&[204, 409])?.has("Upload-Offset", "20000")?;
    client.patch(&upload, 20_000, b"")?.is(204)?.has("Upload-Offset", "20000")?;
    client.content_is(&upload, &bytes)
}

fn stalls(client: &Client<'_>) -> Verdict {
    let Some(idle) = client.parameters().idle_timeout else {
        return Err(Stop::not_applicable("no idle timeout was named (--idle-timeout-seconds)"));
    };
    let bytes = letters(58, 1000);
    let upload = client.create(length(&bytes))?;
    let (mut connection, request) = begin(client, &upload, &bytes, 400)?;
    if !connection.hears_within(idle.saturating_add(NOTICE))? {
        return Err(Stop::failed(format!("still connected {NOTICE:?} after {idle:?} of silence")));
    }
    // An answer may come first; the connection must be over after it.
    if client.finish(&mut connection, &request).is_ok() && !connection.hears_within(NOTICE)? {
        return Err(Stop::failed("the server answered but did not close"));
    }
    resumes(client, &upload, &bytes, 400)
}

fn keep_alive(client: &Client<'_>) -> Verdict {
    let mut connection = client.open()?;
    let creation = client.creation().with("Upload-Length", "6");
    let created = client.send_on(&mut connection, creation)?;
    let upload = client.created(&created)?;
    for (offset, bytes) in [(0_u64, "abc"), (3, "def")] {
        let request = client.append(&upload, offset);
        client.send_on(&mut connection, request.body(bytes))?.is(204)?;
        // Stale, and without a body that a server might not want to read.
        client.send_on(&mut connection, client.append(&upload, 1))?.is(409)?;
        client.send_on(&mut connection, Request::tus("HEAD", &upload.path))?.is(200)?;
    }
    client.content_is(&upload, b"abcdef")
}
