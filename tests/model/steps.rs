//! What can happen next.

use super::Mistake;
use super::state::{
    BYTES, CHUNK, CLIENTS, Client, Doing, KILLS, POWER_CUTS, Process, Record, State, Step, WHOLE,
    front, offset,
};

/// Which client (none: the machine or the gateway), and what happens.
pub(super) type Label = (Option<usize>, &'static str);
type Next = Vec<(Label, State)>;

const RIGHT: [Step; 6] =
    [Step::Sync, Step::Rename, Step::SyncName, Step::Commit, Step::Flush, Step::Answer];

/// The order in which a transfer is settled.
fn order(mistake: Option<Mistake>, whole: bool) -> [Step; 6] {
    use Step::{Answer, Commit, Flush, Rename, Sync, SyncName};
    match mistake {
        Some(Mistake::AnswerBeforeSync) => [Answer, Sync, Rename, SyncName, Commit, Flush],
        Some(Mistake::AnswerBeforeFlush) => [Sync, Rename, SyncName, Commit, Answer, Flush],
        Some(Mistake::CommitBeforeSync) if !whole => {
            [Commit, Flush, Sync, Rename, SyncName, Answer]
        }
        Some(Mistake::PublishBeforeSync) => [Rename, SyncName, Sync, Commit, Flush, Answer],
        Some(Mistake::CommitBeforePublish) => [Sync, Commit, Flush, Rename, SyncName, Answer],
        _ => RIGHT,
    }
}

/// Every state that one step leads to.
pub(super) fn successors(state: &State, mistake: Option<Mistake>) -> Next {
    let mut next = Vec::new();
    crashes(state, &mut next);
    match state.process {
        Process::Down => next.push(((None, "the gateway starts"), open(*state, mistake))),
        Process::Recovering(done, target, tail) => {
            next.push(recover(*state, done, target, tail, mistake));
        }
        Process::Serving => (0..CLIENTS).for_each(|me| act(state, me, mistake, &mut next)),
    }
    next
}

/// The byte that a writer's next batch brings.
pub(super) fn target(client: &Client, there: u8) -> u8 {
    let known = client.reached | (there & if client.of_chunk { 0 } else { 1 << CHUNK });
    if client.of_chunk { u8::try_from(CHUNK).unwrap() } else { offset(known) }
}

fn crashes(state: &State, next: &mut Next) {
    if state.process == Process::Down {
        return;
    }
    let mut down = *state;
    down.process = Process::Down;
    for client in &mut down.clients {
        *client = Client { believes: client.believes, ..State::new().clients[0] };
    }
    // What the store had not flushed may have reached the log, or not.
    for record in both(state.record, state.flushed) {
        if state.kills < KILLS {
            let killed = State { record, kills: state.kills + 1, ..down };
            next.push(((None, "kill -9"), killed));
        }
        if state.boot < POWER_CUTS {
            let cut = State { record, flushed: record, boot: state.boot + 1, ..down };
            power_cuts(&cut, next);
        }
    }
}

/// Any of the bytes, the size and the name that were not synced may have got to the device.
fn power_cuts(state: &State, next: &mut Next) {
    let (cache, device) = (state.cache, state.device);
    for lucky in 0..=WHOLE {
        let mut bytes = device.bytes;
        for (at, byte) in bytes.iter_mut().enumerate() {
            if lucky & (1 << at) != 0 {
                *byte = cache.bytes[at];
            }
        }
        for size in both(cache.size, device.size) {
            for published in both(cache.published, device.published) {
                let mut blob = super::state::Blob { bytes, size, published };
                blob.bytes[usize::from(size)..].fill(0);
                let cut = State { cache: blob, device: blob, ..*state };
                if !next.iter().any(|(_, known)| *known == cut) {
                    next.push(((None, "power cut"), cut));
                }
            }
        }
    }
}

fn both<T: PartialEq>(one: T, other: T) -> Vec<T> {
    if one == other { vec![one] } else { vec![one, other] }
}

/// The store is opened, and recovery judges what is there.
fn open(mut state: State, mistake: Option<Mistake>) -> State {
    if mistake != Some(Mistake::OpenWithoutSettling) {
        state.flushed = state.record;
    }
    let old = state.record;
    let same_boot = old.boot == state.boot || mistake == Some(Mistake::TrustSizeAfterPowerCut);
    let mut target = Record { boot: state.boot, ..old };
    let mut tail = false;
    if old.complete {
        target = old;
    } else if state.cache.published {
        target.there = WHOLE;
    } else if !old.chunks {
        let (size, at) = (state.cache.size, offset(old.there));
        target.there = front(size.min(at));
        if same_boot && size > at {
            tail = true;
            target.there = front(size);
        } else if mistake != Some(Mistake::AdoptBootBeforeCut) {
            state.cut(offset(target.there));
        }
    }
    target.complete |= target.there == WHOLE;
    let unchanged = target == old;
    state.process = if unchanged { Process::Serving } else { Process::Recovering(0, target, tail) };
    state
}

fn recover(
    mut state: State,
    done: u8,
    target: Record,
    tail: bool,
    mistake: Option<Mistake>,
) -> (Label, State) {
    let step = RIGHT[usize::from(done)];
    let skips = step == Step::Sync && (!tail || mistake == Some(Mistake::KeepTailWithoutSync));
    state.process = Process::Recovering(done + 1, target, tail);
    match step {
        Step::Answer => state.process = Process::Serving,
        Step::Commit => state.record = target,
        _ if skips => {}
        _ => take(&mut state, step, target.complete),
    }
    ((None, name(step)), state)
}

/// A step that changes nothing but the disk.
fn take(state: &mut State, step: Step, whole: bool) {
    match step {
        Step::Sync => {
            (state.device.bytes, state.device.size) = (state.cache.bytes, state.cache.size);
        }
        Step::Rename => state.cache.published |= whole,
        Step::SyncName => state.device.published = state.cache.published,
        Step::Flush => state.flushed = state.record,
        Step::Commit | Step::Answer => {}
    }
}

const fn name(step: Step) -> &'static str {
    match step {
        Step::Sync => "syncs the blob",
        Step::Rename => "renames the blob, if it is whole",
        Step::SyncName => "syncs the new name",
        Step::Commit => "commits the record",
        Step::Flush => "flushes the record",
        Step::Answer => "answers",
    }
}

const fn has_seat(doing: Doing) -> bool {
    matches!(doing, Doing::Mark { .. } | Doing::Receiving | Doing::Writing | Doing::Settling(_))
}

fn holder(state: &State, me: usize) -> Option<usize> {
    (0..CLIENTS).find(|other| *other != me && has_seat(state.clients[*other].doing))
}

/// Somebody other than `me` is between the first step of a commit and its last.
pub(super) fn is_committing(state: &State, me: usize) -> bool {
    (0..CLIENTS).filter(|other| *other != me).any(|other| match state.clients[other].doing {
        Doing::Settling(done) => done > 0,
        Doing::Checkpoint(..) | Doing::Mark { .. } => true,
        _ => false,
    })
}

fn act(state: &State, me: usize, mistake: Option<Mistake>, next: &mut Next) {
    let mut add = |label, state| next.push(((Some(me), label), state));
    let client = state.clients[me];
    match client.doing {
        Doing::Idle => {
            add("sends a PATCH", doing(state, me, Doing::Append(client.believes)));
            add("sends a chunk", doing(state, me, Doing::Chunk));
            add("sends a HEAD", doing(state, me, Doing::Look));
        }
        Doing::Look => look(state, me, mistake, next),
        Doing::Append(_) | Doing::Chunk => claim(state, me, mistake, next),
        Doing::Mark { committed: false } => {
            let mut after = doing(state, me, Doing::Mark { committed: true });
            after.record.chunks = true;
            add("commits that there are chunks", after);
        }
        Doing::Mark { committed: true } => {
            let mut after = doing(state, me, Doing::Receiving);
            after.flushed = after.record;
            add("flushes that there are chunks", after);
        }
        Doing::Receiving => {
            let at = target(&client, state.record.there);
            let has_more = if client.of_chunk {
                client.reached & (1 << CHUNK) == 0
            } else {
                usize::from(at) < BYTES
            };
            if has_more && !client.stop {
                add("passes the gate with a batch", doing(state, me, Doing::Writing));
            }
            add("is cut, at its end or stopped", doing(state, me, Doing::Settling(0)));
        }
        Doing::Writing => add("has its batch written", written(state, me)),
        Doing::Settling(done) => {
            // Whoever has begun a checkpoint holds the account until it is committed.
            if done > 0 || !is_committing(state, me) {
                let (label, after) = settle(state, me, done, mistake);
                add(label, after);
            }
        }
        Doing::Checkpoint(done, counts) => {
            let (label, after) = checkpoint(state, me, done, counts);
            add(label, after);
        }
    }
}

fn doing(state: &State, me: usize, doing: Doing) -> State {
    let mut after = *state;
    after.clients[me].doing = doing;
    after
}

/// The request is over, and its client knows this offset.
fn told(state: &State, me: usize, there: u8) -> State {
    let mut after = *state;
    after.promise(there);
    after.clients[me] = Client { believes: offset(there), ..State::new().clients[0] };
    after
}

fn look(state: &State, me: usize, mistake: Option<Mistake>, next: &mut Next) {
    let answer = told(state, me, front(offset(state.record.there)));
    let waits = is_committing(state, me) && mistake != Some(Mistake::LookAtUnflushed);
    let Some(other) = holder(state, me) else {
        next.push(((Some(me), "is told the committed offset"), answer));
        return;
    };
    let writer = state.clients[other];
    if !waits && matches!(writer.doing, Doing::Receiving | Doing::Writing) {
        let after = doing(state, me, Doing::Checkpoint(0, counting(state, &writer)));
        next.push(((Some(me), "looks beside a writer, and has a checkpoint made"), after));
    }
    if !waits && !matches!(writer.doing, Doing::Settling(0)) {
        // What could not be made durable, or not in time, is not told.
        next.push(((Some(me), "is told the committed offset, beside a writer"), answer));
    }
    if writer.doing == Doing::Receiving && !writer.of_chunk && !writer.stop {
        let mut after = *state;
        after.clients[other].stop = true;
        next.push(((Some(me), "stops the writer, which is silent"), after));
    }
}

/// What a checkpoint beside `writer` counts: an upload that is whole is left to whoever finishes it.
fn counting(state: &State, writer: &Client) -> u8 {
    if writer.reached == WHOLE { state.record.there } else { writer.reached }
}

fn claim(state: &State, me: usize, mistake: Option<Mistake>, next: &mut Next) {
    let Some(other) = holder(state, me) else {
        next.push(take_seat(state, me, mistake));
        return;
    };
    let writer = state.clients[other];
    if writer.stop && mistake == Some(Mistake::TakeOverWithoutWaiting) {
        next.push(take_seat(state, me, mistake));
    }
    let receives = writer.doing == Doing::Receiving;
    let yields_at = offset(writer.reached);
    let stale = match state.clients[me].doing {
        Doing::Append(at) => !writer.of_chunk && at != yields_at,
        _ => false,
    };
    let in_flight =
        writer.doing == Doing::Writing && mistake == Some(Mistake::TakeOverWithoutWaiting);
    if (receives || in_flight) && !stale && !writer.stop {
        let mut after = *state;
        after.clients[other].stop = true;
        next.push(((Some(me), "tells the writer to stop"), after));
    } else if receives && stale && !is_committing(state, me) {
        let after = doing(state, me, Doing::Checkpoint(0, counting(state, &writer)));
        next.push(((Some(me), "is stale, and has a checkpoint made"), after));
    }
}

/// Nobody is in the way: judged by the record, and the blob is opened.
fn take_seat(state: &State, me: usize, mistake: Option<Mistake>) -> (Label, State) {
    let record = state.record;
    let of_chunk = match state.clients[me].doing {
        Doing::Append(at) if record.complete || at != offset(record.there) => {
            let after = told(state, me, front(offset(record.there)));
            return ((Some(me), "is told the right offset"), after);
        }
        Doing::Append(_) => false,
        _ if record.there & (1 << CHUNK) != 0 => {
            let after = told(state, me, record.there);
            return ((Some(me), "is told that the chunk is there"), after);
        }
        _ => true,
    };
    let marks = of_chunk && !record.chunks && mistake != Some(Mistake::ChunkBeforeItsMark);
    let seated = if marks { Doing::Mark { committed: false } } else { Doing::Receiving };
    let mut after = doing(state, me, seated);
    after.clients[me].of_chunk = of_chunk;
    after.clients[me].reached = record.there;
    if !record.chunks {
        after.cut(offset(record.there));
    }
    ((Some(me), "takes the seat"), after)
}

fn written(state: &State, me: usize) -> State {
    let mut after = doing(state, me, Doing::Receiving);
    let client = &mut after.clients[me];
    let at = target(client, state.record.there);
    client.reached |= 1 << at;
    let who = u8::try_from(me).unwrap() + 1;
    after.cache.bytes[usize::from(at)] = who;
    after.cache.size = after.cache.size.max(at + 1);
    after
}

fn settle(state: &State, me: usize, done: u8, mistake: Option<Mistake>) -> (&'static str, State) {
    let client = state.clients[me];
    let order = order(mistake, client.reached == WHOLE);
    let (step, last) = (order[usize::from(done)], usize::from(done) + 1 == order.len());
    let mut after = doing(state, me, Doing::Settling(done + 1));
    let whole = client.reached == WHOLE;
    match step {
        Step::Commit => {
            after.record.there = client.reached;
            after.record.chunks |= client.of_chunk;
            after.record.complete |= whole;
        }
        Step::Answer => {
            after.promise(client.reached);
            after.clients[me].believes = offset(client.reached);
        }
        Step::Sync | Step::Rename | Step::SyncName | Step::Flush => take(&mut after, step, whole),
    }
    if last {
        let believes = after.clients[me].believes;
        after.clients[me] = Client { believes, ..State::new().clients[0] };
    }
    (name(step), after)
}

fn checkpoint(state: &State, me: usize, done: u8, counts: u8) -> (&'static str, State) {
    let mut after = doing(state, me, Doing::Checkpoint(done + 1, counts));
    match done {
        0 => take(&mut after, Step::Sync, false),
        1 => after.record.there = counts,
        2 => take(&mut after, Step::Flush, false),
        _ => {
            return (
                "is told what the checkpoint made durable",
                told(state, me, front(offset(counts))),
            );
        }
    }
    (["syncs the blob", "commits the record", "flushes the record"][usize::from(done)], after)
}
