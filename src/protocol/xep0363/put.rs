//! `PUT`: of the whole file, or, with `Content-Range`, of what is missing.

use crate::protocol::chunked::content_range::{self, CONTENT_RANGE};
use crate::protocol::head::{RequestHead, ResponseHead};
use crate::protocol::problem::Problem;
use crate::protocol::tus::upload_length::UPLOAD_OFFSET;
use crate::upload::{Session, UploadOffset};

use super::answers::stored;
use super::request::{Intent, SlotRequest};
use super::status::problem;

/// What a `PUT` brings, before its token is believed.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    /// What its token has to allow.
    pub request: SlotRequest<'a>,
    /// Where its body begins.
    pub from: UploadOffset,
    /// Bytes of its body.
    pub body_bytes: u64,
}

/// Reads a `PUT`.
///
/// # Errors
///
/// [`Problem::ContentLengthRequired`] for a body that does not say how long it is, and
/// whatever is wrong with `Content-Range`; a doubled or odd field that a token depends on.
pub fn read<'a>(head: &RequestHead<'a>, query: &'a str) -> Result<Put<'a>, Problem> {
    let request = SlotRequest::whole(head, query, Intent::Put).map_err(|why| problem(&why))?;
    let body_bytes = head.body.bytes().ok_or(Problem::ContentLengthRequired)?;
    let Some(range) = content_range::read(head)? else {
        return Ok(Put { request, from: UploadOffset::ZERO, body_bytes });
    };
    let fits = (range.last - range.first).checked_add(1) == Some(body_bytes);
    match UploadOffset::new(range.first).filter(|_| fits) {
        Some(from) => {
            let request = SlotRequest { length: Some(range.complete), ..request };
            Ok(Put { request, from, body_bytes })
        }
        None => Err(Problem::MalformedField {
            field: CONTENT_RANGE,
            expected: "a range that is as long as the body",
        }),
    }
}

/// `201` once all of it can be fetched; until then `204`, and how far the slot got.
#[must_use]
pub fn answered(session: &Session) -> ResponseHead {
    if session.is_complete() {
        return stored();
    }
    ResponseHead::new(204)
        .with("Cache-Control", "no-store")
        .with(UPLOAD_OFFSET, session.offset().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;

    fn ask<'a>(range: Option<&'a str>, body: BodyLength) -> Result<Put<'a>, Problem> {
        let mut fields = vec![("content-type", &b"text/plain"[..])];
        fields.extend(range.map(|range| ("content-range", range.as_bytes())));
        read(&RequestHead { method: "PUT", path: "/upload/a/b", fields, body }, "v=1")
    }

    #[test]
    fn a_plain_put_is_the_whole_file() {
        let put = ask(None, BodyLength::Known(5)).unwrap();
        assert_eq!((put.request.length, put.from.get(), put.body_bytes), (Some(5), 0, 5));
        assert_eq!(ask(None, BodyLength::Empty).unwrap().request.length, Some(0));
    }

    #[test]
    fn a_put_with_a_range_is_for_the_token_of_the_whole_file() {
        let put = ask(Some("bytes 3-7/8"), BodyLength::Known(5)).unwrap();
        assert_eq!((put.request.length, put.from.get(), put.body_bytes), (Some(8), 3, 5));
        assert_eq!(put.request.media_type, "text/plain");
        for bad in ["bytes 3-6/8", "bytes 3-8/9", "bytes 3-/8", "bytes 3-7/*", ""] {
            let refused = ask(Some(bad), BodyLength::Known(5)).unwrap_err();
            assert!(matches!(refused, Problem::MalformedField { .. }), "{bad:?}");
        }
    }

    #[test]
    fn a_body_of_unknown_length_is_refused_with_a_range_or_without() {
        for range in [None, Some("bytes 3-7/8")] {
            let refused = ask(range, BodyLength::Unknown).unwrap_err();
            assert_eq!(refused, Problem::ContentLengthRequired);
        }
    }
}
