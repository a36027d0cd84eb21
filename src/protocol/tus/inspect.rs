//! `HEAD` on an upload: where it stands (T-20 to T-28, T-148 to T-150).

use crate::protocol::head::{RequestHead, ResponseHead};
use crate::protocol::problem::Problem;
use crate::upload::{Phase, Relation, Session};

use super::extensions::Profile;
use super::upload_concat::UPLOAD_CONCAT;
use super::upload_length::{UPLOAD_DEFER_LENGTH, UPLOAD_LENGTH, UPLOAD_OFFSET};
use super::upload_metadata::UPLOAD_METADATA;
use super::{speaking, upload_expires, version};

/// Who asks: decides what else the answer tells about a finished upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A tus client: it named the version.
    Tus,
    /// Anybody: a finished upload also answers as the download it is.
    Anybody,
}

/// Reads a look.
///
/// # Errors
///
/// [`Problem::UnsupportedVersion`] if it names another version (T-3); naming none is fine (T-5).
pub fn read(head: &RequestHead<'_>) -> Result<Asker, Problem> {
    version::tolerated(head)?;
    Ok(if head.has(version::TUS_RESUMABLE) { Asker::Tus } else { Asker::Anybody })
}

/// `200`: where the upload stands. Not 204: tus-js-client insists (T-23).
#[must_use]
pub fn inspected(session: &Session, profile: &Profile) -> ResponseHead {
    // Whoever asks wants to know now (T-22).
    let mut head = speaking(200).with("Cache-Control", "no-store");
    match session.phase() {
        // A final upload that is still being joined has no offset yet (T-150).
        Phase::Assembling => {}
        Phase::Receiving | Phase::Complete | Phase::Gone(_) => {
            head = head.with(UPLOAD_OFFSET, session.offset().to_string());
        }
    }
    head = match session.length() {
        Some(length) => head.with(UPLOAD_LENGTH, length.to_string()),
        None => head.with(UPLOAD_DEFER_LENGTH, "1"),
    };
    if !session.metadata().is_empty() {
        head = head.with(UPLOAD_METADATA, session.metadata().as_str().to_owned());
    }
    head = match session.relation() {
        Relation::Whole => head,
        Relation::Partial => head.with(UPLOAD_CONCAT, "partial"),
        Relation::Final { as_received, .. } => head.with(UPLOAD_CONCAT, as_received.clone()),
    };
    upload_expires::add(head, session, profile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::tus::examples::{NOON, head, limits, profile, session};
    use crate::upload::transition::ConcatOrder;
    use crate::upload::{BootId, Metadata, NewSession, Owner, Timestamp, UploadId, UploadLength};

    fn new(length: Option<u64>, relation: Relation) -> NewSession {
        let metadata = Metadata::parse("a YQ==, b").unwrap();
        let new = NewSession::of(Owner::anonymous(), length.and_then(UploadLength::new), metadata);
        NewSession { relation, ..new }
    }

    #[test]
    fn a_look_tells_offset_length_and_metadata_as_sent() {
        let answer = inspected(&session(new(Some(10), Relation::Whole)), &profile());
        for (name, value) in [
            ("Upload-Offset", Some("0")),
            ("Upload-Length", Some("10")),
            ("Upload-Defer-Length", None),
            ("Upload-Metadata", Some("a YQ==, b")),
            ("Upload-Concat", None),
            ("Upload-Expires", Some("Wed, 25 Jun 2014 16:00:00 GMT")),
            ("Cache-Control", Some("no-store")),
            ("Tus-Resumable", Some("1.0.0")),
        ] {
            assert_eq!(answer.get(name), value, "{name}");
        }
        assert_eq!((answer.status, answer.body), (200, None));
    }

    #[test]
    fn a_deferred_length_is_said_to_be_deferred_and_a_part_to_be_one() {
        let answer = inspected(&session(new(None, Relation::Partial)), &profile());
        assert_eq!(answer.get("Upload-Defer-Length"), Some("1"));
        assert_eq!(answer.get("Upload-Length"), None);
        assert_eq!(answer.get("Upload-Concat"), Some("partial"));
    }

    #[test]
    fn a_final_upload_without_all_its_bytes_has_a_length_but_no_offset() {
        let part = session(new(Some(10), Relation::Partial));
        let order = ConcatOrder {
            max_length: None,
            owner: Owner::anonymous(),
            metadata: Metadata::default(),
            parts: vec![part.id()],
            as_received: "final;/files/x".to_owned(),
        };
        let now = Timestamp::from_unix_milliseconds(NOON);
        let boot = BootId::new("boot".to_owned());
        let id = UploadId::generate();
        let whole = Session::assemble(id, &order, &[part], &limits(), boot, now).unwrap();
        let answer = inspected(&whole, &profile());
        assert_eq!(answer.get("Upload-Offset"), None);
        assert_eq!(answer.get("Upload-Length"), Some("10"));
        assert_eq!(answer.get("Upload-Concat"), Some("final;/files/x"));
        assert_eq!(answer.get("Upload-Metadata"), None);
    }

    #[test]
    fn a_look_need_not_name_the_version_but_must_not_name_another() {
        let ask = |fields: &[(&str, &str)]| read(&head("HEAD", fields, BodyLength::Empty));
        assert_eq!(ask(&[("Tus-Resumable", "1.0.0")]), Ok(Asker::Tus));
        assert_eq!(ask(&[]), Ok(Asker::Anybody));
        assert_eq!(ask(&[("Tus-Resumable", "2")]), Err(Problem::UnsupportedVersion));
    }
}
