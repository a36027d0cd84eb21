//! Pieces of a download (RFC 9110, section 14).

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, Upload};
use crate::content::letters;
use crate::exchange::Exchange;
use crate::wire::Request;

use super::content::text;

/// The cases.
pub const GROUP: Group = Group {
    name: "ranges",
    needs: &["creation"],
    cases: &[
        Case::new("a range is served by itself", &["D-10"], closed_range),
        Case::new("a range may be open at its end", &["D-10"], open_range),
        Case::new("a range may count from the end", &["D-10"], suffix_range),
        Case::new("several ranges are served in parts or as a whole", &["D-11"], several),
        Case::new("a range beyond the end is not satisfiable", &["D-12"], beyond),
        Case::new("a range that cannot be read is ignored", &["D-13"], unreadable),
        Case::new("many overlapping ranges stay cheap", &["D-14"], many),
        Case::new("if-range guards against another file", &["D-15"], if_range),
        Case::new("a large download can be fetched piece by piece", &["D-10"], piece_by_piece),
    ],
};

const DIGITS: &[u8] = b"0123456789";

fn ranged(client: &Client<'_>, upload: &Upload, range: &str) -> Result<Exchange, Stop> {
    client.send(Request::new("GET", &upload.path).with("Range", range))
}

fn served(exchange: &Exchange, wanted: &str, place: &str) -> Verdict {
    exchange
        .is(206)?
        .has("Content-Range", place)?
        .has("Content-Length", &wanted.len().to_string())?
        .check(exchange.body() == wanted.as_bytes(), || format!("expected the body {wanted:?}"))
        .map(drop)
}

fn whole(exchange: &Exchange) -> Verdict {
    exchange
        .is(200)?
        .has_no("Content-Range")?
        .check(exchange.body() == DIGITS, || "expected the whole content".to_owned())
        .map(drop)
}

fn closed_range(client: &Client<'_>) -> Verdict {
    let upload = text(client, DIGITS)?;
    served(&ranged(client, &upload, "bytes=2-4")?, "234", "bytes 2-4/10")?;
    served(&ranged(client, &upload, "bytes=0-0")?, "0", "bytes 0-0/10")?;
    served(&ranged(client, &upload, "bytes=8-99")?, "89", "bytes 8-9/10")
}

fn open_range(client: &Client<'_>) -> Verdict {
    let upload = text(client, DIGITS)?;
    served(&ranged(client, &upload, "bytes=7-")?, "789", "bytes 7-9/10")?;
    served(&ranged(client, &upload, "bytes=0-")?, "0123456789", "bytes 0-9/10")
}

fn suffix_range(client: &Client<'_>) -> Verdict {
    let upload = text(client, DIGITS)?;
    served(&ranged(client, &upload, "bytes=-3")?, "789", "bytes 7-9/10")?;
    served(&ranged(client, &upload, "bytes=-99")?, "0123456789", "bytes 0-9/10")
}

fn several(client: &Client<'_>) -> Verdict {
    let upload = text(client, DIGITS)?;
    let exchange = ranged(client, &upload, "bytes=0-1,5-6")?;
    if exchange.status() == 200 {
        return whole(&exchange);
    }
    let kind = exchange.is(206)?.has_no("Content-Range")?.field("Content-Type")?;
    let boundary = kind
        .strip_prefix("multipart/byteranges;")
        .and_then(|rest| rest.trim().strip_prefix("boundary="))
        .ok_or_else(|| exchange.fails("expected multipart/byteranges with a boundary"))?;
    let body = String::from_utf8_lossy(exchange.body()).into_owned();
    let delimiter = format!("--{}", boundary.trim_matches('"'));
    let parts: Vec<_> = body.split(delimiter.as_str()).skip(1).collect();
    let [first, second, end] = parts.as_slice() else {
        return Err(exchange.fails(format!("expected two parts, got {}", parts.len())));
    };
    for (part, place, wanted) in [(first, "bytes 0-1/10", "01"), (second, "bytes 5-6/10", "56")] {
        let right = part.contains(place) && part.trim_end_matches("\r\n").ends_with(wanted);
        exchange.check(right, || format!("{part:?} is not {place} with {wanted:?}"))?;
    }
    exchange.check(end.starts_with("--"), || "the last boundary is missing".to_owned()).map(drop)
}

fn beyond(client: &Client<'_>) -> Verdict {
    let upload = text(client, DIGITS)?;
    for range in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
        let exchange = ranged(client, &upload, range)?;
        exchange.is(416)?.has("Content-Range", "bytes */10")?;
    }
    Ok(())
}

fn unreadable(client: &Client<'_>) -> Verdict {
    let upload = text(client, DIGITS)?;
    for range in [
        "lines=0-1",
        "bytes",
        "bytes=",
        "bytes=5-2",
        "bytes=a-b",
        "bytes=--1",
        "0-1",
        "bytes=18446744073709551616-",
    ] {
        let exchange = ranged(client, &upload, range)?;
        if exchange.status() == 416 {
            // The RFC leaves room to refuse a malformed set of byte ranges.
            exchange.check(range.starts_with("bytes="), || "another unit is ignored".to_owned())?;
        } else {
            whole(&exchange)?;
        }
    }
    Ok(())
}

fn many(client: &Client<'_>) -> Verdict {
    let bytes = letters(82, 100_000);
    let upload = text(client, &bytes)?;
    let ranges = vec!["0-"; 800].join(",");
    let exchange = ranged(client, &upload, &format!("bytes={ranges}"))?;
    exchange.is_one_of(&[200, 206, 400, 416, 431])?;
    let most = bytes.len().saturating_mul(2);
    exchange
        .check(exchange.body().len() <= most, || {
            format!("100000 bytes became {}", exchange.body().len())
        })
        .map(drop)
}

fn if_range(client: &Client<'_>) -> Verdict {
    let upload = text(client, DIGITS)?;
    let etag = client.get(&upload)?.field("ETag")?.to_owned();
    let request = || Request::new("GET", &upload.path).with("Range", "bytes=2-4");
    served(&client.send(request().with("If-Range", &etag))?, "234", "bytes 2-4/10")?;
    whole(&client.send(request().with("If-Range", "\"another\""))?)?;
    whole(&client.send(request().with("If-Range", format!("W/{etag}")))?)?;
    whole(&client.send(request().with("If-Range", "Wed, 25 Jun 2014 16:00:00 GMT"))?)
}

fn piece_by_piece(client: &Client<'_>) -> Verdict {
    let bytes = letters(83, 300_000);
    let upload = text(client, &bytes)?;
    let mut connection = client.open()?;
    let mut seen = Vec::new();
    while seen.len() < bytes.len() {
        let end = seen.len().saturating_add(70_000);
        let request =
            Request::new("GET", &upload.path).with("Range", format!("bytes={}-{end}", seen.len()));
        let exchange = client.send_on(&mut connection, request)?;
        let body = exchange.is(206)?.body();
        exchange.check(!body.is_empty(), || "an empty piece".to_owned())?;
        seen.extend_from_slice(body);
    }
    if seen == bytes { Ok(()) } else { Err(Stop::failed("the pieces do not make the file")) }
}
