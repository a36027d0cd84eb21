//! Bytes and their sums: what of a blob is still what arrived.
//!
//! Recovery cuts back to it after a crash, the doctor looks for what damage from outside has changed.

use std::sync::Arc;

use crate::storage::{BlobReader, StorageError};
use crate::upload::geometry::Span;
use crate::upload::{Sums, UploadOffset};

use super::error::EngineError;
use super::ledger::blocking;

/// Bytes read at a time while comparing CRCs.
const READ_BYTES: usize = 256 * 1024;

/// Bytes that are not what arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its bytes {start} to {end} are not those that arrived")]
pub struct Differs {
    /// Where the stretch begins in which they lie …
    pub start: u64,
    /// … and where it ends.
    pub end: u64,
}

/// Compares a blob with its sums while somebody reads it.
///
/// Only stretches that are read from their beginning to their end, in order, can be compared.
#[derive(Debug)]
pub struct Comparison {
    sums: Sums,
    /// Where the next bytes are expected.
    at: u64,
    /// The stretch they belong to.
    stretch: usize,
    start: u64,
    /// What was read of it; `None` if its beginning was not.
    crc: Option<crc32fast::Hasher>,
}

impl Comparison {
    /// Nothing was read yet.
    #[must_use]
    pub fn new(sums: &Sums) -> Self {
        let crc = Some(crc32fast::Hasher::new());
        Self { sums: sums.clone(), at: 0, stretch: 0, start: 0, crc }
    }

    /// Takes what was read at `at`.
    ///
    /// # Errors
    ///
    /// [`Differs`] if a stretch ends within these bytes and is not what arrived.
    pub fn take(&mut self, at: UploadOffset, mut bytes: &[u8]) -> Result<(), Differs> {
        if at.get() != self.at {
            self.go_to(at.get());
        }
        while !bytes.is_empty() {
            let Some(stretch) = self.sums.segments().get(self.stretch).copied() else { break };
            let end = self.start.saturating_add(stretch.bytes);
            let left = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(left.min(bytes.len()));
            if let Some(crc) = &mut self.crc {
                crc.update(now);
            }
            self.at = self.at.saturating_add(u64::try_from(now.len()).unwrap_or(u64::MAX));
            bytes = later;
            if self.at == end {
                let crc = self.crc.replace(crc32fast::Hasher::new());
                let start = std::mem::replace(&mut self.start, end);
                self.stretch = self.stretch.saturating_add(1);
                if crc.is_some_and(|crc| crc.finalize() != stretch.crc) {
                    return Err(Differs { start, end });
                }
            }
        }
        Ok(())
    }

    /// Finds the stretch of `at`.
    fn go_to(&mut self, at: u64) {
        (self.at, self.stretch, self.start) = (at, 0, 0);
        for segment in self.sums.segments() {
            let end = self.start.saturating_add(segment.bytes);
            if at < end {
                break;
            }
            self.start = end;
            self.stretch = self.stretch.saturating_add(1);
        }
        self.crc = (at == self.start).then(crc32fast::Hasher::new);
    }
}

/// Extends sums over the bytes between what they cover and `end`.
pub(super) async fn read_on(
    reader: Box<dyn BlobReader>,
    mut sums: Sums,
    end: UploadOffset,
) -> Result<Sums, EngineError> {
    blocking(move || {
        let mut at = UploadOffset::new(sums.covered()).unwrap_or_default();
        let mut buffer = vec![0; READ_BYTES];
        while let Some(left) = end.since(at).filter(|left| *left > 0) {
            let bytes = read_some(reader.as_ref(), at, left, &mut buffer)?;
            let Some(next) = advanced(at, bytes) else { break };
            sums.update(bytes);
            at = next;
        }
        Ok(sums)
    })
    .await
}

/// How far the bytes agree with their sums, in whole stretches, and the sums of that part.
pub async fn sound_prefix(
    reader: Arc<dyn BlobReader>,
    sums: Sums,
    there: UploadOffset,
) -> Result<(UploadOffset, Sums), EngineError> {
    blocking(move || {
        let mut sound = UploadOffset::ZERO;
        let mut buffer = vec![0; READ_BYTES];
        for stretch in sums.segments() {
            let Some(end) = sound.advance(stretch.bytes).filter(|end| *end <= there) else { break };
            if crc_of(reader.as_ref(), sound, end, &mut buffer)? != Some(stretch.crc) {
                break;
            }
            sound = end;
        }
        let mut kept = sums;
        kept.cut(sound);
        Ok((sound, kept))
    })
    .await
}

/// Which stretches ahead agree with their sums.
pub async fn sound_ahead(
    reader: Arc<dyn BlobReader>,
    ahead: Vec<(Span, u32)>,
) -> Result<Vec<bool>, EngineError> {
    blocking(move || {
        let mut buffer = vec![0; READ_BYTES];
        let mut sound = |(span, crc): &(Span, u32)| {
            let ends = UploadOffset::new(span.start).zip(UploadOffset::new(span.end));
            let Some((start, end)) = ends else { return Ok(false) };
            Ok(crc_of(reader.as_ref(), start, end, &mut buffer)? == Some(*crc))
        };
        ahead.iter().map(&mut sound).collect()
    })
    .await
}

/// The CRC of a stretch; `None` if the blob ends before it does.
fn crc_of(
    reader: &dyn BlobReader,
    start: UploadOffset,
    end: UploadOffset,
    buffer: &mut [u8],
) -> Result<Option<u32>, StorageError> {
    let (mut at, mut crc) = (start, crc32fast::Hasher::new());
    while let Some(left) = end.since(at).filter(|left| *left > 0) {
        let bytes = read_some(reader, at, left, buffer)?;
        let Some(next) = advanced(at, bytes) else { return Ok(None) };
        crc.update(bytes);
        at = next;
    }
    Ok(Some(crc.finalize()))
}

/// The next bytes, at most `left`; empty at the end of the blob.
fn read_some<'a>(
    reader: &dyn BlobReader,
    at: UploadOffset,
    left: u64,
    buffer: &'a mut [u8],
) -> Result<&'a [u8], StorageError> {
    let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
    let buffer = buffer.get_mut(..want).unwrap_or_default();
    let filled = reader.read_at(at, buffer)?;
    Ok(buffer.get(..filled).unwrap_or_default())
}

/// The offset behind `bytes`; `None` if there were none, so that a short blob ends a loop.
fn advanced(at: UploadOffset, bytes: &[u8]) -> Option<UploadOffset> {
    if bytes.is_empty() {
        return None;
    }
    at.advance(u64::try_from(bytes.len()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sums_of(bytes: &[u8]) -> Sums {
        let mut sums = Sums::default();
        sums.update(bytes);
        sums
    }

    fn at(offset: usize) -> UploadOffset {
        UploadOffset::new(offset.try_into().unwrap()).unwrap()
    }

    const STRETCH: usize = 1 << 20;

    #[test]
    fn a_flipped_bit_is_found_before_the_last_bytes_of_its_stretch_are_handed_out() {
        let mut bytes = vec![7; 2 * STRETCH + 10];
        let sums = sums_of(&bytes);
        bytes[STRETCH + 5] ^= 1;
        let mut comparison = Comparison::new(&sums);
        let mut passed = 0;
        let verdict = bytes.chunks(1000).try_for_each(|part| {
            comparison.take(at(passed), part)?;
            passed += part.len();
            Ok(())
        });
        let stretch = STRETCH.try_into().unwrap();
        assert_eq!(verdict, Err(Differs { start: stretch, end: 2 * stretch }));
        assert!((STRETCH..2 * STRETCH).contains(&passed), "{passed}");
    }

    #[test]
    fn a_range_is_compared_from_the_first_stretch_that_begins_in_it() {
        let mut bytes = vec![7; 3 * STRETCH];
        let sums = sums_of(&bytes);
        bytes[2 * STRETCH] ^= 1;
        let mut comparison = Comparison::new(&sums);
        comparison.take(at(STRETCH / 2), &bytes[STRETCH / 2..2 * STRETCH]).unwrap();
        assert!(comparison.take(at(2 * STRETCH), &bytes[2 * STRETCH..]).is_err());
    }

    proptest! {
        #[test]
        fn what_arrived_passes_in_whatever_order_it_is_read(
            bytes: Vec<u8>, reads in prop::collection::vec((0_usize..200, 0_usize..200), 0..20),
        ) {
            let mut comparison = Comparison::new(&sums_of(&bytes));
            for (from, count) in reads {
                let from = from.min(bytes.len());
                let end = bytes.len().min(from + count);
                prop_assert_eq!(comparison.take(at(from), &bytes[from..end]), Ok(()));
            }
        }
    }

    #[test]
    fn no_sums_know_nothing() {
        let mut comparison = Comparison::new(&Sums::default());
        assert_eq!(comparison.take(at(0), b"whatever"), Ok(()));
    }
}
