//! Where a session stands (C-80 … C-86).

use serde_json::{Value, json};

use super::NEEDS;
use crate::case::{Case, Group, Verdict};
use crate::chunked::{Chunked, fresh_name};
use crate::client::Client;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "chunk-status",
    needs: NEEDS,
    cases: &[
        Case::new("the status tells everything", &["C-80"], tells),
        Case::new("the status is the same at both addresses", &["C-80"], both_addresses),
        Case::new("what is missing is listed", &["C-81"], missing),
        Case::new("the list of what is missing is bounded", &["C-81"], bounded).alone(),
        Case::new("head tells the same by fields", &["C-82"], by_head),
        Case::new("the status is not stored", &["C-83"], not_stored),
        Case::new("asking disturbs nobody", &["C-84"], disturbs_nobody).alone(),
        Case::new("a session that is not there has no status", &["C-85"], absent),
        Case::new("an upload of tus has a status", &["C-86"], of_tus),
    ],
};

fn tells(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 121, 10, 4);
    let first = session.head(client, 1).with("X-Filename", "a.bin");
    client.send(first.body(session.piece(1)))?.is(200)?;
    let exchange = session.status(client)?;
    exchange.is(200)?.says(&json!({
        "session_id": session.name, "filename": "a.bin", "total_size": 10, "uploaded_bytes": 4,
        "progress": 0.4, "completed": false, "chunks": 1, "offset": 0, "chunk_size": 4,
        "total_chunks": 3, "recommended_chunk_size": 4, "missing_truncated": false,
        "missing": [{"from": 0, "to": 3}, {"from": 8, "to": 9}],
    }))?;
    let body = exchange.json()?;
    for name in ["last_activity", "expires_at"] {
        let text = body.get(name).and_then(Value::as_str).unwrap_or_default();
        let dated =
            text.len() == 20 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
        exchange.check(dated, || format!("{name} is {text:?}, not RFC 3339 in UTC"))?;
    }
    Ok(())
}

fn both_addresses(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 122, 10, 4);
    session.put(client, 1)?.is(200)?;
    let one = session.status(client)?;
    let other = client.send(Request::new("GET", &client.target().status_of(&session.name)))?;
    let same = one.is(200)?.body() == other.is(200)?.body();
    other.check(same, || format!("the session's URL says {}", one.show()))?;
    for query in ["", "?", "?session_id", "?session_id=", "?session_id=a&session_id=a"] {
        let path = client.target().status_of("");
        let path = path.split('?').next().unwrap_or_default();
        client.send(Request::new("GET", &format!("{path}{query}")))?.is(400)?;
    }
    Ok(())
}

fn missing(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 123, 95, 10);
    for (number, missing) in [
        (9, json!([{"from": 0, "to": 89}])),
        (0, json!([{"from": 10, "to": 89}])),
        (5, json!([{"from": 10, "to": 49}, {"from": 60, "to": 89}])),
        (4, json!([{"from": 10, "to": 39}, {"from": 60, "to": 89}])),
        (1, json!([{"from": 20, "to": 39}, {"from": 60, "to": 89}])),
    ] {
        session.put(client, number)?.is(200)?;
        session.stands(client, &json!({"missing": missing}))?;
    }
    session.put_all(client, [2, 3, 6, 7, 8])?;
    session.is_whole(client)
}

fn bounded(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 124, 2100, 1);
    let mut connection = client.open()?;
    for number in (0..2100).filter(|number| number % 2 == 1) {
        let request = session.head(client, number).body(session.piece(number));
        client.send_on(&mut connection, request)?.is(200)?;
    }
    let exchange = session.status(client)?;
    exchange.is(200)?.says(&json!({"missing_truncated": true, "chunks": 1050}))?;
    let body = exchange.json()?;
    let listed = body.get("missing").and_then(Value::as_array).map_or(0, Vec::len);
    exchange.check(listed == 1000, || format!("{listed} stretches are listed")).map(drop)
}

fn by_head(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 125, 10, 4);
    session.put_all(client, [0, 2])?;
    for path in [session.path(client), client.target().status_of(&session.name)] {
        let exchange = client.send(Request::new("HEAD", &path))?;
        for (name, value) in [
            ("X-Upload-Session-ID", session.name.as_str()),
            ("Upload-Offset", "4"),
            ("Upload-Length", "10"),
            ("X-Chunk-Size", "4"),
            ("X-Total-Chunks", "3"),
            ("X-Recommended-Chunk-Size", "4"),
        ] {
            exchange.is(200)?.has(name, value)?;
        }
        exchange.field("Upload-Expires")?;
        exchange.check(exchange.body().is_empty(), || "HEAD has a body".to_owned())?;
    }
    let unknown = client.send(Request::new("HEAD", &client.target().status_of(&fresh_name())))?;
    unknown.is(404)?.check(unknown.body().is_empty(), || "HEAD has a body".to_owned()).map(drop)
}

fn not_stored(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 126, 10, 4);
    session.put(client, 0)?.is(200)?;
    session.status(client)?.is(200)?.has("Cache-Control", "no-store")?;
    let head = client.send(Request::new("HEAD", &session.path(client)))?;
    head.is(200)?.has("Cache-Control", "no-store").map(drop)
}

/// Asks for longer than a writer may be silent before a newer request takes over.
fn disturbs_nobody(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 127, 100_000, 40_000);
    let request = session.head(client, 0).with("Content-Length", "40000");
    let mut connection = client.begin(&request)?;
    connection.send(session.piece(0).get(..10_000).unwrap_or_default())?;
    connection.hears_within(std::time::Duration::from_millis(300))?;
    for _ in 0..20 {
        // The first chunk may still be on its way to begin the session.
        session.status(client)?.is_one_of(&[200, 404])?;
    }
    connection.send(session.piece(0).get(10_000..).unwrap_or_default())?;
    client.finish(&mut connection, &request)?.is(200)?;
    session.put_all(client, [1, 2])?;
    session.is_whole(client)
}

fn absent(client: &Client<'_>) -> Verdict {
    for name in [fresh_name(), "d".repeat(32)] {
        let session = Chunked::new(client, 128, 10, 4).called(&name);
        session.status(client)?.refuses(404, "not-found")?.has_no("Upload-Offset")?;
        let by_query = client.send(Request::new("GET", &client.target().status_of(&name)))?;
        by_query.refuses(404, "not-found")?;
    }
    Ok(())
}

fn of_tus(client: &Client<'_>) -> Verdict {
    if !client.offers().has("creation") {
        return Err(crate::case::Stop::not_applicable("not advertised: creation"));
    }
    let upload = client.create(10)?;
    client.patch(&upload, 0, b"abc")?.is(204)?;
    let id = upload.path.rsplit('/').next().unwrap_or_default();
    let session = Chunked::new(client, 129, 10, 4).called(id);
    session.stands(client, &json!({
        "session_id": id, "total_size": 10, "offset": 3, "uploaded_bytes": 3, "chunk_size": null,
        "total_chunks": null, "chunks": 0, "missing": [{"from": 3, "to": 9}],
    }))?;
    session.status(client)?.leads_to(client.target(), "upload_url", &upload.path).map(drop)
}
