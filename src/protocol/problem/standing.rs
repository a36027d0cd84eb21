//! Where a refusal leaves the upload and the connection.

use crate::upload::UploadOffset;

use super::Problem;

impl Problem {
    /// Where the upload stands, where the refusal knows it: told in `Upload-Offset`.
    #[must_use]
    pub const fn offset(&self) -> Option<UploadOffset> {
        match self {
            Self::OffsetMismatch { offset } | Self::TakenOver { offset } => Some(*offset),
            Self::ChecksumMismatch { offset }
            | Self::Idle { offset }
            | Self::TooSlow { offset }
            | Self::BodyBroken { offset }
            | Self::NoRoom { offset } => *offset,
            Self::UnsupportedVersion
            | Self::MissingField { .. }
            | Self::RepeatedField { .. }
            | Self::MalformedField { .. }
            | Self::InvalidMetadata(_)
            | Self::MetadataTooLong { .. }
            | Self::LengthRequired
            | Self::LengthTwice
            | Self::UnsupportedMediaType
            | Self::PastTheEnd { .. }
            | Self::TooLarge { .. }
            | Self::LengthIsFixed { .. }
            | Self::LengthTooShort { .. }
            | Self::FinalTakesNoBytes
            | Self::FinalWithBody
            | Self::FinalWithLength
            | Self::PartCount { .. }
            | Self::ForeignPart
            | Self::NotAPart { .. }
            | Self::PartMissing { .. }
            | Self::PartUnfinished { .. }
            | Self::ExtensionOff { .. }
            | Self::GeometryUnknown
            | Self::ChunkContradicts(_)
            | Self::TooManyChunks { .. }
            | Self::UnknownChecksum
            | Self::UnknownDigest { .. }
            | Self::UploadMismatch
            | Self::MethodNotAllowed { .. }
            | Self::NotFound
            | Self::UnknownAddress { .. }
            | Self::Expired
            | Self::Unauthorized
            | Self::Forbidden
            | Self::AuthorityUnavailable { .. }
            | Self::NotComplete
            | Self::PartialNotServed
            | Self::RangeNotSatisfiable { .. }
            | Self::PreconditionFailed
            | Self::Busy
            | Self::QuotaReached { .. }
            | Self::TooManyRequests
            | Self::HeadTooLong { .. }
            | Self::Overloaded
            | Self::ShuttingDown
            | Self::SlotPath
            | Self::SlotRefused
            | Self::SlotExpired
            | Self::SlotComplete
            | Self::SlotLength { .. }
            | Self::SlotMediaType
            | Self::ContentLengthRequired
            | Self::BadRequest
            | Self::FormExpected
            | Self::MalformedForm { .. }
            | Self::OneFile { .. }
            | Self::FormTooLong { .. }
            | Self::Internal
            | Self::Damaged => None,
        }
    }

    /// Whether the connection is of no use afterwards: the rest of a body is still on its way and
    /// nobody wants it.
    #[must_use]
    pub const fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::Idle { .. }
                | Self::TooSlow { .. }
                | Self::BodyBroken { .. }
                | Self::TakenOver { .. }
        )
    }
}
