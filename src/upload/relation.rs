//! How an upload relates to others (tus concatenation).

use serde::{Deserialize, Serialize};

use super::id::UploadId;

/// Whole, a partial, or a final upload made of partials.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Relation {
    /// An upload of its own.
    #[default]
    Whole,
    /// A piece for a later final upload (T-141).
    Partial,
    /// The concatenation of `parts`, in this order (T-142).
    Final {
        /// The partial uploads; one may be listed several times (T-144).
        parts: Vec<UploadId>,
        /// `Upload-Concat` as the client wrote it, to be echoed (T-149).
        as_received: String,
    },
}

/// The stored form; kept apart so that the domain enum can change its shape freely.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Stored {
    Whole,
    Partial,
    Final { parts: Vec<String>, as_received: String },
}

impl Serialize for Relation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole => Stored::Whole,
            Self::Partial => Stored::Partial,
            Self::Final { parts, as_received } => Stored::Final {
                parts: parts.iter().map(ToString::to_string).collect(),
                as_received: as_received.clone(),
            },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Relation {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Whole => Self::Whole,
            Stored::Partial => Self::Partial,
            Stored::Final { parts, as_received } => {
                let parts = parts.iter().map(|part| part.parse()).collect::<Result<_, _>>();
                Self::Final { parts: parts.map_err(serde::de::Error::custom)?, as_received }
            }
        })
    }
}
