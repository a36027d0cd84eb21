//! What browsers need (C-110 … C-112).

use super::NEEDS;
use crate::case::{Case, Group, Verdict};
use crate::chunked::{Chunked, fresh_name};
use crate::client::Client;
use crate::wire::Request;

/// The origin the cases pretend to be.
const ORIGIN: &str = "https://app.example";

const REQUEST_FIELDS: &[&str] = &[
    "Authorization",
    "Content-Type",
    "X-Upload-Session-ID",
    "X-Chunk-Number",
    "X-Total-Chunks",
    "X-Total-Size",
    "X-Chunk-Size",
    "X-Filename",
    "X-Device-ID",
    "Content-Range",
    "Content-Digest",
    "Repr-Digest",
];

const EXPOSED_FIELDS: &[&str] = &[
    "Location",
    "Upload-Offset",
    "Upload-Length",
    "Upload-Expires",
    "X-Upload-Session-ID",
    "X-Chunk-Size",
    "X-Total-Chunks",
    "X-Recommended-Chunk-Size",
    "Want-Content-Digest",
    "Want-Repr-Digest",
    "Allow",
];

/// The cases.
pub const GROUP: Group = Group {
    name: "chunk-cors",
    needs: NEEDS,
    cases: &[
        Case::new("a preflight of a chunk allows all it needs", &["C-110", "C-112"], preflights),
        Case::new("answers to chunks expose their fields", &["C-111"], exposed),
    ],
};

fn preflights(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 151, 10, 4);
    session.put(client, 0)?.is(200)?;
    for (path, method) in [
        (client.target().chunked().to_owned(), "PUT"),
        (session.path(client), "PUT"),
        (session.path(client), "DELETE"),
        (session.upload(client)?.path, "PUT"),
        (client.target().status_of(&session.name), "GET"),
    ] {
        let request = Request::new("OPTIONS", &path)
            .with("Origin", ORIGIN)
            .with("Access-Control-Request-Method", method)
            .with("Access-Control-Request-Headers", "x-chunk-number,content-range");
        let exchange = client.send(request.anonymous())?;
        exchange.is_one_of(&[200, 204])?.field("Access-Control-Allow-Origin")?;
        exchange.lists("Access-Control-Allow-Methods", &[method, "POST", "PUT"])?;
        exchange.lists("Access-Control-Allow-Headers", REQUEST_FIELDS)?;
    }
    Ok(())
}

fn exposed(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 152, 10, 4);
    let mut requests = vec![
        session.head(client, 0).body(session.piece(0)),
        session.head(client, 0).body(session.piece(0)),
        Request::new("GET", &session.path(client)),
        Request::new("HEAD", &session.path(client)),
        Request::new("GET", &client.target().status_of(&fresh_name())),
        session.bare(client, 7).body("x"),
        session.head(client, 1).with("Content-Digest", "md5=:AA==:").body(session.piece(1)),
        Request::new("GET", client.target().chunked()),
    ];
    if client.target().authenticates() {
        requests.push(Request::new("GET", &session.path(client)).anonymous());
    }
    for request in requests {
        let exchange = client.send(request.with("Origin", ORIGIN))?;
        exchange.field("Access-Control-Allow-Origin")?;
        exchange.lists("Access-Control-Expose-Headers", EXPOSED_FIELDS)?;
    }
    Ok(())
}
