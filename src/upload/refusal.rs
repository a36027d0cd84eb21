//! Every reason why a session does not do what was asked.

use super::geometry::Contradiction;
use super::id::UploadId;
use super::quantity::{UploadLength, UploadOffset};
use super::time::Timestamp;

/// Why a session does not do what was asked. An ordinary answer, not a failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The client's offset is not the upload's (T-32).
    #[error("the upload stands at offset {expected}; continue from there")]
    OffsetMismatch {
        /// Where the upload stands.
        expected: UploadOffset,
    },
    /// The body is longer than what is missing (T-39, T-40, T-44).
    #[error("the body would pass the upload's length of {length} bytes")]
    PastTheEnd {
        /// The upload's length.
        length: UploadLength,
    },
    /// The upload is, or would become, longer than the server takes (T-65, T-41, T-88, T-156).
    #[error("an upload may have at most {max} bytes here")]
    TooLarge {
        /// The configured maximum.
        max: UploadLength,
    },
    /// A length was declared before, and it was another one (T-85).
    #[error("the upload's length is {length} and cannot be changed")]
    LengthIsFixed {
        /// The length that holds.
        length: UploadLength,
    },
    /// The declared length is shorter than what is there or being sent (T-87).
    #[error("the declared length is shorter than the {received} bytes there are")]
    LengthTooShort {
        /// Bytes received, counting the body of this request.
        received: u64,
    },
    /// A final upload takes no bytes (T-147).
    #[error("a final upload is made of its parts and takes no bytes")]
    FinalTakesNoBytes,
    /// A final upload has to name parts.
    #[error("a final upload needs at least one part")]
    NoParts,
    /// A final upload names more parts than the server takes.
    #[error("a final upload may have at most {max} parts here")]
    TooManyParts {
        /// The configured maximum.
        max: usize,
    },
    /// A listed part is not a partial upload (T-154).
    #[error("{part} is not a partial upload")]
    NotAPart {
        /// The upload that is not one.
        part: UploadId,
    },
    /// A listed part does not exist, or belongs to somebody else (T-153, T-161).
    #[error("there is no partial upload {part}")]
    PartMissing {
        /// The part that is not there.
        part: UploadId,
    },
    /// A listed part is not complete, and the server does not wait for parts (T-152).
    #[error("the partial upload {part} is not complete")]
    PartUnfinished {
        /// The part that is not complete.
        part: UploadId,
    },
    /// A first chunk does not say how the upload is cut into chunks.
    #[error("the length of the upload and of its chunks do not follow from the request")]
    GeometryUnknown,
    /// What a request says of its chunk does not fit.
    #[error("the request contradicts itself or the session")]
    ChunkContradicts(Contradiction),
    /// The upload would have more chunks than are taken.
    #[error("an upload may have at most {max} chunks here")]
    TooManyChunks {
        /// The configured maximum.
        max: u32,
    },
    /// The upload is not complete, so there is nothing to download yet.
    #[error("the upload is not complete; nothing of it can be downloaded yet")]
    NotComplete,
    /// A partial upload is a piece, not something to download.
    #[error("a partial upload cannot be downloaded; only the final one can")]
    PartialIsNotServed,
    /// Its owner has used up what is allowed for now.
    #[error("what you may upload is used up for now")]
    QuotaReached {
        /// From when on it could fit, if nothing else changes and that can be told.
        retry_at: Option<Timestamp>,
    },
    /// It expired (T-105, T-106).
    #[error("the upload expired and is gone; start again")]
    Expired,
    /// It was deleted (T-132).
    #[error("no upload has this address")]
    Terminated,
}
