//! Joining partial uploads.

use crate::upload::id::UploadId;
use crate::upload::limits::Limits;
use crate::upload::metadata::Metadata;
use crate::upload::quantity::UploadLength;
use crate::upload::refusal::Refusal;
use crate::upload::relation::Relation;
use crate::upload::session::{BootId, NewSession, Owner, Phase, Session};
use crate::upload::time::Timestamp;

use super::ceiling;

/// What a client asks for when it joins partial uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcatOrder {
    /// Who asks.
    pub owner: Owner,
    /// User metadata of the final upload; that of the parts is not carried over (T-146).
    pub metadata: Metadata,
    /// The parts, in order.
    pub parts: Vec<UploadId>,
    /// `Upload-Concat` as it was written (T-149).
    pub as_received: String,
    /// Longest it may become, where that is less than the configured maximum.
    pub max_length: Option<UploadLength>,
}

impl Session {
    /// A final session over `parts`, in this order (T-142).
    ///
    /// Its length is the sum of theirs, or deferred while one of theirs is (T-150).
    ///
    /// # Errors
    ///
    /// A [`Refusal`] that names the part that cannot be joined (T-153, T-154), or the bound that
    /// the whole would pass (T-156).
    pub fn assemble(
        id: UploadId,
        order: &ConcatOrder,
        parts: &[Self],
        limits: &Limits,
        boot: BootId,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        if parts.is_empty() {
            return Err(Refusal::NoParts);
        }
        if parts.len() > limits.max_parts {
            return Err(Refusal::TooManyParts { max: limits.max_parts });
        }
        let mut length = Some(UploadLength::ZERO);
        for part in parts {
            part.joinable(&order.owner, now)?;
            length = match (length, part.length) {
                (Some(sum), Some(more)) => {
                    let max = ceiling(limits, order.max_length);
                    Some(sum.plus(more).ok_or(Refusal::TooLarge { max })?)
                }
                (None, _) | (_, None) => None,
            };
        }
        let relation = Relation::Final {
            parts: parts.iter().map(Self::id).collect(),
            as_received: order.as_received.clone(),
        };
        let new = NewSession::of(order.owner.clone(), length, order.metadata.clone());
        let new = NewSession { relation, max_length: order.max_length, ..new };
        let mut session = Self::create(new, id, limits, boot, now)?;
        session.phase = Phase::Assembling;
        Ok(session)
    }

    /// Whether this session can be a part of a final upload of `owner`.
    fn joinable(&self, owner: &Owner, now: Timestamp) -> Result<(), Refusal> {
        if self.owner != *owner || matches!(self.phase, Phase::Gone(_)) {
            return Err(Refusal::PartMissing { part: self.id });
        }
        match self.relation {
            Relation::Partial if self.is_expired(now) && !self.is_complete() => {
                Err(Refusal::PartMissing { part: self.id })
            }
            Relation::Partial => Ok(()),
            Relation::Whole | Relation::Final { .. } => Err(Refusal::NotAPart { part: self.id }),
        }
    }

    /// Gives a final session the length its parts turned out to have.
    pub fn measure(&mut self, parts: &[Self]) {
        let lengths = parts.iter().map(Self::length);
        let sum = lengths.reduce(|sum, length| sum.zip(length).and_then(|(a, b)| a.plus(b)));
        self.length = sum.flatten();
    }
}
