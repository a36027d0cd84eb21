//! What every answer tells about a session (C-37).

use std::time::Duration;

use crate::protocol::date;
use crate::protocol::head::ResponseHead;
use crate::protocol::tus::upload_expires::UPLOAD_EXPIRES;
use crate::protocol::tus::upload_length::{UPLOAD_LENGTH, UPLOAD_OFFSET};
use crate::upload::{Session, Timestamp, UploadLength};

use super::fields::X_RECOMMENDED_CHUNK_SIZE;
use super::name::{SessionName, X_UPLOAD_SESSION_ID};
use super::terms::Terms;

/// A session, under the name by which its client called it.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// The name: chosen by the client, or issued.
    pub name: &'a SessionName,
    /// What it means.
    pub session: &'a Session,
}

impl Called<'_> {
    /// Adds the fields that tell where the session stands.
    #[must_use]
    pub fn told_in(&self, head: ResponseHead, terms: &Terms) -> ResponseHead {
        let mut head = head
            .with(X_UPLOAD_SESSION_ID, self.name.as_str().to_owned())
            .with(UPLOAD_OFFSET, self.session.offset().to_string())
            .with(X_RECOMMENDED_CHUNK_SIZE, self.recommended(terms).to_string());
        if let Some(length) = self.session.length() {
            head = head.with(UPLOAD_LENGTH, length.to_string());
        }
        match self.session.expires_at() {
            Some(expiry) => head.with(UPLOAD_EXPIRES, date::write(expiry)),
            None => head,
        }
    }

    /// The chunk size that suits: its own, or the one that it would be cut by.
    #[must_use]
    pub fn recommended(&self, terms: &Terms) -> u64 {
        let own = self.session.chunks().map(|chunks| chunks.geometry().chunk_bytes().get());
        own.unwrap_or_else(|| terms.recommended(self.session.length()))
    }

    /// Bytes of the whole upload, if that is known.
    #[must_use]
    pub fn total_bytes(&self) -> Option<u64> {
        self.session.length().map(UploadLength::get)
    }

    /// Bytes that are there, wherever.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.session.received().bytes()
    }

    /// How much of the upload is there, from 0 to 1; 0 while nobody knows how much there is to be.
    #[must_use]
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "a share of bytes; nobody counts by it"
    )]
    pub fn progress(&self) -> f64 {
        match self.total_bytes() {
            None => 0.0,
            Some(0) => 1.0,
            Some(total) => self.received_bytes() as f64 / total as f64,
        }
    }

    /// The name of the file, if the client gave one that is text.
    #[must_use]
    pub fn filename(&self) -> Option<String> {
        self.session.metadata().get("filename").and_then(|name| String::from_utf8(name).ok())
    }
}

/// A moment in JSON.
#[must_use]
pub fn moment(moment: Timestamp) -> String {
    date::write_rfc3339(moment)
}

/// How long something took, as hmac-file-server writes it: `12.345s`.
#[must_use]
pub fn duration(took: Duration) -> String {
    format!("{}.{:03}s", took.as_secs(), took.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_in_seconds() {
        assert_eq!(duration(Duration::from_millis(12_345)), "12.345s");
        assert_eq!(duration(Duration::from_millis(7)), "0.007s");
    }
}
