//! How a session ends (C-90 … C-94).

use std::time::{Duration, Instant};

use serde_json::json;

use super::NEEDS;
use crate::case::{Case, Group, Stop, Verdict};
use crate::chunked::{Chunked, fresh_name};
use crate::client::{Client, NOTICE};
use crate::content::{after, imf_fixdate_seconds, now_seconds};
use crate::wire::Request;

/// The longest life of a session that a case waits for.
const PATIENCE_SECONDS: u64 = 15;

/// The cases.
pub const GROUP: Group = Group {
    name: "chunk-ending",
    needs: NEEDS,
    cases: &[
        Case::new("a session can be cancelled", &["C-90", "C-91"], cancelled),
        Case::new("a whole session can be removed", &["C-90"], removed),
        Case::new("cancelling stops its writers", &["C-90"], stops_writers),
        Case::new("what is not there cannot be cancelled", &["C-91"], absent),
        Case::new("nothing is cancelled where nothing is deleted", &["C-92"], switched_off),
        Case::new("a session expires like any upload", &["C-93"], expires),
        Case::new("an id that was cancelled is not begun again", &["C-94"], not_again),
    ],
};

fn needs_cancelling(client: &Client<'_>) -> Verdict {
    if client.offers().has("termination") {
        return Ok(());
    }
    Err(Stop::not_applicable("not advertised: termination"))
}

fn cancel(client: &Client<'_>, session: &Chunked) -> Result<crate::exchange::Exchange, Stop> {
    client.send(Request::new("DELETE", &session.path(client)))
}

fn cancelled(client: &Client<'_>) -> Verdict {
    needs_cancelling(client)?;
    let session = Chunked::new(client, 131, 10, 4);
    session.put(client, 1)?.is(200)?;
    let upload = session.upload(client)?;
    cancel(client, &session)?.is(204)?;
    session.status(client)?.refuses(404, "not-found")?;
    cancel(client, &session)?.refuses(404, "not-found")?;
    client.send(session.bare(client, 0).body(session.piece(0)))?.is_refused()?;
    client.head(&upload)?.is(404).map(drop)
}

fn removed(client: &Client<'_>) -> Verdict {
    needs_cancelling(client)?;
    let session = Chunked::new(client, 132, 10, 4);
    session.put_all(client, 0..3)?;
    let upload = session.upload(client)?;
    cancel(client, &session)?.is(204)?;
    session.status(client)?.is(404)?;
    client.get(&upload)?.is(404).map(drop)
}

fn stops_writers(client: &Client<'_>) -> Verdict {
    needs_cancelling(client)?;
    let session = Chunked::new(client, 133, 100_000, 40_000);
    session.put(client, 0)?.is(200)?;
    let request = session.head(client, 1).with("Content-Length", "40000");
    let mut connection = client.begin(&request)?;
    connection.send(session.piece(1).get(..10_000).unwrap_or_default())?;
    connection.hears_within(Duration::from_millis(100))?;
    let exchange = cancel(client, &session)?;
    exchange.is(204)?.check(exchange.took < NOTICE, || format!("it took {:?}", exchange.took))?;
    if !connection.hears_within(NOTICE)? {
        return Err(Stop::failed("the writer was never told"));
    }
    client.finish(&mut connection, &request)?.refuses(404, "not-found")?;
    session.status(client)?.is(404).map(drop)
}

fn absent(client: &Client<'_>) -> Verdict {
    needs_cancelling(client)?;
    for name in [fresh_name(), "c".repeat(32)] {
        let session = Chunked::new(client, 134, 10, 4).called(name);
        cancel(client, &session)?.refuses(404, "not-found")?;
    }
    Ok(())
}

fn switched_off(client: &Client<'_>) -> Verdict {
    if client.offers().has("termination") {
        return Err(Stop::not_applicable("termination is on"));
    }
    let session = Chunked::new(client, 135, 10, 4);
    session.put(client, 0)?.is(200)?;
    let exchange = cancel(client, &session)?;
    exchange.refuses(405, "method-not-allowed")?.lists("Allow", &["GET", "PUT"])?;
    session.stands(client, &json!({"offset": 4}))
}

fn expires(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 136, 10, 4);
    let exchange = session.put(client, 0)?;
    let date = exchange.is(200)?.field("Upload-Expires")?;
    let at = imf_fixdate_seconds(date)
        .ok_or_else(|| exchange.fails(format!("{date:?} is no IMF-fixdate")))?;
    let seconds = at.saturating_sub(now_seconds());
    let spare = client.until().saturating_duration_since(Instant::now()).as_secs() / 2;
    if seconds > PATIENCE_SECONDS.min(spare) {
        return Err(Stop::not_applicable(format!(
            "sessions live for {seconds} s; the case waits at most {PATIENCE_SECONDS} s"
        )));
    }
    let last = after(Duration::from_secs(seconds.saturating_add(1)));
    while Instant::now() < last {
        let left = last.saturating_duration_since(Instant::now());
        client.open()?.hears_within(left)?;
    }
    session.status(client)?.refuses(410, "expired")?;
    session.put(client, 1)?.refuses(410, "expired").map(drop)
}

fn not_again(client: &Client<'_>) -> Verdict {
    needs_cancelling(client)?;
    let session = Chunked::new(client, 137, 10, 4);
    session.put(client, 0)?.is(200)?;
    cancel(client, &session)?.is(204)?;
    session.put(client, 0)?.refuses(404, "not-found")?;
    session.status(client)?.is(404).map(drop)
}
