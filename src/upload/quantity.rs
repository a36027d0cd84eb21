//! Offsets and lengths: both are bytes, and mixing them up loses data.

use std::fmt;

/// The largest offset or length: what a file offset (`off_t`) can express.
pub const MAX_BYTES: u64 = i64::MAX.unsigned_abs();

/// How many contiguous bytes from the front of an upload are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UploadOffset(u64);

impl UploadOffset {
    /// The front of every upload.
    pub const ZERO: Self = Self(0);

    /// An offset, or `None` past [`MAX_BYTES`].
    #[must_use]
    pub const fn new(bytes: u64) -> Option<Self> {
        if bytes <= MAX_BYTES { Some(Self(bytes)) } else { None }
    }

    /// The bytes before this offset.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Moves forward; `None` if that would pass [`MAX_BYTES`].
    #[must_use]
    pub const fn advance(self, by: u64) -> Option<Self> {
        match self.0.checked_add(by) {
            Some(end) => Self::new(end),
            None => None,
        }
    }

    /// How far this offset is past `earlier`; `None` if it is before it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Option<u64> {
        self.0.checked_sub(earlier.0)
    }
}

impl fmt::Display for UploadOffset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// How many bytes an upload has when it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadLength(u64);

impl UploadLength {
    /// The length of an empty upload.
    pub const ZERO: Self = Self(0);

    /// A length, or `None` past [`MAX_BYTES`].
    #[must_use]
    pub const fn new(bytes: u64) -> Option<Self> {
        if bytes <= MAX_BYTES { Some(Self(bytes)) } else { None }
    }

    /// The bytes of the whole upload.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Bytes still missing behind `offset`; `None` if the offset is past the end.
    #[must_use]
    pub const fn remaining(self, offset: UploadOffset) -> Option<u64> {
        self.0.checked_sub(offset.0)
    }

    /// Whether `offset` is the end: the completion rule of tus.
    #[must_use]
    pub const fn is_reached_by(self, offset: UploadOffset) -> bool {
        self.0 == offset.0
    }

    /// The offset of the end.
    #[must_use]
    pub const fn end(self) -> UploadOffset {
        UploadOffset(self.0)
    }

    /// The sum of two lengths; `None` past [`MAX_BYTES`]. For concatenation.
    #[must_use]
    pub const fn plus(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }
}

impl fmt::Display for UploadLength {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_lies_past_what_a_file_offset_can_express() {
        assert!(UploadOffset::new(MAX_BYTES).is_some());
        assert!(UploadOffset::new(MAX_BYTES + 1).is_none());
        assert!(UploadLength::new(1 << 63).is_none());
        assert!(UploadLength::new(u64::MAX).is_none());
    }

    proptest! {
        #[test]
        fn advancing_adds_exactly_or_not_at_all(start in 0..=MAX_BYTES, by: u64) {
            let offset = UploadOffset::new(start).unwrap();
            match offset.advance(by) {
                Some(end) => prop_assert_eq!(end.since(offset), Some(by)),
                None => prop_assert!(u128::from(start) + u128::from(by) > u128::from(MAX_BYTES)),
            }
        }

        #[test]
        fn what_remains_ends_at_the_length(length in 0..=MAX_BYTES, offset in 0..=MAX_BYTES) {
            let length = UploadLength::new(length).unwrap();
            let offset = UploadOffset::new(offset).unwrap();
            match length.remaining(offset) {
                Some(left) => {
                    let end = offset.advance(left).unwrap();
                    prop_assert!(length.is_reached_by(end));
                    prop_assert_eq!(end, length.end());
                }
                None => prop_assert!(offset > length.end()),
            }
        }
    }
}
