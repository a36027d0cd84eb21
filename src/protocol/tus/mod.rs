//! tus 1.0.0: requests become commands, outcomes become response heads.
//!
//! Requirement ids are those of `protocol-spec/tus-1.0.md`.
//!
//! | file | holds |
//! |---|---|
//! | `version` | the version we speak, and who has to name it |
//! | `extensions` | which extensions are on, and the profile built from them |
//! | `create`, `append`, `inspect`, `terminate`, `options` | one request each: head to command, outcome to head |
//! | `upload_concat`, `upload_checksum`, `upload_metadata`, `upload_length`, `upload_expires` | one field each |
//! | `status` | the status of every problem, and the head of a refusal |

pub mod append;
pub mod create;
pub mod extensions;
pub mod inspect;
pub mod options;
pub mod status;
pub mod terminate;
pub mod upload_checksum;
pub mod upload_concat;
pub mod upload_expires;
pub mod upload_length;
pub mod upload_metadata;
pub mod version;

pub use extensions::{Extension, Profile};
pub use status::refused;

use super::head::{RequestHead, ResponseHead};

/// The media type of bytes that go to an offset (T-31).
pub const OFFSET_OCTET_STREAM: &str = "application/offset+octet-stream";

/// Whether the body is bytes for an upload: the media type without case and parameters (T-31).
#[must_use]
pub fn carries_bytes(head: &RequestHead<'_>) -> bool {
    let media_type = head.text("Content-Type").unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(OFFSET_OCTET_STREAM)
}

/// A response head that says which version it speaks (T-1).
fn speaking(status: u16) -> ResponseHead {
    ResponseHead::new(status).with(version::TUS_RESUMABLE, version::VERSION)
}

#[cfg(test)]
mod vector_tests;

/// What the tests of this folder share.
#[cfg(test)]
pub(crate) mod examples {
    use std::time::Duration;

    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::location::{Outside, Place};
    use crate::upload::{BootId, Limits, NewSession, Session, Timestamp, UploadId, UploadLength};

    pub(crate) const ID: &str = "0123456789abcdef0123456789abcdef";
    pub(crate) const NOON: u64 = 1_403_697_600_000;

    pub(crate) fn head<'a>(
        method: &'a str,
        fields: &[(&'a str, &'a str)],
        body: BodyLength,
    ) -> RequestHead<'a> {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        RequestHead { method, path: "/files", fields, body }
    }

    pub(crate) fn profile() -> Profile {
        let limits = Limits { max_length: UploadLength::new(1000), ..Limits::default() };
        Profile::new(Extension::ALL, &limits)
    }

    pub(crate) fn place() -> Place {
        Place { base_path: "/files".to_owned(), outside: Outside::default(), link: None }
    }

    pub(crate) fn limits() -> Limits {
        Limits { session_timeout: Duration::from_secs(4 * 3600), ..Limits::default() }
    }

    pub(crate) fn session(new: NewSession) -> Session {
        let (id, boot): (UploadId, _) = (ID.parse().unwrap(), BootId::new("boot".to_owned()));
        let now = Timestamp::from_unix_milliseconds(NOON);
        Session::create(new, id, &limits(), boot, now).unwrap()
    }
}
