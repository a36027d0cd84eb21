//! Whole downloads and the fields that make them safe.

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, Upload};
use crate::content::{letters, pair};
use crate::exchange::Exchange;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "content",
    needs: &["creation"],
    cases: &[
        Case::new("a finished upload can be fetched whole", &["D-1"], whole),
        Case::new("head tells what get would send", &["D-2"], head_as_get),
        Case::new("an unfinished upload is never served", &["D-3"], unfinished),
        Case::new("a part of an upload is not served by itself", &["D-3"], partial),
        Case::new("an unknown upload is not found", &["D-3"], unknown),
        Case::new("pages and scripts are handed out as attachments", &["D-4"], attachments),
        Case::new("images may be shown in place", &["D-4"], images),
        Case::new("a file name is sent in both forms", &["D-5"], file_names),
        Case::new("browsers may not guess the type", &["D-6"], no_sniffing),
        Case::new("a content security policy locks the download in", &["D-6"], sandboxed),
        Case::new("finished content may be cached for ever", &["D-7"], immutable),
        Case::new("other methods on a download are refused", &["D-8"], other_methods),
    ],
};

/// A finished upload that calls itself `name` of type `kind`.
pub(super) fn file(
    client: &Client<'_>,
    bytes: &[u8],
    name: &str,
    kind: &str,
) -> Result<Upload, Stop> {
    client.needs_downloads()?;
    let metadata = format!("{},{}", pair("filename", name), pair("filetype", kind));
    client.finished_by(client.creation().with("Upload-Metadata", metadata), bytes)
}

/// A finished text.
pub(super) fn text(client: &Client<'_>, bytes: &[u8]) -> Result<Upload, Stop> {
    file(client, bytes, "a.txt", "text/plain")
}

fn whole(client: &Client<'_>) -> Verdict {
    let bytes = letters(81, 123_457);
    let upload = text(client, &bytes)?;
    let exchange = client.get(&upload)?;
    exchange.is(200)?.has("Content-Length", "123457")?.lists("Accept-Ranges", &["bytes"])?;
    client.content_is(&upload, &bytes)?;
    let empty = text(client, b"")?;
    client.get(&empty)?.is(200)?.has("Content-Length", "0").map(drop)
}

fn head_as_get(client: &Client<'_>) -> Verdict {
    let upload = text(client, b"hello")?;
    let get = client.get(&upload)?;
    get.is(200)?;
    let head = client.send(Request::new("HEAD", &upload.path))?;
    head.is(200)?;
    for name in ["Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges"] {
        head.has(name, get.field(name)?)?;
    }
    // The same answer serves a tus client that left the version out.
    head.has("Upload-Offset", "5").map(drop)
}

fn unfinished(client: &Client<'_>) -> Verdict {
    client.needs_downloads()?;
    let upload = client.create(10)?;
    let refused = |exchange: Exchange| {
        exchange
            .is_refused()?
            .check(!exchange.body().windows(5).any(|bytes| bytes == b"hello"), || {
                "the bytes so far are in the answer".to_owned()
            })
            .map(drop)
    };
    refused(client.get(&upload)?)?;
    client.patch(&upload, 0, b"hello")?.is(204)?;
    refused(client.get(&upload)?)?;
    refused(client.send(Request::new("GET", &upload.path).with("Range", "bytes=0-1"))?)?;
    client.get(&upload)?.is(409).map(drop)
}

fn partial(client: &Client<'_>) -> Verdict {
    client.needs_downloads()?;
    if !client.offers().has("concatenation") {
        return Err(Stop::not_applicable("not advertised: concatenation"));
    }
    let creation = client.creation().with("Upload-Concat", "partial");
    let upload = client.finished_by(creation, b"abc")?;
    client.get(&upload)?.is(403).map(drop)
}

fn unknown(client: &Client<'_>) -> Verdict {
    client.needs_downloads()?;
    client.get(&client.unknown())?.is(404).map(drop)
}

fn disposition(exchange: &Exchange) -> Result<String, Stop> {
    let value = exchange.is(200)?.field("Content-Disposition")?;
    Ok(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn attachments(client: &Client<'_>) -> Verdict {
    for (name, kind) in [
        ("a.html", "text/html"),
        ("a.html", "TEXT/HTML; charset=utf-8"),
        ("a.svg", "image/svg+xml"),
        ("a.xhtml", "application/xhtml+xml"),
        ("a.xml", "text/xml"),
        ("a.js", "text/javascript"),
        ("a.pdf", "application/x-unknown"),
        ("a.html", ""),
        ("a.html", "text/html,image/png"),
        ("a.html", "not a type"),
    ] {
        let upload = file(client, b"<script>alert(1)</script>", name, kind)?;
        let exchange = client.get(&upload)?;
        let shown = disposition(&exchange)?;
        exchange.check(shown == "attachment", || format!("{kind:?} is handed out as {shown:?}"))?;
    }
    Ok(())
}

fn images(client: &Client<'_>) -> Verdict {
    for kind in ["image/png", "image/jpeg"] {
        let upload = file(client, b"not really", "a.png", kind)?;
        let exchange = client.get(&upload)?;
        let shown = disposition(&exchange)?;
        exchange.has("Content-Type", kind)?;
        exchange.check(shown == "inline", || format!("{kind} is handed out as {shown:?}"))?;
    }
    Ok(())
}

/// The plain form for old clients, the extended one (RFC 8187) for everything beyond ASCII.
fn file_names(client: &Client<'_>) -> Verdict {
    let upload = file(client, b"abc", "Grüße €.txt", "text/plain")?;
    let exchange = client.get(&upload)?;
    let value = exchange.is(200)?.field("Content-Disposition")?;
    let extended = "filename*=utf-8''gr%c3%bc%c3%9fe%20%e2%82%ac.txt";
    exchange.check(value.to_ascii_lowercase().contains(extended), || {
        format!("expected filename*=UTF-8''… in {value:?}")
    })?;
    exchange.check(value.is_ascii() && value.contains("filename=\""), || {
        format!("expected a plain filename=\"…\" in {value:?}")
    })?;
    let plain = file(client, b"abc", "plain.txt", "text/plain")?;
    let exchange = client.get(&plain)?;
    let value = exchange.field("Content-Disposition")?;
    exchange.check(value.contains("filename=\"plain.txt\""), || format!("got {value:?}")).map(drop)
}

fn no_sniffing(client: &Client<'_>) -> Verdict {
    let upload = file(client, b"<html>", "a.txt", "text/plain")?;
    client.get(&upload)?.is(200)?.has("X-Content-Type-Options", "nosniff").map(drop)
}

fn sandboxed(client: &Client<'_>) -> Verdict {
    let upload = file(client, b"<html>", "a.html", "text/html")?;
    let exchange = client.get(&upload)?;
    let policy = exchange.is(200)?.field("Content-Security-Policy")?;
    let sandbox = policy.split(';').any(|rule| rule.trim() == "sandbox");
    exchange.check(sandbox, || format!("the policy has no bare sandbox: {policy:?}")).map(drop)
}

fn immutable(client: &Client<'_>) -> Verdict {
    let upload = text(client, b"hello")?;
    let exchange = client.get(&upload)?;
    exchange.is(200)?.lists("Cache-Control", &["immutable"]).map(drop)
}

fn other_methods(client: &Client<'_>) -> Verdict {
    let upload = text(client, b"hello")?;
    for method in ["PUT", "POST", "TRACE", "PROPFIND"] {
        let exchange = client.send(Request::tus(method, &upload.path))?;
        if exchange.status() != 501 {
            exchange.is_refused()?;
        }
    }
    client.content_is(&upload, b"hello")
}
