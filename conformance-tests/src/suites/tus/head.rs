//! Asking for the state of an upload (T-20 … T-28).

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::Client;
use crate::content::pair;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "head",
    needs: &["creation"],
    cases: &[
        Case::new("head shows offset and length from begin to end", &["T-20", "T-21"], states),
        Case::new("head forbids caches to store its answer", &["T-22"], no_store),
        Case::new("head succeeds with 200 and no body", &["T-23"], status_and_body),
        Case::new("head on an unknown upload shows no offset", &["T-24"], unknown),
        Case::new("head returns the metadata as it was sent", &["T-25"], metadata_as_sent),
        Case::new("head says that the length is not known yet", &["T-26"], deferred),
        Case::new("head shows when the upload expires", &["T-27"], expiry),
        Case::new("an answer to head never has a body", &["T-28"], never_a_body),
    ],
};

fn states(client: &Client<'_>) -> Verdict {
    let upload = client.create(6)?;
    for (offset, bytes) in [(0_u64, "abc"), (3, "def")] {
        client
            .head(&upload)?
            .is_one_of(&[200, 204])?
            .has("Upload-Offset", &offset.to_string())?
            .has("Upload-Length", "6")?;
        client.patch(&upload, offset, bytes.as_bytes())?.is(204)?;
    }
    let complete = client.head(&upload)?;
    complete.is_one_of(&[200, 204])?.has("Upload-Offset", "6")?.has("Upload-Length", "6").map(drop)
}

fn no_store(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    client.head(&upload)?.is_one_of(&[200, 204])?.lists("Cache-Control", &["no-store"])?;
    client.patch(&upload, 0, b"abc")?.is(204)?;
    client.head(&upload)?.is_one_of(&[200, 204])?.lists("Cache-Control", &["no-store"]).map(drop)
}

fn status_and_body(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    client.head(&upload)?.is(200).map(drop)
}

fn unknown(client: &Client<'_>) -> Verdict {
    client.head(&client.unknown())?.is_one_of(&[404, 410, 403])?.has_no("Upload-Offset")?;
    client.head(&client.unknown())?.is(404).map(drop)
}

fn metadata_as_sent(client: &Client<'_>) -> Verdict {
    // Neither sorted nor in a form any encoder would choose: `flag` has no value.
    let sent = format!("{},flag,{}", pair("zulu", "z"), pair("alpha", "ä.txt"));
    let creation = client.creation().with("Upload-Length", "3").with("Upload-Metadata", &sent);
    let upload = client.create_by(creation)?;
    client.head(&upload)?.is_one_of(&[200, 204])?.has("Upload-Metadata", &sent)?;
    client.patch(&upload, 0, b"abc")?.is(204)?;
    client.head(&upload)?.is_one_of(&[200, 204])?.has("Upload-Metadata", &sent).map(drop)
}

fn deferred(client: &Client<'_>) -> Verdict {
    if !client.offers().has("creation-defer-length") {
        return Err(Stop::not_applicable("not advertised: creation-defer-length"));
    }
    let upload = client.create_by(client.creation().with("Upload-Defer-Length", "1"))?;
    client
        .head(&upload)?
        .is_one_of(&[200, 204])?
        .has("Upload-Defer-Length", "1")?
        .has_no("Upload-Length")?
        .has("Upload-Offset", "0")
        .map(drop)
}

fn expiry(client: &Client<'_>) -> Verdict {
    if !client.offers().has("expiration") {
        return Err(Stop::not_applicable("not advertised: expiration"));
    }
    let upload = client.create(3)?;
    client.head(&upload)?.is_one_of(&[200, 204])?.field("Upload-Expires").map(drop)
}

/// A body after the head would be taken for the next answer on the same connection.
fn never_a_body(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    let wrong_version = Request::new("HEAD", &upload.path).with("Tus-Resumable", "0.2.2");
    let requests = [
        Request::tus("HEAD", &upload.path),
        Request::tus("HEAD", &client.unknown().path),
        wrong_version,
    ];
    for request in requests {
        let mut connection = client.open()?;
        let first = client.send_on(&mut connection, request)?;
        let closes = first.headers().list("Connection").iter().any(|option| option == "close");
        if closes {
            // Then the end of the connection must follow at once.
            match connection.next_head() {
                Err(error) if error.is_disconnect() => continue,
                _ => return Err(first.fails("something follows the head")),
            }
        }
        let after = Request::new("OPTIONS", client.target().path());
        client.send_on(&mut connection, after)?.is_one_of(&[200, 204])?;
    }
    Ok(())
}
