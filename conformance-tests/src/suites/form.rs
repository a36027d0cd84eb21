//! Files sent by HTML forms (`protocol-spec/html-form.md`).

pub mod bounds;
pub mod names;
pub mod requests;

use crate::case::{Group, Stop};
use crate::client::{Client, Upload};
use crate::exchange::Exchange;
use crate::wire::Request;

/// Every group of this suite.
pub const GROUPS: &[&Group] = &[&requests::GROUP, &names::GROUP, &bounds::GROUP];

/// What separates the parts of every form here.
const BOUNDARY: &str = "----conformance7MA4YWxkTrZu0gW";

/// The head of a part with a file.
const FILE: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"";

/// The content of a form: parts of a head, without its last line break, and a content.
fn content(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (head, bytes) in parts {
        form.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
        form.extend_from_slice(bytes);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    form
}

/// The path that takes forms; without one the case says nothing.
fn path<'a>(client: &'a Client<'_>) -> Result<&'a str, Stop> {
    let forms = client.parameters().forms.as_deref();
    forms.ok_or_else(|| Stop::not_applicable("no path of forms was named (--forms)"))
}

/// A request for the address of forms, without a body.
fn head(client: &Client<'_>) -> Result<Request, Stop> {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    Ok(Request::new("POST", path(client)?).with("Content-Type", content_type))
}

/// Sends a form of these parts.
fn send(client: &Client<'_>, parts: &[(&str, &[u8])]) -> Result<Exchange, Stop> {
    client.send(head(client)?.body(content(parts)))
}

/// A form of these parts is refused with `status` and a code, and names no upload.
fn refused(client: &Client<'_>, parts: &[(&str, &[u8])], status: u16) -> Result<(), Stop> {
    let exchange = send(client, parts)?;
    exchange.is(status)?.has_no("Location")?;
    answer(&exchange)?.text("error").map(drop)
}

/// The JSON of an answer.
struct Json<'a> {
    exchange: &'a Exchange,
    value: serde_json::Value,
}

fn answer(exchange: &Exchange) -> Result<Json<'_>, Stop> {
    exchange.has("Content-Type", "application/json")?;
    let value = serde_json::from_slice(exchange.body())
        .map_err(|error| exchange.fails(format!("the body is not JSON: {error}")))?;
    Ok(Json { exchange, value })
}

impl Json<'_> {
    fn text(&self, name: &str) -> Result<&str, Stop> {
        let value = self.value.get(name).and_then(serde_json::Value::as_str);
        value.ok_or_else(|| self.exchange.fails(format!("{name} is no text")))
    }

    fn number(&self, name: &str) -> Result<u64, Stop> {
        let value = self.value.get(name).and_then(serde_json::Value::as_u64);
        value.ok_or_else(|| self.exchange.fails(format!("{name} is no number")))
    }
}

/// The upload that a successful answer speaks of.
fn stored(client: &Client<'_>, exchange: &Exchange) -> Result<Upload, Stop> {
    let url = answer(exchange.is(200)?)?.text("url")?.to_owned();
    exchange.has("Location", &url)?;
    Ok(Upload { path: client.target().resolve(&url) })
}
