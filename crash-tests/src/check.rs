//! Compares what is there after a cut with what was acknowledged before it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Answer, Client};
use crate::tally::{Loss, Tally};
use crate::upload::{Standing, Upload, Way};

/// A final upload that is still being joined is asked for this long.
const JOINING: Duration = Duration::from_secs(30);

/// Looks at one upload. What it was told then counts as acknowledged.
///
/// Returns whether the upload is still worth looking at: one that is lost is counted once.
pub fn look(client: &Client, upload: &mut Upload, tally: &mut Tally) -> bool {
    tally.looks += 1;
    if upload.standing == Standing::There {
        tally.acknowledged += upload.acknowledged_bytes();
    }
    let answer = match upload.way {
        Way::Slot { .. } => return look_into_slot(client, upload, tally),
        Way::Chunks(_) => client.send(&format!("GET {}", upload.path), "", b""),
        Way::Tus | Way::Part => client.send(&format!("HEAD {}", upload.path), "", b""),
        Way::Final => joined(client, &upload.path),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            tally.lose(Loss::Answer, format!("{}: no answer: {error}", upload.path));
            return true;
        }
    };
    match (answer.status, upload.standing) {
        (404 | 410, Standing::Gone) => true,
        (404 | 410, Standing::Going) => {
            upload.standing = Standing::Gone;
            true
        }
        (404 | 410, Standing::There) => {
            let what = format!("{}: the whole upload ({:?})", upload.path, upload.way);
            // An upload without a byte is a loss, too.
            tally.lose(Loss::Bytes(upload.acknowledged_bytes().max(1)), what);
            false
        }
        (200 | 204, Standing::Gone) => {
            tally.lose(Loss::CameBack, upload.path.clone());
            false
        }
        (200 | 204, Standing::There | Standing::Going) => {
            upload.standing = Standing::There;
            stands(client, upload, &answer, tally)
        }
        (status, _) => {
            let what = format!("{}: {status} for where it stands", upload.path);
            tally.lose(Loss::Answer, what);
            true
        }
    }
}

/// A slot shows nothing before all of its bytes are there, and then it shows all of them.
fn look_into_slot(client: &Client, upload: &mut Upload, tally: &mut Tally) -> bool {
    match client.send(&format!("GET {}", upload.path), "", b"") {
        // Nothing is there, or not all of it.
        Ok(answer) if matches!(answer.status, 404 | 409) && !upload.is_complete() => true,
        Ok(answer) if matches!(answer.status, 404 | 409) => {
            let what = format!("{}: {} for a slot that was filled", upload.path, answer.status);
            tally.lose(Loss::Bytes(upload.acknowledged), what);
            false
        }
        Ok(_) => {
            upload.acknowledged = upload.length();
            let path = upload.path.clone();
            compare(client, &path, upload, tally)
        }
        Err(error) => {
            tally.lose(Loss::Answer, format!("{}: no answer: {error}", upload.path));
            true
        }
    }
}

/// Asks until a final upload is joined, or cannot be any more.
fn joined(client: &Client, path: &str) -> std::io::Result<Answer> {
    let (until, mut hopeless) = (Instant::now() + JOINING, false);
    loop {
        let answer = client.send(&format!("HEAD {path}"), "", b"")?;
        let waits = answer.status == 200 && answer.number("upload-offset").is_none();
        if !waits || hopeless || Instant::now() > until {
            return Ok(answer);
        }
        // Then it is asked once more: it may be whole by now, and its parts gone for that.
        hopeless = !parts_are_whole(client, &answer)?;
        if !hopeless {
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

/// Whether all that a final upload waits for is there. What a power cut took of it does not come back.
fn parts_are_whole(client: &Client, waiting: &Answer) -> std::io::Result<bool> {
    let parts = waiting.field("upload-concat").unwrap_or_default();
    for part in parts.trim_start_matches("final;").split_whitespace() {
        let part = client.send(&format!("HEAD {part}"), "", b"")?;
        let offset = part.number("upload-offset");
        if offset.is_none() || offset != part.number("upload-length") {
            return Ok(false);
        }
    }
    Ok(true)
}

fn stands(client: &Client, upload: &mut Upload, answer: &Answer, tally: &mut Tally) -> bool {
    match upload.way {
        Way::Tus | Way::Part | Way::Final => stands_at(client, upload, answer, tally),
        Way::Chunks(_) => has_chunks(client, upload, answer, tally),
        Way::Slot { .. } => true,
    }
}

fn stands_at(client: &Client, upload: &mut Upload, answer: &Answer, tally: &mut Tally) -> bool {
    let Some(offset) = answer.number("upload-offset") else {
        tally.lose(Loss::Answer, format!("{}: no offset", upload.path));
        return true;
    };
    if offset < upload.acknowledged {
        let what = format!(
            "{}: {offset} of {} bytes, told by {}",
            upload.path, upload.acknowledged, upload.told_by
        );
        tally.lose(Loss::Bytes(upload.acknowledged - offset), what);
    }
    if offset > upload.length() {
        tally.lose(Loss::Answer, format!("{}: {offset} is past its end", upload.path));
    }
    (upload.acknowledged, upload.told_by) = (offset, "HEAD after a cut");
    match upload.way {
        Way::Tus | Way::Final if upload.is_complete() => {
            compare(client, &upload.path, upload, tally)
        }
        Way::Tus | Way::Final | Way::Part | Way::Chunks(_) | Way::Slot { .. } => true,
    }
}

fn has_chunks(client: &Client, upload: &mut Upload, answer: &Answer, tally: &mut Tally) -> bool {
    let status: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let missing = status.get("missing").and_then(Value::as_array);
    let missing: Vec<(u64, u64)> = missing.into_iter().flatten().filter_map(range).collect();
    let missed = |chunk: u64| {
        let (start, end) = upload.span(chunk);
        let lacking = missing
            .iter()
            .map(|(from, to)| to.saturating_add(1).min(end).saturating_sub((*from).max(start)));
        lacking.sum::<u64>()
    };
    let lost: u64 = upload.chunks.iter().map(|chunk| missed(*chunk)).sum();
    if lost > 0 {
        let what = format!("{}: of {:?}, {missing:?} is missing", upload.path, upload.chunks);
        tally.lose(Loss::Bytes(lost), what);
    }
    let Way::Chunks(size) = upload.way else { return true };
    let all = 0..upload.length().div_ceil(size);
    let there: BTreeSet<u64> = all.filter(|chunk| missed(*chunk) == 0).collect();
    upload.chunks = there;
    match status.get("upload_url").and_then(Value::as_str) {
        Some(url) if upload.is_complete() => {
            // Absolute only if the gateway was told how it is reached.
            let path = url.to_owned();
            compare(client, &path, upload, tally)
        }
        Some(_) => true,
        None => {
            tally.lose(Loss::Answer, format!("{}: a status without upload_url", upload.path));
            true
        }
    }
}

fn range(value: &Value) -> Option<(u64, u64)> {
    Some((value.get("from")?.as_u64()?, value.get("to")?.as_u64()?))
}

/// Downloads a finished file and compares every byte; says whether it is right.
pub fn compare(client: &Client, path: &str, upload: &Upload, tally: &mut Tally) -> bool {
    tally.files += 1;
    match client.send(&format!("GET {path}"), "", b"") {
        Ok(answer) if answer.status == 200 && answer.body == upload.bytes() => true,
        Ok(answer) => {
            let (mine, theirs) = (upload.bytes(), &answer.body);
            let same = mine.iter().zip(theirs).take_while(|(a, b)| a == b).count();
            let what = format!(
                "{path}: {} with {} of {} bytes, right up to {same} ({:?})",
                answer.status,
                theirs.len(),
                mine.len(),
                upload.way
            );
            tally.lose(Loss::File, what);
            false
        }
        Err(error) => {
            tally.lose(Loss::Answer, format!("{path}: no download: {error}"));
            false
        }
    }
}

/// Sends what is missing and compares the whole: what was kept of a running upload must be right.
pub fn finish(client: &Client, upload: &mut Upload, tally: &mut Tally) {
    if upload.standing != Standing::There || upload.is_complete() {
        return;
    }
    match &upload.way {
        Way::Slot { put } => {
            // What was handed out is worth as much as what was acknowledged.
            let sent = put_slot(client, upload, put, upload.length());
            if !sent.as_ref().is_ok_and(|answer| answer.status == 201) {
                let what = format!("{put}: the slot takes nothing: {sent:?}");
                tally.lose(Loss::Answer, what);
                return;
            }
        }
        Way::Tus | Way::Part => {
            let rest = upload.stretch(upload.acknowledged, upload.length());
            let fields = format!(
                "Upload-Offset: {}\r\nContent-Type: application/offset+octet-stream\r\n",
                upload.acknowledged
            );
            let sent = client.send(&format!("PATCH {}", upload.path), &fields, &rest);
            if !sent.as_ref().is_ok_and(|answer| answer.status == 204) {
                let what = format!("{}: cannot be finished: {sent:?}", upload.path);
                tally.lose(Loss::Answer, what);
                return;
            }
        }
        Way::Chunks(size) => {
            for chunk in 0..upload.length().div_ceil(*size) {
                let sent = put_chunk(client, upload, chunk);
                if !sent.as_ref().is_ok_and(|answer| answer.status == 200) {
                    let what = format!("{}: chunk {chunk}: {sent:?}", upload.path);
                    tally.lose(Loss::Answer, what);
                    return;
                }
            }
        }
        Way::Final => return,
    }
    look(client, upload, tally);
}

/// Sends one chunk.
///
/// # Errors
///
/// If there is no answer.
pub fn put_chunk(client: &Client, upload: &Upload, chunk: u64) -> std::io::Result<Answer> {
    let (start, end) = upload.span(chunk);
    let name = upload.path.rsplit('/').next().unwrap_or_default();
    let total = match upload.way {
        Way::Chunks(size) => upload.length().div_ceil(size),
        Way::Tus | Way::Part | Way::Final | Way::Slot { .. } => 1,
    };
    let fields = format!(
        "X-Upload-Session-ID: {name}\r\nX-Chunk-Number: {chunk}\r\nX-Total-Chunks: {total}\r\n\
         Content-Range: bytes {start}-{}/{}\r\n",
        end.saturating_sub(1),
        upload.length()
    );
    client.send("PUT /chunked-upload", &fields, &upload.stretch(start, end))
}

/// Sends the first `bytes` bytes into a slot; without the rest the answer does not come.
///
/// # Errors
///
/// If there is no answer.
pub fn put_slot(
    client: &Client,
    upload: &Upload,
    put: &str,
    bytes: u64,
) -> std::io::Result<Answer> {
    let fields = "Content-Type: application/octet-stream\r\n";
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    client.send_part(&format!("PUT {put}"), fields, &upload.bytes(), bytes)
}
