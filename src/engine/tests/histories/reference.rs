//! What uploads ought to be, as plainly as it can be said.

pub(super) const LENGTH: usize = 24;
pub(super) const CHUNK: usize = 8;

/// The bytes of an upload that are there.
pub(super) type Bytes24 = [Option<u8>; LENGTH];

/// A transfer that is kept open over several steps.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) at: usize,
    pub(super) reached: Bytes24,
}

/// One upload that was created, and neither deleted nor expired.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) committed: Bytes24,
    pub(super) in_chunks: bool,
    pub(super) held: Option<Held>,
}

/// Bytes before the first one that is missing.
pub(super) fn front(bytes: &Bytes24) -> usize {
    bytes.iter().take_while(|byte| byte.is_some()).count()
}

/// Puts `count` bytes at `at`, where nothing is yet.
pub(super) fn fill(bytes: &mut Bytes24, at: usize, count: usize, byte: u8) {
    for place in &mut bytes[at..at + count] {
        place.get_or_insert(byte);
    }
}

impl Upload {
    pub(super) const fn new() -> Self {
        Self { committed: [None; LENGTH], in_chunks: false, held: None }
    }

    pub(super) fn is_complete(&self) -> bool {
        front(&self.committed) == LENGTH
    }

    pub(super) fn count(&self) -> usize {
        self.committed.iter().flatten().count()
    }

    pub(super) fn has_chunk(&self, chunk: usize) -> bool {
        self.committed[chunk * CHUNK..(chunk + 1) * CHUNK].iter().all(Option::is_some)
    }

    /// The open transfer ends, and what it brought counts.
    pub(super) fn settle(&mut self) {
        if let Some(held) = self.held.take() {
            self.committed = held.reached;
        }
    }

    /// Whoever looked, or came with a wrong offset, had the open transfer make a checkpoint; the last
    /// byte is left to whoever finishes.
    pub(super) fn checkpoint(&mut self) {
        if let Some(held) = self.held.as_ref().filter(|held| front(&held.reached) < LENGTH) {
            self.committed = held.reached;
        }
    }

    /// The process was killed: the size tells how far a blob got, unless chunks make holes.
    pub(super) fn kill(&mut self) {
        if self.in_chunks {
            self.held = None;
        }
        self.settle();
    }

    /// The power went: only what was committed is believed.
    pub(super) fn cut_power(&mut self) {
        self.held = None;
    }
}
