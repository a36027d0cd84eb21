//! Requests with conditions (RFC 9110, section 13).

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, Upload};
use crate::content::imf_fixdate_seconds;
use crate::exchange::Exchange;
use crate::wire::Request;

use super::content::text;

/// The cases.
pub const GROUP: Group = Group {
    name: "conditional",
    needs: &["creation"],
    cases: &[
        Case::new("a download has a strong entity tag", &["D-20"], strong_tag),
        Case::new("a known entity tag is not sent again", &["D-21"], if_none_match),
        Case::new("a known date is not sent again", &["D-22"], if_modified_since),
        Case::new("an entity tag outranks a date", &["D-22"], tag_before_date),
        Case::new("if-match refuses another file", &["D-23"], if_match),
        Case::new("if-unmodified-since refuses a newer file", &["D-23"], if_unmodified_since),
    ],
};

const LONG_AGO: &str = "Wed, 25 Jun 2014 16:00:00 GMT";

fn asked(client: &Client<'_>, upload: &Upload, name: &str, value: &str) -> Result<Exchange, Stop> {
    client.send(Request::new("GET", &upload.path).with(name, value))
}

fn tag(client: &Client<'_>, upload: &Upload) -> Result<String, Stop> {
    client.get(upload)?.is(200)?.field("ETag").map(str::to_owned)
}

fn date(client: &Client<'_>, upload: &Upload) -> Result<String, Stop> {
    let exchange = client.get(upload)?;
    let date = exchange.is(200)?.field("Last-Modified")?;
    exchange.check(imf_fixdate_seconds(date).is_some(), || format!("{date:?} is no date"))?;
    Ok(date.to_owned())
}

fn strong_tag(client: &Client<'_>) -> Verdict {
    let upload = text(client, b"hello")?;
    let exchange = client.get(&upload)?;
    let value = exchange.is(200)?.field("ETag")?;
    let strong = value.len() > 2 && value.starts_with('"') && value.ends_with('"');
    exchange.check(strong, || format!("{value} is no strong entity tag"))?;
    client.get(&upload)?.has("ETag", value)?;
    let other = tag(client, &text(client, b"world")?)?;
    exchange.check(other != value, || "another file has the same entity tag".to_owned()).map(drop)
}

fn if_none_match(client: &Client<'_>) -> Verdict {
    let upload = text(client, b"hello")?;
    let tag = tag(client, &upload)?;
    for value in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        asked(client, &upload, "If-None-Match", &value)?.is(304)?.has("ETag", &tag)?;
    }
    let exchange = asked(client, &upload, "If-None-Match", "\"x\"")?;
    exchange.is(200)?.check(exchange.body() == b"hello", || "the content differs".to_owned())?;
    let head = Request::new("HEAD", &upload.path).with("If-None-Match", &tag);
    client.send(head)?.is(304).map(drop)
}

fn if_modified_since(client: &Client<'_>) -> Verdict {
    let upload = text(client, b"hello")?;
    let date = date(client, &upload)?;
    asked(client, &upload, "If-Modified-Since", &date)?.is(304)?;
    for other in [LONG_AGO, "yesterday", ""] {
        asked(client, &upload, "If-Modified-Since", other)?.is(200)?;
    }
    Ok(())
}

fn tag_before_date(client: &Client<'_>) -> Verdict {
    let upload = text(client, b"hello")?;
    let date = date(client, &upload)?;
    let request = Request::new("GET", &upload.path)
        .with("If-None-Match", "\"x\"")
        .with("If-Modified-Since", date);
    client.send(request)?.is(200).map(drop)
}

fn if_match(client: &Client<'_>) -> Verdict {
    let upload = text(client, b"hello")?;
    let tag = tag(client, &upload)?;
    asked(client, &upload, "If-Match", &tag)?.is(200)?;
    asked(client, &upload, "If-Match", "*")?.is(200)?;
    asked(client, &upload, "If-Match", "\"x\"")?.is(412)?;
    asked(client, &upload, "If-Match", &format!("W/{tag}"))?.is(412).map(drop)
}

fn if_unmodified_since(client: &Client<'_>) -> Verdict {
    let upload = text(client, b"hello")?;
    let date = date(client, &upload)?;
    asked(client, &upload, "If-Unmodified-Since", &date)?.is(200)?;
    asked(client, &upload, "If-Unmodified-Since", LONG_AGO)?.is(412).map(drop)
}
