//! The bytes of one chunk, beside others that are being written.

use std::sync::Arc;

use crate::storage::StorageError;
use crate::upload::transition::{Ceiling, ChunkPlan, ChunkTake};
use crate::upload::{ChunkClaim, Digest, NewSession, Owner, Session, UploadId, UploadOffset};

use super::account::{Account, Opened};
use super::error::EngineError;
use super::events::Event;
use super::lease::Claim;
use super::ledger::{ChunkLedger, Ledger};
use super::transfer::{Course, Transfer};
use super::{Engine, Shared};

/// An order to write a chunk.
#[derive(Clone, Debug)]
pub struct ChunkOrder {
    /// Which upload.
    pub id: UploadId,
    /// Who asks.
    pub owner: Owner,
    /// What the request says of its chunk.
    pub claim: ChunkClaim,
    /// The digest that the bytes of this request must have.
    pub digest: Option<Digest>,
    /// What to create, if there is no such upload. Its geometry follows from the claim.
    pub opens: Option<NewSession>,
}

/// What became of the order.
#[derive(Debug)]
pub enum ChunkStart {
    /// The chunk is there: nothing has to be read.
    There(Session),
    /// Bytes are missing: they go into this transfer, from where the body begins.
    Receive(Transfer),
}

impl Engine {
    /// Takes the lease of one chunk and lends a transfer that writes it.
    ///
    /// An older writer of the same chunk or of the whole upload is told to stop; writers of other
    /// chunks go on.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`], a [`crate::upload::Refusal`], [`EngineError::NoRoom`], or
    /// [`EngineError::Busy`] if the writer before does not let go in time.
    pub async fn chunk(&self, order: ChunkOrder) -> Result<ChunkStart, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            shared.ensure(&order).await?;
            shared.start_chunk(order).await
        })
        .await
    }
}

impl Shared {
    /// Creates the upload, if there is none and the order says what to create.
    async fn ensure(self: &Arc<Self>, order: &ChunkOrder) -> Result<(), EngineError> {
        let Some(new) = &order.opens else { return Ok(()) };
        if self.sessions.get(order.id)?.is_some() {
            return Ok(());
        }
        let limits = &self.settings.limits;
        let geometry = order.claim.infer(None, limits.max_chunks)?;
        let mut new = NewSession { geometry: Some(geometry), ..new.clone() };
        let mut session = self.begin(new.clone(), order.id)?;
        // What cannot be taken creates nothing.
        session.plan_chunk(&order.claim, limits, self.clock.now())?;
        let _admission = self.admit(&mut new, order.id).await?;
        if session.is_whole() {
            self.finish(&mut session).await?;
        }
        self.create_unless_there(&session).await
    }

    /// Stores a new session, unless another request for it came first.
    pub(super) async fn create_unless_there(&self, session: &Session) -> Result<(), EngineError> {
        match self.sessions.create(session).await {
            Ok(_) => {}
            Err(StorageError::Conflict) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        self.observer.observe(Event::Created);
        self.scribe.note(session).await;
        Ok(())
    }

    async fn start_chunk(self: &Arc<Self>, order: ChunkOrder) -> Result<ChunkStart, EngineError> {
        let ChunkOrder { id, owner, claim, digest, .. } = order;
        // Whoever holds a seat is disturbed only for a chunk that is missing, and for somebody to
        // whom the upload belongs.
        let session = self.load(id, &owner)?.session;
        let take = match session.plan_chunk(&claim, &self.settings.limits, self.clock.now())? {
            ChunkPlan::There => {
                self.settled(id).await?;
                return Ok(ChunkStart::There(session));
            }
            ChunkPlan::Receive(take) => take,
        };
        let lease = self.take_over(id, Claim::Chunk(take.chunk)).await?;
        let desk = Arc::clone(lease.seat().desk());
        let account = desk.account(|| Account::new(Arc::clone(self), id));
        let (take, writer) = match account.open(&owner, &claim).await? {
            Opened::There(session) => return Ok(ChunkStart::There(*session)),
            Opened::Receive(take, writer) => (take, writer),
        };
        let course = Course::of_chunk(&take);
        let ledger = ChunkLedger::open(account, writer, take, digest);
        let ledger = Ledger::Chunk(Box::new(ledger));
        Ok(ChunkStart::Receive(Transfer::lend(Arc::clone(self), lease, ledger, id, course)))
    }
}

impl Course {
    /// A chunk is written from where the body begins to its end.
    fn of_chunk(take: &ChunkTake) -> Self {
        let budget_bytes = take.body_bytes();
        Self {
            yields_at: UploadOffset::ZERO,
            budget_bytes,
            ceiling: Ceiling::Chunk(budget_bytes),
            declares: None,
        }
    }
}
