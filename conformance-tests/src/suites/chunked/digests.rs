//! Digests of chunks and of the whole (C-70 … C-75).

use serde_json::json;
use sha2::{Digest as _, Sha256, Sha512};

use super::NEEDS;
use crate::case::{Case, Group, Verdict};
use crate::chunked::Chunked;
use crate::client::Client;
use crate::content::base64;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "chunk-digests",
    needs: NEEDS,
    cases: &[
        Case::new("a chunk with its digest is taken", &["C-70"], right),
        Case::new("a chunk with another digest counts for nothing", &["C-71", "C-101"], wrong),
        Case::new("a digest that cannot be checked is refused", &["C-72"], unknown),
        Case::new("a cut chunk with a digest keeps nothing", &["C-73"], cut),
        Case::new("a whole upload with its digest is kept", &["C-74"], whole),
        Case::new("a whole upload with another digest is removed", &["C-74"], whole_wrong),
        Case::new("a whole digest beside a later chunk is ignored", &["C-75"], later),
    ],
};

fn sha256(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", base64(Sha256::digest(bytes)))
}

fn sha512(bytes: &[u8]) -> String {
    format!("sha-512=:{}:", base64(Sha512::digest(bytes)))
}

fn right(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 111, 1000, 400);
    let digests = [
        sha256(session.piece(0)),
        sha512(session.piece(1)),
        format!("md5=:AAAAAAAAAAAAAAAAAAAAAA==:, {}", sha256(session.piece(2))),
    ];
    for (number, digest) in digests.iter().enumerate().rev() {
        let request = session.head(client, number).with("Content-Digest", digest);
        client.send(request.body(session.piece(number)))?.is(200)?;
    }
    session.is_whole(client)
}

fn wrong(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 112, 1000, 400);
    session.put(client, 0)?.is(200)?;
    for digest in [sha256(b"x"), sha512(b"x")] {
        let request = session.head(client, 1).with("Content-Digest", digest);
        let request = request.body(session.piece(1));
        client.send(request)?.refuses(422, "checksum-mismatch")?.has("Upload-Offset", "400")?;
        session.stands(client, &json!({"uploaded_bytes": 400, "chunks": 1}))?;
    }
    session.put_all(client, [1, 2])?;
    session.is_whole(client)
}

fn unknown(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 113, 1000, 400);
    let beginning = Request::new("POST", client.target().chunked())
        .with("X-Filename", "a")
        .with("X-Total-Size", "10");
    for digest in [
        "md5=:AAAAAAAAAAAAAAAAAAAAAA==:",
        "",
        "sha-256",
        "sha-256=:AAAA:",
        "sha-256=AAAA",
        "sha-256=:!:",
        "SHA-256=:AAAA:",
    ] {
        let request = session.head(client, 0).with("Content-Digest", digest);
        let exchange = client.send(request.body(session.piece(0)))?;
        exchange.is(400)?.field("Want-Content-Digest")?;
        let exchange = client.send(beginning.clone().with("Repr-Digest", digest))?;
        exchange.is(400)?.has_no("Location")?.field("Want-Repr-Digest")?;
    }
    session.status(client)?.is(404).map(drop)
}

fn cut(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 114, 100_000, 40_000);
    session.put(client, 0)?.is(200)?;
    let request = session
        .head(client, 1)
        .with("Content-Digest", sha256(session.piece(1)))
        .with("Content-Length", "40000");
    let mut connection = client.begin(&request)?;
    connection.send(session.piece(1).get(..20_000).unwrap_or_default())?;
    connection.half_close()?;
    // The answer, or the end of the connection, comes after the server has settled it.
    let _ = client.finish(&mut connection, &request);
    session.stands(client, &json!({"uploaded_bytes": 40_000}))?;
    session.put_all(client, [1, 2])?;
    session.is_whole(client)
}

fn whole(client: &Client<'_>) -> Verdict {
    for digest in [sha256, sha512] {
        let session = Chunked::new(client, 115, 1000, 400);
        let first = session.head(client, 2).with("Repr-Digest", digest(&session.bytes));
        client.send(first.body(session.piece(2)))?.is(200)?;
        session.put_all(client, [0, 1])?;
        session.is_whole(client)?;
    }
    Ok(())
}

fn whole_wrong(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 116, 1000, 400);
    let first = session.head(client, 0).with("Repr-Digest", sha256(b"x"));
    client.send(first.body(session.piece(0)))?.is(200)?;
    session.put(client, 1)?.is(200)?;
    let upload = session.upload(client)?;
    session.put(client, 2)?.refuses(422, "upload-mismatch")?;
    session.status(client)?.is(404)?;
    client.head(&upload)?.is(404).map(drop)
}

fn later(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 117, 1000, 400);
    session.put(client, 0)?.is(200)?;
    let request = session.head(client, 1).with("Repr-Digest", sha256(b"x"));
    client.send(request.body(session.piece(1)))?.is(200)?;
    session.put(client, 2)?.is(200)?;
    session.is_whole(client)
}
