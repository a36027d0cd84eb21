//! [`BlobCare`]: what the doctor does with a blob store, and nobody else.

use std::fmt;
use std::path::PathBuf;

use crate::upload::{UploadId, UploadOffset};

use super::{BlobStore, Pending};

/// Something in the store that belongs to no upload, or that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stray {
    /// A crash left it, and nobody needs it.
    Leftover(PathBuf),
    /// The store makes nothing like it: it came from outside, or is not what it was.
    Foreign(PathBuf),
    /// It is the store's, but its permissions keep this user from using it.
    Closed(PathBuf),
}

impl Stray {
    /// Where it lies.
    #[must_use]
    pub const fn path(&self) -> &PathBuf {
        match self {
            Self::Leftover(path) | Self::Foreign(path) | Self::Closed(path) => path,
        }
    }
}

/// What became of a stray.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cleared {
    /// It is removed.
    Removed,
    /// It is kept there.
    SetAside(PathBuf),
    /// It can be used now.
    Opened,
}

impl fmt::Display for Cleared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Removed => formatter.write_str("removed"),
            Self::SetAside(path) => write!(formatter, "moved to {}", path.display()),
            Self::Opened => formatter.write_str("opened to its user"),
        }
    }
}

/// Care for a store on which no gateway works.
///
/// # Guarantees every implementation gives
///
/// - **Nothing is deleted** that holds bytes or a record: it is set aside, under a name that was free.
/// - **May be interrupted.** Whatever was begun can be begun again.
pub trait BlobCare: BlobStore {
    /// What belongs to no upload, at most `limit` of it.
    fn strays(&self, limit: usize) -> Pending<'_, Vec<Stray>>;

    /// Takes a stray out of the way.
    fn clear(&self, stray: Stray) -> Pending<'_, Cleared>;

    /// Moves all that is stored of an upload out of the way, its label last; returns where it is now.
    fn set_aside(&self, id: UploadId) -> Pending<'_, Vec<PathBuf>>;

    /// Cuts a published blob back to `at`, keeping what lies behind it in a file that is returned.
    fn cut_published(&self, id: UploadId, at: UploadOffset) -> Pending<'_, PathBuf>;
}
