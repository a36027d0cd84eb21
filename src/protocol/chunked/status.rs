//! The status that chunk headers give every problem, and the head of a refusal (C-100).

use serde::Serialize;

use crate::protocol::digest_field::{CONTENT_DIGEST, REPR_DIGEST, WANTED};
use crate::protocol::head::ResponseHead;
use crate::protocol::problem::Problem;
use crate::protocol::tus::upload_length::UPLOAD_OFFSET;
use crate::upload::geometry::{Against, Contradiction};

use super::json;

/// The status of `problem`, as `protocol-spec/errors.md` lists it.
#[must_use]
pub const fn status(problem: &Problem) -> u16 {
    use Problem as P;
    match problem {
        P::MissingField { .. }
        | P::RepeatedField { .. }
        | P::MalformedField { .. }
        | P::InvalidMetadata(_)
        | P::GeometryUnknown
        | P::ChunkContradicts(Contradiction { against: Against::Request, .. })
        | P::TooManyChunks { .. }
        | P::UnknownDigest { .. }
        | P::LengthIsFixed { .. }
        | P::LengthTooShort { .. }
        | P::BodyBroken { .. }
        | P::BadRequest => 400,
        P::Unauthorized => 401,
        P::Forbidden | P::FinalTakesNoBytes | P::PartialNotServed => 403,
        P::NotFound | P::UnknownAddress { .. } => 404,
        P::MethodNotAllowed { .. } => 405,
        P::Idle { .. } | P::TooSlow { .. } => 408,
        P::ChunkContradicts(Contradiction { against: Against::Session, .. })
        | P::OffsetMismatch { .. }
        | P::TakenOver { .. }
        | P::NotComplete => 409,
        P::Expired => 410,
        P::PastTheEnd { .. } | P::TooLarge { .. } => 413,
        P::ChecksumMismatch { .. } | P::UploadMismatch => 422,
        P::Busy => 423,
        P::QuotaReached { .. } | P::TooManyRequests => 429,
        P::MetadataTooLong { .. } | P::HeadTooLong { .. } => 431,
        P::Internal | P::Damaged => 500,
        P::ShuttingDown | P::Overloaded | P::AuthorityUnavailable { .. } => 503,
        P::NoRoom { .. } => 507,
        // What only tus or a download can meet; if it comes up here, the fault is ours.
        P::UnsupportedVersion
        | P::LengthRequired
        | P::LengthTwice
        | P::UnsupportedMediaType
        | P::FinalWithBody
        | P::FinalWithLength
        | P::PartCount { .. }
        | P::ForeignPart
        | P::NotAPart { .. }
        | P::PartMissing { .. }
        | P::PartUnfinished { .. }
        | P::ExtensionOff { .. }
        | P::UnknownChecksum
        | P::SlotPath
        | P::SlotRefused
        | P::SlotExpired
        | P::SlotComplete
        | P::SlotLength { .. }
        | P::SlotMediaType
        | P::ContentLengthRequired
        | P::FormExpected
        | P::MalformedForm { .. }
        | P::OneFile { .. }
        | P::FormTooLong { .. }
        | P::RangeNotSatisfiable { .. }
        | P::PreconditionFailed => 500,
    }
}

#[derive(Serialize)]
struct Refused<'a> {
    success: bool,
    error: &'a str,
    message: String,
}

/// The head of a refusal, with where the upload stands if that helps to go on.
#[must_use]
pub fn refused(problem: &Problem) -> ResponseHead {
    let mut head = ResponseHead::new(status(problem)).with("Cache-Control", "no-store");
    if let Some(offset) = problem.offset() {
        head = head.with(UPLOAD_OFFSET, offset.to_string());
    }
    if let Problem::UnknownDigest { field } | Problem::MalformedField { field, .. } = problem {
        head = match *field {
            CONTENT_DIGEST => head.with("Want-Content-Digest", WANTED),
            REPR_DIGEST => head.with("Want-Repr-Digest", WANTED),
            _ => head,
        };
    }
    head = problem.with_common_fields(head);
    let content = Refused { success: false, error: problem.code(), message: problem.to_string() };
    json(head, &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::UploadOffset;

    #[test]
    fn a_refusal_is_json_with_its_code_and_says_what_would_be_right() {
        let head = refused(&Problem::GeometryUnknown);
        assert_eq!(head.status, 400);
        let body: serde_json::Value = serde_json::from_str(&head.body.unwrap()).unwrap();
        assert_eq!(body["success"], false);
        assert_eq!(body["error"], "geometry-unknown");
        assert!(body["message"].as_str().unwrap().contains("X-Total-Size"));
    }

    #[test]
    fn a_refusal_carries_the_field_that_helps_to_go_on() {
        let offset = UploadOffset::new(7).unwrap();
        let expected = "x";
        for (problem, name, value) in [
            (Problem::TakenOver { offset }, "Upload-Offset", "7"),
            (Problem::UnknownDigest { field: CONTENT_DIGEST }, "Want-Content-Digest", WANTED),
            (Problem::MalformedField { field: REPR_DIGEST, expected }, "Want-Repr-Digest", WANTED),
            (Problem::MethodNotAllowed { allow: "OPTIONS" }, "Allow", "OPTIONS"),
            (Problem::Unauthorized, "WWW-Authenticate", "Bearer realm=\"tidegate\""),
            (Problem::Busy, "Retry-After", "1"),
        ] {
            assert_eq!(refused(&problem).get(name), Some(value), "{problem:?}");
        }
    }
}
