//! Chunk sizes: what is asked for, offered and bounded (C-11, C-17).

use std::num::NonZeroU64;

use crate::protocol::problem::Problem;
use crate::upload::{Geometry, Limits, UploadLength};

/// Enlarged chunks are a multiple of this, so that they end where a disk's blocks do.
const STEP: u64 = 64 * 1024;

/// What this gateway offers for chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Bytes of a chunk, where the client does not ask for another size.
    pub chunk_bytes: NonZeroU64,
    /// Most chunks of an upload.
    pub max_chunks: u32,
    /// Longest upload.
    pub max_length: Option<UploadLength>,
    /// Longest metadata.
    pub max_metadata_bytes: usize,
    /// Whether sessions may be cancelled (C-92).
    pub cancel: bool,
}

impl Terms {
    /// The terms within `limits`.
    #[must_use]
    pub const fn new(chunk_bytes: NonZeroU64, limits: &Limits, cancel: bool) -> Self {
        Self {
            chunk_bytes,
            max_chunks: limits.max_chunks,
            max_length: limits.max_length,
            max_metadata_bytes: limits.max_metadata_bytes,
            cancel,
        }
    }

    /// How an upload of this length is cut: as asked or as we would, but into no more chunks than
    /// we take.
    ///
    /// # Errors
    ///
    /// [`Problem::TooManyChunks`] if no chunk size is large enough, which no length reaches.
    pub fn geometry(
        &self,
        length: UploadLength,
        asked: Option<NonZeroU64>,
    ) -> Result<Geometry, Problem> {
        let wanted = asked.unwrap_or(self.chunk_bytes);
        let too_many = Problem::TooManyChunks { max: self.max_chunks };
        let least = length.get().div_ceil(u64::from(self.max_chunks.max(1)));
        let enlarged = least.div_ceil(STEP).saturating_mul(STEP);
        let bytes = if least <= wanted.get() { wanted.get() } else { enlarged };
        NonZeroU64::new(bytes).and_then(|bytes| Geometry::new(length, bytes)).ok_or(too_many)
    }

    /// The chunk size that suits an upload of this length.
    #[must_use]
    pub fn recommended(&self, length: Option<UploadLength>) -> u64 {
        let geometry = length.and_then(|length| self.geometry(length, None).ok());
        geometry.map_or(self.chunk_bytes, |geometry| geometry.chunk_bytes()).get()
    }

    /// Refuses an upload that is longer than we take (C-13).
    ///
    /// # Errors
    ///
    /// [`Problem::TooLarge`].
    pub fn admit(&self, bytes: u64) -> Result<(), Problem> {
        match self.max_length {
            Some(max) if bytes > max.get() => Err(Problem::TooLarge { max }),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn terms() -> Terms {
        let limits = Limits {
            max_length: UploadLength::new(1_000_000),
            max_chunks: 10,
            ..Limits::default()
        };
        Terms::new(NonZeroU64::new(1000).unwrap(), &limits, true)
    }

    fn cut(length: u64, asked: Option<u64>) -> (u64, u32) {
        let asked = asked.and_then(NonZeroU64::new);
        let geometry = terms().geometry(UploadLength::new(length).unwrap(), asked).unwrap();
        (geometry.chunk_bytes().get(), geometry.total_chunks())
    }

    #[test]
    fn a_chunk_is_as_long_as_asked_or_as_configured() {
        assert_eq!(cut(2500, None), (1000, 3));
        assert_eq!(cut(2500, Some(500)), (500, 5));
        assert_eq!(cut(0, None), (1000, 0));
        assert_eq!(terms().recommended(None), 1000);
    }

    #[test]
    fn too_many_chunks_become_larger_ones() {
        assert_eq!(cut(10_000, None), (1000, 10));
        assert_eq!(cut(10_001, None), (STEP, 1));
        assert_eq!(cut(2500, Some(1)), (STEP, 1));
        assert_eq!(terms().recommended(UploadLength::new(20_000)), STEP);
    }

    proptest! {
        #[test]
        fn there_are_never_more_chunks_than_taken(length in 0..=crate::upload::quantity::MAX_BYTES, asked: u64) {
            let length = UploadLength::new(length).unwrap();
            let geometry = terms().geometry(length, NonZeroU64::new(asked)).unwrap();
            prop_assert!(geometry.total_chunks() <= 10);
        }
    }
}
