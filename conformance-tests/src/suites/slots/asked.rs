//! Slots that are asked for as ejabberd does, and what becomes of them.

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, Upload};
use crate::content::letters;
use crate::exchange::Exchange;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "slot-asked",
    needs: &[],
    cases: &[
        Case::new("a slot that was asked for takes its file once", &["X-68", "X-87"], used),
        Case::new("addresses of slots survive being escaped once more", &["X-66"], plain),
        Case::new("the address to fetch from takes no file", &["X-67"], read_only),
        Case::new(
            "a slot that was asked for goes by tus from the start",
            &["X-59", "X-87"],
            by_tus,
        ),
        Case::new("a question that is none is a bad request", &["X-69"], nonsense),
        Case::new("slots are asked for with get alone", &["X-90"], other_methods),
    ],
};

/// The paths of a slot's two addresses.
struct Asked {
    put: String,
    get: String,
}

/// Where to ask.
fn door(client: &Client<'_>) -> Result<String, Stop> {
    let missing = || Stop::not_applicable("nowhere to ask for slots was named (--service-url)");
    client.parameters().service_url.clone().ok_or_else(missing)
}

fn ask(client: &Client<'_>, query: &str) -> Result<Exchange, Stop> {
    client.send(Request::new("GET", &format!("{}?{query}", door(client)?)).anonymous())
}

/// A slot for an image of this many bytes.
fn slot(client: &Client<'_>, bytes: usize) -> Result<Asked, Stop> {
    let query = "jid=ann%40example.org&name=tr%C3%A8s%20cool.png&content_type=image/png";
    let exchange = ask(client, &format!("{query}&size={bytes}"))?;
    exchange.is(200)?.field("Content-Length")?;
    let text = String::from_utf8_lossy(exchange.body()).into_owned();
    let path = |url: &str| {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
        rest.find('/').and_then(|at| rest.get(at..)).map(str::to_owned)
    };
    let paths: Vec<Option<String>> = text.split('\n').map(path).collect();
    match paths.as_slice() {
        [Some(put), Some(get)] => Ok(Asked { put: put.clone(), get: get.clone() }),
        _ => Err(exchange.fails("not two lines with an address each")),
    }
}

fn put(slot: &str, bytes: &[u8]) -> Request {
    Request::new("PUT", slot).with("Content-Type", "image/png").body(bytes)
}

fn is_whole(client: &Client<'_>, slot: &Asked, bytes: &[u8]) -> Verdict {
    let exchange = client.send(Request::new("GET", &slot.get).anonymous())?;
    exchange.is(200)?.has("Content-Type", "image/png")?;
    exchange.check(exchange.body() == bytes, || "not what was put".to_owned()).map(drop)
}

fn used(client: &Client<'_>) -> Verdict {
    let bytes = letters(231, 300_000);
    let slot = slot(client, bytes.len())?;
    client.send(Request::new("GET", &slot.get).anonymous())?.is(404)?;
    client.send(put(&slot.put, b"another length"))?.is(413)?;
    client.send(put(&slot.put, &bytes))?.is(201)?;
    is_whole(client, &slot, &bytes)?;
    client.send(put(&slot.put, &bytes))?.is(409).map(drop)
}

fn plain(client: &Client<'_>) -> Verdict {
    let exchange = ask(client, "jid=ann%40example.org&name=%D1%84%20%26%25%3F%23.tar.gz&size=5")?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/:\n".contains(byte);
    let odd = || "a byte that would be escaped".to_owned();
    exchange.is(200)?.check(exchange.body().iter().all(plain), odd)?;
    exchange.check(exchange.body().ends_with(b".tar.gz"), || "the ending is gone".to_owned())?;
    Ok(())
}

fn read_only(client: &Client<'_>) -> Verdict {
    let slot = slot(client, 5)?;
    client.send(put(&slot.get, b"hello"))?.is_one_of(&[401, 403])?;
    client.send(put(&slot.put, b"hello"))?.is(201)?;
    is_whole(client, &slot, b"hello")
}

fn by_tus(client: &Client<'_>) -> Verdict {
    let slot = slot(client, 5)?;
    let upload = Upload { path: slot.put.clone() };
    client.offset_is(&upload, 0)?;
    client.patch(&upload, 0, b"hello")?.is(204)?;
    is_whole(client, &slot, b"hello")
}

fn nonsense(client: &Client<'_>) -> Verdict {
    for query in [
        "",
        "jid=ann%40example.org&name=x",
        "jid=ann%40example.org&name=x&size=0",
        "jid=ann%40example.org&name=x&size=-1",
        "jid=ann%40example.org&name=a%2Fb&size=5",
        "jid=ann%40example.org&name=x&size=5&size=5",
        "jid=a%40b%40example.org&name=x&size=5",
        "jid=ann%40example.org&name=%FF&size=5",
    ] {
        ask(client, query)?.is(400)?;
    }
    Ok(())
}

fn other_methods(client: &Client<'_>) -> Verdict {
    let door = door(client)?;
    let target = format!("{door}?jid=ann%40example.org&name=x&size=5");
    for method in ["POST", "PUT", "DELETE", "HEAD"] {
        client.send(Request::new(method, &target).with("Content-Length", "0"))?.is(405)?;
    }
    Ok(())
}
