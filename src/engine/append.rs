//! More bytes at the end.

use std::sync::Arc;

use crate::storage::{Stored, Tail};
use crate::upload::{AppendRequest, Digest, Owner, Refusal, UploadId, UploadOffset};

use super::error::EngineError;
use super::lease::{Claim, Lease, Occupied, Scope, Seat};
use super::ledger::{EndLedger, Ledger, Proof};
use super::transfer::Transfer;
use super::{Engine, Shared};

/// An order to add bytes to an upload.
#[derive(Clone, Debug)]
pub struct AppendOrder {
    /// Which upload.
    pub id: UploadId,
    /// Who asks.
    pub owner: Owner,
    /// What for.
    pub request: AppendRequest,
    /// The digest that the bytes of this request must have (T-112).
    pub digest: Option<Digest>,
}

impl Engine {
    /// Takes the upload's lease and lends a transfer that writes at its end.
    ///
    /// A writer that has reached exactly this offset is told to stop; at another offset it is left
    /// alone and the answer names the true offset, made durable for the purpose.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`], a [`Refusal`], [`EngineError::NoRoom`], or
    /// [`EngineError::Busy`] if the writer before does not let go in time.
    pub async fn append(&self, order: AppendOrder) -> Result<Transfer, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let lease = shared.lease(&order).await?;
            let stored = shared.load(order.id, &order.owner)?;
            let stored = shared.recover_under_lease(stored).await?;
            shared.lend(lease, stored, order).await
        })
        .await
    }
}

impl Shared {
    /// The record of an upload that belongs to `owner`.
    pub(super) fn load(&self, id: UploadId, owner: &Owner) -> Result<Stored, EngineError> {
        let stored = self.sessions.get(id)?.ok_or(EngineError::NotFound)?;
        if stored.session.owner() != owner {
            return Err(EngineError::NotFound);
        }
        Ok(stored)
    }

    async fn lease(&self, order: &AppendOrder) -> Result<Lease, EngineError> {
        match self.leases.take(order.id) {
            Ok(lease) => return Ok(lease),
            // Whoever holds it is disturbed only for somebody to whom the upload belongs.
            Err(Occupied::Receiving(seat)) => {
                self.load(order.id, &order.owner)?;
                self.spare_chunks(&seat, order.request.at).await?;
            }
            Err(Occupied::Stuck) => {
                self.load(order.id, &order.owner)?;
            }
            Err(Occupied::ShuttingDown) => return Err(EngineError::ShuttingDown),
        }
        let claim = Claim::Append(order.request.at);
        let patience = self.settings.takeover_timeout;
        match self.leases.claim(order.id, claim, patience).await {
            Ok(lease) => Ok(lease),
            Err(Occupied::Receiving(seat)) => {
                let ledger = seat.ledger().ok_or(EngineError::Busy)?;
                let expected = ledger.checkpoint().await?.offset();
                Err(Refusal::OffsetMismatch { expected }.into())
            }
            Err(Occupied::Stuck) => Err(EngineError::Busy),
            Err(Occupied::ShuttingDown) => Err(EngineError::ShuttingDown),
        }
    }

    /// The lease, from whoever `claim` takes it over from.
    ///
    /// # Errors
    ///
    /// [`EngineError::Busy`] if the writer before does not let go in time,
    /// [`EngineError::ShuttingDown`].
    pub(super) async fn take_over(&self, id: UploadId, claim: Claim) -> Result<Lease, EngineError> {
        let claimed = self.leases.claim(id, claim, self.settings.takeover_timeout).await;
        claimed.map_err(|occupied| match occupied {
            Occupied::Receiving(_) | Occupied::Stuck => EngineError::Busy,
            Occupied::ShuttingDown => EngineError::ShuttingDown,
        })
    }

    /// Sends a stale request away before it disturbs those who write chunks.
    async fn spare_chunks(&self, seat: &Seat, at: UploadOffset) -> Result<(), EngineError> {
        let chunks = match seat.scope() {
            Scope::Whole => None,
            Scope::Chunk(_) => seat.ledger(),
        };
        let Some(ledger) = chunks else { return Ok(()) };
        let expected = ledger.committed().await?.offset();
        if expected == at { Ok(()) } else { Err(Refusal::OffsetMismatch { expected }.into()) }
    }

    async fn lend(
        self: &Arc<Self>,
        lease: Lease,
        stored: Stored,
        order: AppendOrder,
    ) -> Result<Transfer, EngineError> {
        let AppendOrder { id, request, digest, .. } = order;
        let limits = &self.settings.limits;
        let plan = stored.session.plan_append(&request, limits, self.clock.now())?;
        let brings_bytes = plan.budget_bytes > 0 && request.body_bytes != Some(0);
        let writer = if brings_bytes {
            self.has_room_behind(stored.session.offset(), request.body_bytes.unwrap_or(1))?;
            let tail = if digest.is_some() { Tail::Discard } else { Tail::Keep };
            match self.writer(&stored.session, tail).await {
                Ok(writer) => Some(writer),
                Err(error) if error.is_damage() => {
                    return Err(self.cut_to_what_is_there(stored, error).await);
                }
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        let Stored { session, revision } = stored;
        let proof = digest.map_or(Proof::None, Proof::Digest);
        let ledger = EndLedger::open(Arc::clone(self), session, Some(revision), writer, proof);
        Ok(Transfer::lend(
            Arc::clone(self),
            lease,
            Ledger::End(Box::new(ledger)),
            id,
            (&plan).into(),
        ))
    }
}
