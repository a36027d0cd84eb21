//! `POST` to the endpoint without a session: begins one (C-10 to C-14).

use serde::Serialize;

use crate::protocol::digest_field::{self, REPR_DIGEST};
use crate::protocol::head::{BodyLength, RequestHead, ResponseHead};
use crate::protocol::location::Place;
use crate::protocol::problem::Problem;
use crate::upload::{Digest, Geometry, Metadata, UploadLength};

use super::address::{session_url, status_url};
use super::name::X_UPLOAD_SESSION_ID;
use super::standing::{Called, moment};
use super::terms::Terms;
use super::{fields, file, json};

/// What a client asks for when it begins a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Length and chunk size.
    pub geometry: Geometry,
    /// What it says of its file.
    pub metadata: Metadata,
    /// The digest that the whole upload has to have (C-74).
    pub expects: Option<Digest>,
}

/// Whether the request begins a session, rather than bringing a chunk of one.
#[must_use]
pub fn is_meant(head: &RequestHead<'_>) -> bool {
    !head.has(X_UPLOAD_SESSION_ID) && !head.has(fields::X_CHUNK_NUMBER)
}

/// Reads a beginning.
///
/// # Errors
///
/// The [`Problem`] that the client is told; nothing is begun then.
pub fn read(head: &RequestHead<'_>, terms: &Terms) -> Result<Begin, Problem> {
    match head.body {
        BodyLength::Empty => {}
        // Whoever sends bytes means a chunk, and has to say of which session (C-14).
        BodyLength::Known(_) | BodyLength::Unknown => {
            let expected = "it and X-Chunk-Number with a chunk, or no body to begin a session";
            return Err(Problem::MissingField { field: X_UPLOAD_SESSION_ID, expected });
        }
    }
    let missing = Problem::MissingField {
        field: fields::X_TOTAL_SIZE,
        expected: fields::TOTAL_SIZE_EXPECTED,
    };
    let length = fields::total_size(head)?.and_then(UploadLength::new).ok_or(missing)?;
    file::required_name(head)?;
    terms.admit(length.get())?;
    Ok(Begin {
        geometry: terms.geometry(length, fields::chunk_size(head)?)?,
        metadata: file::read(head, terms.max_metadata_bytes)?,
        expects: digest_field::read(head, REPR_DIGEST)?,
    })
}

/// The body of the answer.
#[derive(Serialize)]
struct Begun<'a> {
    session_id: &'a str,
    chunk_size: u64,
    total_chunks: u32,
    upload_url: String,
    status_url: String,
    expires_at: Option<String>,
}

/// `201`: the session is there.
#[must_use]
pub fn begun(
    called: &Called<'_>,
    geometry: &Geometry,
    place: &Place,
    terms: &Terms,
) -> ResponseHead {
    let head = ResponseHead::new(201).with("Location", session_url(place, called.name));
    let content = Begun {
        session_id: called.name.as_str(),
        chunk_size: geometry.chunk_bytes().get(),
        total_chunks: geometry.total_chunks(),
        upload_url: place.of(called.session.id()),
        status_url: status_url(place, called.name),
        expires_at: called.session.expires_at().map(moment),
    };
    json(called.told_in(head, terms), &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::chunked::terms::tests::terms;
    use crate::protocol::tus::examples::head;

    const NAME: (&str, &str) = ("X-Filename", "a.bin");

    fn ask(fields: &[(&str, &str)]) -> Result<Begin, Problem> {
        read(&head("POST", fields, BodyLength::Empty), &terms())
    }

    #[test]
    fn a_beginning_says_how_long_the_upload_is_and_what_it_is_called() {
        let begin = ask(&[NAME, ("X-Total-Size", "2500"), ("Content-Type", "text/plain")]).unwrap();
        assert_eq!(begin.geometry.length().get(), 2500);
        assert_eq!(begin.geometry.chunk_bytes().get(), 1000);
        assert_eq!(begin.metadata.as_str(), "filename YS5iaW4=,filetype dGV4dC9wbGFpbg==");
        assert_eq!(begin.expects, None);
        let asked = ask(&[NAME, ("X-Total-Size", "2500"), ("X-Chunk-Size", "2000")]).unwrap();
        assert_eq!(asked.geometry.total_chunks(), 2);
    }

    #[test]
    fn what_is_missing_or_too_large_begins_nothing() {
        let size = ("X-Total-Size", "10");
        for (fields, code) in [
            (&[NAME][..], "missing-field"),
            (&[size], "missing-field"),
            (&[NAME, ("X-Total-Size", "1000001")], "too-large"),
            (&[NAME, ("X-Total-Size", "-1")], "malformed-field"),
            (&[NAME, size, ("X-Chunk-Size", "0")], "malformed-field"),
            (&[NAME, size, ("Repr-Digest", "md5=:AA==:")], "unknown-digest"),
            (&[NAME, size, size], "repeated-field"),
        ] {
            assert_eq!(ask(fields).unwrap_err().code(), code, "{fields:?}");
        }
    }

    #[test]
    fn bytes_without_a_session_are_refused() {
        for body in [BodyLength::Known(1), BodyLength::Unknown] {
            let head = head("POST", &[NAME, ("X-Total-Size", "10")], body);
            assert!(is_meant(&head));
            assert!(matches!(read(&head, &terms()), Err(Problem::MissingField { .. })));
        }
        for field in ["X-Upload-Session-ID", "x-chunk-number"] {
            assert!(!is_meant(&head("POST", &[(field, "0")], BodyLength::Empty)));
        }
    }
}
