//! What a client knows of one upload: what it sent, and what it was told.

use std::collections::BTreeSet;

use crate::chance::content;

/// How an upload is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// tus.
    Tus,
    /// A part of a final upload, by tus.
    Part,
    /// A final upload, joined of parts.
    Final,
    /// In chunks of so many bytes.
    Chunks(u64),
    /// Into a slot, by PUT.
    Slot {
        /// Where to.
        put: String,
    },
}

/// Whether it was asked to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No.
    There,
    /// Yes, but the answer never came: both is right.
    Going,
    /// Yes, and that was acknowledged.
    Gone,
}

/// One upload.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Where it is.
    pub path: String,
    /// How it is sent.
    pub way: Way,
    /// Whether it is still there.
    pub standing: Standing,
    /// Seeds and lengths of what it is made of; one, unless it is joined.
    pub pieces: Vec<(u64, u64)>,
    /// Bytes from the front that were acknowledged.
    pub acknowledged: u64,
    /// The kind of answer that acknowledged them.
    pub told_by: &'static str,
    /// Chunks that were acknowledged.
    pub chunks: BTreeSet<u64>,
}

impl Upload {
    /// A new upload, of which nothing was acknowledged.
    #[must_use]
    pub fn new(path: String, way: Way, pieces: Vec<(u64, u64)>) -> Self {
        let standing = Standing::There;
        Self {
            path,
            way,
            standing,
            pieces,
            acknowledged: 0,
            told_by: "POST",
            chunks: BTreeSet::new(),
        }
    }

    /// Its length.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.pieces.iter().map(|(_, length)| length).sum()
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|(seed, length)| content(*seed, 0, *length)).collect()
    }

    /// Bytes from `from` to `to`.
    #[must_use]
    pub fn stretch(&self, from: u64, to: u64) -> Vec<u8> {
        match self.pieces.as_slice() {
            [(seed, _)] => content(*seed, from, to.min(self.length())),
            _ => {
                let all = self.bytes();
                let (from, to) = (usize::try_from(from), usize::try_from(to.min(self.length())));
                let range = from.unwrap_or(0)..to.unwrap_or(0);
                all.get(range).unwrap_or_default().to_vec()
            }
        }
    }

    /// Whether its last byte was acknowledged.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self.way {
            Way::Tus | Way::Part | Way::Final | Way::Slot { .. } => {
                self.acknowledged == self.length()
            }
            Way::Chunks(size) => {
                u64::try_from(self.chunks.len()).ok() == Some(self.length().div_ceil(size))
            }
        }
    }

    /// Where a chunk begins and ends.
    #[must_use]
    pub fn span(&self, chunk: u64) -> (u64, u64) {
        let size = match self.way {
            Way::Chunks(size) => size,
            Way::Tus | Way::Part | Way::Final | Way::Slot { .. } => self.length(),
        };
        let start = chunk.saturating_mul(size);
        (start, start.saturating_add(size).min(self.length()))
    }

    /// Bytes that were acknowledged, wherever they are.
    #[must_use]
    pub fn acknowledged_bytes(&self) -> u64 {
        let chunks = self.chunks.iter().map(|chunk| self.span(*chunk));
        self.acknowledged + chunks.map(|(start, end)| end - start).sum::<u64>()
    }
}
