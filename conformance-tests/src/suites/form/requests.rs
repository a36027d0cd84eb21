//! The request as such, and the answer.

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::Client;
use crate::content::{letters, now_seconds};
use crate::wire::Request;

use super::{BOUNDARY, FILE, answer, content, head, path, refused, send, stored};

/// The cases.
pub const GROUP: Group = Group {
    name: "form-requests",
    needs: &[],
    cases: &[
        Case::new("a form stores its file byte for byte", &["F-1", "F-10", "F-14", "F-16"], bytes),
        Case::new("a form is taken with a slash behind its path", &["F-1"], with_a_slash),
        Case::new("a body that is no form is refused", &["F-2"], no_form),
        Case::new("a boundary that is none is refused", &["F-3"], boundaries),
        Case::new("lines without a carriage return are refused", &["F-4"], line_ends),
        Case::new("a form without its end is refused", &["F-5", "F-15"], without_end),
        Case::new("a form that breaks off is refused", &["F-5", "F-15"], broken_off),
        Case::new("other methods are refused with what is allowed", &["F-6"], methods),
        Case::new("pages of other origins may send forms", &["F-7"], cors),
        Case::new("who is not known may not send a form", &["F-8"], without_credentials),
        Case::new("the answer has the names of the predecessor", &["F-40", "F-41"], names),
        Case::new("no answer tells where the client is", &["F-42"], no_address),
        Case::new("a refusal says in json what was wrong", &["F-43"], says_why),
    ],
};

fn bytes(client: &Client<'_>) -> Verdict {
    // Line breaks, dashes and what looks like the boundary are content.
    let tricky = format!("\r\n--{}\r\n--\r\r\n-", BOUNDARY.trim_end_matches('W')).into_bytes();
    for bytes in [letters(101, 300_000), tricky, b"\r\n".to_vec(), vec![0; 70_000]] {
        let exchange = send(client, &[(FILE, &bytes)])?;
        client.content_is(&stored(client, &exchange)?, &bytes)?;
        let chunked = client.send(head(client)?.chunked(content(&[(FILE, &bytes)])))?;
        client.content_is(&stored(client, &chunked)?, &bytes)?;
    }
    Ok(())
}

fn with_a_slash(client: &Client<'_>) -> Verdict {
    let with_slash = format!("{}/", path(client)?);
    let content_type = format!("multipart/form-data; boundary=\"{BOUNDARY}\"");
    let form = Request::new("POST", &with_slash).with("Content-Type", content_type);
    let exchange = client.send(form.body(content(&[(FILE, b"abc")])))?;
    client.content_is(&stored(client, &exchange)?, b"abc")
}

fn no_form(client: &Client<'_>) -> Verdict {
    let form = content(&[(FILE, b"abc")]);
    let post = || Ok::<_, Stop>(Request::new("POST", path(client)?).body(form.clone()));
    client.send(post()?)?.is(415)?;
    for content_type in [
        "text/plain",
        "multipart/mixed; boundary=b",
        "application/x-www-form-urlencoded",
        "multipart/form-data-not; boundary=b",
    ] {
        client.send(post()?.with("Content-Type", content_type))?.is(415)?;
    }
    let twice = head(client)?.with("Content-Type", "text/plain").body(form.clone());
    client.send(twice)?.is(400)?;
    client.server_still_answers()
}

fn boundaries(client: &Client<'_>) -> Verdict {
    for parameters in [
        "",
        "; boundary=",
        "; boundary=\"\"",
        "; boundary=\"a",
        "; boundary=\"a{b\"",
        "; boundary=a; boundary=a",
        "; boundary=a; boundary=b",
        &format!("; boundary={}", "x".repeat(71)),
        &format!("; boundary={}", "x".repeat(4000)),
    ] {
        let content_type = format!("multipart/form-data{parameters}");
        let request = Request::new("POST", path(client)?).with("Content-Type", content_type);
        client.send(request.body(content(&[(FILE, b"abc")])))?.is(400)?;
    }
    let other = Request::new("POST", path(client)?)
        .with("Content-Type", "multipart/form-data; boundary=other");
    client.send(other.body(content(&[(FILE, b"abc")])))?.is(400)?.has_no("Location")?;
    Ok(())
}

fn line_ends(client: &Client<'_>) -> Verdict {
    let form = String::from_utf8_lossy(&content(&[(FILE, b"abc")])).replace("\r\n", "\n");
    client.send(head(client)?.body(form))?.is(400)?.has_no("Location")?;
    let mixed = format!("--{BOUNDARY}\r\n{FILE}\nContent-Type: text/plain\r\n\r\nabc\r\n");
    let mixed = format!("{mixed}--{BOUNDARY}--\r\n");
    client.send(head(client)?.body(mixed))?.is(400)?.has_no("Location")?;
    Ok(())
}

fn without_end(client: &Client<'_>) -> Verdict {
    let form = content(&[(FILE, b"abc")]);
    let last = form.len().saturating_sub("--\r\n".len());
    for end in [0, 10, 60, last.saturating_sub(BOUNDARY.len()), last, last.saturating_add(1)] {
        let cut = form.get(..end).unwrap_or_default();
        client.send(head(client)?.body(cut))?.is(400)?.has_no("Location")?;
        client.send(head(client)?.chunked(cut))?.is(400)?.has_no("Location")?;
    }
    client.server_still_answers()
}

fn broken_off(client: &Client<'_>) -> Verdict {
    let form = content(&[(FILE, &letters(102, 100_000))]);
    let request = head(client)?.with("Content-Length", form.len().to_string());
    let mut connection = client.begin(&request)?;
    connection.send(form.get(..50_000).unwrap_or_default())?;
    connection.half_close()?;
    // Whoever has closed one side may still hear the refusal, and nothing else.
    if let Ok(exchange) = client.finish(&mut connection, &request) {
        exchange.is(400)?.has_no("Location")?;
    }
    let mut connection = client.begin(&request)?;
    connection.send(form.get(..50_000).unwrap_or_default())?;
    connection.reset()?;
    client.server_still_answers()
}

fn methods(client: &Client<'_>) -> Verdict {
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "BREW"] {
        let exchange = client.send(Request::new(method, path(client)?))?;
        let allow = exchange.is(405)?.field("Allow")?;
        exchange.check(allow.contains("POST") && allow.contains("OPTIONS"), || {
            format!("Allow is {allow}")
        })?;
    }
    let overridden = head(client)?.with("X-HTTP-Method-Override", "DELETE");
    client.send(overridden.body(content(&[(FILE, b"abc")])))?.is(405)?.has_no("Location")?;
    Ok(())
}

fn cors(client: &Client<'_>) -> Verdict {
    let origin = "https://app.example";
    let preflight = Request::new("OPTIONS", path(client)?)
        .with("Origin", origin)
        .with("Access-Control-Request-Method", "POST")
        .with("Access-Control-Request-Headers", "authorization");
    let exchange = client.send(preflight.anonymous())?;
    exchange.is_one_of(&[200, 204])?.field("Access-Control-Allow-Origin")?;
    let methods = exchange.field("Access-Control-Allow-Methods")?;
    exchange.check(methods.contains("POST"), || format!("a page may only {methods}"))?;
    let plain = client.send(Request::new("OPTIONS", path(client)?))?;
    plain.is_one_of(&[200, 204])?.field("Allow")?;
    for parts in [&[(FILE, &b"abc"[..])][..], &[]] {
        let request = head(client)?.with("Origin", origin).body(content(parts));
        let exchange = client.send(request)?;
        exchange.is_one_of(&[200, 400])?.field("Access-Control-Allow-Origin")?;
        let exposed = exchange.field("Access-Control-Expose-Headers")?;
        exchange.check(exposed.contains("Location"), || format!("a page may read {exposed}"))?;
    }
    Ok(())
}

fn without_credentials(client: &Client<'_>) -> Verdict {
    let forms = path(client)?;
    if !client.target().authenticates() {
        return Err(Stop::not_applicable("no credentials were given (--header)"));
    }
    let form = content(&[(FILE, b"abc")]);
    client.send(head(client)?.anonymous().body(form.clone()))?.is(401)?.has_no("Location")?;
    // The refusal comes although the body does not.
    let waits = Request::new("POST", forms)
        .with("Content-Type", "multipart/form-data; boundary=b")
        .with("Expect", "100-continue")
        .with("Content-Length", "1000")
        .anonymous();
    let mut connection = client.begin(&waits)?;
    let exchange = client.finish(&mut connection, &waits)?;
    exchange
        .is(401)?
        .check(exchange.interim().is_empty(), || "the body was asked for".to_owned())?;
    Ok(())
}

fn names(client: &Client<'_>) -> Verdict {
    let exchange = send(client, &[(FILE, b"hello")])?;
    let upload = stored(client, &exchange)?;
    let said = answer(&exchange)?;
    let duration = said.text("duration")?;
    let seconds = duration.strip_suffix('s').and_then(|number| number.parse::<f64>().ok());
    exchange.check(seconds.is_some_and(|seconds| (0.0..60.0).contains(&seconds)), || {
        format!("it took {duration}")
    })?;
    let age = now_seconds().abs_diff(said.number("timestamp")?);
    exchange.check(age < 60, || format!("the timestamp is {age} seconds off"))?;
    let true_is_said = said.value.get("success") == Some(&serde_json::Value::Bool(true));
    exchange.check(true_is_said, || "success is not true".to_owned())?;
    let id = said.text("id")?;
    exchange.check(upload.path.ends_with(id), || format!("{id} is not in {}", upload.path))?;
    let (name, size) = (said.text("filename")?, said.number("size")?);
    exchange.check(name == "a.txt" && size == 5, || format!("{name} of {size} bytes"))?;
    client.head(&upload)?.is(200)?.has("Upload-Length", "5")?.has("Upload-Offset", "5")?;
    Ok(())
}

fn no_address(client: &Client<'_>) -> Verdict {
    let trap = "203.0.113.77";
    for parts in [&[(FILE, &b"abc"[..])][..], &[]] {
        let request = head(client)?.with("X-Forwarded-For", trap).with("X-Real-IP", trap);
        let exchange = client.send(request.body(content(parts)))?;
        let body = String::from_utf8_lossy(exchange.body());
        for address in ["client_ip", trap, "127.0.0.1"] {
            let fields = || exchange.headers().iter().map(|(_, value)| value);
            // The server's own address may be in the upload's.
            let told = body.replace(client.target().host(), "").contains(address)
                || fields()
                    .any(|value| value.replace(client.target().host(), "").contains(address));
            exchange.check(!told, || format!("the answer tells {address}"))?;
        }
    }
    Ok(())
}

fn says_why(client: &Client<'_>) -> Verdict {
    refused(client, &[], 400)?;
    let exchange = send(client, &[])?;
    let said = answer(&exchange)?;
    let (code, detail) = (said.text("error")?, said.text("detail")?);
    exchange
        .check(code == "one-file" && detail.contains("`file`"), || format!("{code}: {detail}"))?;
    Ok(())
}
