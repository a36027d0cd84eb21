//! Refusals (C-100 … C-103).

use serde_json::Value;

use super::NEEDS;
use crate::case::{Case, Group, Stop, Verdict};
use crate::chunked::{Chunked, fresh_name};
use crate::client::Client;
use crate::target::CHUNK_HEADERS;
use crate::wire::Request;

/// The case about a server that takes no chunks.
pub const OFF: Group = Group {
    name: "chunk-headers-off",
    needs: &["creation"],
    cases: &[Case::new("chunk headers that are off are nowhere", &["C-7"], off)],
};

/// The cases.
pub const GROUP: Group = Group {
    name: "chunk-errors",
    needs: NEEDS,
    cases: &[
        Case::new("a refusal is an object with code and message", &["C-100"], objects),
        Case::new("other methods are refused with those there are", &["C-102"], methods),
        Case::new("without credentials nobody gets anything", &["C-103"], anonymous),
        Case::new("options names the methods", &["C-102"], options),
    ],
};

fn objects(client: &Client<'_>) -> Verdict {
    let endpoint = client.target().chunked();
    for request in [
        Request::new("POST", endpoint),
        Request::new("GET", endpoint),
        Request::new("GET", &format!("{endpoint}/{}", fresh_name())),
        Request::new("GET", &client.target().status_of("")),
        Request::new("PUT", endpoint).with("X-Chunk-Number", "-1").body("x"),
    ] {
        let exchange = client.send(request)?;
        let body = exchange.is_refused()?.has("Content-Type", "application/json")?.json()?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let code = text("error");
        let plain = code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        exchange.check(!code.is_empty() && plain, || format!("the code is {code:?}"))?;
        exchange.check(text("message").len() > 15, || "the message says too little".to_owned())?;
        let failed = body.get("success") == Some(&Value::Bool(false));
        exchange.check(failed, || "success is not false".to_owned())?;
    }
    Ok(())
}

fn methods(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 141, 10, 4);
    session.put(client, 0)?.is(200)?;
    let (endpoint, own) = (client.target().chunked().to_owned(), session.path(client));
    let status = client.target().status_of(&session.name);
    for (method, path, allowed) in [
        ("GET", &endpoint, "POST"),
        ("DELETE", &endpoint, "POST"),
        ("PATCH", &endpoint, "PUT"),
        ("PATCH", &own, "PUT"),
        ("BREW", &own, "GET"),
        ("PUT", &status, "GET"),
        ("POST", &status, "HEAD"),
        ("DELETE", &status, "GET"),
    ] {
        let exchange = client.send(Request::new(method, path))?;
        exchange.refuses(405, "method-not-allowed")?.lists("Allow", &[allowed])?;
    }
    session.status(client)?.is(200).map(drop)
}

fn anonymous(client: &Client<'_>) -> Verdict {
    if !client.target().authenticates() {
        return Err(Stop::not_applicable("no credentials were given"));
    }
    let session = Chunked::new(client, 142, 10, 4);
    session.put(client, 0)?.is(200)?;
    for path in [session.path(client), format!("{}/{}", client.target().chunked(), fresh_name())] {
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let request = Request::new(method, &path).with("X-Chunk-Number", "0").anonymous();
            client.send(request)?.is(401)?.field("WWW-Authenticate")?;
        }
    }
    let begin = Request::new("POST", client.target().chunked())
        .with("X-Filename", "a")
        .with("X-Total-Size", "1");
    client.send(begin.anonymous())?.refuses(401, "unauthorized")?;
    let chunk = session.head(client, 1).anonymous().body(session.piece(1));
    client.send(chunk)?.refuses(401, "unauthorized").map(drop)
}

fn off(client: &Client<'_>) -> Verdict {
    if client.offers().has(CHUNK_HEADERS) {
        return Err(Stop::not_applicable("chunk headers are on"));
    }
    let session = Chunked::new(client, 143, 10, 4);
    session.put(client, 0)?.is(404)?;
    session.status(client)?.is(404)?;
    client.send(Request::new("GET", &client.target().status_of(&session.name)))?.is(404)?;
    let upload = client.create(10)?;
    let chunk = Request::new("PUT", &upload.path).with("X-Chunk-Number", "0");
    client.send(chunk.body(session.piece(0)))?.is(405)?;
    client.offset_is(&upload, 0)
}

fn options(client: &Client<'_>) -> Verdict {
    for (path, method) in [
        (client.target().chunked().to_owned(), "POST"),
        (format!("{}/{}", client.target().chunked(), fresh_name()), "GET"),
        (client.target().status_of(&fresh_name()), "GET"),
    ] {
        let exchange = client.send(Request::new("OPTIONS", &path).anonymous())?;
        exchange.is_one_of(&[200, 204])?.lists("Allow", &[method, "OPTIONS"])?;
    }
    Ok(())
}
