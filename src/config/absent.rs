//! Words for "no value", so that every key can be written down, and set back by a later layer.
//!
//! For use with `#[serde(with = "..")]` on an `Option`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

fn write<T: Serialize, S: Serializer>(
    word: &str,
    value: Option<&T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => value.serialize(serializer),
        None => serializer.serialize_str(word),
    }
}

fn read<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    word: &str,
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = toml::Value::deserialize(deserializer)?;
    if value.as_str() == Some(word) {
        return Ok(None);
    }
    let value = T::deserialize(value);
    value.map(Some).map_err(|error| {
        serde::de::Error::custom(format_args!("{}; or write \"{word}\"", error.message()))
    })
}

macro_rules! word {
    ($name:ident, $word:literal, $meaning:literal) => {
        #[doc = $meaning]
        pub mod $name {
            use super::{DeserializeOwned, Deserializer, Serialize, Serializer};

            /// Writes the value, or the word for its absence.
            ///
            /// # Errors
            ///
            /// Those of the serializer.
            pub fn serialize<T: Serialize, S: Serializer>(
                value: &Option<T>,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                super::write($word, value.as_ref(), serializer)
            }

            /// Reads the value, or the word for its absence.
            ///
            /// # Errors
            ///
            /// When the value is neither.
            pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Option<T>, D::Error> {
                super::read($word, deserializer)
            }
        }
    };
}

word!(none, "none", "`\"none\"`: there is no such bound or file.");
word!(auto, "auto", "`\"auto\"`: the gateway chooses.");
