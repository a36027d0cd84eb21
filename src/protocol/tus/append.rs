//! `PATCH` on an upload: adds bytes (T-30 to T-45, T-84 to T-88).

use crate::protocol::head::{RequestHead, ResponseHead};
use crate::protocol::problem::Problem;
use crate::upload::{AppendRequest, Digest, Session, UploadLength};

use super::extensions::{Extension, Profile};
use super::{carries_bytes, speaking, upload_checksum, upload_expires, upload_length, version};

/// What a client asks for with `PATCH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Where, how much, and whether it declares the length.
    pub request: AppendRequest,
    /// The digest that the body has to have (T-112).
    pub digest: Option<Digest>,
}

/// Reads an append. `Upload-Concat` is ignored here: tus-js-client sends it along (T-158).
///
/// # Errors
///
/// The [`Problem`] that the client is told; the upload stays as it is.
pub fn read(head: &RequestHead<'_>, profile: &Profile) -> Result<Append, Problem> {
    version::required(head)?;
    if !carries_bytes(head) {
        return Err(Problem::UnsupportedMediaType);
    }
    let at = upload_length::offset(head)?;
    let declares = upload_length::length(head)?;
    let digest = upload_checksum::read(head)?;
    if digest.is_some() {
        profile.require(Extension::Checksum)?;
    }
    let body_bytes = head.body.bytes();
    // Of the other bounds the session knows more: it tells which one the body runs into.
    profile.admit(declares.map_or(0, UploadLength::get))?;
    profile.admit(body_bytes.unwrap_or(0))?;
    Ok(Append { request: AppendRequest { at, declares, body_bytes }, digest })
}

/// `204`: so far the upload got.
#[must_use]
pub fn appended(session: &Session, profile: &Profile) -> ResponseHead {
    let offset = session.offset().to_string();
    let head = speaking(204).with(upload_length::UPLOAD_OFFSET, offset);
    // A finished upload has its own retention and is not under this extension (T-107).
    if session.is_complete() { head } else { upload_expires::add(head, session, profile) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::tus::examples::{head, profile, session};
    use crate::upload::{Limits, NewSession, Owner, UploadOffset};

    const CONTENT: (&str, &str) = ("content-type", "Application/Offset+Octet-Stream; x=y");

    fn ask(fields: &[(&str, &str)], body: BodyLength) -> Result<Append, Problem> {
        let mut all = vec![("Tus-Resumable", "1.0.0")];
        all.extend_from_slice(fields);
        read(&head("PATCH", &all, body), &profile())
    }

    #[test]
    fn an_append_says_where_and_how_much() {
        let fields = [CONTENT, ("Upload-Offset", "7"), ("Upload-Concat", "partial")];
        let append = ask(&fields, BodyLength::Known(3)).unwrap();
        let at = UploadOffset::new(7).unwrap();
        let request = AppendRequest { at, declares: None, body_bytes: Some(3) };
        assert_eq!(append, Append { request, digest: None });
        assert_eq!(ask(&fields, BodyLength::Unknown).unwrap().request.body_bytes, None);
        assert_eq!(ask(&fields, BodyLength::Empty).unwrap().request.body_bytes, Some(0));
    }

    #[test]
    fn an_append_may_declare_the_length_within_the_maximum() {
        let declare = |length| {
            ask(&[CONTENT, ("Upload-Offset", "0"), ("Upload-Length", length)], BodyLength::Empty)
        };
        assert_eq!(declare("1000").unwrap().request.declares, UploadLength::new(1000));
        assert!(matches!(declare("1001"), Err(Problem::TooLarge { .. })));
        assert!(matches!(declare("-1"), Err(Problem::MalformedField { .. })));
    }

    #[test]
    fn the_content_type_and_the_offset_have_to_be_there() {
        let offset = ("Upload-Offset", "0");
        assert_eq!(ask(&[offset], BodyLength::Empty), Err(Problem::UnsupportedMediaType));
        let other = ("Content-Type", "application/octet-stream");
        assert_eq!(ask(&[offset, other], BodyLength::Empty), Err(Problem::UnsupportedMediaType));
        assert!(matches!(ask(&[CONTENT], BodyLength::Empty), Err(Problem::MissingField { .. })));
    }

    #[test]
    fn a_checksum_needs_its_extension() {
        let fields = [
            ("Tus-Resumable", "1.0.0"),
            CONTENT,
            ("Upload-Offset", "0"),
            ("Upload-Checksum", "crc32 AAAAAA=="),
        ];
        let head = head("PATCH", &fields, BodyLength::Empty);
        assert!(read(&head, &profile()).unwrap().digest.is_some());
        let bare = Profile::new([], &Limits::default());
        assert!(matches!(read(&head, &bare), Err(Problem::ExtensionOff { .. })));
    }

    #[test]
    fn the_answer_gives_the_offset_and_when_the_upload_expires() {
        let session = session(NewSession::of(Owner::anonymous(), None, Default::default()));
        let answer = appended(&session, &profile());
        assert_eq!(answer.status, 204);
        assert_eq!(answer.get("Upload-Offset"), Some("0"));
        assert!(answer.get("Upload-Expires").is_some());
        assert_eq!(answer.get("Tus-Resumable"), Some("1.0.0"));
    }
}
