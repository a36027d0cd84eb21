//! An upload session: the state itself. Changes live in `transition`.

use serde::{Deserialize, Serialize};

use super::chunks::Chunks;
use super::digest::Digest;
use super::geometry::Geometry;
use super::id::UploadId;
use super::metadata::Metadata;
use super::quantity::{UploadLength, UploadOffset};
use super::quota::Quota;
use super::received::Received;
use super::relation::Relation;
use super::sums::Sums;
use super::time::Timestamp;

/// Who created a session: a name the authentication gave, or nobody in particular.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(Option<String>);

impl Owner {
    /// Nobody in particular: nothing authenticates.
    #[must_use]
    pub const fn anonymous() -> Self {
        Self(None)
    }

    /// The principal with this name.
    #[must_use]
    pub const fn named(name: String) -> Self {
        Self(Some(name))
    }

    /// The principal's name, if there is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// Which start of the kernel wrote something: what was written but not synced survives exactly as
/// long as this stays the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(String);

impl BootId {
    /// The boot with this name, as the operating system gives it.
    #[must_use]
    pub const fn new(name: String) -> Self {
        Self(name)
    }
}

/// Why an upload is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Departure {
    /// It was deleted by its owner (T-131); answered with 404.
    Terminated,
    /// It expired (T-105); answered with 410.
    Expired,
}

/// Where a session stands. Only `transition` assigns one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Bytes are still to come.
    Receiving,
    /// A final upload whose parts are not joined yet (T-150).
    Assembling,
    /// Every byte is there and visible.
    Complete,
    /// Nothing is there any more; the record only remembers why.
    Gone(Departure),
}

/// What a client asks for when it creates a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Who asks.
    pub owner: Owner,
    /// Bytes of the whole upload; `None` defers the length (T-81).
    pub length: Option<UploadLength>,
    /// User metadata.
    pub metadata: Metadata,
    /// Whole or partial; finals are made by [`Session::assemble`].
    pub relation: Relation,
    /// How it is cut into chunks, if it begins with them; gives the length.
    pub geometry: Option<Geometry>,
    /// Longest it may become, where that is less than the configured maximum.
    pub max_length: Option<UploadLength>,
    /// The digest that all of it must have.
    pub expects: Option<Digest>,
    /// When it has to be gone.
    pub keep_until: Option<Timestamp>,
    /// Whether the configured retention ends it, too.
    pub retention: Retention,
    /// If nothing has arrived by then, it expires.
    pub begin_by: Option<Timestamp>,
    /// How long it is remembered once it is gone.
    pub memory: Memory,
    /// What its owner may have.
    pub quota: Option<Quota>,
}

/// What ends a finished upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retention {
    /// The configured retention, or the moment until which it is to be kept if that is earlier.
    #[default]
    Configured,
    /// Nothing but the moment until which it is to be kept; without one it is kept.
    Own,
}

/// How long an upload is remembered once it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// For the configured time, so that clients are told.
    #[default]
    ForAWhile,
    /// For ever: whoever may create it could do so again at any time, and must not.
    ForEver,
}

impl NewSession {
    /// A whole upload of `owner` about which nothing else is known.
    #[must_use]
    pub const fn of(owner: Owner, length: Option<UploadLength>, metadata: Metadata) -> Self {
        let relation = Relation::Whole;
        Self {
            owner,
            length,
            metadata,
            relation,
            geometry: None,
            max_length: None,
            expects: None,
            keep_until: None,
            retention: Retention::Configured,
            begin_by: None,
            memory: Memory::ForAWhile,
            quota: None,
        }
    }
}

/// An upload session.
///
/// Invariants: nothing was received past `length`; if there are chunks, they are chunks of `length`
/// bytes; a `Complete` session has received all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub(super) id: UploadId,
    pub(super) owner: Owner,
    pub(super) length: Option<UploadLength>,
    pub(super) max_length: Option<UploadLength>,
    pub(super) expects: Option<Digest>,
    pub(super) keep_until: Option<Timestamp>,
    pub(super) retention: Retention,
    pub(super) memory: Memory,
    pub(super) spent: u64,
    pub(super) received: Received,
    pub(super) metadata: Metadata,
    pub(super) relation: Relation,
    pub(super) phase: Phase,
    pub(super) created_at: Timestamp,
    pub(super) active_at: Timestamp,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) boot: BootId,
    pub(super) synced: bool,
}

impl Session {
    /// Its name.
    #[must_use]
    pub const fn id(&self) -> UploadId {
        self.id
    }

    /// Who created it.
    #[must_use]
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Bytes of the whole upload; `None` while the length is deferred (T-83).
    #[must_use]
    pub const fn length(&self) -> Option<UploadLength> {
        self.length
    }

    /// Contiguous bytes that are there, as durable as the configuration promises.
    #[must_use]
    pub const fn offset(&self) -> UploadOffset {
        self.received.offset()
    }

    /// What is there, contiguously and in chunks ahead.
    #[must_use]
    pub const fn received(&self) -> &Received {
        &self.received
    }

    /// Its chunks, once a request named one.
    #[must_use]
    pub fn chunks(&self) -> Option<&Chunks> {
        self.received.chunks()
    }

    /// Longest it may become, where that is less than the configured maximum.
    #[must_use]
    pub const fn max_length(&self) -> Option<UploadLength> {
        self.max_length
    }

    /// The digest that all of it must have before it becomes visible.
    #[must_use]
    pub const fn expects(&self) -> Option<&Digest> {
        self.expects.as_ref()
    }

    /// Bytes that it had received when it went; they count for the day it was created on.
    #[must_use]
    pub const fn spent(&self) -> u64 {
        self.spent
    }

    /// User metadata.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Whole, partial or final.
    #[must_use]
    pub const fn relation(&self) -> &Relation {
        &self.relation
    }

    /// Where it stands.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// When it was created.
    #[must_use]
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When bytes were last accepted; its creation before that.
    #[must_use]
    pub const fn active_at(&self) -> Timestamp {
        self.active_at
    }

    /// When its last byte became visible; the `Last-Modified` of a download.
    #[must_use]
    pub const fn completed_at(&self) -> Option<Timestamp> {
        self.completed_at
    }

    /// When it expires; `None` for a finished upload that is kept until deleted.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// CRCs over `[0, offset)`.
    #[must_use]
    pub const fn sums(&self) -> &Sums {
        self.received.sums()
    }

    /// The boot that wrote the last bytes.
    #[must_use]
    pub const fn boot(&self) -> &BootId {
        &self.boot
    }

    /// Whether everything received was synced to the disk before the record was stored.
    #[must_use]
    pub const fn synced(&self) -> bool {
        self.synced
    }

    /// Whether every byte is there and visible.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self.phase, Phase::Complete)
    }

    /// Whether its time is over at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expiry| expiry <= now)
    }
}
