//! What the engine answers when it cannot do what was asked.

use crate::storage::StorageError;
use crate::upload::{Refusal, UploadOffset};

/// A failure of a use case, in its caller's words.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No upload has this id, or it belongs to somebody else.
    #[error("no upload has this id")]
    NotFound,
    /// The session refuses. An ordinary answer.
    #[error(transparent)]
    Refused(Refusal),
    /// The bytes have another digest than the client announced; they were discarded (T-113).
    #[error("the checksum of the body does not match; the body was discarded")]
    ChecksumMismatch {
        /// Where the upload stands, as before the request; `None` if it was not even created.
        offset: Option<UploadOffset>,
    },
    /// A newer request took the upload over; what had arrived was kept.
    #[error("a newer request continues this upload")]
    TakenOver {
        /// Where the upload stands.
        offset: UploadOffset,
    },
    /// The writer of this upload did not let go within the configured time.
    #[error("another request is writing this upload and does not let go")]
    Busy,
    /// There is no room for these bytes; what fitted was kept.
    #[error("there is not enough room to store the upload")]
    NoRoom {
        /// Where the upload stands; `None` if it was not created.
        offset: Option<UploadOffset>,
    },
    /// The process may not open another file for now; nothing was changed.
    #[error("no descriptor is left for the upload's file")]
    Overloaded,
    /// The gateway is shutting down; what had arrived was kept.
    #[error("the gateway is shutting down")]
    ShuttingDown,
    /// A store failed.
    #[error("storage failed")]
    Storage(#[source] StorageError),
}

impl EngineError {
    /// What went wrong and why, in one line for the operator.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let first: &dyn std::error::Error = self;
        let all = std::iter::successors(Some(first), |error| error.source());
        all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }

    /// Whether it is the gateway's own doing, or its device's: no client could have done better.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        match self {
            Self::NoRoom { .. } | Self::Overloaded | Self::ShuttingDown | Self::Storage(_) => true,
            Self::NotFound
            | Self::Refused(_)
            | Self::ChecksumMismatch { .. }
            | Self::TakenOver { .. }
            | Self::Busy => false,
        }
    }

    /// Whether what is stored of one upload does not pass its checks: trying again will not help.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Storage(StorageError::Damaged { .. } | StorageError::Record { .. }))
    }
}

impl From<Refusal> for EngineError {
    /// A deleted upload is one that is not there (T-132).
    fn from(refusal: Refusal) -> Self {
        if refusal == Refusal::Terminated { Self::NotFound } else { Self::Refused(refusal) }
    }
}

impl From<StorageError> for EngineError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NoRoom => Self::NoRoom { offset: None },
            StorageError::Missing(_) => Self::NotFound,
            StorageError::Conflict => Self::Busy,
            StorageError::Closed => Self::ShuttingDown,
            StorageError::NoDescriptor => Self::Overloaded,
            StorageError::Damaged { .. }
            | StorageError::Record { .. }
            | StorageError::Io { .. }
            | StorageError::Database(_) => Self::Storage(error),
        }
    }
}
