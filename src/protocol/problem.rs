//! Every refusal a client may see.
//!
//! One variant is one row of `protocol-spec/errors.md`. The status is decided by the protocol in
//! which the client speaks: `tus::status` and `download::status`.

mod contradiction;
mod kept;
mod standing;

use std::borrow::Cow;

use crate::upload::geometry::Contradiction;
use crate::upload::{MetadataError, Timestamp, UploadId, UploadLength, UploadOffset};

use super::date;
use super::head::ResponseHead;
use contradiction::{code_of, contradiction};
use kept::{fitted, kept, later};

/// A refusal, with what is needed to say what was wrong and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The request does not speak a version we know (T-3, T-4).
    #[error("send `Tus-Resumable` with a version listed in Tus-Version")]
    UnsupportedVersion,
    /// A field that has to be there is not.
    #[error("{field} is missing; send {expected}")]
    MissingField {
        /// Its name.
        field: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// A field that may appear once appears several times.
    #[error("{field} appears more than once; send one line of it")]
    RepeatedField {
        /// Its name.
        field: &'static str,
    },
    /// A field does not follow its grammar.
    #[error("{field} is not well-formed; send {expected}")]
    MalformedField {
        /// Its name.
        field: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// The user metadata does not follow its grammar (T-72, T-73).
    #[error("{0}")]
    InvalidMetadata(MetadataError),
    /// The user metadata is longer than we take (T-78).
    #[error("the metadata has {actual} bytes; at most {limit} are taken")]
    MetadataTooLong {
        /// Bytes received.
        actual: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A creation says neither how long the upload is nor that this is deferred (T-62).
    #[error("send `Upload-Length`, or `Upload-Defer-Length: 1`")]
    LengthRequired,
    /// A creation says both a length and that it is deferred (T-63).
    #[error("send either `Upload-Length` or `Upload-Defer-Length`, not both")]
    LengthTwice,
    /// A body of a kind that is not taken here (T-31, T-95).
    #[error("send the bytes with `Content-Type: application/offset+octet-stream`")]
    UnsupportedMediaType,
    /// The client's offset is not the upload's (T-32).
    #[error("the upload stands at offset {offset}; continue from there")]
    OffsetMismatch {
        /// Where the upload stands.
        offset: UploadOffset,
    },
    /// The body passes the upload's length (T-39, T-40, T-44, T-96).
    #[error("the body would pass the upload's length of {length} bytes; send only what is missing")]
    PastTheEnd {
        /// The upload's length.
        length: UploadLength,
    },
    /// The upload is, or would become, longer than we take (T-65, T-41, T-88, T-156).
    #[error("an upload may have at most {max} bytes here")]
    TooLarge {
        /// The configured maximum.
        max: UploadLength,
    },
    /// Another length was declared before (T-85).
    #[error("the upload's length is {length} and cannot be changed")]
    LengthIsFixed {
        /// The length that holds.
        length: UploadLength,
    },
    /// The declared length is shorter than what is there (T-87).
    #[error("the declared length is shorter than the {received} bytes there are")]
    LengthTooShort {
        /// Bytes there are, counting this request's body.
        received: u64,
    },
    /// A final upload takes no bytes (T-147).
    #[error("a final upload is made of its parts and takes no bytes")]
    FinalTakesNoBytes,
    /// The creation of a final upload carries a body (T-157).
    #[error("a final upload is made of its parts; send no body")]
    FinalWithBody,
    /// The creation of a final upload carries a length (T-145).
    #[error("a final upload is as long as its parts; send no length")]
    FinalWithLength,
    /// A final upload names no part, or more than we take.
    #[error("a final upload is made of one to {max} partial uploads")]
    PartCount {
        /// The configured maximum.
        max: usize,
    },
    /// A part's URL is not one of our uploads (T-143).
    #[error("name each part by the URL its creation gave, as a path or with scheme and host")]
    ForeignPart,
    /// A listed upload is not a partial one (T-154).
    #[error("{part} is not a partial upload; create parts with `Upload-Concat: partial`")]
    NotAPart {
        /// The upload.
        part: UploadId,
    },
    /// A listed part is not there (T-153, T-161).
    #[error("there is no partial upload {part}")]
    PartMissing {
        /// The part.
        part: UploadId,
    },
    /// A listed part is not complete, and we do not wait for parts (T-152).
    #[error("the partial upload {part} is not complete; finish it first")]
    PartUnfinished {
        /// The part.
        part: UploadId,
    },
    /// The request needs an extension that is off (T-90, T-159).
    #[error("the extension {extension} is switched off here; Tus-Extension lists what is on")]
    ExtensionOff {
        /// The extension's name.
        extension: &'static str,
    },
    /// A first chunk does not say how the upload is cut into chunks.
    #[error(
        "the request does not say how long the upload and its chunks are; send X-Total-Size and \
         X-Chunk-Size, or Content-Range with X-Total-Chunks"
    )]
    GeometryUnknown,
    /// A request says something of its chunk that does not fit.
    #[error("{}", contradiction(*.0))]
    ChunkContradicts(Contradiction),
    /// The upload would have more chunks than we take.
    #[error("an upload may have at most {max} chunks here; send larger ones")]
    TooManyChunks {
        /// The configured maximum.
        max: u32,
    },
    /// No checksum algorithm has this name here (T-114, T-116).
    #[error("the checksum algorithm is not known here; Tus-Checksum-Algorithm lists what is")]
    UnknownChecksum,
    /// The request wants a check by algorithms of which we compute none (C-72).
    #[error("{field} names no algorithm that is known here; send sha-256 or sha-512")]
    UnknownDigest {
        /// Its name.
        field: &'static str,
    },
    /// The bytes have another digest than announced (T-113, C-71).
    #[error("the body has not the announced checksum and was discarded; send it again")]
    ChecksumMismatch {
        /// Where the upload stands, as before; `None` if it was not created.
        offset: Option<UploadOffset>,
    },
    /// All bytes are there, but they are not what was announced at the beginning (C-74).
    #[error(
        "the upload has not the digest announced at its beginning and was removed; start again"
    )]
    UploadMismatch,
    /// The method does nothing at this address (T-12, T-67, T-135).
    #[error("this address does not take the method; it takes {allow}")]
    MethodNotAllowed {
        /// The methods that do, as in `Allow`.
        allow: &'static str,
    },
    /// No upload has this address (T-24, T-34, T-132, T-133).
    #[error("no upload has this address")]
    NotFound,
    /// Nothing is served under this path.
    #[error("nothing is served here; uploads are created with POST {endpoint}")]
    UnknownAddress {
        /// Where uploads are created.
        endpoint: Cow<'static, str>,
    },
    /// The upload expired (T-105, T-106).
    #[error("the upload expired and is gone; start again")]
    Expired,
    /// The request says nobody, or nobody we know (T-66).
    #[error("send `Authorization: Bearer` with a token this gateway knows")]
    Unauthorized,
    /// The credential is good, but not for this.
    #[error("your credential does not allow this; use one that does")]
    Forbidden,
    /// Who decides about the credential cannot be asked.
    #[error("your credential cannot be judged at the moment; try again later")]
    AuthorityUnavailable {
        /// When to try again.
        retry_after_seconds: u64,
    },
    /// The upload is not complete: nothing to download yet.
    #[error("the upload is not complete; nothing of it can be downloaded yet")]
    NotComplete,
    /// A partial upload cannot be downloaded.
    #[error("a partial upload cannot be downloaded; only the final one made of it can")]
    PartialNotServed,
    /// No byte of the wanted range exists.
    #[error("no byte of the range exists; there are {length} bytes")]
    RangeNotSatisfiable {
        /// Bytes there are.
        length: u64,
    },
    /// A condition of the request does not hold.
    #[error("a condition of the request does not hold; ask without it")]
    PreconditionFailed,
    /// The writer before this request does not let go in time.
    #[error("another request is writing this upload and does not let go; try again")]
    Busy,
    /// A newer request took the upload over (T-45).
    #[error("a newer request continues this upload; what had arrived was kept")]
    TakenOver {
        /// Where the upload stands.
        offset: UploadOffset,
    },
    /// The client sent nothing for too long (T-36).
    #[error("nothing arrived for too long; {}", kept(*.offset))]
    Idle {
        /// Where the upload stands.
        offset: Option<UploadOffset>,
    },
    /// The client sent less than the minimum rate, or took longer than a request may.
    #[error("the body took too long; {}", kept(*.offset))]
    TooSlow {
        /// Where the upload stands.
        offset: Option<UploadOffset>,
    },
    /// The body broke off, or its framing is wrong (T-35).
    #[error("the body broke off; {}", kept(*.offset))]
    BodyBroken {
        /// Where the upload stands.
        offset: Option<UploadOffset>,
    },
    /// There is no room for these bytes.
    #[error("there is not enough room for these bytes; {}", fitted(*.offset))]
    NoRoom {
        /// Where the upload stands; `None` if it was not created.
        offset: Option<UploadOffset>,
    },
    /// Its owner has used up what is allowed for now.
    #[error("what you may upload is used up for now{}", later(*.retry_at))]
    QuotaReached {
        /// From when on it could fit, if that can be told.
        retry_at: Option<Timestamp>,
    },
    /// Its client's address has as many requests in progress as one address may have.
    #[error(
        "there are too many requests from your address at once; try again when some have ended"
    )]
    TooManyRequests,
    /// The head has more fields, or is longer, than we take.
    #[error("the head is too long; send at most {max_fields} fields and {max_bytes} bytes")]
    HeadTooLong {
        /// Fields allowed.
        max_fields: usize,
        /// Bytes allowed.
        max_bytes: usize,
    },
    /// The process has no descriptor left for this request's file.
    #[error("too much is going on at the moment; try again soon")]
    Overloaded,
    /// The gateway is shutting down.
    #[error("the gateway is shutting down; try again soon")]
    ShuttingDown,
    /// The path names no slot.
    #[error("the path names no slot; use the URL exactly as it was given")]
    SlotPath,
    /// No token of this request allows what it wants.
    #[error("the token does not allow this; ask for a new slot")]
    SlotRefused,
    /// The slot was not used in time.
    #[error("the slot has expired; ask for a new one")]
    SlotExpired,
    /// The slot has its file already.
    #[error("the slot has its file already; ask for a new one")]
    SlotComplete,
    /// The file has another length than the slot.
    #[error("the slot is for a file of exactly {length} bytes")]
    SlotLength {
        /// The slot's length.
        length: UploadLength,
    },
    /// The file has another media type than the slot.
    #[error("the slot is for a file of another media type")]
    SlotMediaType,
    /// A body without a length where a length was signed.
    #[error("send the body with `Content-Length`")]
    ContentLengthRequired,
    /// The request could not be understood at all.
    #[error("the request could not be understood")]
    BadRequest,
    /// What comes to the address of forms is none (F-2).
    #[error("send the file as `multipart/form-data`, in a field called `file`")]
    FormExpected,
    /// The form does not follow its grammar (F-4, F-5, F-20 to F-23).
    #[error("the form cannot be read: {reason}")]
    MalformedForm {
        /// What would be right.
        reason: &'static str,
    },
    /// The form has not exactly one file (F-10 to F-13).
    #[error("a form carries exactly one file, in a field called `file`; this one has {found}")]
    OneFile {
        /// What it has.
        found: &'static str,
    },
    /// Something of a form that is not its file is longer than we take (F-30, F-32, F-33).
    #[error("{what} may have at most {limit} bytes")]
    FormTooLong {
        /// What.
        what: &'static str,
        /// Bytes allowed.
        limit: usize,
    },
    /// A fault on our side; the log has more.
    #[error("a fault on the server's side; try again later")]
    Internal,
    /// What is stored of the upload does not pass its checks: trying again will not help.
    #[error("what is stored of this upload is damaged; upload it again, or ask the operator")]
    Damaged,
}

impl Problem {
    /// The stable name, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnsupportedVersion => "unsupported-version",
            Self::MissingField { .. } => "missing-field",
            Self::RepeatedField { .. } => "repeated-field",
            Self::MalformedField { .. } => "malformed-field",
            Self::InvalidMetadata(_) => "invalid-metadata",
            Self::MetadataTooLong { .. } => "metadata-too-long",
            Self::LengthRequired => "length-required",
            Self::LengthTwice => "length-twice",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::OffsetMismatch { .. } => "offset-mismatch",
            Self::PastTheEnd { .. } => "past-the-end",
            Self::TooLarge { .. } => "too-large",
            Self::LengthIsFixed { .. } => "length-is-fixed",
            Self::LengthTooShort { .. } => "length-too-short",
            Self::FinalTakesNoBytes => "final-takes-no-bytes",
            Self::FinalWithBody => "final-with-body",
            Self::FinalWithLength => "final-with-length",
            Self::PartCount { .. } => "part-count",
            Self::ForeignPart => "foreign-part",
            Self::NotAPart { .. } => "not-a-part",
            Self::PartMissing { .. } => "part-missing",
            Self::PartUnfinished { .. } => "part-unfinished",
            Self::ExtensionOff { .. } => "extension-off",
            Self::GeometryUnknown => "geometry-unknown",
            Self::ChunkContradicts(contradiction) => code_of(contradiction.against),
            Self::TooManyChunks { .. } => "too-many-chunks",
            Self::UnknownChecksum => "unknown-checksum",
            Self::UnknownDigest { .. } => "unknown-digest",
            Self::ChecksumMismatch { .. } => "checksum-mismatch",
            Self::UploadMismatch => "upload-mismatch",
            Self::MethodNotAllowed { .. } => "method-not-allowed",
            Self::NotFound => "not-found",
            Self::UnknownAddress { .. } => "unknown-address",
            Self::Expired => "expired",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::AuthorityUnavailable { .. } => "authority-unavailable",
            Self::NotComplete => "not-complete",
            Self::PartialNotServed => "partial-not-served",
            Self::RangeNotSatisfiable { .. } => "range-not-satisfiable",
            Self::PreconditionFailed => "precondition-failed",
            Self::Busy => "busy",
            Self::TakenOver { .. } => "taken-over",
            Self::Idle { .. } => "idle",
            Self::TooSlow { .. } => "too-slow",
            Self::BodyBroken { .. } => "body-broken",
            Self::NoRoom { .. } => "no-room",
            Self::QuotaReached { .. } => "quota-reached",
            Self::TooManyRequests => "too-many-requests",
            Self::HeadTooLong { .. } => "head-too-long",
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "shutting-down",
            Self::SlotPath => "slot-path",
            Self::SlotRefused => "slot-refused",
            Self::SlotExpired => "slot-expired",
            Self::SlotComplete => "slot-complete",
            Self::SlotLength { .. } => "slot-length",
            Self::SlotMediaType => "slot-media-type",
            Self::ContentLengthRequired => "content-length-required",
            Self::BadRequest => "bad-request",
            Self::FormExpected => "form-expected",
            Self::MalformedForm { .. } => "malformed-form",
            Self::OneFile { .. } => "one-file",
            Self::FormTooLong { .. } => "form-too-long",
            Self::Internal => "internal",
            Self::Damaged => "damaged",
        }
    }

    /// Adds the body that every protocol sends with a refusal: `{"error": code, "detail": text}`.
    ///
    /// `error` is for programs and never changes its meaning; `detail` is for people.
    #[must_use]
    pub fn described_in(&self, head: ResponseHead) -> ResponseHead {
        let detail = serde_json::Value::String(self.to_string());
        let mut head = head.with("Content-Type", "application/json");
        head.body = Some(format!("{{\"error\":\"{}\",\"detail\":{detail}}}\n", self.code()));
        head
    }

    /// Adds the fields that a refusal carries in every protocol.
    #[must_use]
    pub fn with_common_fields(&self, head: ResponseHead) -> ResponseHead {
        if let Self::MethodNotAllowed { allow } = self {
            head.with("Allow", *allow)
        } else if matches!(self, Self::Unauthorized) {
            head.with("WWW-Authenticate", "Bearer realm=\"tidegate\"")
        } else if let Some(moment) = self.retry_after() {
            head.with("Retry-After", moment)
        } else {
            head
        }
    }

    /// When the same request may succeed, without anybody doing anything about it.
    ///
    /// Not a lost offset or a cut body, which ask for another request, at once; nor a quota that only
    /// its owner can make room in.
    fn retry_after(&self) -> Option<String> {
        if matches!(
            self,
            Self::ShuttingDown | Self::Busy | Self::Overloaded | Self::TooManyRequests
        ) {
            Some("1".to_owned())
        } else if matches!(self, Self::Internal) {
            // The gateway has tried again itself, for less than that.
            Some("5".to_owned())
        } else if matches!(self, Self::NoRoom { .. }) {
            // Uploads expire and operators act in minutes, not in seconds.
            Some("60".to_owned())
        } else if let Self::AuthorityUnavailable { retry_after_seconds } = self {
            Some(retry_after_seconds.to_string())
        } else if let Self::QuotaReached { retry_at: Some(moment) } = self {
            Some(date::write(*moment))
        } else {
            None
        }
    }
}

#[cfg(test)]
#[path = "problem_tests.rs"]
mod tests;
