//! The status that a download gives every problem, and the head of a refusal.

use crate::protocol::head::ResponseHead;
use crate::protocol::problem::Problem;

/// The status of `problem`, as `protocol-spec/errors.md` lists it.
#[must_use]
pub const fn status(problem: &Problem) -> u16 {
    use Problem as P;
    match problem {
        P::Unauthorized => 401,
        P::PartialNotServed | P::Forbidden => 403,
        P::NotFound | P::UnknownAddress { .. } => 404,
        P::MethodNotAllowed { .. } => 405,
        P::NotComplete => 409,
        P::Expired => 410,
        P::PreconditionFailed => 412,
        P::RangeNotSatisfiable { .. } => 416,
        P::TooManyRequests => 429,
        P::HeadTooLong { .. } => 431,
        P::Busy | P::ShuttingDown | P::Overloaded | P::AuthorityUnavailable { .. } => 503,
        P::BadRequest => 400,
        P::Internal | P::Damaged => 500,
        // A request without bytes for us cannot meet these; if it does, the fault is ours.
        P::UnsupportedVersion
        | P::MissingField { .. }
        | P::RepeatedField { .. }
        | P::MalformedField { .. }
        | P::InvalidMetadata(_)
        | P::MetadataTooLong { .. }
        | P::LengthRequired
        | P::LengthTwice
        | P::UnsupportedMediaType
        | P::OffsetMismatch { .. }
        | P::PastTheEnd { .. }
        | P::TooLarge { .. }
        | P::LengthIsFixed { .. }
        | P::LengthTooShort { .. }
        | P::FinalTakesNoBytes
        | P::FinalWithBody
        | P::FinalWithLength
        | P::PartCount { .. }
        | P::ForeignPart
        | P::NotAPart { .. }
        | P::PartMissing { .. }
        | P::PartUnfinished { .. }
        | P::ExtensionOff { .. }
        | P::GeometryUnknown
        | P::ChunkContradicts(_)
        | P::TooManyChunks { .. }
        | P::UnknownChecksum
        | P::UnknownDigest { .. }
        | P::UploadMismatch
        | P::ChecksumMismatch { .. }
        | P::TakenOver { .. }
        | P::Idle { .. }
        | P::TooSlow { .. }
        | P::BodyBroken { .. }
        | P::NoRoom { .. }
        | P::QuotaReached { .. }
        | P::FormExpected
        | P::MalformedForm { .. }
        | P::OneFile { .. }
        | P::FormTooLong { .. }
        | P::SlotPath
        | P::SlotRefused
        | P::SlotExpired
        | P::SlotComplete
        | P::SlotLength { .. }
        | P::SlotMediaType
        | P::ContentLengthRequired => 500,
    }
}

/// The head of a refusal. It is never stored: the next answer may well be the file.
#[must_use]
pub fn refused(problem: &Problem) -> ResponseHead {
    let mut head = ResponseHead::new(status(problem)).with("Cache-Control", "no-store");
    if let Problem::RangeNotSatisfiable { length } = problem {
        head = head.with("Content-Range", format!("bytes */{length}"));
    }
    head = problem.with_common_fields(head).with("X-Content-Type-Options", "nosniff");
    problem.described_in(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_outside_is_told_how_long_the_file_is() {
        let head = refused(&Problem::RangeNotSatisfiable { length: 7 });
        assert_eq!(head.status, 416);
        assert_eq!(head.get("Content-Range"), Some("bytes */7"));
        assert_eq!(head.get("Cache-Control"), Some("no-store"));
    }
}
