//! [`Size`]: a number of bytes as people write it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a file offset can express; nothing larger is a size.
const MAX: u64 = i64::MAX.unsigned_abs();

/// Units from the largest to the smallest, for writing a size without losing a byte.
const UNITS: [(u64, &str); 8] = [
    (bytesize::TIB, "TiB"),
    (bytesize::TB, "TB"),
    (bytesize::GIB, "GiB"),
    (bytesize::GB, "GB"),
    (bytesize::MIB, "MiB"),
    (bytesize::MB, "MB"),
    (bytesize::KIB, "KiB"),
    (bytesize::KB, "kB"),
];

/// A number of bytes: `"16KiB"` (1024s), `"5MB"` (1000s), or a plain integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// This many bytes.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// This many times 1024 bytes.
    #[must_use]
    pub const fn kib(kib: u64) -> Self {
        Self(kib.saturating_mul(bytesize::KIB))
    }

    /// This many times 1024² bytes.
    #[must_use]
    pub const fn mib(mib: u64) -> Self {
        Self(mib.saturating_mul(bytesize::MIB))
    }

    /// This many times 1000² bytes.
    #[must_use]
    pub const fn mb(mb: u64) -> Self {
        Self(mb.saturating_mul(bytesize::MB))
    }

    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes, for buffers; the largest `usize` where it would not fit.
    #[must_use]
    pub fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// The text is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a size; write for instance \"16KiB\", \"5MB\" or a number of bytes")]
pub struct NotASize {
    text: String,
}

impl FromStr for Size {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let refused = || NotASize { text: text.to_owned() };
        let size: bytesize::ByteSize = text.trim().parse().map_err(|_| refused())?;
        if size.as_u64() > MAX {
            return Err(refused());
        }
        Ok(Self(size.as_u64()))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = UNITS.iter().find(|(factor, _)| self.0 > 0 && self.0.is_multiple_of(*factor));
        match fitting {
            Some((factor, unit)) => write!(formatter, "{}{unit}", self.0 / factor),
            None => write!(formatter, "{}B", self.0),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Size;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a size such as \"16KiB\", \"5MB\" or a number of bytes")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<Size, E> {
                let bytes = u64::try_from(bytes);
                bytes.map(Size).map_err(|_| E::custom("a size cannot be negative"))
            }

            fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<Size, E> {
                self.visit_str(&bytes.to_string())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1_048_576),
            ("5MB", 5_000_000),
            ("5 MB", 5_000_000),
            ("16KiB", 16 * 1024),
            ("16kib", 16 * 1024),
            ("1.5GiB", 1_610_612_736),
            (" 2GB ", 2_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_a_size_is_refused() {
        for text in ["", "much", "-1", "5 apples", "MB", "1e400", "9EiB", "99999999999999999999GB"]
        {
            assert!(text.parse::<Size>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_size_reads_back_from_what_it_prints(bytes in 0..=MAX) {
            prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }

        #[test]
        fn a_round_size_reads_back_from_what_it_prints(count in 0_u64..5000, unit in 0_usize..8) {
            let size = Size(count * UNITS[unit].0);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".*") {
            let _ = text.parse::<Size>();
        }
    }
}
