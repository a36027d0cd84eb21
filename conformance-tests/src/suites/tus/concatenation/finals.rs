//! Final uploads whose parts are complete (T-142, T-145 … T-149, T-157, T-160).

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, UPLOAD_BYTES};
use crate::content::{letters, pair};

use super::{joining, part, refused};

/// The cases.
pub const FINAL: Group = Group {
    name: "concatenation-final",
    needs: &["creation", "concatenation"],
    cases: &[
        Case::new("a final upload is its parts in their order", &["T-142"], in_order),
        Case::new("a final upload of large parts is exact", &["T-142"], large_parts),
        Case::new("a final upload states no length of its own", &["T-145"], with_length),
        Case::new("a final upload has its own metadata only", &["T-146"], own_metadata),
        Case::new("a final upload takes no bytes", &["T-147"], takes_no_bytes),
        Case::new("head on a final upload shows what it is made of", &["T-149"], head_shows),
        Case::new("a final creation has no body", &["T-157"], with_body),
        Case::new("a final upload outlives its parts", &["T-160"], outlives_parts),
    ],
};

fn in_order(client: &Client<'_>) -> Verdict {
    let (first, second) = (part(client, b"hello ")?, part(client, b"world")?);
    let joined = client.create_by(joining(client, &[&first, &second]))?;
    client.content_is(&joined, b"hello world")?;
    let swapped = client.create_by(joining(client, &[&second, &first]))?;
    client.content_is(&swapped, b"worldhello ")
}

fn large_parts(client: &Client<'_>) -> Verdict {
    // Sizes that end off every block boundary.
    let pieces = [letters(42, 300_001), letters(43, 1), letters(44, 65_535)];
    let mut parts = Vec::new();
    for piece in &pieces {
        parts.push(part(client, piece)?);
    }
    let joined = client.create_by(joining(client, &parts.iter().collect::<Vec<_>>()))?;
    client.content_is(&joined, &pieces.concat())
}

fn with_length(client: &Client<'_>) -> Verdict {
    let upload = part(client, b"abc")?;
    let request = joining(client, &[&upload]);
    refused(&client.send(request.clone().with("Upload-Length", "3"))?, &[400])?;
    refused(&client.send(request.with("Upload-Defer-Length", "1"))?, &[400])
}

fn own_metadata(client: &Client<'_>) -> Verdict {
    let creation = client.creation().with("Upload-Concat", "partial");
    let creation = creation.with("Upload-Metadata", pair("filename", "part.txt"));
    let upload = client.finished_by(creation, b"abc")?;
    let bare = client.create_by(joining(client, &[&upload]))?;
    client.head(&bare)?.is(200)?.has_no("Upload-Metadata")?;
    let own = pair("filename", "whole.txt");
    let request = joining(client, &[&upload]).with("Upload-Metadata", &own);
    let named = client.create_by(request)?;
    client.head(&named)?.is(200)?.has("Upload-Metadata", &own).map(drop)
}

fn takes_no_bytes(client: &Client<'_>) -> Verdict {
    let upload = part(client, b"abc")?;
    let joined = client.create_by(joining(client, &[&upload]))?;
    client.patch(&joined, 3, b"x")?.is(403)?;
    client.patch(&joined, 0, b"x")?.is(403)?;
    client.patch(&joined, 3, b"")?.is(403)?;
    client.offset_is(&upload, 3)?;
    client.content_is(&joined, b"abc")
}

fn head_shows(client: &Client<'_>) -> Verdict {
    let (first, second) = (part(client, b"abc")?, part(client, b"de")?);
    let sent = format!("final;{} {}", client.target().url(&first.path), second.path);
    let joined = client.create_by(client.creation().with("Upload-Concat", &sent))?;
    client
        .head(&joined)?
        .is(200)?
        .has("Upload-Offset", "5")?
        .has("Upload-Length", "5")?
        .has("Upload-Concat", &sent)
        .map(drop)
}

fn with_body(client: &Client<'_>) -> Verdict {
    let upload = part(client, b"abc")?;
    let request = joining(client, &[&upload]).with("Content-Type", UPLOAD_BYTES);
    refused(&client.send(request.clone().body("abc"))?, &[403])?;
    refused(&client.send(request.chunked("abc"))?, &[403])
}

fn outlives_parts(client: &Client<'_>) -> Verdict {
    if !client.offers().has("termination") {
        return Err(Stop::not_applicable("not advertised: termination"));
    }
    let (first, second) = (part(client, b"hello ")?, part(client, b"world")?);
    let joined = client.create_by(joining(client, &[&first, &second]))?;
    client.delete(&first)?.is(204)?;
    client.delete(&second)?.is(204)?;
    client.offset_is(&joined, 11)?;
    client.content_is(&joined, b"hello world")
}
