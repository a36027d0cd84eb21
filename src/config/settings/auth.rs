//! `[auth]` and what lies below it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::texts;
use crate::config::absent;
use crate::config::duration::Span;
use crate::config::size::Size;
use crate::config::token::TokenSettings;

/// `[auth]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Static bearer tokens.
    pub tokens: Vec<TokenSettings>,
    /// Whether whoever knows the address of a finished upload may download it without a token.
    pub public_downloads: bool,
    /// Whether a request needs a credential even if nothing but upload links could be one.
    pub required: bool,
    /// JSON Web Tokens.
    pub jwt: JwtAuth,
    /// Signed upload links.
    pub links: LinkAuth,
    /// Asking the application.
    pub forward: ForwardAuth,
}

impl Auth {
    /// Whether nothing authenticates: everybody may upload, and owns everything together.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        let closed = self.required || self.jwt.is_on() || self.forward.url.is_some();
        !closed && self.tokens.is_empty()
    }
}

/// `[auth.jwt]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtAuth {
    /// Files with one key each.
    pub keys: Vec<KeySettings>,
    /// A file with a JWK set.
    #[serde(with = "absent::none")]
    pub jwks: Option<PathBuf>,
    /// How often the files are looked at for a change.
    pub reload_interval: Span,
    /// Who has to have issued a token.
    #[serde(with = "absent::none")]
    pub issuer: Option<String>,
    /// Names of this gateway; a token has to be for one of them.
    #[serde(deserialize_with = "texts")]
    pub audience: Vec<String>,
    /// Whether a token that never expires is refused.
    pub require_expiry: bool,
    /// By how much clocks may differ.
    pub leeway: Span,
    /// The claim that names the owner.
    pub owner_claim: String,
    /// The claim that bounds the length of uploads.
    pub limit_claim: String,
    /// The claim that says what the token is good for.
    pub verbs_claim: String,
    /// Longest token that is looked at.
    pub max_token_size: Size,
}

impl JwtAuth {
    /// Whether there is anything that could verify a token.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.jwks.is_some() || !self.keys.is_empty()
    }
}

/// One key of `[[auth.jwt.keys]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The secret itself for HS256, otherwise a public key in PEM.
    pub file: PathBuf,
    /// What it is for; a token has no say in it.
    pub algorithm: KeyAlgorithm,
    /// Its id, if tokens name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyAlgorithm {
    /// HMAC with SHA-256.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSA with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// `[auth.links]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkAuth {
    /// Whether links are taken.
    pub enabled: bool,
    /// A file whose content signs links instead of the secret of the data directory.
    #[serde(with = "absent::none")]
    pub secret_file: Option<PathBuf>,
}

/// `[auth.forward]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardAuth {
    /// The address that is asked; none switches it off.
    #[serde(with = "absent::none")]
    pub url: Option<String>,
    /// Certificates that the application's may be signed by, instead of the system's.
    #[serde(with = "absent::none")]
    pub ca: Option<PathBuf>,
    /// Request fields that are passed on: the credentials.
    #[serde(deserialize_with = "texts")]
    pub fields: Vec<String>,
    /// The response field that names the owner.
    pub owner_field: String,
    /// The response field that bounds the length of uploads.
    pub limit_field: String,
    /// How long an answer may take.
    pub timeout: Span,
    /// Questions at once.
    pub max_requests: usize,
    /// Answers that are remembered at most.
    pub cache_entries: usize,
    /// How long a yes is remembered at most, whatever it says itself.
    pub max_age: Span,
    /// How long a no is remembered.
    pub refused_age: Span,
}
