//! Who gives way to whom (S-20 … S-26).

use std::time::Duration;

use serde_json::json;

use super::NEEDS;
use crate::case::{Case, Group, Stop, Verdict};
use crate::chunked::Chunked;
use crate::client::{Client, NOTICE, Upload};
use crate::exchange::Exchange;
use crate::wire::{Connection, Request};

/// The cases.
pub const GROUP: Group = Group {
    name: "meeting",
    needs: NEEDS,
    cases: &[
        Case::new("a chunk takes over from a patch", &["S-20"], chunk_over_patch).alone(),
        Case::new("a patch takes over from chunks", &["S-21"], patch_over_chunks).alone(),
        Case::new("a stale patch leaves chunks alone", &["S-22"], stale_patch).alone(),
        Case::new("a look leaves chunks alone", &["S-23"], looks).alone(),
        Case::new("a deletion takes over from chunks", &["S-24"], deletion).alone(),
        Case::new("chunks leave each other alone", &["S-25"], beside).alone(),
        Case::new("a newer request for a chunk takes it over", &["S-26"], same_chunk).alone(),
    ],
};

/// Long enough for a server on the same machine to have read what was sent.
const SETTLE: Duration = Duration::from_millis(150);

/// A writer in the middle of its body.
struct Writer {
    connection: Connection,
    request: Request,
    rest: Vec<u8>,
}

impl Writer {
    /// Sends `request` and the first `count` of `bytes`, and waits until the server has them.
    fn begin(
        client: &Client<'_>,
        request: Request,
        bytes: &[u8],
        count: usize,
    ) -> Result<Self, Stop> {
        let request = request.with("Content-Length", bytes.len().to_string());
        let mut connection = client.begin(&request)?;
        let (sent, rest) = bytes.split_at(count.min(bytes.len()));
        connection.send(sent)?;
        connection.hears_within(SETTLE)?;
        Ok(Self { connection, request, rest: rest.to_vec() })
    }

    /// It is told to stop, and how.
    fn stopped(mut self, client: &Client<'_>) -> Result<Exchange, Stop> {
        if !self.connection.hears_within(NOTICE)? {
            return Err(Stop::failed("the writer that lost was never told"));
        }
        client.finish(&mut self.connection, &self.request)
    }

    /// Nobody has disturbed it: it goes on to the end.
    fn goes_on(mut self, client: &Client<'_>) -> Result<Exchange, Stop> {
        self.connection.send(&self.rest)?;
        client.finish(&mut self.connection, &self.request)
    }
}

/// A session of ten chunks of 10,000 bytes of which the last is there, and its upload.
fn begun(client: &Client<'_>, seed: u64) -> Result<(Chunked, Upload), Stop> {
    let session = Chunked::new(client, seed, 100_000, 10_000);
    session.put(client, 9)?.is(200)?;
    let upload = session.upload(client)?;
    Ok((session, upload))
}

fn chunk_writer(client: &Client<'_>, session: &Chunked, number: usize) -> Result<Writer, Stop> {
    Writer::begin(client, session.head(client, number), session.piece(number), 4000)
}

fn chunk_over_patch(client: &Client<'_>) -> Verdict {
    let (session, upload) = begun(client, 181)?;
    let bytes = session.bytes.get(..90_000).unwrap_or_default();
    let patch = Writer::begin(client, client.append(&upload, 0), bytes, 25_000)?;
    let chunk = session.put(client, 5)?;
    chunk.is(200)?.check(chunk.took < NOTICE, || format!("it took {:?}", chunk.took))?;
    chunk.has("Upload-Offset", "25000")?;
    patch.stopped(client)?.is(409)?.has("Upload-Offset", "25000")?;
    client.offset_is(&upload, 25_000)?;
    session.put_all(client, [2, 3, 4, 6, 7, 8])?;
    session.is_whole(client)
}

fn patch_over_chunks(client: &Client<'_>) -> Verdict {
    let (session, upload) = begun(client, 182)?;
    let writers = [chunk_writer(client, &session, 3)?, chunk_writer(client, &session, 6)?];
    let patch = client.patch(&upload, 0, session.piece(0))?;
    patch.is(204)?.check(patch.took < NOTICE, || format!("it took {:?}", patch.took))?;
    for writer in writers {
        writer.stopped(client)?.refuses(409, "taken-over")?;
    }
    // What they brought is kept: 10,000 each of chunks 0 and 9, and twice 4,000.
    session.stands(client, &json!({"offset": 10_000, "uploaded_bytes": 28_000}))?;
    session.put_all(client, 1..9)?;
    session.is_whole(client)
}

fn stale_patch(client: &Client<'_>) -> Verdict {
    let (session, upload) = begun(client, 183)?;
    let writers = [chunk_writer(client, &session, 3)?, chunk_writer(client, &session, 6)?];
    for offset in [5, 30_000, 34_000, 100_000] {
        client.patch(&upload, offset, b"x")?.is(409)?.has("Upload-Offset", "0")?;
    }
    for writer in writers {
        writer.goes_on(client)?.is(200)?;
    }
    session.put_all(client, [0, 1, 2, 4, 5, 7, 8])?;
    session.is_whole(client)
}

fn looks(client: &Client<'_>) -> Verdict {
    let (session, upload) = begun(client, 184)?;
    let writers = [chunk_writer(client, &session, 0)?, chunk_writer(client, &session, 6)?];
    // Chunk 9, and what arrived of the two.
    session.stands(client, &json!({"offset": 4000, "uploaded_bytes": 18_000}))?;
    client.offset_is(&upload, 4000)?;
    for _ in 0..10 {
        let exchange = client.head(&upload)?;
        exchange.is_one_of(&[200, 204])?.number("Upload-Offset")?;
        session.status(client)?.is(200)?;
        if client.parameters().downloads {
            client.get(&upload)?.is_refused()?;
        }
    }
    for writer in writers {
        writer.goes_on(client)?.is(200)?;
    }
    session.put_all(client, [1, 2, 3, 4, 5, 7, 8])?;
    session.is_whole(client)
}

fn deletion(client: &Client<'_>) -> Verdict {
    if !client.offers().has("termination") {
        return Err(Stop::not_applicable("not advertised: termination"));
    }
    let (session, upload) = begun(client, 185)?;
    let writers = [chunk_writer(client, &session, 0)?, chunk_writer(client, &session, 6)?];
    let deleted = client.delete(&upload)?;
    deleted.is(204)?.check(deleted.took < NOTICE, || format!("it took {:?}", deleted.took))?;
    for writer in writers {
        writer.stopped(client)?.is(404)?;
    }
    session.status(client)?.is(404).map(drop)
}

fn beside(client: &Client<'_>) -> Verdict {
    let (session, _) = begun(client, 186)?;
    let writers = [chunk_writer(client, &session, 0)?, chunk_writer(client, &session, 6)?];
    session.put_all(client, [1, 5, 7])?;
    for writer in writers {
        writer.goes_on(client)?.is(200)?;
    }
    session.put_all(client, [2, 3, 4, 8])?;
    session.is_whole(client)
}

fn same_chunk(client: &Client<'_>) -> Verdict {
    let (session, _) = begun(client, 187)?;
    let older = chunk_writer(client, &session, 3)?;
    // The newer brings less than the older, and breaks off too: what the older brought counts.
    let head = session.head(client, 3);
    let newer = Writer::begin(client, head, session.piece(3), 1000)?;
    older.stopped(client)?.refuses(409, "taken-over")?;
    drop(newer);
    session.stands(client, &json!({"uploaded_bytes": 14_000}))?;
    session.put_all(client, 0..9)?;
    session.is_whole(client)
}
