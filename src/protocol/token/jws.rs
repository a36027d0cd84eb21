//! The outside of a JSON Web Token: JWS compact serialisation (RFC 7515), taken apart.
//!
//! Nothing here is believed. What the header says about algorithm and key only chooses among the
//! keys we have; each of them knows its own algorithm.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Longest key id that is looked at.
const MAX_KEY_ID_BYTES: usize = 256;

/// The signatures we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm that a header or a key names.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            // The second is the name of RFC 9864.
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }

    /// Its name in headers and settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A signed token whose signature has not been judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jws<'a> {
    /// How it says to be signed.
    pub(super) algorithm: Algorithm,
    /// The key it says to be signed with.
    pub(super) key_id: Option<String>,
    /// What is signed.
    pub(super) signed: &'a [u8],
    /// The signature.
    pub(super) signature: Vec<u8>,
    /// The claims; worth nothing before a key has verified the signature.
    claims: Vec<u8>,
}

/// Why a text is no token that we could judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAJws {
    /// Longer than we look at.
    #[error("too long")]
    TooLong,
    /// Not three parts of base64url with a JSON object in front.
    #[error("not a signed token")]
    Malformed,
    /// Signed in a way that no key of ours is for; `none` is one of them.
    #[error("signed in a way that is not known here")]
    Algorithm,
    /// It demands that something be understood which we do not (RFC 7515, section 4.1.11).
    #[error("with a critical extension")]
    Critical,
}

/// What we look at in a header. A name that comes twice is refused by the derived reader.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    ///
    /// [`NotAJws`].
    pub fn parse(token: &'a [u8], max_bytes: usize) -> Result<Self, NotAJws> {
        if token.len() > max_bytes {
            return Err(NotAJws::TooLong);
        }
        let mut dots = token.iter().enumerate().filter(|(_, byte)| **byte == b'.');
        let (Some((first, _)), Some((second, _)), None) = (dots.next(), dots.next(), dots.next())
        else {
            return Err(NotAJws::Malformed);
        };
        let part = |range: std::ops::Range<usize>| {
            let part = token.get(range).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
            part.ok_or(NotAJws::Malformed)
        };
        let header: Header =
            serde_json::from_slice(&part(0..first)?).map_err(|_| NotAJws::Malformed)?;
        if header.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KEY_ID_BYTES) {
            return Err(NotAJws::Malformed);
        }
        if header.crit.is_some() {
            return Err(NotAJws::Critical);
        }
        Ok(Self {
            algorithm: Algorithm::named(&header.alg).ok_or(NotAJws::Algorithm)?,
            key_id: header.kid,
            signed: token.get(..second).unwrap_or_default(),
            signature: part(second + 1..token.len())?,
            claims: part(first + 1..second)?,
        })
    }

    /// The claims, if `key` is the one that signed them.
    #[must_use]
    pub fn claims_signed_by(&self, key: &super::key::Key) -> Option<&[u8]> {
        key.verifies(self).then_some(self.claims.as_slice())
    }
}
