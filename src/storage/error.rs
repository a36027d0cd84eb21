//! What can go wrong in a store, by meaning.

use std::io;

use rustix::io::Errno;

use crate::upload::UploadId;
use crate::upload::record::RecordError;

/// A failure of a store, in its caller's words.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Somebody else changed the record since it was read, or created it first.
    #[error("the session changed since it was read")]
    Conflict,
    /// Nothing is stored under this id.
    #[error("nothing is stored under {0}")]
    Missing(UploadId),
    /// There is no room, or only the reserve is left.
    #[error("no room is left on the device")]
    NoRoom,
    /// The process may not open another file for now.
    #[error("no descriptor is left")]
    NoDescriptor,
    /// What is stored does not pass its own checks.
    #[error("what is stored of {id} is damaged: {what}")]
    Damaged {
        /// Which upload.
        id: UploadId,
        /// What is wrong, in words for the operator.
        what: String,
    },
    /// A record could not be read or written as one.
    #[error("the record of {id} is unreadable")]
    Record {
        /// Which upload.
        id: UploadId,
        /// What is wrong with it.
        #[source]
        source: RecordError,
    },
    /// The operating system failed an operation.
    #[error("{doing} failed")]
    Io {
        /// What was being done, in words for the operator; never a client's file name.
        doing: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The embedded database failed an operation.
    #[error("the session database failed")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store is shutting down and takes nothing more.
    #[error("the store is closed")]
    Closed,
}

impl StorageError {
    /// Whether the same may succeed in a moment: an interrupted call, a device that is busy or has
    /// failed once. Not a full one, and nothing that is wrong with what is stored.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        let passing =
            [Errno::INTR, Errno::AGAIN, Errno::IO, Errno::BUSY, Errno::TIMEDOUT, Errno::NOMEM];
        match self {
            Self::Io { source, .. } => {
                let code = source.raw_os_error();
                passing.iter().any(|errno| Some(errno.raw_os_error()) == code)
            }
            Self::Conflict
            | Self::Missing(_)
            | Self::NoRoom
            | Self::NoDescriptor
            | Self::Damaged { .. }
            | Self::Record { .. }
            | Self::Database(_)
            | Self::Closed => false,
        }
    }

    /// What went wrong and why, in one line for the operator.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let first: &dyn std::error::Error = self;
        let all = std::iter::successors(Some(first), |error| error.source());
        all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }

    /// Names what was being done when the system failed; a full device and a full table of
    /// descriptors keep their own meaning.
    pub fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
            let descriptors = [Errno::MFILE.raw_os_error(), Errno::NFILE.raw_os_error()];
            if full.contains(&source.kind()) {
                Self::NoRoom
            } else if source.raw_os_error().is_some_and(|code| descriptors.contains(&code)) {
                Self::NoDescriptor
            } else {
                Self::Io { doing, source }
            }
        }
    }
}
