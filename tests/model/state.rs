//! What the model remembers: device, page cache, record, clients, and what was promised.

/// Bytes of the upload.
pub(super) const BYTES: usize = 3;
/// All of them are there.
pub(super) const WHOLE: u8 = (1 << BYTES) - 1;
/// The one byte that a chunk brings, ahead of the others.
pub(super) const CHUNK: usize = BYTES - 1;
pub(super) const CLIENTS: usize = 2;
/// Most kills, and most power cuts, of one run.
pub(super) const KILLS: u8 = 1;
pub(super) const POWER_CUTS: u8 = 2;

/// The blob, as the kernel shows it or as the device has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Blob {
    /// Who wrote each byte: 0 is nobody.
    pub(super) bytes: [u8; BYTES],
    pub(super) size: u8,
    pub(super) published: bool,
}

/// The record of the upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Record {
    /// One bit for each byte that is there.
    pub(super) there: u8,
    pub(super) chunks: bool,
    pub(super) complete: bool,
    pub(super) boot: u8,
}

/// What happens between bytes that were written and the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Sync,
    Rename,
    SyncName,
    Commit,
    Flush,
    Answer,
}

/// What a client's request is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Doing {
    Idle,
    /// A PATCH at this offset has not got the seat yet.
    Append(u8),
    /// The same for a chunk.
    Chunk,
    /// A HEAD waits for its answer.
    Look,
    /// Has the seat, the record says nothing of chunks yet: commits that there are some, or flushes that.
    Mark {
        committed: bool,
    },
    Receiving,
    /// A batch of one byte has passed the gate and not landed yet.
    Writing,
    /// The body is over; this many steps are done.
    Settling(u8),
    /// A stale PATCH has the older writer's bytes made durable: steps done, bytes that count.
    Checkpoint(u8, u8),
}

/// One client, with the bytes that its transfer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client {
    pub(super) doing: Doing,
    pub(super) reached: u8,
    pub(super) of_chunk: bool,
    /// It was told to stop.
    pub(super) stop: bool,
    /// The offset it was last told.
    pub(super) believes: u8,
}

/// What the gateway is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Process {
    Serving,
    Down,
    /// Steps of recovery that are done, the record it is going to commit, whether a tail is kept.
    Recovering(u8, Record, bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// The blob as the kernel shows it.
    pub(super) cache: Blob,
    /// The blob after a power cut, if none of what was not synced got there by luck.
    pub(super) device: Blob,
    /// The record as the store shows it, and as a power cut leaves it.
    pub(super) record: Record,
    pub(super) flushed: Record,
    pub(super) boot: u8,
    pub(super) kills: u8,
    pub(super) process: Process,
    pub(super) clients: [Client; CLIENTS],
    /// The bytes that some client was told are there; 0 is no promise. No part of the gateway.
    pub(super) promised: [u8; BYTES],
}

/// The offset that these bytes make.
pub(super) const fn offset(there: u8) -> u8 {
    there.trailing_ones() as u8
}

/// The bytes before an offset.
pub(super) const fn front(offset: u8) -> u8 {
    (1 << offset) - 1
}

impl State {
    pub(super) const fn new() -> Self {
        let blob = Blob { bytes: [0; BYTES], size: 0, published: false };
        let record = Record { there: 0, chunks: false, complete: false, boot: 0 };
        let client =
            Client { doing: Doing::Idle, reached: 0, of_chunk: false, stop: false, believes: 0 };
        Self {
            cache: blob,
            device: blob,
            record,
            flushed: record,
            boot: 0,
            kills: 0,
            process: Process::Serving,
            clients: [client; CLIENTS],
            promised: [0; BYTES],
        }
    }

    /// Somebody is told that these bytes are there.
    pub(super) fn promise(&mut self, there: u8) {
        for (at, promised) in self.promised.iter_mut().enumerate() {
            if there & (1 << at) != 0 && *promised == 0 {
                *promised = self.cache.bytes[at];
            }
        }
    }

    /// Cuts the blob, as the kernel shows it.
    pub(super) fn cut(&mut self, at: u8) {
        self.cache.bytes[usize::from(at)..].fill(0);
        self.cache.size = at;
    }
}
