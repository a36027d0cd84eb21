//! Static bearer tokens: where one comes from. Never printed.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::size::Size;

/// Keys of one `[[auth.tokens]]` table.
pub const TOKEN_KEYS: [&str; 6] =
    ["name", "token", "token_file", "sha256", "max_size", "public_downloads"];

/// Fewer characters than this can be guessed.
const MIN_TOKEN_CHARACTERS: usize = 16;
/// No token file is longer.
const MAX_TOKEN_FILE_BYTES: u64 = 64 * 1024;

/// Text that is never shown: not in logs, not in errors, not by `config show`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being printed.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for whoever has to show that it knows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(hidden)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(hidden)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of a value: a message of serde's would quote what it did not expect.
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(text)),
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_) => {
                Err(serde::de::Error::custom("a secret is text: put it in quotes"))
            }
        }
    }
}

/// One static bearer token; exactly one of `token`, `token_file` and `sha256` is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSettings {
    /// The owner of what is uploaded with it.
    pub name: String,
    /// The token itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// A file that holds the token; white space around it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The SHA-256 of the token, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Secret>,
    /// Longest upload that may be created with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<Size>,
    /// Whether whoever knows the address of a finished upload of this owner may download it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub public_downloads: bool,
}

/// A token that cannot be used. Says why without saying the token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// None of the three sources is given, or more than one.
    #[error("give exactly one of token, token_file and sha256")]
    Source,
    /// The token can be guessed.
    #[error("is shorter than {MIN_TOKEN_CHARACTERS} characters; a longer one cannot be guessed")]
    TooShort,
    /// It cannot be sent in a header field.
    #[error("has characters that no header field can carry; use letters, digits and -._~+/=")]
    Unsendable,
    /// The digest is not one.
    #[error("sha256 is not 64 hexadecimal digits")]
    NotADigest,
    /// The file cannot be read.
    #[error("the token file {} cannot be read", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl TokenSettings {
    /// The SHA-256 of the token: all that is kept of it.
    ///
    /// # Errors
    ///
    /// A [`TokenError`] that says what would be right.
    pub fn digest(&self) -> Result<[u8; 32], TokenError> {
        match (&self.token, &self.token_file, &self.sha256) {
            (Some(token), None, None) => digest_of(&token.0),
            (None, Some(path), None) => digest_of(read(path)?.trim()),
            (None, None, Some(digest)) => from_hex(&digest.0).ok_or(TokenError::NotADigest),
            (Some(_), Some(_), _)
            | (Some(_), _, Some(_))
            | (_, Some(_), Some(_))
            | (None, None, None) => Err(TokenError::Source),
        }
    }
}

fn digest_of(token: &str) -> Result<[u8; 32], TokenError> {
    let sendable = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.len() < MIN_TOKEN_CHARACTERS {
        return Err(TokenError::TooShort);
    }
    if !token.bytes().all(sendable) {
        return Err(TokenError::Unsendable);
    }
    Ok(Sha256::digest(token.as_bytes()).into())
}

fn read(path: &Path) -> Result<String, TokenError> {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path);
    file.and_then(|file| file.take(MAX_TOKEN_FILE_BYTES).read_to_string(&mut text))
        .map_err(|source| TokenError::File { path: path.to_owned(), source })?;
    Ok(text)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != digest.len() * 2 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "correct-horse-battery-staple";

    fn named() -> TokenSettings {
        TokenSettings {
            name: "alice".to_owned(),
            token: None,
            token_file: None,
            sha256: None,
            max_size: None,
            public_downloads: false,
        }
    }

    #[test]
    fn a_token_its_file_and_its_digest_are_the_same_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
        let hex: String =
            Sha256::digest(TOKEN.as_bytes()).iter().map(|byte| format!("{byte:02X}")).collect();
        let direct = TokenSettings { token: Some(Secret::new(TOKEN.to_owned())), ..named() };
        let file = TokenSettings { token_file: Some(path), ..named() };
        let digest = TokenSettings { sha256: Some(Secret::new(hex)), ..named() };
        let expected = direct.digest().unwrap();
        assert_eq!(file.digest().unwrap(), expected);
        assert_eq!(digest.digest().unwrap(), expected);
    }

    #[test]
    fn a_token_needs_exactly_one_source() {
        let secret = Some(Secret::new(TOKEN.to_owned()));
        let both = TokenSettings { token: secret.clone(), sha256: secret, ..named() };
        assert!(matches!(named().digest(), Err(TokenError::Source)));
        assert!(matches!(both.digest(), Err(TokenError::Source)));
    }

    #[test]
    fn a_token_that_can_be_guessed_or_not_be_sent_is_refused() {
        let with = |text: &str| {
            TokenSettings { token: Some(Secret::new(text.to_owned())), ..named() }.digest()
        };
        assert!(matches!(with("short"), Err(TokenError::TooShort)));
        assert!(matches!(with("with a space in the middle"), Err(TokenError::Unsendable)));
        let hex = TokenSettings { sha256: Some(Secret::new("abc".to_owned())), ..named() };
        assert!(matches!(hex.digest(), Err(TokenError::NotADigest)));
    }

    #[test]
    fn a_token_is_never_printed() {
        let token = TokenSettings { token: Some(Secret::new(TOKEN.to_owned())), ..named() };
        assert!(!format!("{token:?}").contains(TOKEN));
        assert!(!toml::to_string(&token).unwrap().contains(TOKEN));
    }
}
