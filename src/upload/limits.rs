//! The bounds a session is created under.

use std::time::Duration;

use super::quantity::UploadLength;

/// What a session may be at most, and how long it may rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest upload; `None` leaves only the disk as the limit. Sent as `Tus-Max-Size` (T-10).
    pub max_length: Option<UploadLength>,
    /// Longest user metadata, in bytes of its written form (T-78).
    pub max_metadata_bytes: usize,
    /// Most partial uploads that one final upload may join.
    pub max_parts: usize,
    /// Most chunks an upload may be cut into.
    pub max_chunks: u32,
    /// An unfinished upload expires after this long without activity (T-104).
    pub session_timeout: Duration,
    /// A finished upload is removed after this long; `None` keeps it until it is deleted.
    pub retention: Option<Duration>,
    /// How long an expired or deleted upload is remembered as gone.
    pub tombstone_retention: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_length: None,
            max_metadata_bytes: 8 * 1024,
            max_parts: 1000,
            max_chunks: 1_000_000,
            session_timeout: Duration::from_secs(24 * 60 * 60),
            retention: None,
            tombstone_retention: Duration::from_secs(24 * 60 * 60),
        }
    }
}
