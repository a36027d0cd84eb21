//! Bytes that come along with the creation (T-90 … T-98).

use crate::case::{Case, Group, Stop, Verdict, ensure};
use crate::client::{Client, UPLOAD_BYTES};
use crate::content::{letters, sha1};
use crate::wire::Request;

/// The case that holds on every server.
pub const ANNOUNCED: Group = Group {
    name: "creation-with-upload-announced",
    needs: &[],
    cases: &[Case::new("creation-with-upload comes with creation", &["T-90"], comes_with_creation)],
};

/// The cases about creating with bytes.
pub const GROUP: Group = Group {
    name: "creation-with-upload",
    needs: &["creation", "creation-with-upload"],
    cases: &[
        Case::new("the first bytes may come with the creation", &["T-91"], first_bytes),
        Case::new("a creation may bring chunked bytes", &["T-38", "T-91"], chunked_bytes),
        Case::new("a creation cut in its body keeps what arrived", &["T-92"], half_closed),
        Case::new("the whole upload may come with the creation", &["T-93"], whole),
        Case::new("a good creation is invited to go on", &["T-94"], invited),
        Case::new("a bad creation is refused before its body", &["T-94"], refused_early),
        Case::new("an empty creation may have any media type", &["T-95"], empty_of_other_type),
        Case::new("a creation with a body of another type is refused", &["T-95"], other_type),
        Case::new("a creation with too long a body is refused", &["T-96"], too_long),
        Case::new("bytes may come with a deferred length", &["T-97"], with_deferred_length),
        Case::new("bytes may come with a partial upload", &["T-97"], with_partial),
        Case::new("a creation with a right checksum is kept", &["T-98"], right_checksum),
        Case::new("a creation with a wrong checksum leaves nothing", &["T-98"], wrong_checksum),
    ],
};

fn comes_with_creation(client: &Client<'_>) -> Verdict {
    let offers = client.offers();
    ensure(!offers.has("creation-with-upload") || offers.has("creation"), || {
        format!("Tus-Extension is {:?}", offers.extensions())
    })
}

fn creation(client: &Client<'_>, length: usize) -> Request {
    client.creation().with("Upload-Length", length.to_string()).with("Content-Type", UPLOAD_BYTES)
}

fn first_bytes(client: &Client<'_>) -> Verdict {
    let exchange = client.send(creation(client, 10).body("hello"))?;
    let upload = client.created(&exchange)?;
    exchange.has("Upload-Offset", "5")?;
    client.offset_is(&upload, 5)?;
    client.patch(&upload, 5, b"there")?.is(204)?;
    client.content_is(&upload, b"hellothere")
}

fn chunked_bytes(client: &Client<'_>) -> Verdict {
    let bytes = letters(11, 70_000);
    let exchange = client.send(creation(client, 70_000).chunked(bytes.clone()))?;
    let upload = client.created(&exchange)?;
    exchange.has("Upload-Offset", "70000")?;
    client.content_is(&upload, &bytes)
}

/// Only a server that still answers a half-closed connection lets the client know the URL.
fn half_closed(client: &Client<'_>) -> Verdict {
    let request = creation(client, 1000).with("Content-Length", "1000");
    let mut connection = client.begin(&request)?;
    let bytes = letters(12, 1000);
    connection.send(bytes.get(..400).unwrap_or_default())?;
    connection.half_close()?;
    let Ok(exchange) = client.finish(&mut connection, &request) else {
        return Err(Stop::not_applicable("the server does not answer a cut creation"));
    };
    if exchange.headers().get("Location").is_none() {
        exchange.is_refused()?;
        return Err(Stop::not_applicable("the answer to a cut creation names no upload"));
    }
    let location = exchange.field("Location")?;
    let upload = crate::client::Upload { path: client.target().resolve(location) };
    client.offset_becomes(&upload, 400)?;
    client.patch(&upload, 400, bytes.get(400..).unwrap_or_default())?.is(204)?;
    client.content_is(&upload, &bytes)
}

fn whole(client: &Client<'_>) -> Verdict {
    let exchange = client.send(creation(client, 5).body("hello"))?;
    let upload = client.created(&exchange)?;
    exchange.has("Upload-Offset", "5")?;
    client.head(&upload)?.is(200)?.has("Upload-Offset", "5")?.has("Upload-Length", "5")?;
    client.content_is(&upload, b"hello")
}

fn invited(client: &Client<'_>) -> Verdict {
    let request = creation(client, 5).with("Expect", "100-continue").with("Content-Length", "5");
    let mut connection = client.begin(&request)?;
    let first = connection.next_head()?;
    ensure(first.status == 100, || format!("expected 100 Continue, got {}", first.line))?;
    connection.send(b"hello")?;
    client.finish(&mut connection, &request)?.is(201)?.has("Upload-Offset", "5").map(drop)
}

fn refused_early(client: &Client<'_>) -> Verdict {
    let expecting =
        |request: Request| request.with("Expect", "100-continue").with("Content-Length", "1000000");
    let wrong_version =
        creation(client, 1_000_000).without("Tus-Resumable").with("Tus-Resumable", "0.2.2");
    let mut refusals = vec![
        (expecting(wrong_version), vec![412]),
        (expecting(client.creation().with("Content-Type", UPLOAD_BYTES)), vec![400]),
        (expecting(creation(client, 10)), vec![413]),
    ];
    if let Some(size) = client.offers().max_size() {
        let over = usize::try_from(size.saturating_add(1)).unwrap_or(usize::MAX);
        refusals.push((expecting(creation(client, over)), vec![413]));
    }
    for (request, wanted) in refusals {
        let mut connection = client.begin(&request)?;
        let exchange = client.finish(&mut connection, &request)?;
        exchange.is_one_of(&wanted)?.check(exchange.interim().is_empty(), || {
            "the body was invited before it was refused".to_owned()
        })?;
    }
    Ok(())
}

fn empty_of_other_type(client: &Client<'_>) -> Verdict {
    let request = client.creation().with("Upload-Length", "5").with("Content-Type", "text/plain");
    let upload = client.create_by(request.body(""))?;
    client.offset_is(&upload, 0)
}

fn other_type(client: &Client<'_>) -> Verdict {
    for media_type in ["application/x-www-form-urlencoded", "application/octet-stream"] {
        let request = client.creation().with("Upload-Length", "5").with("Content-Type", media_type);
        client.send(request.clone().body("hello"))?.is(415)?.has_no("Location")?;
        client.send(request.chunked("hello"))?.is(415)?.has_no("Location")?;
    }
    Ok(())
}

fn too_long(client: &Client<'_>) -> Verdict {
    client.send(creation(client, 3).body("hello"))?.is(413)?;
    client.send(creation(client, 3).chunked("hello"))?.is(413).map(drop)
}

fn with_deferred_length(client: &Client<'_>) -> Verdict {
    if !client.offers().has("creation-defer-length") {
        return Err(Stop::not_applicable("not advertised: creation-defer-length"));
    }
    let request =
        client.creation().with("Upload-Defer-Length", "1").with("Content-Type", UPLOAD_BYTES);
    let exchange = client.send(request.body("hello"))?;
    let upload = client.created(&exchange)?;
    exchange.has("Upload-Offset", "5")?;
    client.head(&upload)?.has("Upload-Offset", "5")?.has("Upload-Defer-Length", "1").map(drop)
}

fn with_partial(client: &Client<'_>) -> Verdict {
    if !client.offers().has("concatenation") {
        return Err(Stop::not_applicable("not advertised: concatenation"));
    }
    let exchange = client.send(creation(client, 5).with("Upload-Concat", "partial").body("hel"))?;
    let upload = client.created(&exchange)?;
    exchange.has("Upload-Offset", "3")?;
    client.head(&upload)?.has("Upload-Offset", "3")?.has("Upload-Concat", "partial").map(drop)
}

fn needs_checksum(client: &Client<'_>) -> Verdict {
    if client.offers().has("checksum") {
        return Ok(());
    }
    Err(Stop::not_applicable("not advertised: checksum"))
}

fn right_checksum(client: &Client<'_>) -> Verdict {
    needs_checksum(client)?;
    let request = creation(client, 5).with("Upload-Checksum", sha1(b"hello")).body("hello");
    let upload = client.create_by(request)?;
    client.content_is(&upload, b"hello")
}

fn wrong_checksum(client: &Client<'_>) -> Verdict {
    needs_checksum(client)?;
    let request = creation(client, 5).with("Upload-Checksum", sha1(b"other")).body("hello");
    client.send(request)?.is(460)?.has_no("Location")?;
    let unknown = creation(client, 5).with("Upload-Checksum", "sha0 YQ==").body("hello");
    client.send(unknown)?.is(400)?.has_no("Location").map(drop)
}
