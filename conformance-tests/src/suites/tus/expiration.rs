//! Unfinished uploads that go away (T-100 … T-108).
//!
//! What happens after the expiry can only be seen on a server whose uploads live for seconds; on
//! others those cases do not apply.

use std::time::{Duration, Instant};

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, Upload};
use crate::content::{after, imf_fixdate_seconds, now_seconds};
use crate::exchange::Exchange;
use crate::wire::Connection;

/// The longest life of an upload that a case waits for.
const PATIENCE_SECONDS: u64 = 15;

/// The case that holds on every server that creates uploads.
pub const ANNOUNCED: Group = Group {
    name: "expiration-announced",
    needs: &["creation"],
    cases: &[Case::new("a server whose uploads expire says so", &["T-100"], announced)],
};

/// The cases about expiring.
pub const GROUP: Group = Group {
    name: "expiration",
    needs: &["creation", "expiration"],
    cases: &[
        Case::new("a patch tells when the upload expires", &["T-101"], patch_tells),
        Case::new("a creation tells when the upload expires", &["T-102"], creation_tells),
        Case::new("an expiry is an imf-fixdate in the future", &["T-103"], date_format),
        Case::new("an expiry never moves back", &["T-104"], never_back),
        Case::new("activity moves the expiry on", &["T-104"], slides),
        Case::new("an expired upload is gone", &["T-105", "T-106"], gone_after_expiry),
        Case::new("a finished upload does not expire", &["T-107"], finished_stays),
        Case::new("a patch under way outlives the expiry", &["T-108"], patch_outlives),
    ],
};

fn expires(exchange: &Exchange) -> Result<u64, Stop> {
    let date = exchange.field("Upload-Expires")?;
    imf_fixdate_seconds(date)
        .ok_or_else(|| exchange.fails(format!("Upload-Expires is no IMF-fixdate: {date:?}")))
}

fn announced(client: &Client<'_>) -> Verdict {
    let exchange = client.send(client.creation().with("Upload-Length", "3"))?;
    let told = exchange.is(201)?.headers().get("Upload-Expires").is_some();
    exchange
        .check(client.offers().has("expiration") || !told, || {
            "Upload-Expires is sent, but expiration is not advertised".to_owned()
        })
        .map(drop)
}

fn creation_tells(client: &Client<'_>) -> Verdict {
    let exchange = client.send(client.creation().with("Upload-Length", "3"))?;
    exchange.is(201)?.field("Upload-Expires").map(drop)
}

fn patch_tells(client: &Client<'_>) -> Verdict {
    let upload = client.create(9)?;
    for offset in [0, 3] {
        client.patch(&upload, offset, b"abc")?.is(204)?.field("Upload-Expires")?;
    }
    Ok(())
}

fn date_format(client: &Client<'_>) -> Verdict {
    let exchange = client.send(client.creation().with("Upload-Length", "3"))?;
    let at = expires(&exchange)?;
    exchange.check(at > now_seconds(), || "Upload-Expires is in the past".to_owned())?;
    let upload = client.created(&exchange)?;
    expires(&client.patch(&upload, 0, b"a")?).map(drop)
}

fn never_back(client: &Client<'_>) -> Verdict {
    let created = client.send(client.creation().with("Upload-Length", "12"))?;
    let upload = client.created(&created)?;
    let mut before = expires(&created)?;
    for offset in [0, 3] {
        let patched = client.patch(&upload, offset, b"abc")?;
        let now = expires(&patched)?;
        patched.check(now >= before, || "the expiry moved back".to_owned())?;
        before = now;
    }
    Ok(())
}

/// Waits for seconds to pass between the two answers. On an upload that lives for hours a server
/// may skip so small a move.
fn slides(client: &Client<'_>) -> Verdict {
    let created = client.send(client.creation().with("Upload-Length", "9"))?;
    let upload = client.created(&created)?;
    life(client, &created)?;
    wait_until(client, after(Duration::from_millis(1500)))?;
    let patched = client.patch(&upload, 0, b"abc")?;
    let (before, now) = (expires(&created)?, expires(&patched)?);
    patched.check(now > before, || "the expiry did not move".to_owned()).map(drop)
}

/// How long an upload lives that was just created.
fn life(client: &Client<'_>, created: &Exchange) -> Result<Duration, Stop> {
    let seconds = expires(created)?.saturating_sub(now_seconds());
    let spare = client.until().saturating_duration_since(Instant::now()).as_secs() / 2;
    if seconds > PATIENCE_SECONDS.min(spare) {
        return Err(Stop::not_applicable(format!(
            "uploads live for {seconds} s; the case waits at most {PATIENCE_SECONDS} s"
        )));
    }
    Ok(Duration::from_secs(seconds))
}

/// Listens on an idle connection of its own until `instant`, reconnecting when it is closed.
fn wait_until(client: &Client<'_>, instant: Instant) -> Verdict {
    let mut idle: Option<Connection> = None;
    loop {
        let left = instant.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let mut connection = match idle.take() {
            Some(connection) => connection,
            None => client.open()?,
        };
        if !connection.hears_within(left)? {
            idle = Some(connection);
        }
    }
}

fn gone_after_expiry(client: &Client<'_>) -> Verdict {
    let created = client.send(client.creation().with("Upload-Length", "9"))?;
    let upload = client.created(&created)?;
    let life = life(client, &created)?;
    // One second because dates have no fractions.
    wait_until(client, after(life.saturating_add(Duration::from_millis(1100))))?;
    let patched = client.patch(&upload, 0, b"abc")?;
    patched.is(410)?.has_no("Upload-Offset")?;
    client.head(&upload)?.is(410)?.has_no("Upload-Offset").map(drop)
}

fn finished_stays(client: &Client<'_>) -> Verdict {
    let created = client.send(client.creation().with("Upload-Length", "3"))?;
    let upload = client.created(&created)?;
    let life = life(client, &created)?;
    client.patch(&upload, 0, b"abc")?.is(204)?;
    wait_until(client, after(life.saturating_mul(2).saturating_add(Duration::from_secs(1))))?;
    client.offset_is(&upload, 3)?;
    client.content_is(&upload, b"abc")
}

fn patch_outlives(client: &Client<'_>) -> Verdict {
    let created = client.send(client.creation().with("Upload-Length", "2000"))?;
    let upload = client.created(&created)?;
    let last = after(life(client, &created)?.saturating_add(Duration::from_secs(2)));
    trickle(client, &upload, last)
}

/// Sends a byte now and then until `last`, then the rest.
fn trickle(client: &Client<'_>, upload: &Upload, last: Instant) -> Verdict {
    let request = client.append(upload, 0).with("Content-Length", "2000");
    let mut connection = client.begin(&request)?;
    let mut sent = 0_usize;
    while Instant::now() < last && sent < 1999 {
        connection.send(b"x")?;
        sent = sent.saturating_add(1);
        if connection.hears_within(Duration::from_millis(50))? {
            return Err(client.finish(&mut connection, &request)?.fails("the patch was cut"));
        }
    }
    connection.send(&vec![b'x'; 2000_usize.saturating_sub(sent)])?;
    client.finish(&mut connection, &request)?.is(204)?.has("Upload-Offset", "2000").map(drop)
}
