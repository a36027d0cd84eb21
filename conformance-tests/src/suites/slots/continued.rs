//! Slots whose `PUT` was cut, and go on.

use crate::case::{Case, Group, Verdict};
use crate::client::{Client, Upload};
use crate::content::letters;
use crate::slot::Slot;
use crate::target::CHUNK_HEADERS;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "slot-continued",
    needs: &[],
    cases: &[
        Case::new("a put that was cut is put again from the front", &["X-57"], again),
        Case::new("a put that hangs is taken over by a newer one", &["X-57"], taken_over),
        Case::new("a put that was cut goes on with a range", &["X-58"], with_a_range),
        Case::new("a slot is put in pieces one after another", &["X-58"], in_pieces),
        Case::new("a put that was cut goes on by tus", &["X-59"], by_tus),
        Case::new("a range is for the token of the whole file", &["X-58"], ranges),
    ],
};

/// The cases about chunks.
pub const CHUNKS: Group = Group {
    name: "slot-chunks",
    needs: &[CHUNK_HEADERS],
    cases: &[
        Case::new("a put that was cut goes on in chunks", &["X-86"], in_chunks),
        Case::new("a slot begun in chunks goes on by every other way", &["X-86"], after_a_chunk),
        Case::new("a chunk needs the token of the whole file", &["X-86"], forged_chunks),
    ],
};

fn in_chunks(client: &Client<'_>) -> Verdict {
    let slot = Slot::new(client, "a", &letters(221, 100_000))?;
    cut(client, &slot, 60_000)?;
    slot.put_chunk(client, 2, 40_000)?.is(204)?.has("Upload-Offset", "60000")?;
    client.get(&slot.upload())?.is(404)?;
    slot.put_chunk(client, 1, 40_000)?.is(201)?;
    slot.put_chunk(client, 1, 40_000)?.is(201)?;
    slot.is_whole(client)
}

fn after_a_chunk(client: &Client<'_>) -> Verdict {
    for way in ["put", "range", "patch", "chunks"] {
        let slot = Slot::new(client, "a", &letters(222, 100_000))?;
        slot.put_chunk(client, 1, 40_000)?.is(204)?.has("Upload-Offset", "0")?;
        match way {
            "put" => slot.put(client)?.is(201).map(drop)?,
            "range" => slot.put_range(client, 0, 100_000)?.is(201).map(drop)?,
            "patch" => slot.patch(client, 0)?.is(204)?.has("Upload-Offset", "100000").map(drop)?,
            _ => {
                slot.put_chunk(client, 2, 40_000)?.is(204)?;
                slot.put_chunk(client, 0, 40_000)?.is(201)?;
            }
        }
        slot.is_whole(client)?;
    }
    Ok(())
}

fn forged_chunks(client: &Client<'_>) -> Verdict {
    let slot = Slot::new(client, "a", b"hello")?;
    for url in [slot.path(), slot.url(&slot.token().to_uppercase())] {
        let chunk = Request::new("PUT", &url)
            .with("Content-Type", "image/png")
            .with("X-Chunk-Number", "0")
            .with("X-Total-Size", "5")
            .with("X-Chunk-Size", "5");
        client.send(chunk.body("hello"))?.is(403)?;
    }
    client.get(&slot.upload())?.is(404).map(drop)
}

fn by_tus(client: &Client<'_>) -> Verdict {
    let slot = Slot::new(client, "a", &letters(223, 100_000))?;
    slot.stand(client)?.is_one_of(&[403, 404])?;
    cut(client, &slot, 60_000)?;
    slot.stand(client)?.is(200)?.has("Upload-Offset", "60000")?.has("Upload-Length", "100000")?;
    client.send(Request::tus("HEAD", &slot.path()))?.is(403)?;
    let bare = Upload { path: slot.path() };
    client.patch(&bare, 60_000, b"x")?.is(403)?;
    slot.patch(client, 50_000)?.is(409)?;
    slot.patch(client, 60_000)?.is(204)?.has("Upload-Offset", "100000")?;
    slot.put(client)?.is(409)?;
    slot.is_whole(client)
}

/// A `PUT` that ends after `count` bytes; its refusal says that they were kept.
fn cut(client: &Client<'_>, slot: &Slot, count: usize) -> Verdict {
    let (request, mut connection) = slot.begin(client, count)?;
    connection.half_close()?;
    let exchange = client.finish(&mut connection, &request)?;
    exchange.is_refused()?.has("Upload-Offset", &count.to_string())?;
    // Nobody gets a part of a file for the file.
    client.get(&slot.upload())?.is(404)?;
    client.send(Request::new("HEAD", &slot.path()).anonymous())?.is(404).map(drop)
}

fn again(client: &Client<'_>) -> Verdict {
    let slot = Slot::new(client, "a", &letters(211, 100_000))?;
    cut(client, &slot, 60_000)?;
    client.get(&slot.upload())?.is(404)?;
    slot.put(client)?.is(201)?;
    slot.is_whole(client)
}

fn taken_over(client: &Client<'_>) -> Verdict {
    let slot = Slot::new(client, "a", &letters(212, 100_000))?;
    let (_, silent) = slot.begin(client, 60_000)?;
    // On another connection it may have come first; then the silent one is the newer of the two.
    if slot.put(client)?.is_one_of(&[201, 409])?.status() == 409 {
        // All of its bytes may have arrived before it had to give way; then the slot is complete.
        slot.put(client)?.is_one_of(&[201, 409])?;
    }
    slot.is_whole(client)?;
    drop(silent);
    slot.is_whole(client)
}

fn with_a_range(client: &Client<'_>) -> Verdict {
    for from in [60_000, 1, 0] {
        let slot = Slot::new(client, "a", &letters(213, 100_000))?;
        cut(client, &slot, 60_000)?;
        slot.put_range(client, from, 100_000)?.is(201)?;
        slot.is_whole(client)?;
    }
    Ok(())
}

fn in_pieces(client: &Client<'_>) -> Verdict {
    let slot = Slot::new(client, "a", &letters(214, 100_000))?;
    slot.put_range(client, 0, 40_000)?.is(204)?.has("Upload-Offset", "40000")?;
    slot.put_range(client, 50_000, 60_000)?.is(409)?.has("Upload-Offset", "40000")?;
    // What is there already is passed over, and stays there.
    slot.put_range(client, 10_000, 70_000)?.is(204)?.has("Upload-Offset", "70000")?;
    slot.put_range(client, 10_000, 20_000)?.is(204)?.has("Upload-Offset", "70000")?;
    client.get(&slot.upload())?.is(404)?;
    slot.put_range(client, 70_000, 100_000)?.is(201)?;
    slot.is_whole(client)
}

fn ranges(client: &Client<'_>) -> Verdict {
    let slot = Slot::new(client, "a", b"hello")?;
    for range in ["bytes 0-4/6", "bytes 0-4/4", "bytes 0-3/5", "bytes 1-4/5", "bytes */5", "0-4/5"]
    {
        client.send(slot.head().with("Content-Range", range).body("hello"))?.is_refused()?;
    }
    client.get(&slot.upload())?.is(404)?;
    slot.put_range(client, 0, 5)?.is(201)?;
    slot.is_whole(client)
}
