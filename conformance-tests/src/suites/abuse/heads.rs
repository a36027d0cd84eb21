//! Heads that contradict themselves, or say absurd things.

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::Client;
use crate::content::{base64, pair};
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "heads",
    needs: &["creation"],
    cases: &[
        Case::new("doubled fields that differ are refused", &["B-2", "T-6", "T-7"], doubled),
        Case::new("two different content lengths are refused", &["B-2"], two_content_lengths),
        Case::new("a length besides chunks is no way to smuggle", &["B-2"], smuggling),
        Case::new("an absurd length is refused or reserved", &["B-3", "T-7"], absurd_lengths),
        Case::new("a head without end is refused", &["B-4"], endless_head),
        Case::new("a field of four million bytes is refused", &["B-4"], huge_field),
        Case::new("what is not http is refused", &["B-4"], not_http),
        Case::new("bytes above ascii in fields are refused", &["B-5"], not_ascii),
        Case::new("line breaks in metadata stay inside it", &["B-6", "T-74"], line_breaks),
        Case::new("strange names in metadata stay harmless", &["B-6", "T-74"], strange_names),
        Case::new("a refusal says in a short text what was wrong", &["B-7"], says_why),
    ],
};

fn doubled(client: &Client<'_>) -> Verdict {
    let upload = client.create(10)?;
    let length = |value: &str| client.creation().with("Upload-Length", value);
    let requests = [
        length("3").with("Upload-Length", "4"),
        length("3").with("upload-length", "three"),
        length("3, 4"),
        client.append(&upload, 0).with("Upload-Offset", "1").body("abc"),
        client.append(&upload, 1).with("Upload-Offset", "0").body("abc"),
    ];
    for request in requests {
        client.send(request)?.is(400)?.has_no("Location")?;
    }
    let versions = client.append(&upload, 0).with("Tus-Resumable", "0.2.2").body("abc");
    client.send(versions)?.is_one_of(&[400, 412])?;
    let types = client.append(&upload, 0).with("Content-Type", "text/plain").body("abc");
    client.send(types)?.is_one_of(&[400, 415])?;
    client.offset_is(&upload, 0)
}

/// Sends `request` and accepts a refusal or the end of the connection.
fn refused_or_dropped(client: &Client<'_>, request: &Request) -> Verdict {
    let mut connection = client.open()?;
    let target = client.target();
    let sent = connection.send_request(request, target.host(), target.fields());
    match connection.answer(request.method()) {
        Ok(answer) if (400..500).contains(&answer.response.head.status) => Ok(()),
        Ok(answer) => {
            Err(Stop::failed(format!("expected a 4xx, got {}", answer.response.head.line)))
        }
        Err(error) if error.is_disconnect() || sent.is_err() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn two_content_lengths(client: &Client<'_>) -> Verdict {
    let upload = client.create(10)?;
    let request = client.append(&upload, 0).with("Content-Length", "3").with("Content-Length", "5");
    refused_or_dropped(client, &request.body("abcde"))?;
    for value in ["-1", "+3", "3, 5", "0x3", "99999999999999999999999999"] {
        let request = client.append(&upload, 0).with("Content-Length", value).body("abc");
        refused_or_dropped(client, &request)?;
    }
    client.offset_is(&upload, 0)?;
    client.server_still_answers()
}

/// By its length the body holds a second request; by its chunks it ended before. A server that goes
/// by the chunks must close after its answer (RFC 9112, section 6.1), so that nobody in front of it
/// can be made to see one request where it sees two.
fn smuggling(client: &Client<'_>) -> Verdict {
    let upload = client.create(10)?;
    let smuggled = format!(
        "DELETE {} HTTP/1.1\r\nHost: {}\r\nTus-Resumable: 1.0.0\r\n\r\n",
        upload.path,
        client.target().host()
    );
    let request = client
        .append(&upload, 0)
        .with("Transfer-Encoding", "chunked")
        .with("Content-Length", smuggled.len().saturating_add(5).to_string())
        .body(format!("0\r\n\r\n{smuggled}"));
    let mut connection = client.open()?;
    let target = client.target();
    connection.send_request(&request, target.host(), target.fields())?;
    let _ = connection.answer("PATCH");
    if let Ok(second) = connection.answer("DELETE") {
        let status = second.response.head.status;
        if status < 400 {
            return Err(Stop::failed(format!("the smuggled request was answered with {status}")));
        }
    }
    client.offset_is(&upload, 0)
}

fn absurd_lengths(client: &Client<'_>) -> Verdict {
    let largest = (1_u64 << 63).saturating_sub(1);
    for value in [largest.to_string(), "1000000000000000".to_owned()] {
        let exchange = client.send(client.creation().with("Upload-Length", value))?;
        exchange.is_one_of(&[201, 400, 413, 507])?;
    }
    for value in ["9223372036854775808", "18446744073709551615"] {
        let exchange = client.send(client.creation().with("Upload-Length", value))?;
        exchange.is_one_of(&[201, 400, 413, 507])?;
    }
    for value in ["18446744073709551616".to_owned(), "9".repeat(400)] {
        let exchange = client.send(client.creation().with("Upload-Length", value))?;
        exchange.is_one_of(&[400, 413])?.has_no("Location")?;
    }
    let upload = client.create(10)?;
    for value in ["9223372036854775807", "18446744073709551615"] {
        let request = client.append(&upload, 0).without("Upload-Offset");
        let exchange = client.send(request.with("Upload-Offset", value).body("abc"))?;
        exchange.is_one_of(&[400, 409])?;
    }
    client.offset_is(&upload, 0)
}

fn endless_head(client: &Client<'_>) -> Verdict {
    let mut request = client.creation().with("Upload-Length", "3");
    for number in 0..40_000 {
        request = request.with(&format!("X-Filler-{number}"), "x".repeat(50));
    }
    refused_or_dropped(client, &request)?;
    client.server_still_answers()
}

fn huge_field(client: &Client<'_>) -> Verdict {
    let request = client.creation().with("Upload-Length", "3").with("X-Huge", "x".repeat(4 << 20));
    refused_or_dropped(client, &request)?;
    client.server_still_answers()
}

fn not_http(client: &Client<'_>) -> Verdict {
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut connection = client.open()?;
        connection.send(bytes)?;
        connection.half_close()?;
        match connection.answer("GET") {
            Ok(answer) if answer.response.head.status < 400 => {
                let line = answer.response.head.line;
                let sent = bytes.escape_ascii();
                return Err(Stop::failed(format!("{sent} was answered with {line}")));
            }
            _ => client.server_still_answers()?,
        }
    }
    Ok(())
}

fn not_ascii(client: &Client<'_>) -> Verdict {
    let upload = client.create(10)?;
    let wrong: &[u8] = b"\xEF\xBC\x95";
    client.send(client.creation().with("Upload-Length", wrong))?.is_refused()?;
    let request = client.append(&upload, 0).without("Upload-Offset").with("Upload-Offset", wrong);
    client.send(request.body("abc"))?.is_refused()?;
    let request = client.append(&upload, 0).without("Content-Type").with("Content-Type", wrong);
    client.send(request.body("abc"))?.is_refused()?;
    client.send(client.creation().with("Upload-Concat", wrong))?.is_refused()?;
    client.offset_is(&upload, 0)
}

/// A finished upload whose metadata holds `name` as `filename` and `kind` as `filetype`.
fn named(client: &Client<'_>, name: &[u8], kind: &[u8]) -> Verdict {
    let metadata = format!("{},{}", pair("filename", name), pair("filetype", kind));
    let creation = client.creation().with("Upload-Metadata", &metadata);
    let upload = client.finished_by(creation, b"abc")?;
    client.head(&upload)?.is(200)?.has_no("X-Evil")?.field("Upload-Metadata")?;
    if !client.parameters().downloads {
        return Ok(());
    }
    let exchange = client.get(&upload)?;
    exchange.is(200)?.has_no("X-Evil")?;
    let fields = ["Content-Disposition", "Content-Type"];
    for value in fields.iter().flat_map(|name| exchange.headers().lines(name)) {
        let clean = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        exchange.check(clean, || format!("not plain ASCII: {value:?}"))?;
    }
    exchange.check(exchange.body() == b"abc", || "the content differs".to_owned()).map(drop)
}

fn line_breaks(client: &Client<'_>) -> Verdict {
    named(client, b"a\r\nX-Evil: 1\r\n\r\nbody", b"text/plain\r\nX-Evil: 1")?;
    named(client, b"a\nX-Evil: 1", b"text/plain\nX-Evil: 1")?;
    named(client, b"\0\x08\x1B[2J", b"\0")
}

fn strange_names(client: &Client<'_>) -> Verdict {
    let long = "n".repeat(300);
    let wide = "ü".repeat(300);
    for name in [
        long.as_bytes(),
        wide.as_bytes(),
        "photo\u{202E}gpj.exe".as_bytes(),
        "\u{200F}\u{2066}a\u{2069}.txt".as_bytes(),
        b"quote\"; filename=evil.exe",
        b"back\\slash\\",
        b"../../etc/passwd",
        b"..",
        b"C:\\x",
        b"",
        b"\xFF\xFE\xFD",
        b"100%25%00",
    ] {
        named(client, name, b"application/octet-stream")?;
    }
    Ok(())
}

fn says_why(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    let bad_metadata = format!("k {}!", base64("x"));
    for request in [
        client.creation(),
        client.creation().with("Upload-Length", "-1"),
        client.creation().with("Upload-Length", "3").with("Upload-Metadata", bad_metadata),
        client.creation().without("Tus-Resumable"),
        client.append(&upload, 2).body("x"),
        client.append(&upload, 0).body("too long"),
        client.append(&client.unknown(), 0).body("abc"),
        client.append(&upload, 0).without("Content-Type").body("abc"),
    ] {
        let exchange = client.send(request)?;
        let body = exchange.is_refused()?.body();
        let readable = (1..=2000).contains(&body.len()) && std::str::from_utf8(body).is_ok();
        exchange.check(readable, || format!("the text has {} bytes", body.len()))?;
        let kind = exchange.field("Content-Type")?;
        let page = kind.to_ascii_lowercase().contains("html");
        exchange.check(!page, || "the text is a web page".to_owned())?;
    }
    Ok(())
}
