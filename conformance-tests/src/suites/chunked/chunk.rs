//! What becomes of a chunk (C-30 … C-42).

use std::thread;

use serde_json::{Value, json};

use super::NEEDS;
use crate::case::{Case, Group, Stop, Verdict, ensure};
use crate::chunked::Chunked;
use crate::client::Client;
use crate::content::Numbers;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "chunk",
    needs: NEEDS,
    cases: &[
        Case::new("a chunk is answered with what is there", &["C-30", "C-37"], answered),
        Case::new("post brings a chunk like put", &["C-30"], by_post),
        Case::new("a chunk may go to its session or to its upload", &["C-30"], addresses),
        Case::new("chunks may come in any order", &["C-31"], any_order),
        Case::new("a chunk that is there is answered without its body", &["C-33"], there),
        Case::new("the last chunk completes the upload", &["C-34"], last),
        Case::new("a chunk of a complete upload is answered again", &["C-35"], after_the_end),
        Case::new("a chunk may come without its length", &["C-38"], of_unknown_length),
        Case::new("a body of unknown length has to end with its chunk", &["C-38"], ends_elsewhere),
        Case::new("the media type of a chunk does not matter", &["C-41"], media_types),
        Case::new("a good chunk is invited to go on", &["C-42"], invited),
        Case::new("a bad chunk is refused before its body", &["C-42"], refused_early),
        Case::new("chunks one after another share a connection", &["C-30"], keep_alive),
        Case::new("an upload of a thousand chunks is whole", &["C-31", "C-34"], thousand).alone(),
    ],
};

fn answered(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 41, 10, 4);
    let exchange = session.put(client, 2)?;
    exchange.is(200)?.says(&json!({
        "success": true, "chunk": 2, "uploaded_bytes": 2, "total_size": 10, "progress": 0.2,
        "completed": false,
    }))?;
    exchange.has("X-Upload-Session-ID", &session.name)?.has("Upload-Offset", "0")?;
    exchange.has("Upload-Length", "10")?.has("X-Recommended-Chunk-Size", "4")?;
    exchange.field("Upload-Expires")?;
    let second = session.put(client, 0)?;
    second.is(200)?.has("Upload-Offset", "4")?.says(&json!({"chunk": 0, "uploaded_bytes": 6}))?;
    Ok(())
}

fn by_post(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 42, 10, 4);
    for number in 0..3 {
        let (head, piece) = (session.head(client, number), session.piece(number));
        let request = head
            .fields()
            .iter()
            .fold(Request::new("POST", client.target().chunked()), |request, (name, value)| {
                request.with(name, value)
            });
        client.send(request.body(piece))?.is(200)?;
    }
    let over = Request::new("POST", &session.path(client)).with("X-Chunk-Number", "1");
    client.send(over.with("X-HTTP-Method-Override", "PUT").body(session.piece(1)))?.is(200)?;
    session.is_whole(client)
}

fn addresses(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 43, 16, 4);
    session.put(client, 3)?.is(200)?;
    let upload = session.upload(client)?;
    for (number, method, path) in [
        (0, "PUT", session.path(client)),
        (1, "PUT", upload.path.clone()),
        (2, "POST", upload.path),
    ] {
        let request = Request::new(method, &path).with("X-Chunk-Number", number.to_string());
        client.send(request.body(session.piece(number)))?.is(200)?;
    }
    session.is_whole(client)
}

fn any_order(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 44, 10_000, 700);
    let mut numbers = Numbers::seeded(44);
    let mut left: Vec<usize> = (0..session.total()).collect();
    let mut bytes = 0_usize;
    while !left.is_empty() {
        let length = u64::try_from(left.len()).unwrap_or(1);
        let number = left.swap_remove(usize::try_from(numbers.below(length)).unwrap_or(0));
        bytes = bytes.saturating_add(session.piece(number).len());
        let exchange = session.put(client, number)?;
        exchange.is(200)?;
        if !left.is_empty() {
            let first = left.iter().min().copied().unwrap_or(0);
            let offset = session.span(first).0.to_string();
            exchange.says(&json!({"uploaded_bytes": bytes}))?.has("Upload-Offset", &offset)?;
        }
    }
    session.is_whole(client)
}

/// Only the head is sent: the answer must not wait for the body.
fn there(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 45, 10, 4);
    session.put(client, 1)?.is(200)?;
    let request = session.head(client, 1).with("Content-Length", "4");
    let mut connection = client.begin(&request)?;
    let exchange = client.finish(&mut connection, &request)?;
    exchange.is(200)?.says(&json!({
        "success": true, "message": "Chunk already uploaded", "chunk": 1, "uploaded_bytes": 4,
        "completed": false,
    }))?;
    // The bytes that are there stay.
    client.send(session.head(client, 1).body("XXXX"))?.is(200)?;
    session.put_all(client, [0, 2])?;
    session.is_whole(client)
}

fn last(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 46, 10, 4);
    let named = |number| session.head(client, number).with("X-Filename", "a.bin");
    client.send(named(1).body(session.piece(1)))?.is(200)?;
    session.put(client, 2)?.is(200)?;
    let upload = session.upload(client)?;
    if client.parameters().downloads {
        client.get(&upload)?.is_refused()?;
    }
    let exchange = session.put(client, 0)?;
    exchange.is(200)?.has("Upload-Offset", "10")?.says(&json!({
        "success": true, "filename": "a.bin", "size": 10, "completed": true,
    }))?;
    exchange.leads_to(client.target(), "url", &upload.path)?;
    let duration = exchange.json()?.get("duration").and_then(Value::as_str).map(str::to_owned);
    let timed = duration.as_deref().is_some_and(|text| text.ends_with('s'));
    exchange.check(timed, || format!("the duration is {duration:?}"))?;
    session.is_whole(client)
}

fn after_the_end(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 47, 10, 4);
    session.put_all(client, 0..3)?;
    for number in [2, 0, 1] {
        session.put(client, number)?.is(200)?.says(&json!({"success": true, "completed": true}))?;
    }
    session.is_whole(client)
}

fn of_unknown_length(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 48, 10_000, 4000);
    for number in [2, 0, 1] {
        let request = session.head(client, number).chunked(session.piece(number));
        client.send(request)?.is(200)?;
    }
    session.is_whole(client)
}

fn ends_elsewhere(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 49, 10_000, 4000);
    let long = [session.piece(1), b"surplus"].concat();
    client.send(session.head(client, 1).chunked(long))?.is_one_of(&[400, 413])?;
    let short = session.piece(2).get(..1500).unwrap_or_default();
    client
        .send(session.head(client, 2).chunked(short))?
        .refuses(400, "chunk-contradicts-itself")?;
    session.put(client, 0)?.is(200)?;
    // The chunk that was too long is there to its end, never beyond; the short one as far as it came.
    let rest = session.piece(2).get(1500..).unwrap_or_default();
    client.send(session.head_from(client, 2, 1500).body(rest))?.is(200)?;
    session.put(client, 1)?.is(200)?;
    session.is_whole(client)
}

fn media_types(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 50, 16, 4);
    for (number, kind) in [
        (0, "application/octet-stream"),
        (1, "application/x-www-form-urlencoded"),
        (2, "application/offset+octet-stream"),
        (3, "nonsense"),
    ] {
        let request = session.head(client, number).with("Content-Type", kind);
        client.send(request.body(session.piece(number)))?.is(200)?;
    }
    session.is_whole(client)
}

fn invited(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 51, 10, 4);
    let request =
        session.head(client, 0).with("Expect", "100-continue").with("Content-Length", "4");
    let mut connection = client.begin(&request)?;
    let first = connection.next_head()?;
    ensure(first.status == 100, || format!("expected 100 Continue, got {}", first.line))?;
    connection.send(session.piece(0))?;
    client.finish(&mut connection, &request)?.is(200).map(drop)
}

fn refused_early(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 52, 10_000_000, 4_000_000);
    let waiting =
        |request: Request| request.with("Expect", "100-continue").with("Content-Length", "4000000");
    let number =
        |value| session.head(client, 0).without("X-Chunk-Number").with("X-Chunk-Number", value);
    let mut requests = vec![
        session.head(client, 0).without("X-Chunk-Number"),
        number("0x0"),
        number("3"),
        session.head(client, 0).with("Content-Digest", "md5=:AAAA:"),
        session.head(client, 0).without("X-Total-Chunks").with("X-Total-Chunks", "x"),
    ];
    if client.target().authenticates() {
        requests.push(session.head(client, 0).anonymous());
    }
    for request in requests {
        let request = waiting(request);
        let mut connection = client.begin(&request)?;
        let exchange = client.finish(&mut connection, &request)?;
        let invited = !exchange.interim().is_empty();
        exchange.is_refused()?.check(!invited, || "a 100 came first".to_owned())?;
    }
    session.status(client)?.is(404).map(drop)
}

fn keep_alive(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 53, 40, 4);
    let mut connection = client.open()?;
    for number in (0..10).chain([3]) {
        let request = session.head(client, number).body(session.piece(number));
        client.send_on(&mut connection, request)?.is(200)?;
    }
    session.is_whole(client)
}

fn thousand(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 54, 100_000, 100);
    let halves: [Vec<usize>; 2] = [
        (0..1000).filter(|n| n % 2 == 1).collect(),
        (0..1000).filter(|n| n % 2 == 0).rev().collect(),
    ];
    for half in halves {
        let (first, second) = half.split_at(half.len() / 2);
        let send = |numbers: &[usize]| -> Verdict {
            let mut connection = client.open()?;
            numbers.iter().try_for_each(|number| {
                let request = session.head(client, *number).body(session.piece(*number));
                client.send_on(&mut connection, request)?.is(200).map(drop)
            })
        };
        thread::scope(|scope| {
            let other = scope.spawn(|| send(second));
            let own = send(first);
            let panicked = |_| Err(Stop::failed("the sending thread panicked"));
            own.and(other.join().unwrap_or_else(panicked))
        })?;
    }
    session.is_whole(client)
}
