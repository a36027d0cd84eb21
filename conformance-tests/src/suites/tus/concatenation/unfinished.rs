//! Final uploads whose parts are still coming (T-150, T-152).

use std::time::Instant;

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, NOTICE, Upload};
use crate::content::after;

use super::{joining, part, refused};

/// The cases.
pub const UNFINISHED: Group = Group {
    name: "concatenation-unfinished",
    needs: &["creation", "concatenation"],
    cases: &[
        Case::new(
            "unfinished parts are joined only if that is announced",
            &["T-140", "T-152"],
            announced,
        ),
        Case::new("a final upload shows no offset before it is whole", &["T-150"], no_offset_yet),
        Case::new("a final upload without a known sum defers its length", &["T-150"], no_sum_yet),
        Case::new("a final upload becomes whole with its parts", &["T-152"], becomes_whole),
    ],
};

fn needs_it(client: &Client<'_>) -> Verdict {
    if client.offers().has("concatenation-unfinished") {
        return Ok(());
    }
    Err(Stop::not_applicable("not advertised: concatenation-unfinished"))
}

fn open_part(client: &Client<'_>, length: &str) -> Result<Upload, Stop> {
    let creation = client.creation().with("Upload-Concat", "partial");
    client.create_by(creation.with("Upload-Length", length))
}

fn announced(client: &Client<'_>) -> Verdict {
    let upload = open_part(client, "3")?;
    let exchange = client.send(joining(client, &[&upload]))?;
    if client.offers().has("concatenation-unfinished") {
        return exchange.is(201).map(drop);
    }
    exchange.is_refused()?;
    refused(&exchange, &[exchange.status()])
}

fn no_offset_yet(client: &Client<'_>) -> Verdict {
    needs_it(client)?;
    let (first, second) = (part(client, b"abc")?, open_part(client, "4")?);
    let joined = client.create_by(joining(client, &[&first, &second]))?;
    client
        .head(&joined)?
        .is_one_of(&[200, 204])?
        .has_no("Upload-Offset")?
        .has("Upload-Length", "7")?
        .has_no("Upload-Defer-Length")?;
    client.patch(&joined, 0, b"x")?.is(403)?;
    if client.parameters().downloads {
        client.get(&joined)?.is_refused()?;
    }
    Ok(())
}

fn no_sum_yet(client: &Client<'_>) -> Verdict {
    needs_it(client)?;
    if !client.offers().has("creation-defer-length") {
        return Err(Stop::not_applicable("not advertised: creation-defer-length"));
    }
    let creation = client.creation().with("Upload-Concat", "partial");
    let upload = client.create_by(creation.with("Upload-Defer-Length", "1"))?;
    let joined = client.create_by(joining(client, &[&upload]))?;
    client
        .head(&joined)?
        .is_one_of(&[200, 204])?
        .has_no("Upload-Offset")?
        .has_no("Upload-Length")?
        .has("Upload-Defer-Length", "1")
        .map(drop)
}

fn becomes_whole(client: &Client<'_>) -> Verdict {
    needs_it(client)?;
    let (first, second) = (open_part(client, "3")?, open_part(client, "4")?);
    let joined = client.create_by(joining(client, &[&first, &second]))?;
    client.patch(&second, 0, b"defg")?.is(204)?;
    client.head(&joined)?.has_no("Upload-Offset")?;
    client.patch(&first, 0, b"abc")?.is(204)?;
    let last = after(NOTICE);
    loop {
        let exchange = client.head(&joined)?;
        if exchange.headers().get("Upload-Offset") == Some("7") {
            break;
        }
        exchange.check(Instant::now() < last, || "it never became whole".to_owned())?;
    }
    client.content_is(&joined, b"abcdefg")
}
