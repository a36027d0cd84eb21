//! The status that tus gives every problem, and the head of a refusal.

use crate::protocol::head::ResponseHead;
use crate::protocol::problem::Problem;

use super::speaking;
use super::upload_length::UPLOAD_OFFSET;
use super::version::{TUS_VERSION, VERSION};

/// The status of `problem`, as `protocol-spec/errors.md` lists it.
#[must_use]
pub const fn status(problem: &Problem) -> u16 {
    use Problem as P;
    match problem {
        P::MissingField { .. }
        | P::RepeatedField { .. }
        | P::MalformedField { .. }
        | P::InvalidMetadata(_)
        | P::LengthRequired
        | P::LengthTwice
        | P::LengthIsFixed { .. }
        | P::LengthTooShort { .. }
        | P::FinalWithLength
        | P::PartCount { .. }
        | P::ForeignPart
        | P::NotAPart { .. }
        | P::PartUnfinished { .. }
        | P::ExtensionOff { .. }
        | P::GeometryUnknown
        | P::ChunkContradicts(_)
        | P::TooManyChunks { .. }
        | P::UnknownChecksum
        | P::UnknownDigest { .. }
        | P::BodyBroken { .. }
        | P::MalformedForm { .. }
        | P::OneFile { .. }
        | P::SlotPath
        | P::BadRequest => 400,
        P::Unauthorized => 401,
        P::FinalTakesNoBytes
        | P::FinalWithBody
        | P::PartialNotServed
        | P::Forbidden
        | P::SlotRefused => 403,
        P::PartMissing { .. } | P::NotFound | P::UnknownAddress { .. } => 404,
        P::MethodNotAllowed { .. } => 405,
        P::Idle { .. } | P::TooSlow { .. } => 408,
        P::OffsetMismatch { .. } | P::TakenOver { .. } | P::NotComplete | P::SlotComplete => 409,
        P::Expired | P::SlotExpired => 410,
        P::ContentLengthRequired => 411,
        P::UnsupportedVersion | P::PreconditionFailed => 412,
        P::PastTheEnd { .. }
        | P::TooLarge { .. }
        | P::FormTooLong { .. }
        | P::SlotLength { .. } => 413,
        P::UnsupportedMediaType | P::FormExpected | P::SlotMediaType => 415,
        P::RangeNotSatisfiable { .. } => 416,
        P::Busy => 423,
        P::QuotaReached { .. } | P::TooManyRequests => 429,
        P::MetadataTooLong { .. } | P::HeadTooLong { .. } => 431,
        P::ChecksumMismatch { .. } | P::UploadMismatch => 460,
        P::Internal | P::Damaged => 500,
        P::ShuttingDown | P::Overloaded | P::AuthorityUnavailable { .. } => 503,
        P::NoRoom { .. } => 507,
    }
}

/// The head of a refusal: it speaks the version like any other answer (T-1), and tells where the
/// upload stands if that helps to go on (T-32).
#[must_use]
pub fn refused(problem: &Problem) -> ResponseHead {
    let mut head = speaking(status(problem));
    if let Some(offset) = problem.offset() {
        head = head.with(UPLOAD_OFFSET, offset.to_string());
    }
    if matches!(problem, Problem::UnsupportedVersion) {
        head = head.with(TUS_VERSION, VERSION);
    }
    if let Problem::TooLarge { max } = problem {
        head = head.with("Tus-Max-Size", max.to_string());
    }
    if matches!(problem, Problem::ChecksumMismatch { .. }) {
        head.reason = Some("Checksum Mismatch");
    }
    head = problem.with_common_fields(head);
    problem.described_in(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::{UploadLength, UploadOffset};

    #[test]
    fn every_refusal_speaks_the_version_and_describes_itself() {
        for problem in
            [Problem::NotFound, Problem::Unauthorized, Problem::Internal, Problem::Expired]
        {
            let head = refused(&problem);
            assert_eq!(head.get("Tus-Resumable"), Some("1.0.0"));
            assert!(head.body.unwrap().contains(problem.code()));
        }
    }

    #[test]
    fn a_refusal_carries_the_field_that_helps_to_go_on() {
        let offset = UploadOffset::new(7).unwrap();
        let max = UploadLength::new(9).unwrap();
        for (problem, name, value) in [
            (Problem::UnsupportedVersion, "Tus-Version", "1.0.0"),
            (Problem::OffsetMismatch { offset }, "Upload-Offset", "7"),
            (Problem::TakenOver { offset }, "Upload-Offset", "7"),
            (Problem::TooLarge { max }, "Tus-Max-Size", "9"),
            (Problem::MethodNotAllowed { allow: "OPTIONS" }, "Allow", "OPTIONS"),
            (Problem::Unauthorized, "WWW-Authenticate", "Bearer realm=\"tidegate\""),
            (Problem::ShuttingDown, "Retry-After", "1"),
        ] {
            assert_eq!(refused(&problem).get(name), Some(value), "{problem:?}");
        }
        assert_eq!(refused(&Problem::NotFound).get("Upload-Offset"), None);
    }

    #[test]
    fn a_checksum_mismatch_has_its_own_status_and_reason() {
        let head = refused(&Problem::ChecksumMismatch { offset: None });
        assert_eq!((head.status, head.reason), (460, Some("Checksum Mismatch")));
    }
}
