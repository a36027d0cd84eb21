//! A body from the front, or from where it was cut.

use std::sync::Arc;

use crate::storage::{Stored, Tail};
use crate::upload::{AppendPlan, NewSession, Owner, Session, UploadId, UploadOffset};

use super::create::WhenCut;
use super::error::EngineError;
use super::lease::{Claim, Lease};
use super::ledger::{EndLedger, Ledger, Proof};
use super::transfer::{Course, Transfer};
use super::{Engine, Shared};

/// An order to write an upload from `from` on.
#[derive(Clone, Debug)]
pub struct PutOrder {
    /// Which upload.
    pub id: UploadId,
    /// Who asks.
    pub owner: Owner,
    /// Where the body begins: at the offset or before it.
    pub from: UploadOffset,
    /// Bytes of the body; `None` if the request does not say.
    pub body_bytes: Option<u64>,
    /// What to create, if there is no such upload.
    pub opens: Option<NewSession>,
    /// What becomes of what arrived if the body is cut. What chunks have brought stays in any case.
    pub when_cut: WhenCut,
}

/// What became of the order.
#[derive(Debug)]
pub enum PutStart {
    /// The upload is complete: nothing has to be read.
    There(Box<Session>),
    /// The body goes into this transfer; what of it is there is passed over.
    Receive(Transfer),
}

impl Engine {
    /// Takes the upload's lease from whoever writes it, and lends a transfer for the body.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`], a [`crate::upload::Refusal`], [`EngineError::NoRoom`], or
    /// [`EngineError::Busy`] if the writer before does not let go in time.
    pub async fn put(&self, order: PutOrder) -> Result<PutStart, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            shared.open(&order).await?;
            // Nobody is disturbed for a body that cannot be taken.
            let session = shared.load(order.id, &order.owner)?.session;
            session.present(shared.clock.now())?;
            if session.is_complete() {
                shared.settled(order.id).await?;
                return Ok(PutStart::There(Box::new(session)));
            }
            // Whoever writes now may have passed the committed offset: only the end of the upload
            // can be judged without its lease.
            shared.plan(&session, order.from.min(session.offset()), None)?;
            let lease = shared.take_over(order.id, Claim::Replace).await?;
            let stored = shared.load(order.id, &order.owner)?;
            let stored = shared.recover_under_lease(stored).await?;
            if stored.session.is_complete() {
                return Ok(PutStart::There(Box::new(stored.session)));
            }
            shared.lend_put(lease, stored, &order).await.map(PutStart::Receive)
        })
        .await
    }
}

impl Shared {
    /// Creates the upload, if there is none and the order says what to create.
    async fn open(self: &Arc<Self>, order: &PutOrder) -> Result<(), EngineError> {
        let Some(new) = &order.opens else { return Ok(()) };
        if self.sessions.get(order.id)?.is_some() {
            return Ok(());
        }
        let mut session = self.begin(new.clone(), order.id)?;
        // What cannot be taken creates nothing.
        self.plan(&session, order.from, order.body_bytes)?;
        let _admission = self.admit(&mut new.clone(), order.id).await?;
        if session.is_whole() {
            self.finish(&mut session).await?;
        }
        self.create_unless_there(&session).await
    }

    fn plan(
        &self,
        session: &Session,
        from: UploadOffset,
        body_bytes: Option<u64>,
    ) -> Result<AppendPlan, EngineError> {
        Ok(session.plan_put(from, body_bytes, &self.settings.limits, self.clock.now())?)
    }

    async fn lend_put(
        self: &Arc<Self>,
        lease: Lease,
        stored: Stored,
        order: &PutOrder,
    ) -> Result<Transfer, EngineError> {
        let Stored { session, revision } = stored;
        let (id, offset) = (session.id(), session.offset());
        let plan = self.plan(&session, order.from, order.body_bytes)?;
        self.has_room_behind(offset, order.body_bytes.unwrap_or(1))?;
        let (tail, proof) = match order.when_cut {
            WhenCut::Discard if session.chunks().is_none() => (Tail::Discard, Proof::Whole),
            WhenCut::Discard | WhenCut::Keep => (Tail::Keep, Proof::None),
        };
        let writer = Some(self.writer(&session, tail).await?);
        let course = Course { yields_at: offset, ..Course::from(&plan) };
        let (shared, revision) = (Arc::clone(self), Some(revision));
        let ledger = EndLedger::open_at(order.from, shared, session, revision, writer, proof);
        let ledger = Ledger::End(Box::new(ledger));
        Ok(Transfer::lend(Arc::clone(self), lease, ledger, id, course))
    }
}
