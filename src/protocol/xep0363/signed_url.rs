//! Tokens in the query: 64 lower-case hexadecimal digits of HMAC-SHA256.
//!
//! | parameter | signs |
//! |---|---|
//! | `v` | path, a blank, length |
//! | `v2`, `token` | path, NUL, length, NUL, media type |
//! | `token` of a `DELETE` | path, NUL, the delete secret |
//!
//! A path holds no NUL and a length no blank, so no two slots have one signed text.

use crate::upload::UploadLength;

use super::path::SlotPath;
use super::query;
use super::request::SlotRequest;
use super::secret::{self, Secret};
use super::tenant::{May, OwnerHint, TokenError, Verified};

/// Judges a `PUT` by the first of `names` that is in the query; the others are then ignored, as
/// issuers ask for: the higher version decides.
///
/// # Errors
///
/// [`TokenError`], by what is wrong.
pub fn put(
    key: &Secret,
    request: &SlotRequest<'_>,
    path: SlotPath,
    names: &[&str],
) -> Result<Verified, TokenError> {
    let (name, token) = first(request.query, names)?;
    let digest = secret::digest_from_hex(token).ok_or(TokenError::Malformed)?;
    let length = request.length.and_then(UploadLength::new).ok_or(TokenError::LengthRequired)?;
    let (slot, number) = (path.as_str().as_bytes(), length.to_string());
    let number = number.as_bytes();
    let media_type = request.media_type.as_bytes();
    let genuine = match name {
        "v" => key.signed(&[slot, b" ", number], &digest),
        _ => key.signed(&[slot, b"\0", number, b"\0", media_type], &digest),
    };
    if !genuine {
        return Err(TokenError::Forged);
    }
    Ok(Verified {
        path,
        length: Some(length),
        media_type: request.media_type.to_owned(),
        file_expires_at: None,
        owner: None,
        may: May::Put,
    })
}

/// Judges a `PUT` of ejabberd's: `v` over three segments, whose first says who uploads.
///
/// # Errors
///
/// As [`put`]; [`TokenError::OtherSlot`] for another number of segments, which ejabberd never
/// signs.
pub fn put_with_owner(
    key: &Secret,
    request: &SlotRequest<'_>,
    path: SlotPath,
) -> Result<Verified, TokenError> {
    let mut verified = put(key, request, path, &["v"])?;
    let segments: Vec<&str> = verified.path.segments().collect();
    let [user, _random, _name] = segments.as_slice() else { return Err(TokenError::OtherSlot) };
    verified.owner = Some(OwnerHint::Segment((*user).to_owned()));
    Ok(verified)
}

/// Judges a `DELETE` of Metronome's, which signs `word` in place of length and type.
///
/// # Errors
///
/// [`TokenError`], by what is wrong.
pub fn delete(
    key: &Secret,
    request: &SlotRequest<'_>,
    path: SlotPath,
    word: &Secret,
) -> Result<Verified, TokenError> {
    let (_, token) = first(request.query, &["token"])?;
    let digest = secret::digest_from_hex(token).ok_or(TokenError::Malformed)?;
    if !key.signed(&[path.as_str().as_bytes(), b"\0", word.bytes()], &digest) {
        return Err(TokenError::Forged);
    }
    Ok(Verified {
        path,
        length: None,
        media_type: request.media_type.to_owned(),
        file_expires_at: None,
        owner: None,
        may: May::Delete,
    })
}

/// The first of `names` that the query holds, with its value.
fn first<'a, 'n>(query: &'a str, names: &[&'n str]) -> Result<(&'n str, &'a str), TokenError> {
    for name in names {
        if let Some(token) = query::parameter(query, name)? {
            return Ok((name, token));
        }
    }
    Err(TokenError::Missing { bearer: false })
}
