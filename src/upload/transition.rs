//! Every change a session may go through, and the judgement whether it may.
//!
//! Planning judges and touches nothing; the engine carries a plan out and then applies the change
//! with one of the methods that take `&mut self`. Nothing else assigns a [`Phase`].

use std::time::Duration;

use super::geometry::{Against, Contradiction, Statement};
use super::id::UploadId;
use super::limits::Limits;
use super::metadata::Metadata;
use super::quantity::{MAX_BYTES, UploadLength, UploadOffset};
use super::received::Received;
use super::refusal::Refusal;
use super::relation::Relation;
use super::session::{BootId, Departure, Memory, NewSession, Owner, Phase, Retention, Session};
use super::sums::Sums;
use super::time::Timestamp;

mod adopt;
mod chunks;
mod concat;

pub use chunks::{ChunkPlan, ChunkTake};
pub use concat::ConcatOrder;

/// A request to add bytes at the end of what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendRequest {
    /// Where the client believes the upload stands.
    pub at: UploadOffset,
    /// The length of the whole upload, when this request declares it (T-84).
    pub declares: Option<UploadLength>,
    /// Bytes of the request's body; `None` if it does not say (chunked coding, T-38).
    pub body_bytes: Option<u64>,
}

/// What an append may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendPlan {
    /// Where its first byte goes.
    pub start: UploadOffset,
    /// Most bytes it may add.
    pub budget_bytes: u64,
    /// The bound behind `budget_bytes`, named when a body runs past it.
    pub ceiling: Ceiling,
    /// The length it declares.
    pub declares: Option<UploadLength>,
}

/// What a body that is too long runs into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceiling {
    /// The upload's own length.
    Length(UploadLength),
    /// The maximum, while the length is deferred (T-41).
    Maximum(UploadLength),
    /// This many bytes of a chunk.
    Chunk(u64),
}

impl Ceiling {
    /// The refusal of one byte more.
    #[must_use]
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::Length(length) => Refusal::PastTheEnd { length },
            Self::Maximum(max) => Refusal::TooLarge { max },
            Self::Chunk(expected) => Refusal::ChunkContradicts(Contradiction {
                statement: Statement::BodyLength,
                against: Against::Request,
                expected,
            }),
        }
    }
}

impl Session {
    /// A session that has received nothing.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooLarge`] if the length passes the configured maximum (T-65).
    pub fn create(
        new: NewSession,
        id: UploadId,
        limits: &Limits,
        boot: BootId,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let mut session = Self {
            id,
            owner: new.owner,
            length: new.length,
            max_length: new.max_length,
            expects: new.expects,
            keep_until: new.keep_until,
            retention: new.retention,
            memory: new.memory,
            spent: 0,
            received: Received::default(),
            metadata: new.metadata,
            relation: new.relation,
            phase: Phase::Receiving,
            created_at: now,
            active_at: now,
            completed_at: None,
            expires_at: earliest(
                Some(now.after(limits.session_timeout)),
                earliest(new.keep_until, new.begin_by),
            ),
            boot,
            synced: true,
        };
        if let Some(geometry) = new.geometry {
            session.cut_into(geometry, limits)?;
        } else if let Some(length) = new.length {
            session.within(length, limits)?;
        }
        Ok(session)
    }

    /// Decides whether `request` may add bytes, and how many. Touches nothing.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] that the client has to be told.
    pub fn plan_append(
        &self,
        request: &AppendRequest,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<AppendPlan, Refusal> {
        self.present(now)?;
        if matches!(self.relation, Relation::Final { .. }) {
            return Err(Refusal::FinalTakesNoBytes);
        }
        if request.at != self.offset() {
            return Err(Refusal::OffsetMismatch { expected: self.offset() });
        }
        let length = self.length_after(request, limits)?;
        let bound = ceiling(limits, self.max_length);
        let ceiling = match length {
            Some(length) => Ceiling::Length(length),
            None => Ceiling::Maximum(bound),
        };
        let bound = length.unwrap_or(bound);
        let budget_bytes = bound.remaining(self.offset()).ok_or_else(|| ceiling.refusal())?;
        if request.body_bytes.is_some_and(|body| body > budget_bytes) {
            return Err(ceiling.refusal());
        }
        Ok(AppendPlan { start: self.offset(), budget_bytes, ceiling, declares: request.declares })
    }

    /// Decides whether a body that begins at `from` may be received: at the offset or before it,
    /// where what is there is passed over. Touches nothing.
    ///
    /// # Errors
    ///
    /// As [`Session::plan_append`]; [`Refusal::OffsetMismatch`] only behind the offset.
    pub fn plan_put(
        &self,
        from: UploadOffset,
        body_bytes: Option<u64>,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<AppendPlan, Refusal> {
        let at = self.offset();
        let known = at.since(from).ok_or(Refusal::OffsetMismatch { expected: at })?;
        let new_bytes = body_bytes.map(|bytes| bytes.saturating_sub(known));
        let request = AppendRequest { at, declares: None, body_bytes: new_bytes };
        let plan = self.plan_append(&request, limits, now)?;
        let budget_bytes = plan.budget_bytes.saturating_add(known);
        Ok(AppendPlan { start: from, budget_bytes, ..plan })
    }

    /// The length that holds once `request` is accepted.
    fn length_after(
        &self,
        request: &AppendRequest,
        limits: &Limits,
    ) -> Result<Option<UploadLength>, Refusal> {
        match (self.length, request.declares) {
            (Some(length), Some(declared)) if length != declared => {
                Err(Refusal::LengthIsFixed { length })
            }
            (Some(length), _) => Ok(Some(length)),
            (None, None) => Ok(None),
            (None, Some(declared)) => {
                self.within(declared, limits)?;
                let received = self.offset().get().saturating_add(request.body_bytes.unwrap_or(0));
                if declared.get() < received {
                    return Err(Refusal::LengthTooShort { received });
                }
                Ok(Some(declared))
            }
        }
    }

    /// Refuses a length past what this session may have.
    fn within(&self, length: UploadLength, limits: &Limits) -> Result<(), Refusal> {
        let max = ceiling(limits, self.max_length);
        if length > max { Err(Refusal::TooLarge { max }) } else { Ok(()) }
    }

    /// Refuses whatever is asked of an upload that is gone or over its time.
    ///
    /// # Errors
    ///
    /// [`Refusal::Terminated`] or [`Refusal::Expired`] (T-105, T-106, T-132).
    pub fn present(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.phase {
            Phase::Gone(Departure::Terminated) => Err(Refusal::Terminated),
            Phase::Gone(Departure::Expired) => Err(Refusal::Expired),
            Phase::Receiving | Phase::Assembling | Phase::Complete if self.is_expired(now) => {
                Err(Refusal::Expired)
            }
            Phase::Receiving | Phase::Assembling | Phase::Complete => Ok(()),
        }
    }

    /// Decides whether the upload may be read. Touches nothing.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] that the client has to be told; nothing half-done is visible.
    pub fn plan_read(&self, now: Timestamp) -> Result<UploadLength, Refusal> {
        self.present(now)?;
        match (self.phase, &self.relation, self.length) {
            (_, Relation::Partial, _) => Err(Refusal::PartialIsNotServed),
            (Phase::Complete, Relation::Whole | Relation::Final { .. }, Some(length)) => Ok(length),
            (Phase::Receiving | Phase::Assembling | Phase::Complete | Phase::Gone(_), _, _) => {
                Err(Refusal::NotComplete)
            }
        }
    }

    /// Whether the last byte is there, so that the upload can be finished.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.length.is_some_and(|length| length.is_reached_by(self.offset()))
    }

    /// Records a declared length (T-84).
    pub fn declare(&mut self, length: UploadLength) {
        self.length = Some(length);
    }

    /// Records what the client said about the upload at its end.
    pub fn describe(&mut self, metadata: Metadata) {
        self.metadata = metadata;
    }

    /// Records bytes that are there.
    ///
    /// `synced` says whether they are on the disk; the expiry slides (T-104, T-108).
    pub fn receive(&mut self, progress: Progress, limits: &Limits, now: Timestamp) {
        self.received = progress.received;
        self.active_at = now;
        self.boot = progress.boot;
        self.synced = progress.synced;
        self.slide(now, limits.session_timeout);
    }

    /// Moves the expiry with activity; small moves are skipped, so that the index stays quiet.
    fn slide(&mut self, now: Timestamp, timeout: Duration) {
        let next = earliest(Some(now.after(timeout)), self.keep_until).unwrap_or(now);
        let worth_moving = timeout / 64;
        if self.expires_at.is_none_or(|expiry| next.since(expiry) >= worth_moving) {
            self.expires_at = Some(next);
        }
    }

    /// Marks the upload complete: from now on it is visible, and expires only by retention (T-107).
    ///
    /// A finished partial keeps its expiry: it is material for a final upload, not a file.
    pub fn complete(&mut self, limits: &Limits, now: Timestamp) {
        self.phase = Phase::Complete;
        self.length = Some(self.length.unwrap_or_else(|| whole(self.offset())));
        self.completed_at = Some(now);
        match self.relation {
            Relation::Partial => self.slide(now, limits.session_timeout),
            Relation::Whole | Relation::Final { .. } => {
                let retained = match self.retention {
                    Retention::Configured => limits.retention.map(|wait| now.after(wait)),
                    Retention::Own => None,
                };
                self.expires_at = earliest(retained, self.keep_until);
            }
        }
    }

    /// Marks the upload as gone and remembers why, for a while.
    pub fn depart(&mut self, why: Departure, limits: &Limits, now: Timestamp) {
        self.phase = Phase::Gone(why);
        self.spent = match self.relation {
            Relation::Final { .. } => 0,
            Relation::Whole | Relation::Partial => self.received.bytes(),
        };
        self.received = Received::default();
        self.length = None;
        self.expects = None;
        self.metadata = Metadata::default();
        self.relation = Relation::Whole;
        self.expires_at = match self.memory {
            Memory::ForAWhile => Some(now.after(limits.tombstone_retention)),
            Memory::ForEver => None,
        };
    }

    /// Forgets whose it was: what is left of an upload that is gone tells nothing of anybody.
    pub fn disown(&mut self) {
        self.owner = Owner::anonymous();
    }

    /// Takes back bytes that turned out not to be there (recovery only): `sums` cover what is
    /// sound at the front, `sound` says which stretches ahead are (see [`Received::cut_back`]).
    pub fn cut_back(&mut self, offset: UploadOffset, sums: Sums, sound: &[bool], boot: BootId) {
        self.phase = Phase::Receiving;
        self.received.cut_back(offset, sums, sound);
        self.boot = boot;
        self.synced = true;
    }

    /// Gives a complete upload sums that cover more of it; nothing else changes.
    pub fn sum_up(&mut self, sums: Sums) {
        self.received = std::mem::take(&mut self.received).summed(sums);
    }

    /// Records that what is there was checked in this boot (recovery only).
    pub fn adopt(&mut self, boot: BootId) {
        self.boot = boot;
    }
}

/// How far an upload got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is there.
    pub received: Received,
    /// The boot that wrote them.
    pub boot: BootId,
    /// Whether they were synced to the disk.
    pub synced: bool,
}

/// The lower of both maxima, or what a file can hold.
fn ceiling(limits: &Limits, own: Option<UploadLength>) -> UploadLength {
    let largest = UploadLength::new(MAX_BYTES).unwrap_or(UploadLength::ZERO);
    own.into_iter().chain(limits.max_length).fold(largest, UploadLength::min)
}

/// The earlier of two moments that may not come at all.
fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

fn whole(offset: UploadOffset) -> UploadLength {
    UploadLength::new(offset.get()).unwrap_or(UploadLength::ZERO)
}

#[cfg(test)]
mod tests;
