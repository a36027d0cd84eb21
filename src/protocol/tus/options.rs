//! `OPTIONS`: what this gateway offers (T-50 to T-54).

use crate::protocol::head::ResponseHead;

use super::extensions::{Extension, Profile};
use super::upload_checksum::{TUS_CHECKSUM_ALGORITHM, algorithms};
use super::version::{TUS_VERSION, VERSION};

/// The methods of the endpoint where uploads cannot be continued.
pub const NOTHING: &str = "OPTIONS";

/// `204`: versions, extensions and bounds.
///
/// The request's `Tus-Resumable` is ignored (T-52), and ours is not sent: here alone it is not
/// required, and nothing has been agreed on yet (T-1).
#[must_use]
pub fn offered(profile: &Profile) -> ResponseHead {
    let mut head = ResponseHead::new(204).with(TUS_VERSION, VERSION);
    if let Some(list) = profile.listed() {
        head = head.with("Tus-Extension", list);
    }
    if let Some(max) = profile.max_length {
        head = head.with("Tus-Max-Size", max.to_string());
    }
    if profile.has(Extension::Checksum) {
        head = head.with(TUS_CHECKSUM_ALGORITHM, algorithms());
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::tus::examples::profile;
    use crate::upload::Limits;

    #[test]
    fn the_offer_names_version_extensions_maximum_and_algorithms() {
        let answer = offered(&profile());
        assert_eq!(answer.status, 204);
        assert_eq!(answer.get("Tus-Version"), Some("1.0.0"));
        assert!(answer.get("Tus-Extension").unwrap().starts_with("creation,"));
        assert_eq!(answer.get("Tus-Max-Size"), Some("1000"));
        let algorithms = answer.get("Tus-Checksum-Algorithm").unwrap();
        assert_eq!(algorithms, "sha1,sha256,sha512,md5,crc32");
        assert_eq!(answer.get("Tus-Resumable"), None);
    }

    #[test]
    fn what_is_off_or_unbounded_is_left_out() {
        let answer = offered(&Profile::new([], &Limits::default()));
        assert_eq!(answer.fields.len(), 1);
    }
}
