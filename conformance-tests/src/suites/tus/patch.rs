//! Appending bytes (T-30 … T-44). What survives cuts and races is in the `resume` suite.

use crate::case::{Case, Group, Verdict};
use crate::client::{Client, UPLOAD_BYTES};
use crate::content::{length, letters};

/// The cases.
pub const GROUP: Group = Group {
    name: "patch",
    needs: &["creation"],
    cases: &[
        Case::new("a patch moves the offset by what it carries", &["T-30"], moves_the_offset),
        Case::new("a patch of another media type is refused", &["T-31"], other_media_type),
        Case::new(
            "the media type matches in any case and with parameters",
            &["T-31"],
            media_type_with_parameters,
        ),
        Case::new("a patch at another offset is refused and changes nothing", &["T-32"], conflict),
        Case::new("a refused offset comes with the right one", &["T-32"], conflict_names_offset),
        Case::new("a patch on an unknown upload is not found", &["T-34"], unknown),
        Case::new("one patch may carry everything", &["T-37", "T-68"], everything_at_once),
        Case::new("many small patches make the same file", &["T-37", "T-68"], many_small),
        Case::new("a patch may be chunked", &["T-38"], chunked),
        Case::new("a chunked patch may come in single bytes", &["T-38"], chunked_byte_by_byte),
        Case::new("too long a patch is refused before its body", &["T-39"], too_long),
        Case::new("too long a chunked patch never passes the length", &["T-40"], too_long_chunked),
        Case::new("an empty patch changes nothing", &["T-42"], empty),
        Case::new("an empty patch on a complete upload is fine", &["T-43"], empty_when_complete),
        Case::new("a complete upload takes no more bytes", &["T-44"], bytes_when_complete),
    ],
};

/// The largest number that every server can be expected to read, those in JavaScript too.
const EXACT_MAX: u64 = (1 << 53) - 1;

fn moves_the_offset(client: &Client<'_>) -> Verdict {
    let upload = client.create(8)?;
    client.patch(&upload, 0, b"hello")?.is(204)?.has("Upload-Offset", "5")?;
    client.offset_is(&upload, 5)?;
    client.patch(&upload, 5, b"you")?.is(204)?.has("Upload-Offset", "8")?;
    client.content_is(&upload, b"helloyou")
}

fn other_media_type(client: &Client<'_>) -> Verdict {
    let upload = client.create(5)?;
    let bare = || client.append(&upload, 0).without("Content-Type");
    client.send(bare().body("hello"))?.is(415)?;
    for media_type in ["application/octet-stream", "text/plain", "application/offset", ""] {
        client.send(bare().with("Content-Type", media_type).body("hello"))?.is(415)?;
    }
    client.offset_is(&upload, 0)
}

fn media_type_with_parameters(client: &Client<'_>) -> Verdict {
    let upload = client.create(4)?;
    let shouted = UPLOAD_BYTES.to_ascii_uppercase();
    let types = [shouted, format!("{UPLOAD_BYTES}; charset=utf-8"), format!("{UPLOAD_BYTES} ;a=b")];
    for (offset, media_type) in (0_u64..).zip(types) {
        let request = client.append(&upload, offset).without("Content-Type");
        client.send(request.with("Content-Type", media_type).body("x"))?.is(204)?;
    }
    client.offset_is(&upload, 3)
}

fn conflict(client: &Client<'_>) -> Verdict {
    let upload = client.create(10)?;
    client.patch(&upload, 0, b"hello")?.is(204)?;
    for wrong in [0, 4, 6, 10, 11, EXACT_MAX] {
        client.patch(&upload, wrong, b"WRONG")?.is(409)?;
        client.send(client.append(&upload, wrong).chunked("WRONG"))?.is(409)?;
    }
    client.offset_is(&upload, 5)?;
    client.patch(&upload, 5, b"there")?.is(204)?;
    client.content_is(&upload, b"hellothere")
}

fn conflict_names_offset(client: &Client<'_>) -> Verdict {
    let upload = client.create(10)?;
    client.patch(&upload, 0, b"hello")?.is(204)?;
    client.patch(&upload, 2, b"WRONG")?.is(409)?.has("Upload-Offset", "5").map(drop)
}

fn unknown(client: &Client<'_>) -> Verdict {
    client.patch(&client.unknown(), 0, b"hello")?.is(404)?.has_no("Upload-Offset").map(drop)
}

fn everything_at_once(client: &Client<'_>) -> Verdict {
    let bytes = letters(1, 900_000);
    let upload = client.create(length(&bytes))?;
    client.patch(&upload, 0, &bytes)?.is(204)?.has("Upload-Offset", &bytes.len().to_string())?;
    client.content_is(&upload, &bytes)
}

fn many_small(client: &Client<'_>) -> Verdict {
    let bytes = letters(2, 300);
    let upload = client.create(length(&bytes))?;
    let mut connection = client.open()?;
    for (offset, piece) in (0_u64..).step_by(7).zip(bytes.chunks(7)) {
        client.send_on(&mut connection, client.append(&upload, offset).body(piece))?.is(204)?;
    }
    client.content_is(&upload, &bytes)
}

fn chunked(client: &Client<'_>) -> Verdict {
    let bytes = letters(3, 200_000);
    let upload = client.create(length(&bytes))?;
    client
        .send(client.append(&upload, 0).chunked(bytes.clone()))?
        .is(204)?
        .has("Upload-Offset", &bytes.len().to_string())?;
    client.content_is(&upload, &bytes)
}

fn chunked_byte_by_byte(client: &Client<'_>) -> Verdict {
    let bytes = letters(4, 40);
    let upload = client.create(length(&bytes))?;
    let request = client.append(&upload, 0).with("Transfer-Encoding", "chunked");
    let mut connection = client.begin(&request)?;
    for byte in &bytes {
        connection.send_chunk(&[*byte])?;
    }
    connection.end_chunks()?;
    client.finish(&mut connection, &request)?.is(204)?.has("Upload-Offset", "40")?;
    client.content_is(&upload, &bytes)
}

fn too_long(client: &Client<'_>) -> Verdict {
    let upload = client.create(5)?;
    let request = client.append(&upload, 0).with("Content-Length", "6");
    let mut connection = client.begin(&request)?;
    client.finish(&mut connection, &request)?.is(413)?;
    client.offset_is(&upload, 0)?;
    client.patch(&upload, 0, b"sixsix")?.is(413)?;
    client.offset_is(&upload, 0)?;
    client.patch(&upload, 0, b"hello")?.is(204)?;
    client.content_is(&upload, b"hello")
}

fn too_long_chunked(client: &Client<'_>) -> Verdict {
    let bytes = letters(5, 100_000);
    let upload = client.create(50_000)?;
    client.send(client.append(&upload, 0).chunked(bytes.clone()))?.is(413)?;
    let exchange = client.head(&upload)?;
    let offset = exchange.number("Upload-Offset")?;
    exchange.check(offset <= 50_000, || "the offset passed the length".to_owned())?;
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let rest = bytes.get(start..50_000).unwrap_or_default();
    client.patch(&upload, offset, rest)?.is(204)?.has("Upload-Offset", "50000")?;
    client.content_is(&upload, bytes.get(..50_000).unwrap_or_default())
}

fn empty(client: &Client<'_>) -> Verdict {
    let upload = client.create(5)?;
    client.patch(&upload, 0, b"")?.is(204)?.has("Upload-Offset", "0")?;
    client.patch(&upload, 0, b"he")?.is(204)?;
    client.patch(&upload, 2, b"")?.is(204)?.has("Upload-Offset", "2")?;
    client.send(client.append(&upload, 2).chunked(""))?.is(204)?.has("Upload-Offset", "2")?;
    client.offset_is(&upload, 2)
}

fn empty_when_complete(client: &Client<'_>) -> Verdict {
    let upload = client.finished(b"hello")?;
    client.patch(&upload, 5, b"")?.is(204)?.has("Upload-Offset", "5")?;
    client.content_is(&upload, b"hello")
}

fn bytes_when_complete(client: &Client<'_>) -> Verdict {
    let upload = client.finished(b"hello")?;
    client.patch(&upload, 5, b"more")?.is_one_of(&[413, 403])?;
    client.send(client.append(&upload, 5).chunked("more"))?.is_one_of(&[413, 403])?;
    client.offset_is(&upload, 5)?;
    client.content_is(&upload, b"hello")
}
