//! Uploads made of uploads (T-140 … T-161).

use std::net::TcpListener;

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, Upload};
use crate::content::letters;
use crate::exchange::Exchange;
use crate::wire::Request;

mod finals;
mod unfinished;

pub use finals::FINAL;
pub use unfinished::UNFINISHED;

/// The cases that hold on every server that creates uploads.
pub const ANNOUNCED: Group = Group {
    name: "concatenation-announced",
    needs: &["creation"],
    cases: &[
        Case::new("a server that concatenates says so", &["T-140"], announced),
        Case::new("without the extension upload-concat is refused", &["T-159"], off),
    ],
};

/// The cases about parts and about what names them.
pub const GROUP: Group = Group {
    name: "concatenation",
    needs: &["creation", "concatenation"],
    cases: &[
        Case::new("a partial upload is an ordinary upload", &["T-141", "T-148"], partial),
        Case::new("a partial upload may defer its length", &["T-141"], partial_deferred),
        Case::new("a part is named by path or by url", &["T-143"], named_by_path_or_url),
        Case::new("a part elsewhere is refused and never fetched", &["T-143"], never_fetched),
        Case::new("a part may be used again", &["T-144"], used_again),
        Case::new("a part that does not exist is refused", &["T-153"], part_missing),
        Case::new("only partial uploads can be parts", &["T-154"], part_not_partial),
        Case::new("a malformed upload-concat is refused", &["T-155"], malformed),
        Case::new("parts over the maximum size are refused", &["T-156"], over_the_maximum),
        Case::new("upload-concat on a patch is ignored", &["T-158"], on_a_patch),
        Case::new("another user's parts are refused", &["T-161"], of_another_user),
    ],
};

fn announced(client: &Client<'_>) -> Verdict {
    let exchange = client
        .send(client.creation().with("Upload-Concat", "partial").with("Upload-Length", "3"))?;
    if exchange.status() != 201 {
        return exchange
            .check(!client.offers().has("concatenation"), || {
                "concatenation is advertised, but a partial upload is refused".to_owned()
            })
            .map(drop);
    }
    let head = client.head(&client.created(&exchange)?)?;
    let kept = head.headers().get("Upload-Concat").is_some();
    head.check(kept == client.offers().has("concatenation"), || {
        format!("extensions: {:?}", client.offers().extensions())
    })
    .map(drop)
}

fn off(client: &Client<'_>) -> Verdict {
    if client.offers().has("concatenation") {
        return Err(Stop::not_applicable("concatenation is advertised"));
    }
    let request = client.creation().with("Upload-Concat", "partial").with("Upload-Length", "3");
    client.send(request)?.is(400)?.has_no("Location").map(drop)
}

/// A finished part that holds `bytes`.
fn part(client: &Client<'_>, bytes: &[u8]) -> Result<Upload, Stop> {
    client.finished_by(client.creation().with("Upload-Concat", "partial"), bytes)
}

/// The request that joins `parts`, each named by its path.
fn joining(client: &Client<'_>, parts: &[&Upload]) -> Request {
    let paths: Vec<_> = parts.iter().map(|part| part.path.as_str()).collect();
    client.creation().with("Upload-Concat", format!("final;{}", paths.join(" ")))
}

fn refused(exchange: &Exchange, statuses: &[u16]) -> Verdict {
    exchange.is_one_of(statuses)?.has_no("Location").map(drop)
}

fn partial(client: &Client<'_>) -> Verdict {
    let request = client.creation().with("Upload-Concat", "partial").with("Upload-Length", "6");
    let upload = client.create_by(request)?;
    for (offset, bytes) in [(0_u64, "abc"), (3, "def")] {
        client
            .head(&upload)?
            .is(200)?
            .has("Upload-Offset", &offset.to_string())?
            .has("Upload-Length", "6")?
            .has("Upload-Concat", "partial")?;
        client.patch(&upload, offset, bytes.as_bytes())?.is(204)?;
    }
    client.head(&upload)?.has("Upload-Offset", "6")?.has("Upload-Concat", "partial").map(drop)
}

fn partial_deferred(client: &Client<'_>) -> Verdict {
    if !client.offers().has("creation-defer-length") {
        return Err(Stop::not_applicable("not advertised: creation-defer-length"));
    }
    let request = client.creation().with("Upload-Concat", "partial");
    let upload = client.create_by(request.with("Upload-Defer-Length", "1"))?;
    client.send(client.append(&upload, 0).with("Upload-Length", "3").body("abc"))?.is(204)?;
    client.head(&upload)?.has("Upload-Length", "3")?.has("Upload-Concat", "partial")?;
    let joined = client.create_by(joining(client, &[&upload]))?;
    client.content_is(&joined, b"abc")
}

fn named_by_path_or_url(client: &Client<'_>) -> Verdict {
    let upload = part(client, b"abc")?;
    let names = [
        upload.path.clone(),
        client.target().url(&upload.path),
        // A proxy may have other names for the scheme and the host.
        format!("https://proxy.example{}", upload.path),
    ];
    for name in names {
        let request = client.creation().with("Upload-Concat", format!("final;{name}"));
        let joined = client.create_by(request)?;
        client.content_is(&joined, b"abc")?;
    }
    Ok(())
}

fn never_fetched(client: &Client<'_>) -> Verdict {
    let trap = TcpListener::bind("127.0.0.1:0")
        .and_then(|trap| trap.set_nonblocking(true).map(|()| trap))
        .map_err(|error| Stop::failed(format!("cannot listen: {error}")))?;
    let port = trap.local_addr().map_or(0, |address| address.port());
    let id = "00000000000040008000000000000000";
    for path in [format!("/elsewhere/{id}"), client.unknown().path, "/etc/passwd".to_owned()] {
        let name = format!("final;http://127.0.0.1:{port}{path}");
        let exchange = client.send(client.creation().with("Upload-Concat", name))?;
        refused(&exchange, &[400, 404])?;
        exchange.check(trap.accept().is_err(), || "the server fetched the URL".to_owned())?;
    }
    Ok(())
}

fn used_again(client: &Client<'_>) -> Verdict {
    let upload = part(client, b"abc")?;
    let twice = client.create_by(joining(client, &[&upload, &upload]))?;
    client.content_is(&twice, b"abcabc")?;
    let again = client.create_by(joining(client, &[&upload]))?;
    client.content_is(&again, b"abc")
}

fn part_missing(client: &Client<'_>) -> Verdict {
    let upload = part(client, b"abc")?;
    let request = joining(client, &[&upload, &client.unknown()]);
    refused(&client.send(request)?, &[404, 400])
}

fn part_not_partial(client: &Client<'_>) -> Verdict {
    let ordinary = client.finished(b"abc")?;
    refused(&client.send(joining(client, &[&ordinary]))?, &[400])?;
    let upload = part(client, b"abc")?;
    let joined = client.create_by(joining(client, &[&upload]))?;
    refused(&client.send(joining(client, &[&joined]))?, &[400])
}

fn malformed(client: &Client<'_>) -> Verdict {
    let upload = part(client, b"abc")?;
    let no_semicolon = format!("final {}", upload.path);
    let doubled = format!("final;{0} ; {0}", upload.path);
    for value in ["", "final", "final;", "final; ", &no_semicolon, &doubled] {
        let exchange = client.send(client.creation().with("Upload-Concat", value))?;
        refused(&exchange, &[400])?;
    }
    for value in ["", "foo", "partial;x", "partial,partial", "PARTIAL ;"] {
        let request = client.creation().with("Upload-Concat", value).with("Upload-Length", "3");
        refused(&client.send(request)?, &[400])?;
    }
    Ok(())
}

fn over_the_maximum(client: &Client<'_>) -> Verdict {
    let most = client.max_size(16 << 20)?;
    let half = usize::try_from(most / 2).unwrap_or_default().saturating_add(1);
    let upload = part(client, &letters(41, half))?;
    refused(&client.send(joining(client, &[&upload, &upload]))?, &[413])
}

fn on_a_patch(client: &Client<'_>) -> Verdict {
    let request = client.creation().with("Upload-Concat", "partial").with("Upload-Length", "3");
    let upload = client.create_by(request)?;
    let append = client.append(&upload, 0).with("Upload-Concat", "partial").body("abc");
    client.send(append)?.is(204)?.has("Upload-Offset", "3").map(drop)
}

fn of_another_user(client: &Client<'_>) -> Verdict {
    let Some(other) = client.target().as_other_user() else {
        return Err(Stop::not_applicable("no second user was named (--other-header)"));
    };
    let upload = part(client, b"abc")?;
    let mut request = joining(client, &[&upload]).anonymous();
    for (name, value) in other.fields() {
        request = request.with(name, value);
    }
    refused(&client.send(request)?, &[403, 404, 400])
}
