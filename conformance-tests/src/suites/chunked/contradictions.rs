//! Statements that do not fit each other or the session (C-50 … C-55).

use serde_json::{Value, json};

use super::NEEDS;
use crate::case::{Case, Group, Verdict};
use crate::chunked::Chunked;
use crate::client::Client;
use crate::exchange::Exchange;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "chunk-contradictions",
    needs: NEEDS,
    cases: &[
        Case::new("statements of a request have to agree", &["C-50", "C-101"], in_one_request),
        Case::new(
            "statements have to agree with the session",
            &["C-51", "C-101"],
            with_the_session,
        ),
        Case::new("a chunk has a number below their number", &["C-52"], behind_the_end),
        Case::new("a body is as long as its chunk", &["C-53"], body_length),
        Case::new("a range names bytes and the whole length", &["C-54"], range_grammar),
        Case::new("a range ends where its chunk does", &["C-54"], range_end),
        Case::new("a range and the length of the body agree", &["C-55"], range_and_body),
    ],
};

/// A session of three chunks of which the first is there.
fn begun(client: &Client<'_>, seed: u64) -> Result<Chunked, crate::case::Stop> {
    let session = Chunked::new(client, seed, 10, 4);
    session.put(client, 0)?.is(200)?;
    Ok(session)
}

/// Nothing but the first chunk is there.
fn unchanged(client: &Client<'_>, session: &Chunked) -> Verdict {
    session
        .stands(client, &json!({"uploaded_bytes": 4, "offset": 4, "chunks": 1, "total_size": 10}))
}

/// The refusal names the field and the number that would be right.
fn names(exchange: &Exchange, words: &[&str]) -> Verdict {
    let body = exchange.json()?;
    let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
    let missing: Vec<_> = words.iter().filter(|word| !message.contains(**word)).collect();
    exchange.check(missing.is_empty(), || format!("{missing:?} is not in {message:?}")).map(drop)
}

fn in_one_request(client: &Client<'_>) -> Verdict {
    let begun = begun(client, 81)?;
    let fresh = Chunked::new(client, 82, 10, 4);
    for session in [&begun, &fresh] {
        let head = || session.head(client, 1);
        for (request, words) in [
            (head().with("X-Total-Size", "11"), &["Content-Range", "11"][..]),
            (head().with("X-Total-Size", "10").with("X-Chunk-Size", "2"), &["X-Total-Chunks", "5"]),
            (
                head().without("X-Total-Chunks").with("X-Total-Chunks", "1"),
                &["X-Chunk-Number", "1"],
            ),
        ] {
            let exchange = client.send(request.body(session.piece(1)))?;
            exchange.refuses(400, "chunk-contradicts-itself")?;
            names(&exchange, words)?;
        }
    }
    unchanged(client, &begun)?;
    fresh.status(client)?.is(404).map(drop)
}

fn with_the_session(client: &Client<'_>) -> Verdict {
    let session = begun(client, 83)?;
    let bare = || session.bare(client, 1);
    for (request, words) in [
        (bare().with("X-Total-Size", "11"), &["X-Total-Size", "10"][..]),
        (bare().with("X-Chunk-Size", "5"), &["X-Chunk-Size", "4"]),
        (bare().with("X-Total-Chunks", "4"), &["X-Total-Chunks", "3"]),
        (bare().with("Content-Range", "bytes 4-7/11"), &["Content-Range", "10"]),
    ] {
        let exchange = client.send(request.body(session.piece(1)))?;
        exchange.refuses(409, "chunk-contradicts-session")?;
        names(&exchange, words)?;
    }
    // A chunk that is there has to agree all the same.
    let there = session.bare(client, 0).with("X-Total-Size", "11").body(session.piece(0));
    client.send(there)?.refuses(409, "chunk-contradicts-session")?;
    unchanged(client, &session)
}

fn behind_the_end(client: &Client<'_>) -> Verdict {
    let session = begun(client, 84)?;
    let numbered = |number: &str, request: Request| {
        client.send(request.without("X-Chunk-Number").with("X-Chunk-Number", number).body("ij"))
    };
    for number in ["3", "4", "1000000000", "4294967296", "9223372036854775807"] {
        let exchange = numbered(number, session.bare(client, 0))?;
        exchange.refuses(409, "chunk-contradicts-session")?;
        names(&exchange, &["X-Chunk-Number", "3"])?;
        let told = numbered(number, session.bare(client, 0).with("X-Total-Chunks", "3"))?;
        told.refuses(400, "chunk-contradicts-itself")?;
    }
    unchanged(client, &session)
}

fn body_length(client: &Client<'_>) -> Verdict {
    let session = begun(client, 85)?;
    for (number, body) in [(1, "efg"), (1, "efghi"), (1, ""), (2, "ijk"), (2, "i"), (0, "abc")] {
        let exchange = client.send(session.bare(client, number).body(body))?;
        exchange.is_one_of(&[400, 409])?;
        names(&exchange, &["the body"])?;
    }
    unchanged(client, &session)
}

fn range_grammar(client: &Client<'_>) -> Verdict {
    let session = begun(client, 86)?;
    for range in [
        "",
        "bytes 4-7/*",
        "bytes */10",
        "bytes 4-7",
        "bytes=4-7/10",
        "items 4-7/10",
        "bytes 7-4/10",
        "bytes 4-7/7",
        "bytes 4-7/10, 8-9/10",
        "bytes -4/10",
        "bytes 4-/10",
        "4-7/10",
        "bytes 4-7/99999999999999999999",
    ] {
        let request = session.bare(client, 1).with("Content-Range", range);
        client.send(request.body(session.piece(1)))?.refuses(400, "malformed-field")?;
    }
    unchanged(client, &session)
}

fn range_end(client: &Client<'_>) -> Verdict {
    let session = begun(client, 87)?;
    for (range, body) in [
        ("bytes 4-6/10", "efg"),
        ("bytes 4-8/10", "efghi"),
        ("bytes 3-6/10", "defg"),
        ("bytes 8-9/10", "ij"),
        ("bytes 0-3/10", "abcd"),
    ] {
        let request = session.bare(client, 1).with("Content-Range", range);
        let exchange = client.send(request.body(body))?;
        exchange.is_one_of(&[400, 409])?;
        names(&exchange, &["Content-Range"])?;
    }
    unchanged(client, &session)
}

fn range_and_body(client: &Client<'_>) -> Verdict {
    let session = begun(client, 88)?;
    for body in ["efg", "efghi", ""] {
        let exchange = client.send(session.head(client, 1).body(body))?;
        exchange.refuses(400, "chunk-contradicts-itself")?;
        names(&exchange, &["the body", "4"])?;
    }
    unchanged(client, &session)
}
