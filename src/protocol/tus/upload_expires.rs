//! `Upload-Expires`.

use crate::protocol::date;
use crate::protocol::head::ResponseHead;
use crate::upload::Session;

use super::extensions::{Extension, Profile};

/// When an upload will be gone.
pub const UPLOAD_EXPIRES: &str = "Upload-Expires";

/// Adds `Upload-Expires = IMF-fixdate` if the upload will expire (T-101 to T-103).
#[must_use]
pub fn add(head: ResponseHead, session: &Session, profile: &Profile) -> ResponseHead {
    match session.expires_at() {
        Some(moment) if profile.has(Extension::Expiration) => {
            head.with(UPLOAD_EXPIRES, date::write(moment))
        }
        Some(_) | None => head,
    }
}
