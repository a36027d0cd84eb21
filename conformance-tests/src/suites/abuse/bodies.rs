//! Bodies that are not what their head says.

use std::time::Duration;

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::Client;
use crate::content::letters;
use crate::wire::Connection;

/// The cases.
pub const GROUP: Group = Group {
    name: "bodies",
    needs: &["creation"],
    cases: &[
        Case::new("bytes after the stated body are not appended", &["B-8"], more_than_stated),
        Case::new("a body over the length changes nothing", &["B-8", "T-39"], over_the_length),
        Case::new(
            "a body no disk could hold is over the length",
            &["B-8"],
            absurdly_over_the_length,
        ),
        Case::new(
            "a chunked body over the length is cut",
            &["B-8", "T-40"],
            chunked_over_the_length,
        ),
        Case::new("broken chunks are refused and add no framing", &["B-9"], broken_chunks),
        Case::new("connections that say nothing harm nobody", &["B-10"], silent_connections),
        Case::new("a body sent with head or delete changes nothing", &["B-8"], unexpected_bodies),
        Case::new("a refused large body can be answered", &["B-11"], refused_large_body),
    ],
};

fn more_than_stated(client: &Client<'_>) -> Verdict {
    let upload = client.create(10)?;
    let request = client.append(&upload, 0).with("Content-Length", "3");
    let mut connection = client.begin(&request)?;
    connection.send(b"abcdefghij")?;
    let exchange = client.finish(&mut connection, &request)?;
    exchange.is_one_of(&[204, 400])?;
    let stored = if exchange.status() == 204 { 3 } else { 0 };
    client.offset_is(&upload, stored)?;
    client.server_still_answers()
}

fn over_the_length(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    client.patch(&upload, 0, &letters(71, 500_000))?.is(413)?;
    client.offset_is(&upload, 0)?;
    client.patch(&upload, 0, b"abc")?.is(204)?;
    client.content_is(&upload, b"abc")
}

/// It is the client that is wrong: no answer may say that the server lacks room.
fn absurdly_over_the_length(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    for bytes in [1_u64 << 50, u64::MAX >> 1] {
        for expect in [None, Some("100-continue")] {
            let mut request = client.append(&upload, 0).with("Content-Length", bytes.to_string());
            if let Some(expect) = expect {
                request = request.with("Expect", expect);
            }
            let mut connection = client.begin(&request)?;
            client.finish(&mut connection, &request)?.is_one_of(&[400, 413])?;
        }
    }
    client.offset_is(&upload, 0)?;
    client.server_still_answers()
}

fn chunked_over_the_length(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    client.send(client.append(&upload, 0).chunked(letters(72, 500_000)))?.is(413)?;
    let exchange = client.head(&upload)?;
    let offset = exchange.number("Upload-Offset")?;
    exchange.check(offset <= 3, || format!("{offset} of 3 bytes were stored"))?;
    client.server_still_answers()
}

fn broken_chunks(client: &Client<'_>) -> Verdict {
    for framing in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcdef\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "\r\n\r\n",
    ] {
        let upload = client.create(10)?;
        let request = client.append(&upload, 0).with("Transfer-Encoding", "chunked");
        let mut connection = client.begin(&request)?;
        connection.send(framing.as_bytes())?;
        connection.half_close()?;
        if let Ok(exchange) = client.finish(&mut connection, &request) {
            exchange.check(exchange.status() != 204, || "broken chunks passed".to_owned())?;
        }
        let exchange = client.head(&upload)?;
        let offset = exchange.is(200)?.number("Upload-Offset")?;
        // What came before the break may be kept, but it is at most the three bytes of content.
        exchange.check(offset <= 3, || format!("{offset} bytes were taken from {framing:?}"))?;
    }
    client.server_still_answers()
}

fn silent_connections(client: &Client<'_>) -> Verdict {
    let mut silent: Vec<Connection> = Vec::new();
    for number in 0..64 {
        let mut connection = client.open()?;
        if number % 2 == 0 {
            connection.send(b"POST /files HTT")?;
        }
        silent.push(connection);
    }
    let exchange = client.send(client.creation().with("Upload-Length", "3"))?;
    exchange.is(201)?.check(exchange.took < Duration::from_secs(2), || {
        format!("silent connections held it up for {:?}", exchange.took)
    })?;
    client.server_still_answers()
}

fn unexpected_bodies(client: &Client<'_>) -> Verdict {
    let upload = client.finished(b"abc")?;
    let head = crate::wire::Request::tus("HEAD", &upload.path).body("unexpected");
    client.send(head)?.is_one_of(&[200, 204, 400])?;
    let get = crate::wire::Request::new("GET", &upload.path).body("unexpected");
    if client.parameters().downloads {
        client.send(get)?.is_one_of(&[200, 400])?;
    }
    client.content_is(&upload, b"abc")?;
    if client.offers().has("termination") {
        let delete = crate::wire::Request::tus("DELETE", &upload.path).body("unexpected");
        client.send(delete)?.is_one_of(&[204, 400])?;
    }
    client.server_still_answers()
}

/// The client sends all of a body the server does not want, and must still get to see the answer.
fn refused_large_body(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    let exchange = client.patch(&upload, 1, &letters(73, 2 << 20))?;
    exchange.is_one_of(&[409, 413])?;
    let exchange = client.patch(&client.unknown(), 0, &letters(74, 2 << 20))?;
    // Where uploads are limited, the body alone may be refused before anybody looks for the upload.
    exchange.is_one_of(&[404, 413])?;
    if client.offset(&upload)? != 0 {
        return Err(Stop::failed("a refused body moved the offset"));
    }
    Ok(())
}
