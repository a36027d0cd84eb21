//! How long files are kept: for ever, or for a time.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::duration::Span;

/// How long files are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// `"none"`: until they are deleted.
    ForEver,
    /// For this long.
    For(Span),
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::ForEver => serializer.serialize_str("none"),
            Self::For(span) => span.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let span: Option<Span> = crate::config::absent::none::deserialize(deserializer)?;
        Ok(span.map_or(Self::ForEver, Self::For))
    }
}
