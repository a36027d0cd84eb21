//! Bytes that come with their digest (T-110 … T-124).

use std::time::Duration;

use crate::case::{Case, Group, Verdict, ensure};
use crate::client::{Client, Upload};
use crate::content::{checksum, length, letters, sha1};
use crate::exchange::Exchange;
use crate::wire::Request;

/// The cases that hold on every server that creates uploads.
pub const ANNOUNCED: Group = Group {
    name: "checksum-announced",
    needs: &["creation"],
    cases: &[
        Case::new("checksums and their algorithms are announced together", &["T-110"], announced),
        Case::new("checksum trailers are not announced", &["T-120"], no_trailers),
    ],
};

/// The cases about checksums.
pub const GROUP: Group = Group {
    name: "checksum",
    needs: &["creation", "checksum"],
    cases: &[
        Case::new("the algorithms include sha1 and are lower case", &["T-111"], algorithms),
        Case::new("a right checksum is accepted in every algorithm", &["T-112"], right),
        Case::new("a right checksum is accepted on a chunked patch", &["T-112"], right_chunked),
        Case::new("a wrong checksum discards the bytes", &["T-113"], wrong),
        Case::new("an unknown algorithm discards the bytes", &["T-114"], unknown_algorithm),
        Case::new("a malformed checksum discards the bytes", &["T-115"], malformed),
        Case::new("an algorithm in upper case is refused", &["T-116"], upper_case),
        Case::new(
            "after a wrong checksum the right one is accepted",
            &["T-117"],
            right_after_wrong,
        ),
        Case::new("a cut patch with a checksum leaves nothing", &["T-118"], cut),
        Case::new("a large patch is verified", &["T-119"], large),
        Case::new("bytes are not seen before they are verified", &["T-119"], unseen_until_verified),
        Case::new("an empty patch has the checksum of nothing", &["T-124"], empty),
    ],
};

fn announced(client: &Client<'_>) -> Verdict {
    let offers = client.offers();
    ensure(offers.has("checksum") != offers.algorithms().is_empty(), || {
        format!(
            "extensions: {:?}, checksum algorithms: {:?}",
            offers.extensions(),
            offers.algorithms()
        )
    })
}

/// No server whose trailers we have not tried on every listener may announce them.
fn no_trailers(client: &Client<'_>) -> Verdict {
    ensure(!client.offers().has("checksum-trailer"), || "checksum-trailer is advertised".to_owned())
}

fn algorithms(client: &Client<'_>) -> Verdict {
    let listed = client.offers().algorithms();
    let lower = listed
        .iter()
        .all(|name| name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
    ensure(lower && listed.iter().any(|name| name == "sha1"), || {
        format!("Tus-Checksum-Algorithm is {listed:?}")
    })
}

fn summed(client: &Client<'_>, upload: &Upload, offset: u64, sum: &str) -> Request {
    client.append(upload, offset).with("Upload-Checksum", sum)
}

fn right(client: &Client<'_>) -> Verdict {
    for algorithm in client.offers().algorithms() {
        let (Some(first), Some(second)) =
            (checksum(algorithm, b"hello"), checksum(algorithm, b"there"))
        else {
            continue;
        };
        let upload = client.create(10)?;
        client.send(summed(client, &upload, 0, &first).body("hello"))?.is(204)?;
        client.send(summed(client, &upload, 5, &second).body("there"))?.is(204)?;
        client.content_is(&upload, b"hellothere")?;
    }
    Ok(())
}

fn right_chunked(client: &Client<'_>) -> Verdict {
    let bytes = letters(21, 150_000);
    let upload = client.create(length(&bytes))?;
    let request = summed(client, &upload, 0, &sha1(&bytes)).chunked(bytes.clone());
    client.send(request)?.is(204)?.has("Upload-Offset", "150000")?;
    client.content_is(&upload, &bytes)
}

fn discarded(client: &Client<'_>, sum: &str, status: u16) -> Verdict {
    let upload = client.create(10)?;
    client.patch(&upload, 0, b"hello")?.is(204)?;
    client.send(summed(client, &upload, 5, sum).body("there"))?.is(status)?;
    client.offset_is(&upload, 5)?;
    client.send(summed(client, &upload, 5, sum).chunked("there"))?.is(status)?;
    client.offset_is(&upload, 5)
}

fn wrong(client: &Client<'_>) -> Verdict {
    for algorithm in client.offers().algorithms() {
        if let Some(sum) = checksum(algorithm, b"other") {
            discarded(client, &sum, 460)?;
        }
    }
    Ok(())
}

fn unknown_algorithm(client: &Client<'_>) -> Verdict {
    discarded(client, "whirlpool YQ==", 400)
}

fn malformed(client: &Client<'_>) -> Verdict {
    let whole = sha1(b"there");
    let no_space = whole.replace(' ', "");
    for sum in [
        "",
        "sha1",
        "sha1 ",
        no_space.as_str(),
        "sha1 YQ==",
        "sha1 ####",
        " YQ==",
        "sha1 YQ== YQ==",
    ] {
        discarded(client, sum, 400)?;
    }
    Ok(())
}

fn upper_case(client: &Client<'_>) -> Verdict {
    discarded(client, &sha1(b"there").replace("sha1", "SHA1"), 400)
}

fn right_after_wrong(client: &Client<'_>) -> Verdict {
    let upload = client.create(5)?;
    client.send(summed(client, &upload, 0, &sha1(b"other")).body("hello"))?.is(460)?;
    client.send(summed(client, &upload, 0, &sha1(b"hello")).body("hello"))?.is(204)?;
    client.content_is(&upload, b"hello")
}

/// Whatever HEAD shows after the cut, the whole chunk must still fit at the old offset.
fn cut(client: &Client<'_>) -> Verdict {
    let bytes = letters(22, 100_000);
    let upload = client.create(length(&bytes))?;
    let request = summed(client, &upload, 0, &sha1(&bytes)).with("Content-Length", "100000");
    let mut connection = client.begin(&request)?;
    connection.send(bytes.get(..60_000).unwrap_or_default())?;
    connection.hears_within(Duration::from_millis(100))?;
    connection.reset()?;
    client.offset_is(&upload, 0)?;
    client.send(summed(client, &upload, 0, &sha1(&bytes)).body(bytes.clone()))?.is(204)?;
    client.content_is(&upload, &bytes)
}

fn large(client: &Client<'_>) -> Verdict {
    let bytes = letters(23, 8 << 20);
    let upload = client.create(length(&bytes))?;
    client.send(summed(client, &upload, 0, &sha1(b"no")).body(bytes.clone()))?.is(460)?;
    client.offset_is(&upload, 0)?;
    client.send(summed(client, &upload, 0, &sha1(&bytes)).body(bytes.clone()))?.is(204)?;
    client.content_is(&upload, &bytes)
}

fn unseen_until_verified(client: &Client<'_>) -> Verdict {
    let bytes = letters(24, 50_000);
    let upload = client.create(length(&bytes))?;
    let request = summed(client, &upload, 0, &sha1(&bytes)).with("Content-Length", "50000");
    let mut connection = client.begin(&request)?;
    for piece in bytes.chunks(10_000).take(4) {
        connection.send(piece)?;
        let seen: Exchange = client.head(&upload)?;
        seen.is_one_of(&[200, 204])?.has("Upload-Offset", "0")?;
    }
    Ok(())
}

fn empty(client: &Client<'_>) -> Verdict {
    let upload = client.create(5)?;
    client.send(summed(client, &upload, 0, &sha1(b"")).body(""))?.is(204)?;
    client.send(summed(client, &upload, 0, &sha1(b"x")).body(""))?.is(460)?;
    client.offset_is(&upload, 0)
}
