//! CRCs of what was stored, so that a torn or flipped block is found before it is served.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::quantity::UploadOffset;

/// One stretch of bytes and its CRC-32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Bytes of this stretch.
    pub bytes: u64,
    /// CRC-32 (IEEE) of those bytes.
    pub crc: u32,
}

/// CRC-32 sums over `[0, covered)`, in order, without gaps.
///
/// Their number is bounded by [`Sums::MAX_SEGMENTS`] whatever the size of the upload: when the
/// list is full, neighbours are joined by arithmetic alone (the CRC of two stretches follows from
/// theirs) and the stretch doubles. Concatenating uploads concatenates their sums, so a final
/// upload has sums without its bytes being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    segments: Vec<Segment>,
    /// A stretch that has reached this many bytes is closed; only ever doubles.
    stretch_bytes: u64,
}

impl Default for Sums {
    fn default() -> Self {
        Self { segments: Vec::new(), stretch_bytes: Self::FIRST_STRETCH_BYTES }
    }
}

impl Sums {
    /// Most stretches in a record: at 12 bytes each, 3 KiB.
    pub const MAX_SEGMENTS: usize = 256;
    /// Bytes of a stretch in a small upload.
    pub const FIRST_STRETCH_BYTES: u64 = 1024 * 1024;

    /// Bytes these sums speak for, from the front.
    #[must_use]
    pub fn covered(&self) -> u64 {
        // Saturating, because a damaged record may claim anything.
        self.segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.bytes))
    }

    /// The stretches, in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let open = self.segments.last().filter(|last| last.bytes < self.stretch_bytes);
            let have = open.map_or(0, |last| last.bytes);
            let room = usize::try_from(self.stretch_bytes.saturating_sub(have));
            let (now, later) = bytes.split_at(room.unwrap_or(usize::MAX).min(bytes.len()));
            let mut hasher = crc32fast::Hasher::new_with_initial(open.map_or(0, |last| last.crc));
            hasher.update(now);
            let grown = Segment {
                bytes: have.saturating_add(u64::try_from(now.len()).unwrap_or(u64::MAX)),
                crc: hasher.finalize(),
            };
            match self.segments.last_mut() {
                Some(last) if have > 0 => *last = grown,
                Some(_) | None => {
                    self.make_room();
                    self.segments.push(grown);
                }
            }
            bytes = later;
        }
    }

    /// Appends the sums of bytes that follow these.
    pub fn extend(&mut self, following: &Self) {
        self.stretch_bytes = self.stretch_bytes.max(following.stretch_bytes);
        for segment in &following.segments {
            self.push(*segment);
        }
    }

    /// Appends one stretch that follows these; short neighbours become one.
    pub fn push(&mut self, segment: Segment) {
        let stretch_bytes = self.stretch_bytes;
        let joined = |last: &Segment| last.bytes.saturating_add(segment.bytes) <= stretch_bytes;
        if let Some(last) = self.segments.last_mut().filter(|last| joined(last)) {
            *last = join(&[*last, segment]);
        } else if segment.bytes > 0 {
            self.make_room();
            self.segments.push(segment);
        }
    }

    /// Keeps whole stretches of `[0, at)` and returns what remains covered: at most `at`.
    ///
    /// The bytes between the answer and `at` have to be read again and given to
    /// [`Sums::update`].
    pub fn cut(&mut self, at: UploadOffset) -> UploadOffset {
        let mut covered = 0_u64;
        let whole = self.segments.iter().take_while(|segment| {
            let end = covered.saturating_add(segment.bytes);
            let fits = end <= at.get();
            if fits {
                covered = end;
            }
            fits
        });
        let keep = whole.count();
        self.segments.truncate(keep);
        UploadOffset::new(covered).unwrap_or_default()
    }

    /// Joins neighbours when the list is full, so that one more fits.
    fn make_room(&mut self) {
        if self.segments.len() < Self::MAX_SEGMENTS {
            return;
        }
        self.segments = self.segments.chunks(2).map(join).collect();
        self.stretch_bytes = self.stretch_bytes.saturating_mul(2);
    }
}

/// The sum of neighbouring stretches, from their sums.
pub(super) fn join(neighbours: &[Segment]) -> Segment {
    let mut sum = crc32fast::Hasher::new();
    let mut bytes = 0_u64;
    for segment in neighbours {
        sum.combine(&crc32fast::Hasher::new_with_initial_len(segment.crc, segment.bytes));
        bytes = bytes.saturating_add(segment.bytes);
    }
    Segment { bytes, crc: sum.finalize() }
}

/// The stored form: stretch size, then every stretch as 8 bytes of length and 4 of CRC, base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    stretch: u64,
    crc32: String,
}

const STORED_SEGMENT_BYTES: usize = 12;

impl Serialize for Sums {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(self.segments.len() * STORED_SEGMENT_BYTES);
        for segment in &self.segments {
            bytes.extend_from_slice(&segment.bytes.to_be_bytes());
            bytes.extend_from_slice(&segment.crc.to_be_bytes());
        }
        Stored { stretch: self.stretch_bytes, crc32: STANDARD.encode(bytes) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sums {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let stored = Stored::deserialize(deserializer)?;
        let bytes = STANDARD.decode(stored.crc32).map_err(Error::custom)?;
        let mut words = bytes.chunks_exact(STORED_SEGMENT_BYTES);
        let mut segments = Vec::with_capacity(words.len());
        for word in words.by_ref() {
            let (length, crc) = word.split_first_chunk::<8>().ok_or_else(|| torn::<D>())?;
            let (crc, _) = crc.split_first_chunk::<4>().ok_or_else(|| torn::<D>())?;
            segments.push(Segment {
                bytes: u64::from_be_bytes(*length),
                crc: u32::from_be_bytes(*crc),
            });
        }
        let sound = words.remainder().is_empty()
            && stored.stretch > 0
            && segments.len() <= Self::MAX_SEGMENTS;
        sound.then_some(Self { segments, stretch_bytes: stored.stretch }).ok_or_else(|| torn::<D>())
    }
}

fn torn<'de, D: serde::Deserializer<'de>>() -> D::Error {
    serde::de::Error::custom("the list of block sums is torn")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sums_with_stretch(stretch_bytes: u64) -> Sums {
        Sums { segments: Vec::new(), stretch_bytes }
    }

    /// Every stretch must equal the CRC of the bytes it names.
    fn speaks_for(sums: &Sums, bytes: &[u8]) -> bool {
        let mut at = 0;
        sums.segments().iter().all(|segment| {
            let end = at + usize::try_from(segment.bytes).unwrap();
            let right = crc32fast::hash(&bytes[at..end]) == segment.crc;
            at = end;
            right
        }) && at == bytes.len()
    }

    proptest! {
        #[test]
        fn sums_speak_for_the_bytes_however_they_were_cut_into_batches(
            batches in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..40),
        ) {
            let mut sums = sums_with_stretch(7);
            for batch in &batches {
                sums.update(batch);
            }
            prop_assert!(sums.segments().len() <= Sums::MAX_SEGMENTS);
            prop_assert!(speaks_for(&sums, &batches.concat()));
        }

        #[test]
        fn joined_sums_speak_for_joined_bytes(first: Vec<u8>, second: Vec<u8>) {
            let (mut front, mut back) = (sums_with_stretch(5), sums_with_stretch(3));
            front.update(&first);
            back.update(&second);
            front.extend(&back);
            prop_assert!(speaks_for(&front, &[first, second].concat()));
        }

        #[test]
        fn a_cut_and_reread_tail_gives_sums_of_the_prefix(
            bytes in prop::collection::vec(any::<u8>(), 1..400), cut in 0_usize..400,
        ) {
            let cut = cut.min(bytes.len());
            let mut sums = sums_with_stretch(16);
            sums.update(&bytes);
            let kept = sums.cut(UploadOffset::new(cut as u64).unwrap());
            let kept = usize::try_from(kept.get()).unwrap();
            prop_assert!(kept <= cut);
            sums.update(&bytes[kept..cut]);
            prop_assert!(speaks_for(&sums, &bytes[..cut]));
        }

        #[test]
        fn sums_read_back_as_they_were_stored(bytes: Vec<u8>) {
            let mut sums = sums_with_stretch(9);
            sums.update(&bytes);
            let text = serde_json::to_string(&sums).unwrap();
            prop_assert_eq!(serde_json::from_str::<Sums>(&text).unwrap(), sums);
        }
    }

    #[test]
    fn a_terabyte_still_has_a_bounded_list() {
        let mut sums = Sums::default();
        let megabyte = {
            let mut sums = Sums::default();
            sums.update(&vec![0; 1 << 20]);
            sums
        };
        for _ in 0..1_000_000 {
            sums.extend(&megabyte);
        }
        assert_eq!(sums.covered(), 1_000_000 << 20);
        assert!(sums.segments().len() <= Sums::MAX_SEGMENTS);
    }
}
