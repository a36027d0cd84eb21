//! One issuer of slots, and the one way in: [`Tenant::verify`].

use crate::upload::{Memory, Timestamp, UploadLength};

use super::path::{BasePath, PathError, SlotPath};
use super::query;
use super::request::{Intent, SlotRequest};
use super::secret::Secret;
use super::{file_server, jwt, signed_url};

/// How an issuer signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Prosody's `http_upload_external`: `v2`, or else `v`.
    Prosody,
    /// ejabberd's `external_secret`: `v`, and the uploader is the first of three segments.
    Ejabberd,
    /// Metronome's `http_upload_external`: `token`, which can also delete.
    Metronome {
        /// What a `DELETE` has to sign; `None` refuses every one.
        delete_secret: Option<Secret>,
    },
    /// Prosody's `http_file_share`: a JWT in `Authorization`.
    FileShare {
        /// Whether the media type of the `PUT` has to be the token's.
        media_type: MediaTypeRule,
    },
    /// What hmac-file-server takes: `v3` with `expires`, or else `v2`, `token`, `v`.
    HmacFileServer,
    /// Slots that we issued: our JWT, in `Authorization` or as a segment of the path.
    Own,
}

impl Scheme {
    /// How long a slot has to be remembered once its file is gone: tokens that never end could
    /// bring it back at any time.
    #[must_use]
    pub const fn memory(&self) -> Memory {
        match self {
            Self::Prosody | Self::Ejabberd | Self::Metronome { .. } | Self::HmacFileServer => {
                Memory::ForEver
            }
            Self::FileShare { .. } | Self::Own => Memory::ForAWhile,
        }
    }
}

/// What a media type other than the token's means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaTypeRule {
    /// Nothing: the file has the token's type. Some clients leave the field out or normalise it.
    Lenient,
    /// The request is refused.
    Exact,
}

/// One issuer of slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Where its slots live.
    pub base: BasePath,
    /// How it signs.
    pub scheme: Scheme,
    /// With what.
    pub secret: Secret,
}

/// Who uploads, as far as a token tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OwnerHint {
    /// The bare JID.
    Jid(String),
    /// What ejabberd puts in front of the path: by default the SHA-1 of the bare JID.
    Segment(String),
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// To put this file there, in one piece or in several.
    Put,
    /// To delete it.
    Delete,
}

/// What a checked token says. Nothing in it was merely claimed, except where it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Which slot.
    pub path: SlotPath,
    /// Bytes of the whole file; `None` if the scheme does not sign them.
    pub length: Option<UploadLength>,
    /// What it is; only claimed where the scheme does not sign it.
    pub media_type: String,
    /// When the file has to go, where the issuer says so.
    pub file_expires_at: Option<Timestamp>,
    /// Who uploads, where the issuer says so.
    pub owner: Option<OwnerHint>,
    /// What is allowed.
    pub may: May,
}

/// Why a request gets nothing. None of it depends on whether the file is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The path names no slot of this tenant.
    #[error(transparent)]
    Path(#[from] PathError),
    /// There is no token where the scheme has it.
    #[error("there is no token")]
    Missing {
        /// Whether the scheme wants it in `Authorization`.
        bearer: bool,
    },
    /// A token, or a field that decides about one, is there twice.
    #[error("a token, or a field it depends on, is there twice")]
    Repeated,
    /// The token does not have the form of one.
    #[error("the token does not have the form of one")]
    Malformed,
    /// Nobody who knows the secret signed this.
    #[error("nobody who knows the secret signed this")]
    Forged,
    /// The token is for another slot or file.
    #[error("the token is for another slot")]
    OtherSlot,
    /// The token was valid, and is no longer.
    #[error("the token has expired")]
    Expired,
    /// The request does not say how long its file is, and the token signs that.
    #[error("the length of the file is not said")]
    LengthRequired,
    /// The file has another length than the token says.
    #[error("the token is for {signed} bytes")]
    OtherLength {
        /// What the token says.
        signed: UploadLength,
    },
    /// The media type is none, or another than the token says.
    #[error("the media type is not the token's")]
    MediaType,
    /// No token of this scheme allows that.
    #[error("no token of this scheme allows that")]
    NotAllowed,
}

impl Tenant {
    /// Judges a request by its token alone.
    ///
    /// # Errors
    ///
    /// [`TokenError`], by what is wrong. Which of several wrong things is named does not depend
    /// on secret or stored data.
    pub fn verify(
        &self,
        request: &SlotRequest<'_>,
        now: Timestamp,
    ) -> Result<Verified, TokenError> {
        let path = self.base.slot(request.path)?;
        match request.intent {
            Intent::Put => self.put(request, path, now),
            Intent::Delete => self.delete(request, path),
        }
    }

    /// The slot that the path of a token's request means, before the token is judged: what carries
    /// the token in the path is not its name.
    ///
    /// # Errors
    ///
    /// [`PathError`], by what is wrong with it.
    pub fn slot(&self, path: &str) -> Result<SlotPath, PathError> {
        let path = self.base.slot(path)?;
        let segments: Vec<&str> = path.segments().collect();
        if let (Scheme::Own, [slot, _token, name]) = (&self.scheme, segments.as_slice()) {
            return SlotPath::new(&format!("{slot}/{name}"));
        }
        Ok(path)
    }

    fn put(
        &self,
        request: &SlotRequest<'_>,
        path: SlotPath,
        now: Timestamp,
    ) -> Result<Verified, TokenError> {
        let secret = &self.secret;
        match &self.scheme {
            Scheme::Prosody => signed_url::put(secret, request, path, &["v2", "v"]),
            Scheme::Ejabberd => signed_url::put_with_owner(secret, request, path),
            Scheme::Metronome { .. } => signed_url::put(secret, request, path, &["token"]),
            Scheme::FileShare { media_type } => jwt::put(secret, request, path, *media_type, now),
            Scheme::HmacFileServer if query::parameter(request.query, "v3")?.is_some() => {
                file_server::put(secret, request, path, &self.base, now)
            }
            Scheme::HmacFileServer => signed_url::put(secret, request, path, &["v2", "token", "v"]),
            Scheme::Own => jwt::put_own(secret, request, path, now),
        }
    }

    fn delete(&self, request: &SlotRequest<'_>, path: SlotPath) -> Result<Verified, TokenError> {
        match &self.scheme {
            Scheme::Metronome { delete_secret: Some(word) } => {
                signed_url::delete(&self.secret, request, path, word)
            }
            Scheme::Metronome { delete_secret: None }
            | Scheme::Prosody
            | Scheme::Ejabberd
            | Scheme::FileShare { .. }
            | Scheme::HmacFileServer
            | Scheme::Own => Err(TokenError::NotAllowed),
        }
    }
}

#[cfg(test)]
#[path = "tenant_tests.rs"]
mod tests;
