//! HS256 tokens in `Authorization: Bearer`, as Prosody's `http_file_share` issues them (X-40 to
//! X-47), and our own, which are of the same kind.
//!
//! Written here, over `hmac`, rather than by a JWT crate: one algorithm, one key, one exact
//! header. What such crates offer besides (algorithms chosen by the token, keys by `kid`, leeway)
//! is what has to be refused, and a dozen lines show that it is.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::upload::{Timestamp, UploadLength};

use super::path::SlotPath;
use super::request::SlotRequest;
use super::secret::Secret;
use super::tenant::{May, MediaTypeRule, OwnerHint, TokenError, Verified};

/// Longest token that is looked at: clients drop slot headers from this length on.
pub const MAX_TOKEN_BYTES: usize = 8192;

/// The header, exactly: nothing else may be in it, whatever it means.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
}

const HEADER: Header<'static> = Header { alg: "HS256", typ: "JWT" };

/// What a token says. Further claims are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Bare JID of the uploader.
    pub sub: String,
    /// Unix seconds at which it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// Unix seconds from which on it is worth nothing.
    pub exp: u64,
    /// The first segment of the slot's path.
    pub slot: String,
    /// The second one.
    pub filename: String,
    /// Bytes of the whole file.
    pub filesize: u64,
    /// Its media type.
    pub filetype: String,
    /// Unix seconds from which on the **file** has to be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

impl Claims {
    /// The token that says this; `None` never happens.
    #[must_use]
    pub fn signed(&self, key: &Secret) -> Option<String> {
        let part = |json: Vec<u8>| BASE64_URL_SAFE_NO_PAD.encode(json);
        let header = part(serde_json::to_vec(&HEADER).ok()?);
        let signed = format!("{header}.{}", part(serde_json::to_vec(self).ok()?));
        let signature = key.sign(&[signed.as_bytes()])?;
        Some(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Reads a token, if its header is exactly ours and its signature genuine.
    ///
    /// # Errors
    ///
    /// [`TokenError::Malformed`] and [`TokenError::Forged`].
    pub fn read(token: &str, key: &Secret) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        check_header(&decoded(header)?)?;
        // Nothing of the payload is read before its signature is.
        if !key.signed(&[signed.as_bytes()], &decoded(signature)?) {
            return Err(TokenError::Forged);
        }
        let payload = decoded(payload)?;
        object(&payload)
    }

    /// Judges what these claims allow for `path`.
    fn allow(
        self,
        request: &SlotRequest<'_>,
        path: SlotPath,
        rule: MediaTypeRule,
        now: Timestamp,
    ) -> Result<Verified, TokenError> {
        if path.as_str() != format!("{}/{}", self.slot, self.filename) {
            return Err(TokenError::OtherSlot);
        }
        if now.unix_seconds() >= self.exp {
            return Err(TokenError::Expired);
        }
        let signed = UploadLength::new(self.filesize).ok_or(TokenError::Malformed)?;
        if request.length.ok_or(TokenError::LengthRequired)? != signed.get() {
            return Err(TokenError::OtherLength { signed });
        }
        let same = request.media_type.eq_ignore_ascii_case(&self.filetype);
        if rule == MediaTypeRule::Exact && !same {
            return Err(TokenError::MediaType);
        }
        let milliseconds = |seconds: u64| seconds.saturating_mul(1000);
        Ok(Verified {
            path,
            length: Some(signed),
            media_type: self.filetype,
            file_expires_at: self
                .expires
                .map(|at| Timestamp::from_unix_milliseconds(milliseconds(at))),
            owner: Some(OwnerHint::Jid(self.sub)),
            may: May::Put,
        })
    }
}

/// Judges a `PUT` by the token in `Authorization`.
///
/// # Errors
///
/// [`TokenError`], by what is wrong. Only a genuine token is told more than that it is not one.
pub fn put(
    key: &Secret,
    request: &SlotRequest<'_>,
    path: SlotPath,
    rule: MediaTypeRule,
    now: Timestamp,
) -> Result<Verified, TokenError> {
    let token = bearer(request)?.ok_or(TokenError::Missing { bearer: true })?;
    Claims::read(token, key)?.allow(request, path, rule, now)
}

/// Judges a `PUT` to a slot of our own: the token is in `Authorization`, or else it is the second
/// of three segments, and the slot is what remains without it.
///
/// # Errors
///
/// As [`put`].
pub fn put_own(
    key: &Secret,
    request: &SlotRequest<'_>,
    path: SlotPath,
    now: Timestamp,
) -> Result<Verified, TokenError> {
    let lenient = MediaTypeRule::Lenient;
    let segments: Vec<&str> = path.segments().collect();
    let [slot, token, name] = segments.as_slice() else {
        return put(key, request, path, lenient, now);
    };
    let claims = Claims::read(token, key)?;
    let path = SlotPath::new(&format!("{slot}/{name}"))?;
    claims.allow(request, path, lenient, now)
}

/// The token behind `Bearer`; the scheme is compared without case.
fn bearer<'a>(request: &SlotRequest<'a>) -> Result<Option<&'a str>, TokenError> {
    let Some(line) = request.authorization else { return Ok(None) };
    let line = std::str::from_utf8(line).map_err(|_| TokenError::Malformed)?.trim();
    match line.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(Some(token.trim())),
        Some(_) | None => Ok(None),
    }
}

fn check_header(json: &[u8]) -> Result<(), TokenError> {
    let header: Header<'_> = object(json)?;
    let ours = header.alg == HEADER.alg && header.typ == HEADER.typ;
    if ours { Ok(()) } else { Err(TokenError::Malformed) }
}

/// Reads a JSON object; serde would also take an array of the values in their order.
fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, TokenError> {
    let read = || serde_json::from_slice(json).map_err(|_| TokenError::Malformed);
    if json.trim_ascii_start().starts_with(b"{") { read() } else { Err(TokenError::Malformed) }
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
