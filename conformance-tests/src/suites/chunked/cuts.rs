//! Chunks that are cut, and go on (C-60 … C-63).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::NEEDS;
use crate::case::{Case, Group, Stop, Verdict};
use crate::chunked::Chunked;
use crate::client::{Client, NOTICE};
use crate::content::after;
use crate::wire::Connection;

/// The cases.
pub const GROUP: Group = Group {
    name: "chunk-cuts",
    needs: NEEDS,
    cases: &[
        Case::new("a chunk that is cut keeps what arrived", &["C-60", "C-61"], continued),
        Case::new("a chunk in the front that is cut moves the offset", &["C-60"], in_front),
        Case::new("a chunk that is reset keeps what arrived", &["C-60"], reset),
        Case::new("bytes that are there already are skipped", &["C-61"], overlapping),
        Case::new("a chunk cannot go on behind what is there", &["C-61", "C-101"], gap),
        Case::new("a chunk that was cut may come as a whole", &["C-62"], whole_again),
        Case::new("a client that stalls in a chunk is told", &["C-63"], stalls).alone(),
    ],
};

/// Sends a chunk's head and its first `count` bytes.
fn begin(
    client: &Client<'_>,
    session: &Chunked,
    number: usize,
    count: usize,
) -> Result<Connection, Stop> {
    let length = session.piece(number).len().to_string();
    let request = session.head(client, number).with("Content-Length", length);
    let mut connection = client.begin(&request)?;
    connection.send(session.piece(number).get(..count).unwrap_or_default())?;
    Ok(connection)
}

/// Asks until the status counts `wanted` bytes.
fn becomes(client: &Client<'_>, session: &Chunked, wanted: usize) -> Verdict {
    let last = after(NOTICE);
    loop {
        let exchange = session.status(client)?;
        let body = if exchange.status() == 404 { Value::Null } else { exchange.is(200)?.json()? };
        if body.get("uploaded_bytes") == Some(&json!(wanted)) {
            return Ok(());
        }
        if Instant::now() > last {
            return Err(exchange.fails(format!("expected uploaded_bytes to become {wanted}")));
        }
    }
}

fn rest(
    client: &Client<'_>,
    session: &Chunked,
    number: usize,
    skip: usize,
) -> Result<crate::exchange::Exchange, Stop> {
    let bytes = session.piece(number).get(skip..).unwrap_or_default();
    client.send(session.head_from(client, number, skip).body(bytes))
}

fn continued(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 91, 100_000, 40_000);
    session.put(client, 0)?.is(200)?;
    drop(begin(client, &session, 2, 12_345)?);
    becomes(client, &session, 52_345)?;
    let missing = json!([{"from": 40_000, "to": 79_999}, {"from": 92_345, "to": 99_999}]);
    session.stands(client, &json!({"chunks": 1, "offset": 40_000, "missing": missing}))?;
    rest(client, &session, 2, 12_345)?.is(200)?.says(&json!({"uploaded_bytes": 60_000}))?;
    session.put(client, 1)?.is(200)?;
    session.is_whole(client)
}

fn in_front(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 92, 100_000, 40_000);
    session.put(client, 1)?.is(200)?;
    drop(begin(client, &session, 0, 12_345)?);
    becomes(client, &session, 52_345)?;
    session.stands(client, &json!({"offset": 12_345}))?;
    rest(client, &session, 0, 12_345)?.is(200)?.has("Upload-Offset", "80000")?;
    session.put(client, 2)?.is(200)?;
    session.is_whole(client)
}

fn reset(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 93, 100_000, 40_000);
    session.put(client, 0)?.is(200)?;
    let mut connection = begin(client, &session, 2, 7_000)?;
    // What the server has not read when the reset arrives is lost on the way.
    connection.hears_within(Duration::from_millis(150))?;
    connection.reset()?;
    becomes(client, &session, 47_000)?;
    rest(client, &session, 2, 7_000)?.is(200)?;
    session.put(client, 1)?.is(200)?;
    session.is_whole(client)
}

fn overlapping(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 94, 100_000, 40_000);
    session.put(client, 0)?.is(200)?;
    drop(begin(client, &session, 1, 12_345)?);
    becomes(client, &session, 52_345)?;
    rest(client, &session, 1, 2_000)?.is(200)?.says(&json!({"uploaded_bytes": 80_000}))?;
    session.put(client, 2)?.is(200)?;
    session.is_whole(client)
}

fn gap(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 95, 100_000, 40_000);
    session.put(client, 0)?.is(200)?;
    drop(begin(client, &session, 2, 10_000)?);
    becomes(client, &session, 50_000)?;
    for (number, skip, begins) in [(2, 10_001, "90000"), (1, 1, "40000")] {
        let exchange = rest(client, &session, number, skip)?;
        exchange.refuses(409, "chunk-contradicts-session")?;
        let body = exchange.json()?;
        let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
        exchange.check(message.contains(begins), || format!("{begins} is not in {message:?}"))?;
    }
    session.stands(client, &json!({"uploaded_bytes": 50_000}))?;
    // Nor can a session begin in the middle of a chunk.
    let fresh = Chunked::new(client, 96, 100_000, 40_000);
    let bytes = fresh.piece(1).get(10..).unwrap_or_default();
    let request = fresh.head_from(client, 1, 10).with("X-Chunk-Size", "40000");
    client.send(request.body(bytes))?.is_one_of(&[400, 409])?;
    fresh.put_all(client, 0..3)?;
    fresh.is_whole(client)
}

fn whole_again(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 97, 100_000, 40_000);
    for (number, count, there) in [(1, 100, 100), (0, 39_999, 79_999), (2, 1, 80_001)] {
        drop(begin(client, &session, number, count)?);
        // Until then the cut request may still be on its way, and be the newer one.
        becomes(client, &session, there)?;
        session.put(client, number)?.is(200)?;
    }
    session.is_whole(client)
}

fn stalls(client: &Client<'_>) -> Verdict {
    let Some(idle) = client.parameters().idle_timeout else {
        return Err(Stop::not_applicable("no idle timeout was named (--idle-timeout-seconds)"));
    };
    let session = Chunked::new(client, 98, 1000, 400);
    session.put(client, 0)?.is(200)?;
    let request = session.head(client, 1).with("Content-Length", "400");
    let mut connection = client.begin(&request)?;
    connection.send(session.piece(1).get(..150).unwrap_or_default())?;
    if !connection.hears_within(idle.saturating_add(NOTICE))? {
        return Err(Stop::failed(format!("still connected {NOTICE:?} after {idle:?} of silence")));
    }
    client.finish(&mut connection, &request)?.refuses(408, "idle")?;
    becomes(client, &session, 550)?;
    rest(client, &session, 1, 150)?.is(200)?;
    session.put(client, 2)?.is(200)?;
    session.is_whole(client)
}
