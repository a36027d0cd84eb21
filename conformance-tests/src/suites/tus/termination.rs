//! Deleting uploads (T-130 … T-135).

use std::time::Duration;

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, NOTICE, Upload};
use crate::content::letters;

/// The cases that hold on every server that creates uploads.
pub const ANNOUNCED: Group = Group {
    name: "termination-announced",
    needs: &["creation"],
    cases: &[
        Case::new("a server that deletes uploads says so", &["T-130"], announced),
        Case::new("without the extension nothing is deleted", &["T-135"], off),
    ],
};

/// The cases about deleting.
pub const GROUP: Group = Group {
    name: "termination",
    needs: &["creation", "termination"],
    cases: &[
        Case::new("an unfinished upload can be deleted", &["T-131", "T-132"], unfinished),
        Case::new("a finished upload can be deleted", &["T-131", "T-132"], finished),
        Case::new("deleting an unknown upload finds nothing", &["T-133"], unknown),
        Case::new("a delete stops a patch under way", &["T-134"], stops_a_patch).alone(),
    ],
};

fn announced(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    let exchange = client.delete(&upload)?;
    exchange
        .check(client.offers().has("termination") == (exchange.status() == 204), || {
            format!("extensions: {:?}", client.offers().extensions())
        })
        .map(drop)
}

fn off(client: &Client<'_>) -> Verdict {
    if client.offers().has("termination") {
        return Err(Stop::not_applicable("termination is advertised"));
    }
    let upload = client.create(3)?;
    client.delete(&upload)?.is(405)?;
    client.offset_is(&upload, 0)
}

fn gone(client: &Client<'_>, upload: &Upload) -> Verdict {
    client.head(upload)?.is(404)?.has_no("Upload-Offset")?;
    client.patch(upload, 0, b"abc")?.is(404)?;
    client.delete(upload)?.is(404)?;
    if client.parameters().downloads {
        client.get(upload)?.is(404)?;
    }
    client.head(upload)?.is(404).map(drop)
}

fn unfinished(client: &Client<'_>) -> Verdict {
    let upload = client.create(6)?;
    client.patch(&upload, 0, b"abc")?.is(204)?;
    client.delete(&upload)?.is(204)?;
    gone(client, &upload)
}

fn finished(client: &Client<'_>) -> Verdict {
    let upload = client.finished(b"abcdef")?;
    client.delete(&upload)?.is(204)?;
    gone(client, &upload)
}

fn unknown(client: &Client<'_>) -> Verdict {
    client.delete(&client.unknown())?.is(404).map(drop)
}

fn stops_a_patch(client: &Client<'_>) -> Verdict {
    let upload = client.create(1000)?;
    let request = client.append(&upload, 0).with("Content-Length", "1000");
    let mut writer = client.begin(&request)?;
    writer.send(&letters(31, 400))?;
    writer.hears_within(Duration::from_millis(100))?;
    let deleted = client.delete(&upload)?;
    deleted
        .is(204)?
        .check(deleted.took < NOTICE, || format!("the delete took {:?}", deleted.took))?;
    client.head(&upload)?.is_one_of(&[404, 410])?;
    // The writer learns of it, by an answer or by the end of its connection, without sending more.
    if !writer.hears_within(NOTICE)? {
        return Err(deleted.fails("the patch under way was never told"));
    }
    if let Ok(answer) = writer.answer("PATCH") {
        let status = answer.response.head.status;
        if !(400..500).contains(&status) {
            return Err(deleted.fails(format!("the patch under way was told {status}")));
        }
    }
    client.head(&upload)?.is_one_of(&[404, 410]).map(drop)
}
