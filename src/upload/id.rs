//! The unguessable name of an upload.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Names one upload session; 122 random bits, so that knowing it is a capability.
///
/// Written as 32 lower-case hexadecimal digits, and read back in exactly that form: no hyphens, no
/// upper case, no braces. One upload therefore has one URL, one file name and one key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(Uuid);

impl UploadId {
    /// Characters of the written form.
    pub const TEXT_LENGTH: usize = 32;

    /// A fresh id from the operating system's randomness (UUID version 4).
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }

    /// The id with these bytes; for keys of an ordered store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The id with these bytes of randomness, of which six bits say that it is one (UUID version 4).
    #[must_use]
    pub fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The 16 bytes, in the order in which ids sort.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_simple(), formatter)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "UploadId({self})")
    }
}

/// The text is not an upload id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an upload id is 32 lower-case hexadecimal digits")]
pub struct NotAnId;

impl FromStr for UploadId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let canonical = text.len() == Self::TEXT_LENGTH
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !canonical {
            return Err(NotAnId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_what_it_prints() {
        let id = UploadId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(UploadId::from_bytes(*id.as_bytes()), id);
    }

    #[test]
    fn two_generated_ids_differ() {
        assert_ne!(UploadId::generate(), UploadId::generate());
    }

    #[test]
    fn only_the_canonical_form_is_an_id() {
        let good = "0123456789abcdef0123456789abcdef";
        assert!(good.parse::<UploadId>().is_ok());
        for bad in [
            "",
            "..",
            "../../etc/passwd",
            "0123456789ABCDEF0123456789ABCDEF",
            "01234567-89ab-cdef-0123-456789abcdef",
            "0123456789abcdef0123456789abcde",
            "0123456789abcdef0123456789abcdef0",
            "0123456789abcdef0123456789abcde\0",
            "{123456789abcdef0123456789abcde}",
        ] {
            assert_eq!(bad.parse::<UploadId>(), Err(NotAnId), "{bad:?}");
        }
    }
}
