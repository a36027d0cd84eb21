//! Session ids, and whose they are (C-1 … C-6).

use serde_json::json;

use super::NEEDS;
use crate::case::{Case, Group, Stop, Verdict, ensure};
use crate::chunked::{Chunked, fresh_issued_name, fresh_name};
use crate::client::Client;
use crate::exchange::Exchange;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "chunk-ids",
    needs: NEEDS,
    cases: &[
        Case::new("a client may choose a plain session id", &["C-1"], plain),
        Case::new("a hostile session id in a field is refused", &["C-1"], hostile_field),
        Case::new("a hostile session id in a url is refused", &["C-1"], hostile_url),
        Case::new("two owners may use the same session id", &["C-2"], two_owners),
        Case::new("an issued session id is that of the upload", &["C-3"], issued),
        Case::new("a session id is no authority", &["C-4", "C-85", "C-91"], no_authority),
        Case::new("a session may be named by the url of its upload", &["C-5"], by_url),
        Case::new("a url of no upload names no session", &["C-5"], by_other_url),
        Case::new("url and field name one session", &["C-6"], url_against_field),
        Case::new("at an upload the url names the session", &["C-6"], upload_url_wins),
    ],
};

fn plain(client: &Client<'_>) -> Verdict {
    for decoration in ["", "._~-", ":8080@host", "==", "x".repeat(150).as_str()] {
        let name = format!("{}{decoration}", fresh_name());
        let session = Chunked::new(client, 1, 10, 4).called(name);
        client.created_at(&session.path(client));
        session.put(client, 0)?.is(200)?.has("X-Upload-Session-ID", &session.name)?;
        session.stands(client, &json!({"session_id": session.name, "offset": 4}))?;
        let encoded: String =
            session.name.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        client.send(Request::new("GET", &client.target().status_of(&encoded)))?.is(200)?;
    }
    Ok(())
}

fn hostile_field(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 2, 10, 4);
    let long = "x".repeat(4000);
    let over = "x".repeat(201);
    for name in [
        "",
        ".",
        "..",
        "../../etc/passwd",
        "a/b",
        "a b",
        "a\tb",
        "%2e%2e",
        "a?b",
        "a#b",
        "a,b",
        "\"a\"",
        "ä",
        "\u{202e}a",
        &over,
        &long,
    ] {
        let request = session.head(client, 0).without("X-Upload-Session-ID");
        let request = request.with("X-Upload-Session-ID", name).body(session.piece(0));
        client.send(request)?.refuses(400, "malformed-field")?;
    }
    let twice = session.head(client, 0).with("X-Upload-Session-ID", &session.name);
    client.send(twice.body(session.piece(0)))?.refuses(400, "repeated-field").map(drop)
}

/// A server may also find nothing there, or drop what it cannot parse.
fn hostile_url(client: &Client<'_>) -> Verdict {
    let long = "x".repeat(4000);
    for name in ["%00", "a%00b", "..%2f..%2fetc", "a%2fb", "%ff", "%", "a/b", "%2e%2e", &long] {
        for path in
            [format!("{}/{name}", client.target().chunked()), client.target().status_of(name)]
        {
            for method in ["GET", "HEAD", "PUT", "DELETE"] {
                let request = Request::new(method, &path);
                match client.send(request) {
                    Ok(exchange) => drop(exchange.is_refused()?),
                    Err(Stop::Failed(failure)) if failure.message.contains("closed") => {}
                    Err(other) => return Err(other),
                }
            }
        }
    }
    let raw = b"PUT /chunked-upload HTTP/1.1\r\nHost: h\r\nX-Upload-Session-ID: a\0b\r\n\
                Content-Length: 0\r\nConnection: close\r\n\r\n";
    let mut connection = client.open()?;
    connection.send(raw)?;
    if let Ok(answer) = connection.answer("PUT") {
        let status = answer.response.head.status;
        ensure((400..500).contains(&status), || format!("a NUL was answered with {status}"))?;
    }
    client.server_still_answers()
}

fn two_owners(client: &Client<'_>) -> Verdict {
    let context = client.other_user()?;
    let other = Client::new(&context);
    let mine = Chunked::new(client, 3, 10, 4);
    let theirs = Chunked::new(&other, 4, 12, 3).called(&mine.name);
    other.created_at(&theirs.path(&other));
    mine.put(client, 0)?.is(200)?;
    // Another geometry, which would contradict the session if it were the same one.
    theirs.put_all(&other, 0..4)?;
    mine.put_all(client, 1..3)?;
    mine.is_whole(client)?;
    theirs.is_whole(&other)?;
    other.clean_up();
    Ok(())
}

fn begun(client: &Client<'_>) -> Result<(Exchange, String), Stop> {
    let request = Request::new("POST", client.target().chunked())
        .with("X-Filename", "a.bin")
        .with("X-Total-Size", "10")
        .with("X-Chunk-Size", "4");
    let exchange = client.send(request)?;
    let name = exchange.is(201)?.field("X-Upload-Session-ID")?.to_owned();
    Ok((exchange, name))
}

fn issued(client: &Client<'_>) -> Verdict {
    let (exchange, name) = begun(client)?;
    let canonical =
        name.len() == 32 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    exchange.check(canonical, || format!("{name:?} is not 32 lower-case hexadecimal digits"))?;
    exchange.leads_to(client.target(), "upload_url", &client.target().below(&name))?;
    let (_, another) = begun(client)?;
    exchange.check(name != another, || "two sessions have one id".to_owned())?;
    // The form alone makes no session: what nobody issued counts as chosen.
    let session = Chunked::new(client, 5, 10, 4).called(fresh_issued_name());
    client.created_at(&session.path(client));
    session.put(client, 0)?.is(200)?.has("X-Upload-Session-ID", &session.name).map(drop)
}

/// Whoever asks for a session of somebody else learns what he learns about one that never was.
fn no_authority(client: &Client<'_>) -> Verdict {
    let context = client.other_user()?;
    let other = Client::new(&context);
    let (_, issued) = begun(client)?;
    let chosen = Chunked::new(client, 6, 10, 4);
    chosen.put(client, 0)?.is(200)?;
    for (name, never) in [(issued, "f".repeat(32)), (chosen.name.clone(), fresh_name())] {
        let (theirs, nobodys) = (chosen.clone().called(&name), chosen.clone().called(&never));
        for request in [
            |session: &Chunked, client: &Client<'_>| Request::new("GET", &session.path(client)),
            |session: &Chunked, client: &Client<'_>| Request::new("DELETE", &session.path(client)),
            |session: &Chunked, client: &Client<'_>| session.bare(client, 1).body("efgh"),
        ] {
            let refused = other.send(request(&theirs, &other))?;
            let unknown = other.send(request(&nobodys, &other))?;
            refused.is_refused()?.check(
                refused.status() == unknown.status() && refused.body() == unknown.body(),
                || format!("a session that never was is answered with {}", unknown.show()),
            )?;
        }
    }
    chosen.stands(client, &json!({"offset": 4, "uploaded_bytes": 4}))
}

fn by_url(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 7, 10, 4);
    session.put(client, 0)?.is(200)?;
    let upload = session.upload(client)?;
    for (number, url) in [(1, upload.path.clone()), (2, client.target().url(&upload.path))] {
        session.clone().called(url).put(client, number)?.is(200)?;
    }
    session.is_whole(client)
}

fn by_other_url(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 8, 10, 4);
    for url in ["/etc/passwd", "/", "http://elsewhere/x", "file:///etc/passwd"] {
        session.clone().called(url).put(client, 0)?.refuses(400, "malformed-field")?;
    }
    let unknown = session.called(&client.unknown().path);
    unknown.put(client, 0)?.refuses(404, "not-found").map(drop)
}

fn url_against_field(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 9, 10, 4);
    let at = |field: Option<&str>| {
        let bare = Request::new("PUT", &session.path(client)).with("X-Chunk-Number", "0");
        let whole = bare.with("X-Total-Size", "10").with("X-Chunk-Size", "4");
        match field {
            Some(name) => whole.with("X-Upload-Session-ID", name),
            None => whole,
        }
        .body(session.piece(0))
    };
    client.send(at(Some(&fresh_name())))?.refuses(400, "malformed-field")?;
    session.status(client)?.is(404)?;
    client.send(at(None))?.is(200)?;
    client.send(at(Some(&session.name)))?.is(200).map(drop)
}

fn upload_url_wins(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 10, 10, 4);
    session.put(client, 0)?.is(200)?;
    let upload = session.upload(client)?;
    let request = Request::new("PUT", &upload.path)
        .with("X-Upload-Session-ID", fresh_name())
        .with("X-Chunk-Number", "1");
    client.send(request.body(session.piece(1)))?.is(200)?;
    session.stands(client, &json!({"offset": 8}))
}
