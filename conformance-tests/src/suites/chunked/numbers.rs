//! The grammar of the fields (C-39, C-40).

use serde_json::json;

use super::NEEDS;
use crate::case::{Case, Group, Verdict};
use crate::chunked::Chunked;
use crate::client::Client;

/// The cases.
pub const GROUP: Group = Group {
    name: "chunk-numbers",
    needs: NEEDS,
    cases: &[
        Case::new("every number is plain digits", &["C-39"], grammar),
        Case::new("a number may appear once", &["C-39"], repeated),
        Case::new("a chunk has a number and a session", &["C-40"], incomplete),
    ],
};

const NUMBERS: &[&str] = &["X-Chunk-Number", "X-Total-Chunks", "X-Total-Size", "X-Chunk-Size"];

const NOT_NUMBERS: &[&str] = &[
    "",
    "-1",
    "+1",
    "0x10",
    "1e9",
    "1.0",
    "1 0",
    "1,0",
    "five",
    "\u{0661}",
    "9223372036854775808",
    "99999999999999999999999999",
];

fn grammar(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 61, 10, 4);
    for name in NUMBERS {
        for value in NOT_NUMBERS {
            let request = session.head(client, 0).without(name).with(name, value);
            client.send(request.body(session.piece(0)))?.refuses(400, "malformed-field")?;
        }
    }
    session.status(client)?.is(404)?;
    session.put(client, 0)?.is(200)?;
    for value in NOT_NUMBERS {
        let request = session.bare(client, 0).without("X-Chunk-Number");
        let request = request.with("X-Chunk-Number", value).body(session.piece(1));
        client.send(request)?.refuses(400, "malformed-field")?;
    }
    session.stands(client, &json!({"uploaded_bytes": 4}))
}

fn repeated(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 62, 10, 4);
    let all = session.head(client, 0).with("X-Total-Size", "10").with("X-Chunk-Size", "4");
    for name in NUMBERS.iter().chain(&["Content-Range", "X-Filename"]) {
        let value = all.field(name).unwrap_or(b"x").to_vec();
        let twice = all.clone().without(name).with(name, &value).with(name, &value);
        client.send(twice.body(session.piece(0)))?.refuses(400, "repeated-field")?;
    }
    session.status(client)?.is(404).map(drop)
}

fn incomplete(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 63, 10, 4);
    for missing in ["X-Chunk-Number", "X-Upload-Session-ID"] {
        let request = session.head(client, 0).without(missing).body(session.piece(0));
        client.send(request)?.refuses(400, "missing-field")?;
    }
    session.status(client)?.is(404).map(drop)
}
