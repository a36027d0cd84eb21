//! Uploads whose length becomes known later (T-80 … T-89).

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, Upload};
use crate::exchange::Exchange;
use crate::wire::Request;

/// The case that holds on every server that creates uploads.
pub const ANNOUNCED: Group = Group {
    name: "creation-defer-length-announced",
    needs: &["creation"],
    cases: &[Case::new("a server that defers lengths says so", &["T-80"], announced)],
};

/// The cases about deferring.
pub const GROUP: Group = Group {
    name: "creation-defer-length",
    needs: &["creation", "creation-defer-length"],
    cases: &[
        Case::new("an upload may be created without a length", &["T-81"], creates),
        Case::new("only 1 defers the length", &["T-82"], only_one),
        Case::new("head tells a deferred length from a known one", &["T-83", "T-84"], head_tells),
        Case::new("a declared length cannot change", &["T-85"], cannot_change),
        Case::new("the same length may be declared again", &["T-85"], again),
        Case::new("a patch in the middle may declare the length", &["T-86"], in_the_middle),
        Case::new("the last patch may declare the length", &["T-86"], with_the_last),
        Case::new("an empty patch may declare the length", &["T-86"], after_the_last),
        Case::new("a length below the offset is refused", &["T-87"], below_the_offset),
        Case::new("a length below offset plus body is refused", &["T-87"], below_the_body),
        Case::new("a malformed declaration is refused", &["T-7", "T-84"], malformed),
        Case::new("a declared length over the maximum is refused", &["T-88"], over_the_maximum),
        Case::new("a deferred upload never passes the maximum", &["T-41"], grows_over_the_maximum),
        Case::new("an upload without a length stays unfinished", &["T-89"], stays_unfinished),
    ],
};

fn deferring(client: &Client<'_>) -> Result<Upload, Stop> {
    client.create_by(client.creation().with("Upload-Defer-Length", "1"))
}

fn declare(client: &Client<'_>, upload: &Upload, offset: u64, length: &str) -> Request {
    client.append(upload, offset).with("Upload-Length", length)
}

fn still_deferred(exchange: &Exchange, offset: u64) -> Verdict {
    exchange
        .is_one_of(&[200, 204])?
        .has("Upload-Defer-Length", "1")?
        .has_no("Upload-Length")?
        .has("Upload-Offset", &offset.to_string())
        .map(drop)
}

fn known(exchange: &Exchange, offset: u64, length: u64) -> Verdict {
    exchange
        .is_one_of(&[200, 204])?
        .has_no("Upload-Defer-Length")?
        .has("Upload-Length", &length.to_string())?
        .has("Upload-Offset", &offset.to_string())
        .map(drop)
}

fn announced(client: &Client<'_>) -> Verdict {
    let exchange = client.send(client.creation().with("Upload-Defer-Length", "1"))?;
    exchange
        .check(client.offers().has("creation-defer-length") == (exchange.status() == 201), || {
            format!("extensions: {:?}", client.offers().extensions())
        })
        .map(drop)
}

fn creates(client: &Client<'_>) -> Verdict {
    deferring(client).map(drop)
}

fn only_one(client: &Client<'_>) -> Verdict {
    for value in ["0", "2", "true", "", "01", "1,1"] {
        let request = client.creation().with("Upload-Defer-Length", value);
        client.send(request)?.is(400)?.has_no("Location")?;
    }
    Ok(())
}

fn head_tells(client: &Client<'_>) -> Verdict {
    let upload = deferring(client)?;
    still_deferred(&client.head(&upload)?, 0)?;
    client.patch(&upload, 0, b"abc")?.is(204)?;
    still_deferred(&client.head(&upload)?, 3)?;
    client.send(declare(client, &upload, 3, "9").body("def"))?.is(204)?;
    known(&client.head(&upload)?, 6, 9)
}

fn cannot_change(client: &Client<'_>) -> Verdict {
    let upload = deferring(client)?;
    client.send(declare(client, &upload, 0, "9").body("abc"))?.is(204)?;
    for other in ["8", "10", "3"] {
        client.send(declare(client, &upload, 3, other).body("def"))?.is(400)?;
    }
    known(&client.head(&upload)?, 3, 9)
}

fn again(client: &Client<'_>) -> Verdict {
    let upload = deferring(client)?;
    client.send(declare(client, &upload, 0, "6").body("abc"))?.is(204)?;
    client.send(declare(client, &upload, 3, "6").body("def"))?.is(204)?;
    known(&client.head(&upload)?, 6, 6)
}

fn in_the_middle(client: &Client<'_>) -> Verdict {
    let upload = deferring(client)?;
    client.patch(&upload, 0, b"abc")?.is(204)?;
    client.send(declare(client, &upload, 3, "9").body("def"))?.is(204)?;
    client.patch(&upload, 6, b"ghi")?.is(204)?;
    known(&client.head(&upload)?, 9, 9)?;
    client.content_is(&upload, b"abcdefghi")
}

fn with_the_last(client: &Client<'_>) -> Verdict {
    let upload = deferring(client)?;
    client.patch(&upload, 0, b"abc")?.is(204)?;
    client.send(declare(client, &upload, 3, "6").body("def"))?.is(204)?;
    known(&client.head(&upload)?, 6, 6)?;
    client.content_is(&upload, b"abcdef")
}

fn after_the_last(client: &Client<'_>) -> Verdict {
    let upload = deferring(client)?;
    client.patch(&upload, 0, b"abcdef")?.is(204)?;
    client.send(declare(client, &upload, 6, "6"))?.is(204)?.has("Upload-Offset", "6")?;
    known(&client.head(&upload)?, 6, 6)?;
    client.content_is(&upload, b"abcdef")
}

fn below_the_offset(client: &Client<'_>) -> Verdict {
    let upload = deferring(client)?;
    client.patch(&upload, 0, b"abcdef")?.is(204)?;
    client.send(declare(client, &upload, 6, "5"))?.is(400)?;
    still_deferred(&client.head(&upload)?, 6)
}

fn below_the_body(client: &Client<'_>) -> Verdict {
    let upload = deferring(client)?;
    client.patch(&upload, 0, b"abc")?.is(204)?;
    client.send(declare(client, &upload, 3, "5").body("def"))?.is_one_of(&[400, 413])?;
    still_deferred(&client.head(&upload)?, 3)
}

fn malformed(client: &Client<'_>) -> Verdict {
    let upload = deferring(client)?;
    for value in ["", "-6", "+6", "6.0", "six", "18446744073709551616"] {
        client.send(declare(client, &upload, 0, value).body("abc"))?.is(400)?;
    }
    still_deferred(&client.head(&upload)?, 0)
}

fn over_the_maximum(client: &Client<'_>) -> Verdict {
    let most = client.max_size(u64::MAX >> 1)?;
    let upload = deferring(client)?;
    let length = most.saturating_add(1).to_string();
    client.send(declare(client, &upload, 0, &length).body("abc"))?.is(413)?;
    still_deferred(&client.head(&upload)?, 0)
}

fn grows_over_the_maximum(client: &Client<'_>) -> Verdict {
    let most = client.max_size(16 << 20)?;
    let bytes = vec![b'x'; usize::try_from(most).unwrap_or_default().saturating_add(1)];
    let upload = deferring(client)?;
    client.patch(&upload, 0, &bytes)?.is(413)?;
    client.offset_is(&upload, 0)?;
    client.send(client.append(&upload, 0).chunked(bytes))?.is(413)?;
    let exchange = client.head(&upload)?;
    let offset = exchange.number("Upload-Offset")?;
    exchange.check(offset <= most, || format!("the offset passed Tus-Max-Size, {most}")).map(drop)
}

fn stays_unfinished(client: &Client<'_>) -> Verdict {
    let upload = deferring(client)?;
    for offset in 0..5 {
        client.patch(&upload, offset, b"x")?.is(204)?;
    }
    still_deferred(&client.head(&upload)?, 5)
}
