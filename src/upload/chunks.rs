//! What has arrived of an upload in chunks, beyond what lies contiguously at its front.

use super::chunk_map::ChunkMap;
use super::geometry::{Geometry, Span};
use super::sums::{Segment, join};

/// The chunks of an upload: which are there, and what the ones ahead of the offset sum up to.
///
/// Invariants, kept by [`super::Received`]: chunks wholly below the offset are in the map, the one
/// that holds the offset is not; `summed` and `fronts` lie behind it, ascending and apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
    pub(super) geometry: Geometry,
    pub(super) map: ChunkMap,
    /// CRCs of whole chunks ahead, neighbours joined.
    pub(super) summed: Vec<SummedRun>,
    /// Chunks ahead that were cut: what arrived of each.
    pub(super) fronts: Vec<ChunkFront>,
}

/// Whole chunks `[first, end)` and the CRC-32 of their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SummedRun {
    /// The first chunk.
    pub first: u32,
    /// The chunk behind the last.
    pub end: u32,
    /// CRC-32 (IEEE) of their bytes.
    pub crc: u32,
}

/// The first bytes of a chunk, and their CRC-32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkFront {
    /// The chunk.
    pub chunk: u32,
    /// How many; fewer than the chunk has.
    pub bytes: u64,
    /// CRC-32 (IEEE) of them.
    pub crc: u32,
}

impl Chunks {
    /// Most runs ahead whose CRC is kept: 3 KiB. Chunks past that are believed without one, which
    /// only matters after a power cut with `durability = "os"`.
    pub const MAX_SUMMED: usize = 256;
    /// Most cut chunks that are remembered; past that the shortest is forgotten.
    pub const MAX_FRONTS: usize = 64;

    /// No chunk has arrived.
    #[must_use]
    pub const fn new(geometry: Geometry) -> Self {
        let map = ChunkMap::new(geometry.total_chunks());
        Self { geometry, map, summed: Vec::new(), fronts: Vec::new() }
    }

    /// How the upload is cut into chunks.
    #[must_use]
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Which chunks are wholly there.
    #[must_use]
    pub const fn map(&self) -> &ChunkMap {
        &self.map
    }

    /// Whether sums and cut chunks are within bounds, ascending, apart, and of chunks of this upload
    /// that are there or not there, as it should be.
    pub(super) fn agree(&self) -> bool {
        let total = self.geometry.total_chunks();
        let mut behind = 0;
        let summed = self.summed.iter().all(|run| {
            let sound = run.first >= behind
                && run.first < run.end
                && self.map.run_of(run.first).is_some_and(|(_, end)| run.end <= end);
            behind = run.end;
            sound
        });
        let mut next = 0;
        let cut = self.fronts.iter().all(|front| {
            let bytes = self.geometry.span(front.chunk).map_or(0, Span::bytes);
            let sound = front.chunk >= next
                && front.chunk < total
                && (1..bytes).contains(&front.bytes)
                && !self.map.contains(front.chunk);
            next = front.chunk.saturating_add(1);
            sound
        });
        let bounded =
            self.summed.len() <= Self::MAX_SUMMED && self.fronts.len() <= Self::MAX_FRONTS;
        summed && cut && bounded
    }

    /// What arrived of a chunk ahead that is not wholly there.
    pub(super) fn front_of(&self, chunk: u32) -> Option<ChunkFront> {
        self.fronts.iter().find(|front| front.chunk == chunk).copied()
    }

    /// Keeps what arrived of a chunk ahead.
    pub(super) fn keep_front(&mut self, front: ChunkFront) {
        self.drop_front(front.chunk);
        if self.fronts.len() >= Self::MAX_FRONTS {
            let shortest = self.fronts.iter().enumerate().min_by_key(|(_, front)| front.bytes);
            if let Some((at, _)) = shortest.filter(|(_, shortest)| shortest.bytes < front.bytes) {
                self.fronts.remove(at);
            } else {
                return;
            }
        }
        let at = self.fronts.partition_point(|other| other.chunk < front.chunk);
        self.fronts.insert(at, front);
    }

    /// Forgets what arrived of a chunk ahead.
    pub(super) fn drop_front(&mut self, chunk: u32) {
        self.fronts.retain(|front| front.chunk != chunk);
    }

    /// Marks a chunk ahead as wholly there.
    pub(super) fn complete(&mut self, chunk: u32, crc: u32) {
        self.drop_front(chunk);
        if !self.map.insert(chunk) {
            return;
        }
        let at = self.summed.partition_point(|run| run.first <= chunk);
        let new = SummedRun { first: chunk, end: chunk.saturating_add(1), crc };
        let behind = self.summed.get(at).copied().filter(|run| run.first == new.end);
        let before = at.checked_sub(1).and_then(|at| self.summed.get(at)).copied();
        let before = before.filter(|run| run.end == new.first);
        let joined = [before, Some(new), behind].into_iter().flatten();
        let Some(joined) = joined.reduce(|first, second| self.join(first, second)) else { return };
        let start = if before.is_some() { at.saturating_sub(1) } else { at };
        let end = if behind.is_some() { at.saturating_add(1) } else { at };
        if start == end && self.summed.len() >= Self::MAX_SUMMED {
            return;
        }
        self.summed.splice(start..end, [joined]);
    }

    fn join(&self, first: SummedRun, second: SummedRun) -> SummedRun {
        let sum = join(&[self.segment(first), self.segment(second)]);
        SummedRun { first: first.first, end: second.end, crc: sum.crc }
    }

    /// The stretch of bytes of a run, with its sum.
    pub(super) fn segment(&self, run: SummedRun) -> Segment {
        Segment { bytes: self.geometry.between(run.first, run.end).bytes(), crc: run.crc }
    }

    /// Where a chunk begins.
    pub(super) fn start_of(&self, chunk: u32) -> u64 {
        self.geometry.between(chunk, chunk).start
    }

    /// Every stretch ahead that has a sum, in the order in which `retain_ahead` takes
    /// the verdicts: for recovery, which reads them again.
    #[must_use]
    pub fn sums_ahead(&self) -> Vec<(Span, u32)> {
        let whole =
            self.summed.iter().map(|run| (self.geometry.between(run.first, run.end), run.crc));
        let cut = self.fronts.iter().map(|front| {
            let start = self.start_of(front.chunk);
            (Span { start, end: start.saturating_add(front.bytes) }, front.crc)
        });
        whole.chain(cut).collect()
    }

    /// Keeps of what lies ahead only the stretches whose verdict is good. Chunks without a sum go.
    pub(super) fn retain_ahead(&mut self, sound: &[bool]) {
        let mut verdicts = sound.iter().copied();
        let mut good = || verdicts.next().unwrap_or(false);
        self.summed.retain(|_| good());
        self.fronts.retain(|_| good());
        let front = self.map.contiguous();
        let mut map = ChunkMap::new(self.geometry.total_chunks());
        map.insert_front(front);
        for run in &self.summed {
            for chunk in run.first..run.end {
                map.insert(chunk);
            }
        }
        self.map = map;
    }
}
