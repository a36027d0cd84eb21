//! How a session begins (C-10 … C-20).

use serde_json::{Value, json};

use super::NEEDS;
use crate::case::{Case, Group, Stop, Verdict};
use crate::chunked::{Chunked, fresh_name};
use crate::client::{Client, Upload};
use crate::exchange::Exchange;
use crate::wire::Request;

/// The cases about beginning without a chunk.
pub const GROUP: Group = Group {
    name: "chunk-begin",
    needs: NEEDS,
    cases: &[
        Case::new("a session can be begun before its first chunk", &["C-10", "C-37"], two_steps),
        Case::new("put begins a session like post", &["C-10"], by_put),
        Case::new("a session has the chunk size that is asked for", &["C-11"], asked_size),
        Case::new("too many chunks become larger ones", &["C-11", "C-17"], enlarged),
        Case::new("a beginning without name or size is refused", &["C-12"], incomplete),
        Case::new("a beginning of too large an upload is refused", &["C-13"], too_large),
        Case::new("a beginning with a body is refused", &["C-14"], with_body),
        Case::new("a session without bytes is complete at once", &["C-18"], empty),
        Case::new("a name is data wherever it shows", &["C-19"], names),
        Case::new("a type that says something is kept", &["C-20"], types),
    ],
};

/// The cases about beginning with a chunk.
pub const FIRST_CHUNK: Group = Group {
    name: "chunk-first",
    needs: NEEDS,
    cases: &[
        Case::new("any chunk may be the first", &["C-15"], any_number),
        Case::new("whatever tells the geometry is enough", &["C-15"], any_statement),
        Case::new("a first chunk that leaves the geometry open is refused", &["C-16"], open),
        Case::new("an id in the issued form begins nothing by guessing", &["C-16"], gone),
        Case::new("a first chunk of too many is refused", &["C-17"], too_many),
        Case::new("an empty chunk makes an empty upload", &["C-18"], empty_chunk),
    ],
};

fn beginning(client: &Client<'_>, size: &str) -> Request {
    Request::new("POST", client.target().chunked())
        .with("X-Filename", "a.bin")
        .with("X-Total-Size", size)
}

fn text(exchange: &Exchange, member: &str) -> Result<String, Stop> {
    let body = exchange.json()?;
    let text = body.get(member).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| exchange.fails(format!("there is no text {member:?}")))
}

fn two_steps(client: &Client<'_>) -> Verdict {
    let exchange = client.send(beginning(client, "10").with("X-Chunk-Size", "4"))?;
    exchange.is(201)?.says(&json!({"chunk_size": 4, "total_chunks": 3}))?;
    let name = text(&exchange, "session_id")?;
    exchange.has("X-Upload-Session-ID", &name)?.has("Upload-Offset", "0")?;
    exchange.has("Upload-Length", "10")?.has("X-Recommended-Chunk-Size", "4")?;
    exchange.field("Upload-Expires")?;
    text(&exchange, "expires_at")?;
    let session = Chunked::new(client, 21, 10, 4).called(&name);
    let location = client.target().resolve(exchange.field("Location")?);
    exchange.check(location == session.path(client), || "Location is no session".to_owned())?;
    for path in [&text(&exchange, "status_url")?, &location] {
        client.send(Request::new("GET", &client.target().resolve(path)))?.is(200)?;
    }
    for number in [0, 1, 2] {
        // As hmac-file-server's clients do: the number alone.
        client.send(session.bare(client, number).body(session.piece(number)))?.is(200)?;
    }
    session.is_whole(client)?;
    let upload = Upload { path: client.target().resolve(&text(&exchange, "upload_url")?) };
    client.content_is(&upload, &session.bytes)
}

fn by_put(client: &Client<'_>) -> Verdict {
    let request = Request::new("PUT", client.target().chunked())
        .with("X-Filename", "a.bin")
        .with("X-Total-Size", "10");
    client.send(request)?.is(201)?.field("Location").map(drop)
}

fn asked_size(client: &Client<'_>) -> Verdict {
    let own = client.send(beginning(client, "10"))?;
    own.is(201)?.says(&json!({"total_chunks": 1}))?;
    let asked = client.send(beginning(client, "10").with("X-Chunk-Size", "3"))?;
    asked.is(201)?.says(&json!({"chunk_size": 3, "total_chunks": 4}))?;
    for size in ["0", "-1", "x", ""] {
        let request = beginning(client, "10").with("X-Chunk-Size", size);
        client.send(request)?.refuses(400, "malformed-field")?;
    }
    Ok(())
}

fn enlarged(client: &Client<'_>) -> Verdict {
    let exchange = client.send(beginning(client, "90000000").with("X-Chunk-Size", "1"))?;
    if exchange.status() == 413 {
        return Err(Stop::not_applicable("uploads of 90 MB are not taken"));
    }
    let body = exchange.is(201)?.json()?;
    let number = |name: &str| body.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (size, total) = (number("chunk_size"), number("total_chunks"));
    exchange
        .check(size > 1 && size.saturating_mul(total) >= 90_000_000, || {
            format!("{total} chunks of {size}")
        })
        .map(drop)
}

fn incomplete(client: &Client<'_>) -> Verdict {
    for (request, code) in [
        (beginning(client, "10").without("X-Filename"), "missing-field"),
        (beginning(client, "10").without("X-Total-Size"), "missing-field"),
        (beginning(client, "x"), "malformed-field"),
        (beginning(client, "-1"), "malformed-field"),
        (beginning(client, "10").with("X-Total-Size", "10"), "repeated-field"),
        (beginning(client, "10").without("X-Filename").with("X-Filename", ""), "malformed-field"),
    ] {
        client.send(request)?.refuses(400, code)?.has_no("Location")?;
    }
    Ok(())
}

fn too_large(client: &Client<'_>) -> Verdict {
    // More than any limit or disk.
    let exchange = client.send(beginning(client, "9000000000000000000"))?;
    exchange.is_one_of(&[413, 507])?.has_no("Location")?;
    let session = Chunked::new(client, 22, 10, 4);
    let request = session.bare(client, 0).with("X-Chunk-Size", "9000000000000000");
    let exchange = client.send(request.with("X-Total-Size", "9000000000000000000").body("x"))?;
    exchange.is_one_of(&[400, 413, 507])?;
    session.status(client)?.is(404).map(drop)
}

fn with_body(client: &Client<'_>) -> Verdict {
    for request in [beginning(client, "4").body("abcd"), beginning(client, "4").chunked("abcd")] {
        client.send(request)?.refuses(400, "missing-field")?.has_no("Location")?;
    }
    let empty = beginning(client, "4").with("Transfer-Encoding", "chunked").chunked("");
    client.send(empty)?.is(201).map(drop)
}

fn empty(client: &Client<'_>) -> Verdict {
    let exchange = client.send(beginning(client, "0"))?;
    exchange.is(201)?.says(&json!({"total_chunks": 0}))?;
    let session = Chunked::new(client, 23, 0, 1).called(text(&exchange, "session_id")?);
    session.is_whole(client)
}

fn names(client: &Client<'_>) -> Verdict {
    for (sent, meant) in [
        ("../../etc/passwd", "../../etc/passwd"),
        ("tr%C3%A8s%20cool.jpg", "très cool.jpg"),
        ("très cool.jpg", "très cool.jpg"),
        ("a%0D%0AX-Evil:%201", "a\r\nX-Evil: 1"),
        ("a%00b.txt", "a\0b.txt"),
        ("\"a\";b", "\"a\";b"),
    ] {
        let begun = beginning(client, "3").without("X-Filename").with("X-Filename", sent);
        let exchange = client.send(begun)?;
        let session = Chunked::new(client, 24, 3, 3).called(text(exchange.is(201)?, "session_id")?);
        session.stands(client, &json!({"filename": meant}))?;
        session.put(client, 0)?.is(200)?.says(&json!({"filename": meant}))?;
        if client.parameters().downloads {
            let fetched = client.get(&session.upload(client)?)?;
            let shown = fetched.is(200)?.field("Content-Disposition")?;
            let harmless = !shown.contains('/') && !shown.contains('\0');
            fetched.check(harmless, || format!("a path shows in {shown:?}"))?;
            fetched.has_no("X-Evil")?;
        }
    }
    Ok(())
}

fn types(client: &Client<'_>) -> Verdict {
    client.needs_downloads()?;
    for (sent, served) in [("text/plain", true), ("application/x-www-form-urlencoded", false)] {
        let exchange = client.send(beginning(client, "3").with("Content-Type", sent))?;
        let session = Chunked::new(client, 25, 3, 3).called(text(exchange.is(201)?, "session_id")?);
        session.put(client, 0)?.is(200)?;
        let fetched = client.get(&session.upload(client)?)?;
        let kind = fetched.is(200)?.field("Content-Type")?;
        fetched.check(kind.starts_with(sent) == served, || format!("served as {kind}"))?;
    }
    Ok(())
}

fn any_number(client: &Client<'_>) -> Verdict {
    for first in 0..3 {
        let session = Chunked::new(client, 26, 10, 4);
        session.put(client, first)?.is(200)?;
        session.put_all(client, (0..3).filter(|number| *number != first))?;
        session.is_whole(client)?;
    }
    Ok(())
}

fn any_statement(client: &Client<'_>) -> Verdict {
    type Says = &'static [(&'static str, &'static str)];
    let ways: [(usize, Says); 6] = [
        (0, &[("X-Total-Size", "10"), ("X-Chunk-Size", "4")]),
        (2, &[("X-Total-Size", "10"), ("X-Chunk-Size", "4")]),
        (1, &[("X-Chunk-Size", "4"), ("Content-Range", "bytes 4-7/10")]),
        (1, &[("Content-Range", "bytes 4-7/10")]),
        (0, &[("X-Total-Size", "10"), ("X-Total-Chunks", "3")]),
        (2, &[("X-Total-Size", "10"), ("X-Total-Chunks", "3")]),
    ];
    for (number, fields) in ways {
        let session = Chunked::new(client, 27, 10, 4);
        let request = fields
            .iter()
            .fold(session.bare(client, number), |request, (name, value)| request.with(name, value));
        client.send(request.body(session.piece(number)))?.is(200)?;
        session.stands(client, &json!({"chunk_size": 4, "total_chunks": 3, "total_size": 10}))?;
    }
    Ok(())
}

fn open(client: &Client<'_>) -> Verdict {
    for fields in [
        &[][..],
        &[("X-Total-Chunks", "3")],
        &[("X-Chunk-Size", "4")],
        &[("X-Chunk-Size", "4"), ("X-Total-Chunks", "3")],
    ] {
        let session = Chunked::new(client, 28, 10, 4);
        let request = fields
            .iter()
            .fold(session.bare(client, 1), |request, (name, value)| request.with(name, value));
        client.send(request.body(session.piece(1)))?.refuses(400, "geometry-unknown")?;
        session.status(client)?.is(404)?;
    }
    Ok(())
}

fn gone(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 29, 10, 4).called("e".repeat(32));
    let request = session.bare(client, 1).body(session.piece(1));
    client.send(request)?.refuses(404, "not-found").map(drop)
}

fn too_many(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 30, 10, 4);
    let request = session.bare(client, 0).with("X-Total-Size", "90000000");
    let exchange = client.send(request.with("X-Chunk-Size", "1").body("x"))?;
    if exchange.status() == 413 {
        return Err(Stop::not_applicable("uploads of 90 MB are not taken"));
    }
    exchange.refuses(400, "too-many-chunks")?;
    session.status(client)?.is(404).map(drop)
}

fn empty_chunk(client: &Client<'_>) -> Verdict {
    for total in ["0", "1"] {
        let session = Chunked { name: fresh_name(), bytes: Vec::new(), chunk: 1 };
        client.created_at(&session.path(client));
        let request = session.bare(client, 0).with("X-Total-Size", "0");
        let exchange = client.send(request.with("X-Total-Chunks", total))?;
        exchange.is(200)?.says(&json!({"completed": true, "size": 0}))?;
        session.is_whole(client)?;
    }
    Ok(())
}
