//! The engine's bounds.

use std::time::Duration;

use crate::upload::Limits;

/// What an acknowledgement is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Data synced, record flushed, then the answer: survives a power cut.
    Fsync,
    /// Handed to the operating system, then the answer: survives `kill -9`, not a power cut.
    Os,
}

impl Durability {
    /// Whether acknowledged bytes are on the device.
    #[must_use]
    pub const fn is_synced(self) -> bool {
        match self {
            Self::Fsync => true,
            Self::Os => false,
        }
    }
}

/// Bounds and times of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Bounds of a session.
    pub limits: Limits,
    /// What an acknowledgement is worth.
    pub durability: Durability,
    /// A running transfer is committed after this many new bytes …
    pub checkpoint_bytes: u64,
    /// … or after this long, whichever comes first.
    pub checkpoint_interval: Duration,
    /// A writer that has received nothing for this long is silent: a look takes the upload over.
    pub silent_after: Duration,
    /// A newcomer waits at most this long for the older writer to commit and let go.
    pub takeover_timeout: Duration,
    /// A write that takes longer than this moves the transfer to blocking threads.
    pub slow_write: Duration,
    /// How often an operation of the device that failed in passing is tried again.
    pub storage_retries: u32,
    /// How often expired uploads are looked for.
    pub reap_interval: Duration,
    /// Unpublished blobs without a session are removed at this age.
    pub orphan_age: Duration,
    /// A final upload is answered after at most this long, joined or not (T-162).
    pub assemble_wait: Duration,
    /// Threads of the engine's runtime.
    pub threads: usize,
    /// Most threads that wait for the disk at once; more work than that queues.
    pub blocking_threads: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            durability: Durability::Fsync,
            checkpoint_bytes: 64 * 1024 * 1024,
            checkpoint_interval: Duration::from_secs(5),
            silent_after: Duration::from_millis(30),
            takeover_timeout: Duration::from_secs(10),
            slow_write: Duration::from_millis(50),
            storage_retries: 5,
            reap_interval: Duration::from_secs(60),
            orphan_age: Duration::from_secs(24 * 60 * 60),
            assemble_wait: Duration::from_secs(20),
            threads: 2,
            blocking_threads: 32,
        }
    }
}
