//! What a chunk may do.

use crate::upload::geometry::{Against, ChunkClaim, Geometry, Span};
use crate::upload::limits::Limits;
use crate::upload::quantity::UploadOffset;
use crate::upload::refusal::Refusal;
use crate::upload::relation::Relation;
use crate::upload::session::Session;
use crate::upload::time::Timestamp;

/// What a chunk may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkPlan {
    /// All of it is there.
    There,
    /// Bytes of it are missing.
    Receive(ChunkTake),
}

/// Which bytes of a chunk are received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkTake {
    /// The geometry that holds from now on.
    pub geometry: Geometry,
    /// The chunk.
    pub chunk: u32,
    /// Its bytes.
    pub span: Span,
    /// Where the body begins.
    pub from: u64,
    /// Bytes before this are there: those of them that the body brings again are skipped.
    pub reached: u64,
}

impl ChunkTake {
    /// Bytes the body has.
    #[must_use]
    pub const fn body_bytes(&self) -> u64 {
        self.span.end.saturating_sub(self.from)
    }
}

impl Session {
    /// Decides whether a chunk may be received, and which bytes of it. Touches nothing.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] that the client has to be told.
    pub fn plan_chunk(
        &self,
        claim: &ChunkClaim,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<ChunkPlan, Refusal> {
        self.present(now)?;
        if matches!(self.relation, Relation::Final { .. }) {
            return Err(Refusal::FinalTakesNoBytes);
        }
        let (geometry, against) = match self.chunks() {
            Some(chunks) => (*chunks.geometry(), Against::Session),
            None => (claim.infer(self.length, limits.max_chunks)?, Against::Request),
        };
        let placed = claim.place(&geometry, against)?;
        self.may_be_cut_into(&geometry, limits)?;
        let have = self.received.of_chunk(placed.chunk, placed.span);
        if have == placed.span.bytes() {
            return Ok(ChunkPlan::There);
        }
        let reached = placed.span.start.saturating_add(have);
        if placed.from > reached {
            let expected = UploadOffset::new(reached).unwrap_or_default();
            return Err(Refusal::OffsetMismatch { expected });
        }
        let (chunk, span, from) = (placed.chunk, placed.span, placed.from);
        Ok(ChunkPlan::Receive(ChunkTake { geometry, chunk, span, from, reached }))
    }

    /// Cuts the upload into chunks, if it is not yet; an upload of deferred length gets its length.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooLarge`], or [`Refusal::LengthTooShort`] if more is there already.
    pub fn cut_into(&mut self, geometry: Geometry, limits: &Limits) -> Result<(), Refusal> {
        self.may_be_cut_into(&geometry, limits)?;
        self.length = Some(geometry.length());
        self.received.cut_into(geometry);
        Ok(())
    }

    fn may_be_cut_into(&self, geometry: &Geometry, limits: &Limits) -> Result<(), Refusal> {
        let length = geometry.length();
        if self.length != Some(length) || self.offset() == UploadOffset::ZERO {
            self.within(length, limits)?;
        }
        if length.remaining(self.offset()).is_none() {
            return Err(Refusal::LengthTooShort { received: self.offset().get() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
