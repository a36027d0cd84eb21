//! What the client said about its file, kept as it said it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

/// Decodes with or without padding; clients differ, the bytes do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// User metadata: pairs of an ASCII key and any bytes, in the written form of `Upload-Metadata`
/// (T-70).
///
/// The text is what the client sent, so that `HEAD` can echo it unchanged (T-25); it has been
/// checked, so that [`Metadata::get`] cannot fail. Values are data: whoever puts one into a header
/// or a file name must make it safe first (T-74).
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Metadata(String);

/// Why a text is not user metadata.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A pair has no key.
    #[error("a metadata pair has an empty key; write `key base64value`")]
    EmptyKey,
    /// A key holds something that is not visible ASCII.
    #[error("metadata keys are visible ASCII without blanks and commas")]
    KeyCharacter,
    /// A key appears more than once.
    #[error("the metadata key `{0}` appears twice; each key may appear once")]
    DuplicateKey(String),
    /// A pair has more than a key and a value.
    #[error("the metadata pair of `{0}` has more than a key and one base64 value")]
    TooManyWords(String),
    /// A value is not base64.
    #[error("the metadata value of `{0}` is not base64")]
    Value(String),
    /// The text is longer than the configured bound.
    #[error("the metadata has {actual} bytes; at most {limit} are taken")]
    TooLong {
        /// Bytes received.
        actual: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

impl Metadata {
    /// Checks a received list and keeps it as it is.
    ///
    /// Blanks around the commas are allowed, since proxies insert them (T-76); an empty text means
    /// no metadata (T-75).
    ///
    /// # Errors
    ///
    /// A [`MetadataError`] that names the offending key (T-72, T-73).
    pub fn parse(text: &str) -> Result<Self, MetadataError> {
        if text.trim_matches(BLANKS).is_empty() {
            return Ok(Self::default());
        }
        let mut seen = BTreeSet::new();
        for pair in text.split(',') {
            let (key, value) = split(pair)?;
            decode(key, value)?;
            if !seen.insert(key) {
                return Err(MetadataError::DuplicateKey(key.to_owned()));
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// Writes pairs, values encoded.
    ///
    /// # Errors
    ///
    /// A [`MetadataError`] if a key cannot be one, or appears twice.
    pub fn of<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, MetadataError> {
        let mut text = String::new();
        for (key, value) in pairs {
            if key.is_empty() {
                return Err(MetadataError::EmptyKey);
            }
            if !key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
                return Err(MetadataError::KeyCharacter);
            }
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(key);
            if !value.is_empty() {
                text.push(' ');
                BASE64.encode_string(value, &mut text);
            }
        }
        Self::parse(&text)
    }

    /// Most bytes of a pair in its written form.
    #[must_use]
    pub fn written_bytes(key: &str, value_bytes: usize) -> usize {
        let encoded = value_bytes.div_ceil(3).saturating_mul(4);
        key.len().saturating_add(1).saturating_add(encoded)
    }

    /// The written form, as received.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the client said nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs, decoded, in the order in which they were sent.
    pub fn entries(&self) -> impl Iterator<Item = (&str, Vec<u8>)> {
        self.0.split(',').filter_map(|pair| {
            let (key, value) = split(pair).ok()?;
            Some((key, decode(key, value).ok()?))
        })
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.entries().find_map(|(name, value)| (name == key).then_some(value))
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

/// Splits one pair into its key and its encoded value.
fn split(pair: &str) -> Result<(&str, &str), MetadataError> {
    let mut words = pair.trim_matches(BLANKS).split(BLANKS);
    // `Upload-Metadata: , a YQ==` and ` YQ==` both come out as an empty first word or a lone one;
    // a value without a key cannot be told from a key without a value, and is taken as the latter.
    let key = words.next().unwrap_or_default();
    let value = words.next().unwrap_or_default();
    if key.is_empty() {
        return Err(MetadataError::EmptyKey);
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(MetadataError::KeyCharacter);
    }
    if words.next().is_some() {
        return Err(MetadataError::TooManyWords(key.to_owned()));
    }
    Ok((key, value))
}

fn decode(key: &str, value: &str) -> Result<Vec<u8>, MetadataError> {
    BASE64.decode(value).map_err(|_| MetadataError::Value(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pairs_are_read_and_the_text_is_kept_as_sent() {
        let text = "name d29ybGQ=, flag,empty ,kind dGV4dA";
        let metadata = Metadata::parse(text).unwrap();
        assert_eq!(metadata.as_str(), text);
        assert_eq!(metadata.get("name").unwrap(), b"world");
        assert_eq!(metadata.get("flag").unwrap(), b"");
        assert_eq!(metadata.get("empty").unwrap(), b"");
        assert_eq!(metadata.get("kind").unwrap(), b"text");
        assert_eq!(metadata.get("absent"), None);
    }

    #[test]
    fn an_empty_field_means_no_metadata() {
        assert!(Metadata::parse("").unwrap().is_empty());
        assert!(Metadata::parse("  ").unwrap().is_empty());
    }

    #[test]
    fn broken_pairs_are_refused_with_the_reason() {
        use MetadataError as E;
        let key = |text: &str| text.to_owned();
        for (text, error) in [
            (",a YQ==", E::EmptyKey),
            ("a YQ==,", E::EmptyKey),
            ("a YQ==,,b Yg==", E::EmptyKey),
            ("k YQ== aa", E::TooManyWords(key("k"))),
            ("k testval-", E::Value(key("k"))),
            ("k testval*", E::Value(key("k"))),
            ("k YQ==,k Yg==", E::DuplicateKey(key("k"))),
            ("ключ YQ==", E::KeyCharacter),
        ] {
            assert_eq!(Metadata::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn written_pairs_are_read_again() {
        let pairs = [("name", &b"w\xf6rld"[..]), ("flag", b""), ("kind", b"text")];
        let metadata = Metadata::of(pairs).unwrap();
        assert_eq!(metadata.as_str(), "name d/ZybGQ=,flag,kind dGV4dA==");
        assert!(metadata.entries().eq(pairs.map(|(key, value)| (key, value.to_vec()))));
        assert!(Metadata::of([]).unwrap().is_empty());
        for (key, error) in [
            ("", MetadataError::EmptyKey),
            ("a b", MetadataError::KeyCharacter),
            ("a,b", MetadataError::KeyCharacter),
        ] {
            assert_eq!(Metadata::of([(key, &b"v"[..])]), Err(error), "{key:?}");
        }
        let twice = Metadata::of([("k", &b"1"[..]), ("k", b"2")]);
        assert_eq!(twice, Err(MetadataError::DuplicateKey("k".to_owned())));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_what_it_takes_it_keeps(text in ".{0,80}") {
            if let Ok(metadata) = Metadata::parse(&text) {
                prop_assert!(metadata.as_str().is_empty() || metadata.as_str() == text);
                prop_assert_eq!(Metadata::parse(metadata.as_str()).unwrap(), metadata);
            }
        }

        #[test]
        fn any_bytes_survive_as_a_value(value: Vec<u8>) {
            let text = format!("k {}", BASE64.encode(&value));
            prop_assert_eq!(Metadata::parse(&text).unwrap().get("k").unwrap(), value);
        }
    }
}
