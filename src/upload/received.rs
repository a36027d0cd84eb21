//! What has arrived of an upload: contiguously from the front, and in chunks ahead of that.

use super::chunks::{ChunkFront, Chunks};
use super::geometry::{Geometry, Span};
use super::quantity::{UploadLength, UploadOffset};
use super::sums::{Segment, Sums, join};

/// What has arrived.
///
/// What is there stays as it first arrived: bytes that come again are skipped, by whatever protocol
/// they come.
///
/// Invariants: `sums` cover at most `[0, offset)`, and less only if chunks arrived in such disorder
/// that not every sum was kept; nothing ahead touches the offset.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Received {
    offset: UploadOffset,
    sums: Sums,
    chunks: Option<Box<Chunks>>,
}

/// Bytes of one chunk that follow what is there of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkPiece {
    /// The chunk.
    pub chunk: u32,
    /// How many bytes.
    pub bytes: u64,
    /// CRC-32 (IEEE) of them.
    pub crc: u32,
}

impl ChunkPiece {
    /// Takes bytes that follow.
    pub fn extend(&mut self, bytes: &[u8]) {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.crc);
        hasher.update(bytes);
        self.crc = hasher.finalize();
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    /// This piece and the one behind it, as one.
    #[must_use]
    pub fn followed_by(self, other: Self) -> Self {
        let stretches = [
            Segment { bytes: self.bytes, crc: self.crc },
            Segment { bytes: other.bytes, crc: other.crc },
        ];
        let Segment { bytes, crc } = join(&stretches);
        Self { chunk: self.chunk, bytes, crc }
    }
}

impl Received {
    /// `[0, offset)`, with these sums, and nothing ahead.
    #[must_use]
    pub const fn front(offset: UploadOffset, sums: Sums) -> Self {
        Self { offset, sums, chunks: None }
    }

    /// What a record says; `None` if it contradicts itself.
    pub(super) fn stored(offset: UploadOffset, sums: Sums, chunks: Option<Chunks>) -> Option<Self> {
        let received = Self { offset, sums, chunks: chunks.map(Box::new) };
        let mut settled = received.clone();
        settled.absorb();
        (settled == received && received.sums.covered() <= offset.get()).then_some(received)
    }

    /// Contiguous bytes from the front.
    #[must_use]
    pub const fn offset(&self) -> UploadOffset {
        self.offset
    }

    /// CRCs over them.
    #[must_use]
    pub const fn sums(&self) -> &Sums {
        &self.sums
    }

    /// The chunks, once a request named one.
    #[must_use]
    pub fn chunks(&self) -> Option<&Chunks> {
        self.chunks.as_deref()
    }

    /// The same bytes, with sums that cover more of them.
    #[must_use]
    pub fn summed(self, sums: Sums) -> Self {
        if sums.covered() <= self.offset.get() { Self { sums, ..self } } else { self }
    }

    /// Cuts the upload into chunks from now on.
    pub fn cut_into(&mut self, geometry: Geometry) {
        if self.chunks.is_none() {
            self.chunks = Some(Box::new(Chunks::new(geometry)));
            self.absorb();
        }
    }

    /// Takes bytes that follow the offset. At most [`Received::gap`] of them.
    pub fn append(&mut self, bytes: &[u8]) {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.sums.covered() == self.offset.get() {
            self.sums.update(bytes);
        }
        // Bounded by the plan's budget, which ends at the largest offset at the latest.
        self.offset = self.offset.advance(count).unwrap_or(self.offset);
        if count > 0 {
            self.absorb();
        }
    }

    /// Bytes between the offset and the next ones that are there; `None` if nothing lies ahead.
    #[must_use]
    pub fn gap(&self) -> Option<u64> {
        let chunks = self.chunks.as_deref()?;
        let open = chunks.geometry.chunk_at(self.offset.get());
        let run = chunks.map.run_behind(open).map(|(first, _)| first);
        let cut = chunks.fronts.first().map(|front| front.chunk);
        let next = run.into_iter().chain(cut).min()?;
        chunks.start_of(next).checked_sub(self.offset.get())
    }

    /// How many bytes of a chunk are there, from its front.
    #[must_use]
    pub fn of_chunk(&self, chunk: u32, span: Span) -> u64 {
        let contiguous = self.offset.get().clamp(span.start, span.end).saturating_sub(span.start);
        let Some(chunks) = self.chunks.as_deref() else { return contiguous };
        if chunks.map.contains(chunk) {
            return span.bytes();
        }
        chunks.front_of(chunk).map_or(contiguous, |front| front.bytes)
    }

    /// Takes bytes of a chunk that follow what is there of it.
    ///
    /// More than the chunk has are not taken, nor is anything before the upload was cut into
    /// chunks.
    pub fn take(&mut self, piece: ChunkPiece) {
        let Some(geometry) = self.chunks.as_deref().map(|chunks| chunks.geometry) else { return };
        let Some(span) = geometry.span(piece.chunk) else { return };
        let have = self.of_chunk(piece.chunk, span);
        let total = have.saturating_add(piece.bytes);
        if piece.bytes == 0 || total > span.bytes() {
            return;
        }
        if span.start.saturating_add(have) == self.offset.get() {
            self.push(Segment { bytes: piece.bytes, crc: piece.crc });
            self.absorb();
            return;
        }
        let Some(chunks) = self.chunks.as_deref_mut() else { return };
        let before = chunks.front_of(piece.chunk).map_or(0, |front| front.crc);
        let pieces =
            [Segment { bytes: have, crc: before }, Segment { bytes: piece.bytes, crc: piece.crc }];
        let crc = join(&pieces).crc;
        if total == span.bytes() {
            chunks.complete(piece.chunk, crc);
        } else {
            chunks.keep_front(ChunkFront { chunk: piece.chunk, bytes: total, crc });
        }
    }

    /// Moves the offset over a stretch.
    fn push(&mut self, segment: Segment) {
        if self.sums.covered() == self.offset.get() {
            self.sums.push(segment);
        }
        self.offset = self.offset.advance(segment.bytes).unwrap_or(self.offset);
    }

    /// Moves the offset over everything that touches it, and drops what it has passed.
    fn absorb(&mut self) {
        let Some(mut chunks) = self.chunks.take() else { return };
        loop {
            let at = self.offset.get();
            let open = chunks.geometry.chunk_at(at);
            chunks.map.insert_front(open);
            let start = chunks.start_of(open);
            chunks.fronts.retain(|front| {
                front.chunk > open
                    || (front.chunk == open && start.saturating_add(front.bytes) > at)
            });
            let Some((_, end)) = chunks.map.run_of(open) else {
                match chunks.front_of(open) {
                    Some(front) if start == at => {
                        self.push(Segment { bytes: front.bytes, crc: front.crc });
                        continue;
                    }
                    // Nobody writes into what is there, so the offset is never inside of it; if a
                    // record says so, the front's sum is of no use.
                    Some(_) | None => {
                        chunks.drop_front(open);
                        break;
                    }
                }
            };
            self.pass(&mut chunks, open, end);
        }
        chunks.summed.retain(|run| run.first >= chunks.map.contiguous());
        self.chunks = Some(chunks);
    }

    /// Moves the offset over the chunks `[open, end)`, with as many of their sums as there are.
    fn pass(&mut self, chunks: &mut Chunks, open: u32, end: u32) {
        let mut chunk = open;
        for run in &chunks.summed {
            if run.first == chunk && chunks.start_of(chunk) == self.offset.get() && run.end <= end {
                self.push(chunks.segment(*run));
                chunk = run.end;
            }
        }
        let behind = chunks.geometry.between(open, end).end;
        self.offset = UploadOffset::new(behind).unwrap_or(self.offset).max(self.offset);
    }

    /// Bytes that are there, wherever.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let Some(chunks) = self.chunks.as_deref() else { return self.offset.get() };
        let whole = chunks.map.runs().map(|(first, end)| chunks.geometry.between(first, end));
        let ahead = whole.filter(|span| span.start >= self.offset.get()).map(Span::bytes);
        let cut = chunks.fronts.iter().map(|front| front.bytes);
        ahead.chain(cut).fold(self.offset.get(), u64::saturating_add)
    }

    /// What is missing of `length` bytes, in ascending order.
    pub fn missing(&self, length: UploadLength) -> impl Iterator<Item = Span> {
        let chunks = self.chunks.as_deref();
        let rest = Span { start: self.offset.get(), end: length.get() };
        let unchunked = if chunks.is_none() { Some(rest) } else { None };
        let holes = chunks.into_iter().flat_map(|chunks| self.holes(chunks));
        unchunked.into_iter().chain(holes).filter(|span| span.start < span.end)
    }

    fn holes<'a>(&'a self, chunks: &'a Chunks) -> impl Iterator<Item = Span> {
        chunks.map.missing().flat_map(move |(first, end)| {
            let hole = chunks.geometry.between(first, end);
            let inside = move |front: &&ChunkFront| (first..end).contains(&front.chunk);
            let cuts = chunks.fronts.iter().filter(inside).map(|front| {
                let start = chunks.start_of(front.chunk);
                Span { start, end: start.saturating_add(front.bytes) }
            });
            let before = std::iter::once(hole.start.max(self.offset.get()));
            let starts = before.chain(cuts.clone().map(|cut| cut.end));
            let ends = cuts.map(|cut| cut.start).chain(std::iter::once(hole.end));
            starts.zip(ends).map(|(start, end)| Span { start, end })
        })
    }

    /// Where the last byte that is there ends.
    #[must_use]
    pub fn reach(&self) -> u64 {
        let Some(chunks) = self.chunks.as_deref() else { return self.offset.get() };
        let whole = chunks.map.runs().last();
        let whole = whole.map_or(0, |(first, end)| chunks.geometry.between(first, end).end);
        let cut = chunks.fronts.last();
        let cut = cut.map_or(0, |front| chunks.start_of(front.chunk).saturating_add(front.bytes));
        whole.max(cut).max(self.offset.get())
    }

    /// Takes back everything behind `offset`, and keeps of what lies ahead only what is `sound`, in
    /// the order of [`Chunks::sums_ahead`] (recovery only).
    pub fn cut_back(&mut self, offset: UploadOffset, sums: Sums, sound: &[bool]) {
        let moved = offset < self.offset;
        self.offset = offset;
        self.sums = sums;
        let Some(mut chunks) = self.chunks.take() else { return };
        let open = chunks.geometry.chunk_at(offset.get());
        if moved {
            let mut map = super::chunk_map::ChunkMap::new(chunks.geometry.total_chunks());
            map.insert_front(open);
            chunks.map = map;
        }
        chunks.retain_ahead(sound);
        self.chunks = Some(chunks);
        self.absorb();
    }
}

#[cfg(test)]
mod tests;
