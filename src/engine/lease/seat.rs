//! The place of one writer, and how a newcomer approaches it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::engine::account::Account;
use crate::engine::ledger::Ledger;
use crate::upload::UploadOffset;

/// What of an upload somebody writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Scope {
    /// All of it: nobody else writes meanwhile.
    Whole,
    /// One chunk: others may be written meanwhile.
    Chunk(u32),
}

impl Scope {
    pub(super) fn excludes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Chunk(one), Self::Chunk(other)) => one == other,
            (Self::Whole, _) | (_, Self::Whole) => true,
        }
    }
}

/// What a newcomer wants with an upload that somebody is writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Claim {
    /// Continue at this offset: takes over if that is where the holder yields, and from writers of
    /// chunks in any case: whoever names a stale offset was sent away before.
    Append(UploadOffset),
    /// Write the whole, from wherever: takes over from whoever writes any of it.
    Replace,
    /// Write this chunk: takes over from whoever writes it or the whole.
    Chunk(u32),
    /// Remove the upload: always takes over.
    Terminate,
    /// Look: takes over from a silent holder of the whole, reads beside all others.
    Inspect,
    /// Recover: waits for whoever is about to recover it, and leaves alone whoever has.
    Recover,
}

impl Claim {
    pub(super) const fn scope(self) -> Scope {
        match self {
            Self::Chunk(chunk) => Scope::Chunk(chunk),
            Self::Append(_) | Self::Replace | Self::Terminate | Self::Inspect | Self::Recover => {
                Scope::Whole
            }
        }
    }
}

/// Why a holder is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum StopReason {
    TakenOver,
    Terminated,
    Shutdown,
}

/// What the holder of a seat is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// Reading the record, opening the blob: brief.
    Preparing,
    /// Between two batches.
    Receiving,
    /// Writing a batch.
    Writing,
    /// Syncing and committing.
    Settling,
    /// Gone.
    Released,
}

#[derive(Debug)]
pub(super) struct Gate {
    pub(super) activity: Activity,
    /// The offset at which the upload stands once the holder has stopped.
    yields_at: UploadOffset,
    last_heard: Instant,
    stop: Option<StopReason>,
    /// Batches that the holder began to write.
    batches: u64,
    /// The request is over, and the holder is about to settle: newcomers wait for that.
    leaving: bool,
    holder: Option<Waker>,
}

/// What the writers of one upload share.
#[derive(Debug, Default)]
pub(in crate::engine) struct Desk {
    /// Told of every change that a newcomer may be waiting for.
    pub(super) changed: Notify,
    /// The record, while chunks are written.
    account: Mutex<Weak<Account>>,
}

impl Desk {
    /// The account of those who write chunks now; `open` makes it for the first of them.
    pub(in crate::engine) fn account(&self, open: impl FnOnce() -> Account) -> Arc<Account> {
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        account.upgrade().unwrap_or_else(|| {
            let opened = Arc::new(open());
            *account = Arc::downgrade(&opened);
            opened
        })
    }

    /// Whoever writes the whole changes the record on its own: what was known of it is stale.
    pub(super) fn forget_account(&self) {
        *self.account.lock().unwrap_or_else(PoisonError::into_inner) = Weak::new();
    }
}

/// The place of one writer.
#[derive(Debug)]
pub(in crate::engine) struct Seat {
    pub(super) scope: Scope,
    pub(super) desk: Arc<Desk>,
    gate: Mutex<Gate>,
    /// Lets a newcomer ask for a checkpoint without disturbing the holder.
    ledger: Mutex<Weak<Ledger>>,
}

/// A verdict over one approach.
pub(super) enum Approach {
    Wait,
    LeaveAlone,
    Vacant,
}

impl Seat {
    pub(super) fn new(scope: Scope, desk: Arc<Desk>) -> Self {
        let gate = Gate {
            activity: Activity::Preparing,
            yields_at: UploadOffset::ZERO,
            last_heard: Instant::now(),
            stop: None,
            batches: 0,
            leaving: false,
            holder: None,
        };
        Self { scope, desk, gate: Mutex::new(gate), ledger: Mutex::default() }
    }

    /// What its holder writes.
    pub(in crate::engine) const fn scope(&self) -> Scope {
        self.scope
    }

    /// What it shares with the other writers of the upload.
    pub(in crate::engine) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    pub(super) fn gate(&self) -> MutexGuard<'_, Gate> {
        // A panic while holding the gate leaves plain values behind; they stay usable.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The holder is ready to receive; `yields_at` is where it would leave the upload.
    pub(in crate::engine) fn receive_from(&self, yields_at: UploadOffset, ledger: Weak<Ledger>) {
        *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) = ledger;
        let mut gate = self.gate();
        gate.activity = Activity::Receiving;
        gate.yields_at = yields_at;
        gate.last_heard = Instant::now();
        drop(gate);
        self.desk.changed.notify_waiters();
    }

    /// What the holder is keeping account in, for a checkpoint on demand.
    pub(in crate::engine) fn ledger(&self) -> Option<Arc<Ledger>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// The holder is about to write a batch.
    ///
    /// # Errors
    ///
    /// The reason to stop, if it was told to; it must not write then.
    pub(in crate::engine) fn begin_write(&self) -> Result<(), StopReason> {
        let mut gate = self.gate();
        if let Some(reason) = gate.stop {
            return Err(reason);
        }
        gate.activity = Activity::Writing;
        gate.batches = gate.batches.wrapping_add(1);
        gate.last_heard = Instant::now();
        Ok(())
    }

    /// Returns once the batch that is being written now has been, and whether there was one. What it brings is
    /// not counted before.
    pub(in crate::engine) async fn batch_ended(&self) -> bool {
        let mut waited_for = None;
        loop {
            let changed = self.desk.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let gate = self.gate();
                let batch = (gate.activity == Activity::Writing).then_some(gate.batches);
                if batch.is_none() || waited_for.is_some_and(|first| batch != Some(first)) {
                    return waited_for.is_some();
                }
                waited_for = batch;
            }
            changed.await;
        }
    }

    /// The batch is written, and the holder would now yield at `yields_at`.
    pub(in crate::engine) fn end_write(&self, yields_at: UploadOffset) {
        let mut gate = self.gate();
        gate.activity = Activity::Receiving;
        gate.yields_at = yields_at;
        gate.last_heard = Instant::now();
        drop(gate);
        self.desk.changed.notify_waiters();
    }

    /// The holder's request is over. From now on newcomers wait for what it commits.
    ///
    /// Returns the reason to stop that came before, if one did.
    pub(in crate::engine) fn leave(&self) -> Option<StopReason> {
        let mut gate = self.gate();
        gate.leaving = true;
        gate.stop
    }

    /// Returns once no batch is being written any more, with the seat marked as settling.
    pub(in crate::engine) async fn settle(&self) {
        loop {
            let changed = self.desk.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut gate = self.gate();
                if gate.activity != Activity::Writing {
                    gate.activity = Activity::Settling;
                    return;
                }
            }
            changed.await;
        }
    }

    /// Ready once the holder is told to stop.
    pub(in crate::engine) fn poll_stopped(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut gate = self.gate();
        if gate.stop.is_some() {
            return Poll::Ready(());
        }
        match &mut gate.holder {
            Some(waker) => waker.clone_from(cx.waker()),
            none @ None => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Whether the holder was told to stop.
    #[cfg(test)]
    pub(in crate::engine) fn stop_reason(&self) -> Option<StopReason> {
        self.gate().stop
    }

    /// Tells the holder to stop.
    pub(super) fn stop(&self, gate: &mut Gate, reason: StopReason) {
        gate.stop.get_or_insert(reason);
        if let Some(holder) = gate.holder.take() {
            holder.wake();
        }
    }

    pub(super) fn approach(&self, claim: Claim, silent_after: Duration) -> Approach {
        let mut gate = self.gate();
        let of_chunk = matches!(self.scope, Scope::Chunk(_));
        match (gate.activity, claim) {
            (Activity::Released, _) => Approach::Vacant,
            (Activity::Receiving | Activity::Writing, _) if gate.leaving => Approach::Wait,
            (Activity::Preparing | Activity::Receiving | Activity::Writing, Claim::Terminate) => {
                self.stop(&mut gate, StopReason::Terminated);
                Approach::Wait
            }
            (Activity::Receiving, _) if gate.stop.is_some() => Approach::Wait,
            (_, Claim::Inspect) if of_chunk => Approach::LeaveAlone,
            (Activity::Receiving, Claim::Chunk(_) | Claim::Replace) => {
                self.stop(&mut gate, StopReason::TakenOver);
                Approach::Wait
            }
            (Activity::Receiving, Claim::Append(at)) if of_chunk || gate.yields_at == at => {
                self.stop(&mut gate, StopReason::TakenOver);
                Approach::Wait
            }
            (Activity::Receiving, Claim::Append(_)) => Approach::LeaveAlone,
            (Activity::Receiving, Claim::Inspect) => {
                if gate.last_heard.elapsed() < silent_after {
                    return Approach::LeaveAlone;
                }
                self.stop(&mut gate, StopReason::TakenOver);
                Approach::Wait
            }
            (Activity::Writing, Claim::Inspect)
            | (Activity::Receiving | Activity::Writing, Claim::Recover) => Approach::LeaveAlone,
            (Activity::Preparing | Activity::Settling, _)
            | (Activity::Writing, Claim::Append(_) | Claim::Chunk(_) | Claim::Replace) => {
                Approach::Wait
            }
        }
    }
}
