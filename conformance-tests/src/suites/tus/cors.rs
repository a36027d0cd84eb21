//! What browsers need (T-170 … T-175).

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, UPLOAD_BYTES};
use crate::exchange::Exchange;
use crate::wire::Request;

/// The origin the cases pretend to be.
const ORIGIN: &str = "https://app.example";

const METHODS: &[&str] = &["POST", "HEAD", "PATCH", "OPTIONS", "DELETE"];

const REQUEST_FIELDS: &[&str] = &[
    "Authorization",
    "Origin",
    "X-Requested-With",
    "X-Request-ID",
    "X-HTTP-Method-Override",
    "Content-Type",
    "Tus-Resumable",
    "Upload-Length",
    "Upload-Offset",
    "Upload-Metadata",
    "Upload-Defer-Length",
    "Upload-Concat",
    "Upload-Checksum",
    "Upload-Complete",
    "Upload-Incomplete",
    "Upload-Draft-Interop-Version",
    "Content-Digest",
    "Repr-Digest",
    "Content-Disposition",
];

const EXPOSED_FIELDS: &[&str] = &[
    "Location",
    "Upload-Offset",
    "Upload-Length",
    "Upload-Metadata",
    "Upload-Defer-Length",
    "Upload-Concat",
    "Upload-Expires",
    "Upload-Complete",
    "Upload-Incomplete",
    "Upload-Limit",
    "Upload-Draft-Interop-Version",
    "Tus-Version",
    "Tus-Resumable",
    "Tus-Max-Size",
    "Tus-Extension",
    "Tus-Checksum-Algorithm",
    "Repr-Digest",
];

/// The cases.
pub const GROUP: Group = Group {
    name: "cors",
    needs: &["creation"],
    cases: &[
        Case::new("a preflight allows every method in use", &["T-170"], methods),
        Case::new("a preflight allows every field in use", &["T-171"], request_fields),
        Case::new("every answer exposes its fields", &["T-172"], exposed_fields),
        Case::new("refusals can be read by the page", &["T-173"], refusals),
        Case::new("lists are explicit and can be cached", &["T-174"], explicit),
        Case::new("a preflight needs no credentials", &["T-175"], without_credentials),
    ],
};

fn preflight(client: &Client<'_>, path: &str, method: &str) -> Result<Exchange, Stop> {
    let request = Request::new("OPTIONS", path)
        .with("Origin", ORIGIN)
        .with("Access-Control-Request-Method", method)
        .with("Access-Control-Request-Headers", "tus-resumable,upload-offset,content-type");
    client.send(request.anonymous())
}

fn methods(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    let endpoint = client.target().path();
    for (path, method) in [(endpoint, "POST"), (&upload.path, "PATCH"), (&upload.path, "DELETE")] {
        let exchange = preflight(client, path, method)?;
        exchange.is_one_of(&[200, 204])?.lists("Access-Control-Allow-Methods", METHODS)?;
        if client.parameters().downloads {
            exchange.lists("Access-Control-Allow-Methods", &["GET"])?;
        }
    }
    Ok(())
}

fn request_fields(client: &Client<'_>) -> Verdict {
    let exchange = preflight(client, client.target().path(), "POST")?;
    exchange.lists("Access-Control-Allow-Headers", REQUEST_FIELDS).map(drop)
}

/// The answer is for our origin, and says so in a way caches understand.
fn allowed(exchange: &Exchange) -> Verdict {
    match exchange.field("Access-Control-Allow-Origin")? {
        "*" => Ok(()),
        ORIGIN => exchange.lists("Vary", &["Origin"]).map(drop),
        other => Err(exchange.fails(format!("the allowed origin is {other:?}"))),
    }
}

fn exposed(exchange: &Exchange) -> Verdict {
    allowed(exchange)?;
    exchange.lists("Access-Control-Expose-Headers", EXPOSED_FIELDS).map(drop)
}

fn exposed_fields(client: &Client<'_>) -> Verdict {
    let from_page = |request: Request| client.send(request.with("Origin", ORIGIN));
    let created = from_page(client.creation().with("Upload-Length", "3"))?;
    exposed(&created)?;
    let upload = client.created(&created)?;
    exposed(&from_page(Request::tus("HEAD", &upload.path))?)?;
    exposed(&from_page(client.append(&upload, 0).body("abc"))?)?;
    if client.parameters().downloads {
        exposed(&from_page(Request::new("GET", &upload.path))?)?;
    }
    if client.offers().has("termination") {
        exposed(&from_page(Request::tus("DELETE", &upload.path))?)?;
    }
    Ok(())
}

fn refusals(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    let mut requests = vec![
        client.creation(),
        client.creation().without("Tus-Resumable"),
        Request::tus("HEAD", &client.unknown().path),
        Request::tus("PUT", &upload.path),
        client.append(&upload, 2).body("x"),
        client.append(&upload, 0).body("too long"),
        client.append(&upload, 0).without("Content-Type").body("abc"),
        Request::tus("POST", client.target().path())
            .with("Upload-Length", "3")
            .with("Content-Type", UPLOAD_BYTES)
            .body("too long"),
    ];
    if client.target().authenticates() {
        requests.push(client.creation().with("Upload-Length", "3").anonymous());
    }
    for request in requests {
        let exchange = client.send(request.with("Origin", ORIGIN))?;
        exchange.is_refused()?;
        exposed(&exchange)?;
    }
    Ok(())
}

fn explicit(client: &Client<'_>) -> Verdict {
    let exchange = preflight(client, client.target().path(), "POST")?;
    allowed(&exchange)?;
    for name in ["Access-Control-Allow-Methods", "Access-Control-Allow-Headers"] {
        let listed = exchange.headers().list(name);
        let wildcard = listed.iter().any(|member| member == "*");
        exchange.check(!wildcard && !listed.is_empty(), || format!("{name} is {listed:?}"))?;
    }
    let age = exchange.number("Access-Control-Max-Age")?;
    exchange.check(age >= 600, || format!("the answer may be kept for {age} s only")).map(drop)
}

fn without_credentials(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    for path in [client.target().path(), &upload.path] {
        let exchange = preflight(client, path, "PATCH")?;
        exchange.is_one_of(&[200, 204])?;
        allowed(&exchange)?;
    }
    Ok(())
}
