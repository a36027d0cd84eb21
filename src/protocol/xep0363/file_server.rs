//! hmac-file-server's `v3` with `expires`.
//!
//! Only the documented form counts: method, line feed, expiry, line feed, path. What that server
//! takes besides (a form whose expiry is not signed, hours or days of grace by User-Agent) makes
//! its tokens immortal and is deliberately absent.

use crate::protocol::field::decimal;
use crate::upload::Timestamp;

use super::path::{BasePath, SlotPath};
use super::query;
use super::request::SlotRequest;
use super::secret::{self, Secret};
use super::tenant::{May, TokenError, Verified};

/// Judges a `PUT`. The path that is signed is the whole one, base path and first slash included.
///
/// # Errors
///
/// [`TokenError`], by what is wrong. That a token has expired is told only of a genuine one.
pub fn put(
    key: &Secret,
    request: &SlotRequest<'_>,
    path: SlotPath,
    base: &BasePath,
    now: Timestamp,
) -> Result<Verified, TokenError> {
    let token = query::parameter(request.query, "v3")?;
    let token = token.ok_or(TokenError::Missing { bearer: false })?;
    let digest = secret::digest_from_hex(token).ok_or(TokenError::Malformed)?;
    let expires = query::parameter(request.query, "expires")?.ok_or(TokenError::Malformed)?;
    let moment = canonical(expires).ok_or(TokenError::Malformed)?;
    if !genuine(key, "PUT", expires, base, &path, &digest) {
        return Err(TokenError::Forged);
    }
    if now.unix_seconds() >= moment {
        return Err(TokenError::Expired);
    }
    Ok(Verified {
        path,
        length: None,
        media_type: request.media_type.to_owned(),
        file_expires_at: None,
        owner: None,
        may: May::Put,
    })
}

fn genuine(
    key: &Secret,
    method: &str,
    expires: &str,
    base: &BasePath,
    path: &SlotPath,
    digest: &[u8],
) -> bool {
    let signed =
        [method, "\n", expires, "\n", base.as_str(), "/", path.as_str()].map(str::as_bytes);
    key.signed(&signed, digest)
}

/// A number in its one written form: no sign, no leading zero.
fn canonical(text: &str) -> Option<u64> {
    decimal(text.as_bytes()).filter(|number| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::super::secret::digest_from_hex;
    use super::*;

    #[test]
    fn the_method_is_signed_too() {
        let key = Secret::new("it-is-secret").unwrap();
        let base = BasePath::new("/").unwrap();
        let path = SlotPath::new("3f1e7a52-8c0e-4d57-9b3b-6f2f3f0d8a11/hello.txt").unwrap();
        let get =
            digest_from_hex("ddcf87256f9214c498d77d68a1bb84d47e0a2ebb16922c2b80c522956e9e8705");
        assert!(genuine(&key, "GET", "1795232059", &base, &path, &get.unwrap()));
        assert!(!genuine(&key, "PUT", "1795232059", &base, &path, &get.unwrap()));
    }

    #[test]
    fn an_expiry_has_one_written_form() {
        assert_eq!(canonical("1795232059"), Some(1_795_232_059));
        assert_eq!(canonical("0"), Some(0));
        for text in ["", "01", "+1", "-1", "1.0", " 1", "1e9", "18446744073709551616"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }
}
