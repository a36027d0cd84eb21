//! Which numbered chunks have arrived.

/// A set of chunk numbers below `total`, kept as sorted runs that neither touch nor overlap.
///
/// One set has one form, so equal sets compare equal. A million chunks that arrived in order are
/// one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkMap {
    total: u32,
    /// Half-open `[first, end)` runs, ascending, with a gap between neighbours.
    runs: Vec<(u32, u32)>,
}

impl ChunkMap {
    /// No chunk of `total` has arrived.
    #[must_use]
    pub const fn new(total: u32) -> Self {
        Self { total, runs: Vec::new() }
    }

    /// How many chunks there are in all.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.total
    }

    /// Marks a chunk as arrived; `false` if it was already there or lies past the end.
    pub fn insert(&mut self, chunk: u32) -> bool {
        if chunk >= self.total || self.contains(chunk) {
            return false;
        }
        // The first run that starts behind the chunk; its predecessor ends at or before the chunk.
        let at = self.runs.partition_point(|&(first, _)| first <= chunk);
        let joins_back = self.runs.get(at).is_some_and(|&(first, _)| first == chunk + 1);
        let before = at.checked_sub(1).and_then(|index| self.runs.get_mut(index));
        match before.filter(|(_, end)| *end == chunk) {
            Some(run) if !joins_back => run.1 = chunk + 1,
            Some(_) => {
                let (_, end) = self.runs.remove(at);
                if let Some(run) = at.checked_sub(1).and_then(|index| self.runs.get_mut(index)) {
                    run.1 = end;
                }
            }
            None => match self.runs.get_mut(at).filter(|_| joins_back) {
                Some(run) => run.0 = chunk,
                None => self.runs.insert(at, (chunk, chunk + 1)),
            },
        }
        true
    }

    /// Marks every chunk below `end` as arrived, whatever was there.
    pub fn insert_front(&mut self, end: u32) {
        let end = end.min(self.total);
        if end == 0 || self.contiguous() >= end {
            return;
        }
        // Runs that the front swallows or touches; the last of them may reach further.
        let swallowed = self.runs.partition_point(|&(first, _)| first <= end);
        let reach = swallowed.checked_sub(1).and_then(|last| self.runs.get(last));
        let end = reach.map_or(end, |&(_, reach)| reach.max(end));
        self.runs.splice(..swallowed, [(0, end)]);
    }

    /// Half-open runs of chunks that have arrived, in ascending order.
    pub fn runs(&self) -> impl Iterator<Item = (u32, u32)> {
        self.runs.iter().copied()
    }

    /// The map with these runs; `None` unless they are ascending, apart and below `total`.
    #[must_use]
    pub fn from_runs(total: u32, runs: Vec<(u32, u32)>) -> Option<Self> {
        let mut behind = None;
        for &(first, end) in &runs {
            if first >= end || end > total || behind.is_some_and(|behind| first <= behind) {
                return None;
            }
            behind = Some(end);
        }
        Some(Self { total, runs })
    }

    /// The run that holds `chunk`, if it has arrived.
    #[must_use]
    pub fn run_of(&self, chunk: u32) -> Option<(u32, u32)> {
        let at = self.runs.partition_point(|&(first, _)| first <= chunk);
        let run = at.checked_sub(1).and_then(|index| self.runs.get(index));
        run.copied().filter(|&(_, end)| chunk < end)
    }

    /// The first run that begins behind `chunk`.
    #[must_use]
    pub fn run_behind(&self, chunk: u32) -> Option<(u32, u32)> {
        self.runs.get(self.runs.partition_point(|&(first, _)| first <= chunk)).copied()
    }

    /// Whether a chunk has arrived.
    #[must_use]
    pub fn contains(&self, chunk: u32) -> bool {
        self.run_of(chunk).is_some()
    }

    /// How many chunks have arrived.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.runs.iter().map(|(first, end)| end - first).sum()
    }

    /// How many chunks have arrived without a gap from the front.
    #[must_use]
    pub fn contiguous(&self) -> u32 {
        self.runs.first().map_or(0, |&(first, end)| if first == 0 { end } else { 0 })
    }

    /// Whether every chunk is in: the completion rule of the chunk protocol.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.contiguous() == self.total
    }

    /// What is missing, as half-open runs in ascending order.
    pub fn missing(&self) -> impl Iterator<Item = (u32, u32)> {
        let starts = std::iter::once(0).chain(self.runs.iter().map(|&(_, end)| end));
        let ends = self.runs.iter().map(|&(first, _)| first).chain(std::iter::once(self.total));
        starts.zip(ends).filter(|(start, end)| start < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn filling_the_front_is_marking_each_of_its_chunks(
            total in 0_u32..64, chunks: Vec<u8>, end in 0_u32..80,
        ) {
            let mut map = ChunkMap::new(total);
            for chunk in chunks {
                map.insert(u32::from(chunk % 80));
            }
            let mut one_by_one = map.clone();
            for chunk in 0..end {
                one_by_one.insert(chunk);
            }
            map.insert_front(end);
            prop_assert_eq!(&map, &one_by_one);
            prop_assert_eq!(ChunkMap::from_runs(total, map.runs().collect()), Some(map));
        }

        #[test]
        fn a_map_agrees_with_a_plain_set(total in 0_u32..64, chunks: Vec<u8>) {
            let mut map = ChunkMap::new(total);
            let mut set = BTreeSet::new();
            for chunk in chunks.into_iter().map(|chunk| u32::from(chunk % 80)) {
                prop_assert_eq!(map.insert(chunk), chunk < total && set.insert(chunk));
            }
            let missing: BTreeSet<u32> = map.missing().flat_map(|(first, end)| first..end).collect();
            prop_assert_eq!(map.count() as usize, set.len());
            prop_assert_eq!(map.is_complete(), missing.is_empty());
            prop_assert_eq!(map.contiguous(), (0..total).take_while(|n| set.contains(n)).count() as u32);
            for chunk in 0..total {
                prop_assert_eq!(map.contains(chunk), set.contains(&chunk));
                prop_assert_eq!(missing.contains(&chunk), !set.contains(&chunk));
            }
            for pair in map.runs.windows(2) {
                prop_assert!(pair[0].1 < pair[1].0, "runs touch");
            }
        }
    }
}
