//! Chunks that are sent at the same time (C-32, C-36).

use std::thread;

use serde_json::json;

use super::NEEDS;
use crate::case::{Case, Group, Stop, Verdict};
use crate::chunked::Chunked;
use crate::client::{Client, NOTICE};
use crate::exchange::Exchange;

/// The cases.
pub const GROUP: Group = Group {
    name: "chunk-races",
    needs: NEEDS,
    cases: &[
        Case::new("chunks may be sent in parallel", &["C-32"], parallel).alone(),
        Case::new("first chunks may meet at the beginning", &["C-15", "C-32"], beginnings).alone(),
        Case::new("of one chunk sent twice at once one is stored", &["C-36"], duplicates).alone(),
        Case::new("a newer request for a chunk takes over", &["C-36"], takes_over).alone(),
        Case::new("a chunk goes on beside a silent one", &["C-32"], beside_a_silent_one).alone(),
    ],
};

/// How many connections send at once.
const SENDERS: usize = 4;

fn together<T: Send>(
    count: usize,
    work: impl Fn(usize) -> Result<T, Stop> + Sync,
) -> Result<Vec<T>, Stop> {
    thread::scope(|scope| {
        let work = &work;
        let spawned: Vec<_> = (0..count).map(|which| scope.spawn(move || work(which))).collect();
        let panicked = |_| Err(Stop::failed("the racing thread panicked"));
        spawned.into_iter().map(|one| one.join().unwrap_or_else(panicked)).collect()
    })
}

fn parallel(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 71, 900_000, 25_000);
    together(SENDERS, |which| {
        session.put_all(client, (0..session.total()).filter(|number| number % SENDERS == which))
    })?;
    session.is_whole(client)
}

fn beginnings(client: &Client<'_>) -> Verdict {
    for _ in 0..client.parameters().race_rounds {
        let session = Chunked::new(client, 72, 4000, 1000);
        together(SENDERS, |number| session.put(client, number)?.is(200).map(drop))?;
        session.is_whole(client)?;
    }
    Ok(())
}

fn duplicates(client: &Client<'_>) -> Verdict {
    let rounds = usize::try_from(client.parameters().race_rounds).unwrap_or(1);
    let session = Chunked::new(client, 73, rounds.saturating_mul(4096), 4096);
    for number in 0..rounds {
        let answers: Vec<Exchange> = together(2, |_| session.put(client, number))?;
        for answer in &answers {
            answer.is_one_of(&[200, 409, 423])?;
        }
        let stored = answers.iter().any(|answer| answer.status() == 200);
        if let (false, Some(answer)) = (stored, answers.first()) {
            return Err(answer.fails("neither was stored"));
        }
    }
    session.is_whole(client)
}

fn takes_over(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 74, 100_000, 40_000);
    let request = session.head(client, 1).with("Content-Length", "40000");
    let mut older = client.begin(&request)?;
    older.send(session.piece(1).get(..10_000).unwrap_or_default())?;
    older.hears_within(std::time::Duration::from_millis(100))?;
    let newer = session.put(client, 1)?;
    newer.is(200)?.check(newer.took < NOTICE, || format!("it took {:?}", newer.took))?;
    if !older.hears_within(NOTICE)? {
        return Err(Stop::failed("the older request was never told"));
    }
    client.finish(&mut older, &request)?.refuses(409, "taken-over")?;
    session.put_all(client, [0, 2])?;
    session.is_whole(client)
}

fn beside_a_silent_one(client: &Client<'_>) -> Verdict {
    let session = Chunked::new(client, 75, 100_000, 40_000);
    let request = session.head(client, 0).with("Content-Length", "40000");
    let mut silent = client.begin(&request)?;
    silent.send(session.piece(0).get(..10_000).unwrap_or_default())?;
    session.put_all(client, [2, 1])?;
    session.stands(client, &json!({"completed": false}))?;
    silent.send(session.piece(0).get(10_000..).unwrap_or_default())?;
    client.finish(&mut silent, &request)?.is(200)?.says(&json!({"completed": true}))?;
    session.is_whole(client)
}
