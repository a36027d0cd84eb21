//! Chunks as stored: small however many there are and in whatever order they came.
//!
//! The map is written as runs (for each the gap before it and its length, as LEB128) or as one bit
//! per chunk, whichever is shorter: a million chunks take at most 125,000 bytes, and some ten bytes
//! if they came in order. Sums and cut chunks are bounded in number.

use std::num::NonZeroU64;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::upload::chunk_map::ChunkMap;
use crate::upload::chunks::{ChunkFront, Chunks, SummedRun};
use crate::upload::geometry::Geometry;
use crate::upload::quantity::UploadLength;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredChunks {
    /// Bytes of a chunk.
    bytes: NonZeroU64,
    map: StoredMap,
    /// First chunk, chunk behind the last, CRC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    summed: Vec<(u32, u32, u32)>,
    /// Chunk, bytes, CRC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cut: Vec<(u32, u64, u32)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredMap {
    Runs(String),
    Bits(String),
}

impl StoredChunks {
    pub(super) fn of(chunks: &Chunks) -> Self {
        let summed = chunks.summed.iter().map(|run| (run.first, run.end, run.crc));
        let cut = chunks.fronts.iter().map(|front| (front.chunk, front.bytes, front.crc));
        Self {
            bytes: chunks.geometry().chunk_bytes(),
            map: StoredMap::of(chunks.map()),
            summed: summed.collect(),
            cut: cut.collect(),
        }
    }

    /// `None` if it contradicts itself.
    pub(super) fn restore(self, length: UploadLength) -> Option<Chunks> {
        let geometry = Geometry::new(length, self.bytes)?;
        let summed = self.summed.into_iter();
        let fronts = self.cut.into_iter();
        let chunks = Chunks {
            geometry,
            map: self.map.restore(geometry.total_chunks())?,
            summed: summed.map(|(first, end, crc)| SummedRun { first, end, crc }).collect(),
            fronts: fronts.map(|(chunk, bytes, crc)| ChunkFront { chunk, bytes, crc }).collect(),
        };
        chunks.agree().then_some(chunks)
    }
}

impl StoredMap {
    fn of(map: &ChunkMap) -> Self {
        let bits_bytes = usize::try_from(map.total().div_ceil(8)).unwrap_or(usize::MAX);
        let mut runs = Vec::new();
        let mut behind = 0;
        for (first, end) in map.runs() {
            write_leb128(&mut runs, first.saturating_sub(behind));
            write_leb128(&mut runs, end.saturating_sub(first));
            behind = end;
            if runs.len() > bits_bytes {
                return Self::Bits(STANDARD.encode(bits(map, bits_bytes)));
            }
        }
        Self::Runs(STANDARD.encode(runs))
    }

    fn restore(&self, total: u32) -> Option<ChunkMap> {
        let runs = match self {
            Self::Runs(text) => read_runs(&STANDARD.decode(text).ok()?)?,
            Self::Bits(text) => read_bits(&STANDARD.decode(text).ok()?)?,
        };
        ChunkMap::from_runs(total, runs)
    }
}

/// One bit per chunk, the first in the highest bit of the first byte.
fn bits(map: &ChunkMap, bytes: usize) -> Vec<u8> {
    let mut bits = vec![0_u8; bytes];
    for chunk in map.runs().flat_map(|(first, end)| first..end) {
        let byte = usize::try_from(chunk / 8).ok().and_then(|at| bits.get_mut(at));
        if let Some(byte) = byte {
            *byte |= 0x80_u8 >> (chunk % 8);
        }
    }
    bits
}

fn read_bits(bits: &[u8]) -> Option<Vec<(u32, u32)>> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for (at, byte) in (0_u32..).step_by(8).zip(bits) {
        for bit in 0..8_u32 {
            if byte & (0x80_u8 >> bit) == 0 {
                continue;
            }
            let chunk = at.checked_add(bit)?;
            match runs.last_mut().filter(|(_, end)| *end == chunk) {
                Some((_, end)) => *end = chunk.checked_add(1)?,
                None => runs.push((chunk, chunk.checked_add(1)?)),
            }
        }
    }
    Some(runs)
}

fn read_runs(mut bytes: &[u8]) -> Option<Vec<(u32, u32)>> {
    let mut runs = Vec::new();
    let mut behind = 0_u32;
    while !bytes.is_empty() {
        let first = behind.checked_add(read_leb128(&mut bytes)?)?;
        let end = first.checked_add(read_leb128(&mut bytes)?)?;
        runs.push((first, end));
        behind = end;
    }
    Some(runs)
}

/// Seven bits a byte, the lowest first, the highest bit of a byte says that more follow.
fn write_leb128(bytes: &mut Vec<u8>, mut number: u32) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0x7f);
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn read_leb128(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let low = u32::from(byte & 0x7f);
        // What would be shifted out makes another number.
        number |= low.checked_shl(shift).filter(|shifted| shifted >> shift == low)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map(total: u32, chunks: impl IntoIterator<Item = u32>) -> ChunkMap {
        let mut map = ChunkMap::new(total);
        for chunk in chunks {
            map.insert(chunk);
        }
        map
    }

    fn stored_bytes(map: &ChunkMap) -> usize {
        match StoredMap::of(map) {
            StoredMap::Runs(text) | StoredMap::Bits(text) => text.len(),
        }
    }

    proptest! {
        #[test]
        fn a_map_reads_back_as_it_was_stored(total in 0_u32..3000, chunks: Vec<u32>) {
            let map = map(total, chunks.into_iter().map(|chunk| chunk % 3000));
            prop_assert_eq!(StoredMap::of(&map).restore(total), Some(map));
        }

        #[test]
        fn whatever_is_stored_is_read_without_a_panic(bytes: Vec<u8>, total: u32) {
            let text = STANDARD.encode(&bytes);
            let _ = StoredMap::Runs(text.clone()).restore(total);
            let _ = StoredMap::Bits(text).restore(total % 10_000);
        }

        #[test]
        fn every_number_reads_back(number: u32) {
            let mut bytes = Vec::new();
            write_leb128(&mut bytes, number);
            prop_assert_eq!(read_leb128(&mut bytes.as_slice()), Some(number));
        }
    }

    #[test]
    fn a_million_chunks_stay_small_in_whatever_order_they_came() {
        let in_order = map(1_000_000, 0..900_000);
        assert!(stored_bytes(&in_order) < 16);
        let every_second = map(1_000_000, (0..1_000_000).step_by(2));
        assert!(stored_bytes(&every_second) < 170_000);
        assert_eq!(StoredMap::of(&every_second).restore(1_000_000), Some(every_second));
    }
}
