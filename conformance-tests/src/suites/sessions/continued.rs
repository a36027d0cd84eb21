//! Who continues whom (S-1 … S-11).

use serde_json::json;

use super::NEEDS;
use crate::case::{Case, Group, Stop, Verdict};
use crate::chunked::Chunked;
use crate::client::{Client, Upload};
use crate::content::length;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "continued",
    needs: NEEDS,
    cases: &[
        Case::new("a session of chunks answers tus head", &["S-1", "S-7"], answers_head),
        Case::new("a session of chunks is continued by patch", &["S-2"], patched),
        Case::new("a patch skips what is there already", &["S-2"], patch_skips),
        Case::new("a patch may end inside a chunk", &["S-3"], ends_inside),
        Case::new("a patch that fills the last gap completes", &["S-4"], patch_completes),
        Case::new("a tus upload is continued by chunks", &["S-5"], tus_then_chunks),
        Case::new("chunks of another length are refused", &["S-5"], other_length),
        Case::new("chunks give a tus upload its length", &["S-6"], deferred),
        Case::new("both protocols tell the same at every step", &["S-7"], same_story),
        Case::new("either protocol removes the upload", &["S-8"], removed),
        Case::new("the owner is the same in either protocol", &["S-9"], owners),
        Case::new("a partial upload takes chunks and a final one none", &["S-10"], concatenation),
        Case::new("a complete session takes nothing more", &["S-11"], complete),
    ],
};

/// The part of the upload from `start` on, at most `count` bytes.
fn part(session: &Chunked, start: usize, count: usize) -> &[u8] {
    let rest = session.bytes.get(start..).unwrap_or_default();
    rest.get(..count).unwrap_or(rest)
}

/// A tus upload as a session of chunks; `seed` gives its bytes.
fn of_tus(
    client: &Client<'_>,
    seed: u64,
    bytes: usize,
    chunk: usize,
) -> Result<(Upload, Chunked), Stop> {
    let session = Chunked::new(client, seed, bytes, chunk);
    let upload = client.create(length(&session.bytes))?;
    let id = upload.path.rsplit('/').next().unwrap_or_default().to_owned();
    Ok((upload, session.called(id)))
}

fn answers_head(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 161, 1000, 400);
    session.put(client, 1)?.is(200)?;
    let upload = session.upload(client)?;
    client.offset_is(&upload, 0)?;
    session.put(client, 0)?.is(200)?;
    let head = client.head(&upload)?;
    head.is_one_of(&[200, 204])?.has("Upload-Offset", "800")?.has("Upload-Length", "1000").map(drop)
}

fn patched(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 162, 1000, 400);
    session.put(client, 0)?.is(200)?;
    let upload = session.upload(client)?;
    client.patch(&upload, 400, part(&session, 400, 100))?.is(204)?.has("Upload-Offset", "500")?;
    client.patch(&upload, 500, part(&session, 500, 500))?.is(204)?.has("Upload-Offset", "1000")?;
    session.is_whole(client)
}

fn patch_skips(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 163, 1000, 100);
    session.put_all(client, [0, 2, 3, 6])?;
    let upload = session.upload(client)?;
    client.offset_is(&upload, 100)?;
    // Up to the gap: the chunks behind it join on.
    client.patch(&upload, 100, part(&session, 100, 100))?.is(204)?.has("Upload-Offset", "400")?;
    // Over chunk 6, whose bytes are there.
    client.patch(&upload, 400, part(&session, 400, 350))?.is(204)?.has("Upload-Offset", "750")?;
    session
        .stands(client, &json!({"uploaded_bytes": 750, "missing": [{"from": 750, "to": 999}]}))?;
    client.patch(&upload, 750, part(&session, 750, 250))?.is(204)?.has("Upload-Offset", "1000")?;
    session.is_whole(client)
}

fn ends_inside(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 164, 1000, 400);
    session.put(client, 2)?.is(200)?;
    let upload = session.upload(client)?;
    client.patch(&upload, 0, part(&session, 0, 550))?.is(204)?.has("Upload-Offset", "550")?;
    session.stands(client, &json!({"chunks": 2, "missing": [{"from": 550, "to": 799}]}))?;
    let rest = part(&session, 550, 250);
    client.send(session.head_from(client, 1, 150).body(rest))?.is(200)?;
    session.is_whole(client)
}

fn patch_completes(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 165, 1000, 400);
    session.put_all(client, [1, 2])?;
    let upload = session.upload(client)?;
    client.patch(&upload, 0, part(&session, 0, 400))?.is(204)?.has("Upload-Offset", "1000")?;
    session.is_whole(client)
}

fn tus_then_chunks(client: &Client<'_>) -> Verdict {
    let (upload, session) = of_tus(client, 166, 1000, 100)?;
    client.patch(&upload, 0, part(&session, 0, 250))?.is(204)?;
    session.put(client, 7)?.is(200)?.has("Upload-Offset", "250")?;
    session.stands(client, &json!({
        "chunk_size": 100, "total_chunks": 10, "chunks": 3, "offset": 250, "uploaded_bytes": 350,
    }))?;
    // The chunk that the patch ended in, as a whole; then at the upload's own URL and by its URL.
    session.put(client, 2)?.is(200)?.has("Upload-Offset", "300")?;
    let own = Request::new("PUT", &upload.path).with("X-Chunk-Number", "3");
    client.send(own.body(session.piece(3)))?.is(200)?;
    session.clone().called(&upload.path).put_all(client, [4, 5, 6, 8, 9, 0])?;
    session.is_whole(client)?;
    client.content_is(&upload, &session.bytes)
}

fn other_length(client: &Client<'_>) -> Verdict {
    let (upload, session) = of_tus(client, 167, 1000, 100)?;
    let longer = Chunked { bytes: [&session.bytes[..], b"x"].concat(), ..session.clone() };
    longer.put(client, 1)?.refuses(409, "chunk-contradicts-session")?;
    session.stands(client, &json!({"chunk_size": null, "uploaded_bytes": 0}))?;
    client.send(session.bare(client, 1).body("x"))?.is_refused()?;
    client.patch(&upload, 0, &session.bytes)?.is(204)?;
    session.is_whole(client)
}

fn deferred(client: &Client<'_>) -> Verdict {
    if !client.offers().has("creation-defer-length") {
        return Err(Stop::not_applicable("not advertised: creation-defer-length"));
    }
    let upload = client.create_by(client.creation().with("Upload-Defer-Length", "1"))?;
    let id = upload.path.rsplit('/').next().unwrap_or_default().to_owned();
    let session = Chunked::new(client, 168, 1000, 400).called(id);
    client.patch(&upload, 0, part(&session, 0, 450))?.is(204)?;
    let short = Chunked { bytes: part(&session, 0, 440).to_vec(), ..session.clone() };
    short.put(client, 0)?.is_refused()?;
    client.head(&upload)?.is_one_of(&[200, 204])?.has("Upload-Defer-Length", "1")?;
    session.put(client, 2)?.is(200)?;
    client.head(&upload)?.is_one_of(&[200, 204])?.has("Upload-Length", "1000")?;
    session.put(client, 1)?.is(200)?;
    session.is_whole(client)
}

fn same_story(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 169, 1000, 100);
    session.put(client, 4)?.is(200)?;
    let upload = session.upload(client)?;
    let compare = || -> Verdict {
        let head = client.head(&upload)?;
        let status = client.send(Request::new("HEAD", &session.path(client)))?;
        // Where the extension is off, tus keeps the expiry to itself.
        let expiry = client.offers().has("expiration").then_some("Upload-Expires");
        for name in ["Upload-Offset", "Upload-Length"].into_iter().chain(expiry) {
            let told = head.headers().get(name);
            status.check(status.headers().get(name) == told, || {
                format!("tus HEAD says {name}: {told:?}")
            })?;
        }
        Ok(())
    };
    compare()?;
    client.patch(&upload, 0, part(&session, 0, 150))?.is(204)?;
    compare()?;
    session.put_all(client, [2, 1])?;
    compare()?;
    client.patch(&upload, 300, part(&session, 300, 100))?.is(204)?.has("Upload-Offset", "500")?;
    compare()?;
    session.put_all(client, 5..10)?;
    compare()?;
    session.is_whole(client)
}

fn removed(client: &Client<'_>) -> Verdict {
    if !client.offers().has("termination") {
        return Err(Stop::not_applicable("not advertised: termination"));
    }
    let (upload, session) = of_tus(client, 170, 10, 4)?;
    session.put(client, 1)?.is(200)?;
    client.send(Request::new("DELETE", &session.path(client)))?.is(204)?;
    client.head(&upload)?.is(404)?;
    let session = Chunked::new(client, 171, 10, 4);
    session.put(client, 1)?.is(200)?;
    let upload = session.upload(client)?;
    client.delete(&upload)?.is(204)?;
    session.status(client)?.is(404).map(drop)
}

fn owners(client: &Client<'_>) -> Verdict {
    let context = client.other_user()?;
    let other = Client::new(&context);
    let (upload, session) = of_tus(client, 172, 10, 4)?;
    session.put(client, 1)?.is(200)?;
    other.head(&upload)?.is(404)?;
    other.patch(&upload, 0, b"x")?.is(404)?;
    other
        .send(Request::new("PUT", &upload.path).with("X-Chunk-Number", "0").body("abcd"))?
        .is(404)?;
    session.clone().called(&upload.path).put(&other, 0)?.is(404)?;
    session.status(&other)?.is(404)?;
    session.stands(client, &json!({"uploaded_bytes": 4}))
}

fn concatenation(client: &Client<'_>) -> Verdict {
    if !client.offers().has("concatenation") {
        return Err(Stop::not_applicable("not advertised: concatenation"));
    }
    let partial = client.creation().with("Upload-Concat", "partial").with("Upload-Length", "10");
    let partial = client.create_by(partial)?;
    let session = Chunked::new(client, 173, 10, 4);
    let chunk =
        |upload: &Upload, number: usize| session.clone().called(&upload.path).put(client, number);
    chunk(&partial, 1)?.is(200)?;
    client.patch(&partial, 0, &session.bytes)?.is(204)?.has("Upload-Offset", "10")?;
    let joined = client.creation().with("Upload-Concat", format!("final;{}", partial.path));
    let joined = client.create_by(joined)?;
    chunk(&joined, 1)?.refuses(403, "final-takes-no-bytes")?;
    client.content_is(&joined, &session.bytes)
}

fn complete(client: &Client<'_>) -> Verdict {
    let (upload, session) = of_tus(client, 174, 10, 4)?;
    client.patch(&upload, 0, &session.bytes)?.is(204)?;
    session.put(client, 1)?.is(200)?.says(&json!({"completed": true}))?;
    client.patch(&upload, 10, b"")?.is(204)?.has("Upload-Offset", "10")?;
    client.patch(&upload, 10, b"x")?.is(413)?;
    client.send(session.head(client, 1).body("XXXX"))?.is(200)?;
    client.content_is(&upload, &session.bytes)
}
