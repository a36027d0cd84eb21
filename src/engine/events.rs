//! What happened, for metrics and logs.

use std::time::Duration;

pub use crate::storage::Retried;
use crate::upload::Departure;

/// One thing that happened in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session was created.
    Created,
    /// A transfer began: one more writer.
    TransferBegan,
    /// A transfer ended, however it did: one writer less.
    TransferEnded {
        /// Bytes that it brought and that count now.
        accepted_bytes: u64,
        /// How it ended.
        ending: Ending,
    },
    /// An upload became complete and visible.
    Completed {
        /// Its length.
        bytes: u64,
    },
    /// An upload left.
    Departed(Departure),
    /// Bytes from before a crash were found and kept.
    Recovered {
        /// How many.
        bytes: u64,
    },
    /// What is stored of an upload does not pass its checks.
    Damaged,
    /// An orphaned blob was removed.
    OrphanRemoved,
    /// The session store flushed a group of commits.
    Flushed,
    /// Something that the device had failed in passing was tried again.
    Retried(Retried),
    /// A client went on with an upload by another way than before.
    ClientSwitched {
        /// What was new.
        how: Switch,
        /// From the first byte on the new path to accepted bytes.
        took: Duration,
    },
}

/// What is new about the way by which a client comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Switch {
    /// Its address.
    Address,
    /// Only what carries its requests.
    Transport,
}

impl Switch {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Transport => "transport",
        }
    }
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The body ended as it should.
    Whole,
    /// The connection broke, or the client was silent for too long.
    Cut,
    /// A newer request took over.
    TakenOver,
    /// The checksum did not match.
    Mismatch,
    /// The device was full or failed, or the gateway shut down.
    Stopped,
}

/// Somebody who wants to know. Called inline: must be quick and must not block.
pub trait Observer: Send + Sync + 'static {
    /// Takes note of `event`.
    fn observe(&self, event: Event);
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn observe(&self, _: Event) {}
}
