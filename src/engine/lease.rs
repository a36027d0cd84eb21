//! One writer per upload, and who may disturb it.
//!
//! A *seat* is taken while somebody writes an upload. A newcomer approaches the seat with a
//! [`Claim`], and the seat decides under one short lock whether the holder is told to stop, left
//! alone, or waited for. Because the holder passes the same lock before every batch, the offset at
//! which it yields cannot move between the decision and the stop.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::upload::{UploadId, UploadOffset};

/// What a newcomer wants with an upload that somebody is writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Continue at this offset: takes over if that is where the holder yields.
    Append(UploadOffset),
    /// Remove the upload: always takes over.
    Terminate,
    /// Look: takes over from a silent holder, reads beside one that is receiving.
    Inspect,
}

/// Why a holder is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopReason {
    TakenOver,
    Terminated,
    Shutdown,
}

/// The seat is taken, and its holder stays.
#[derive(Debug)]
pub(super) enum Occupied {
    /// The holder goes on; the newcomer has to do without the lease.
    Receiving(Arc<Seat>),
    /// The holder did not let go in time.
    Stuck,
    /// No seat is given any more.
    ShuttingDown,
}

/// What the holder of a seat is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
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
struct Gate {
    activity: Activity,
    /// The offset at which the upload stands once the holder has stopped.
    yields_at: UploadOffset,
    last_heard: Instant,
    stop: Option<StopReason>,
    /// The request is over, and the holder is about to settle: newcomers wait for that.
    leaving: bool,
    holder: Option<Waker>,
}

/// The place of one writer.
#[derive(Debug)]
pub(super) struct Seat {
    gate: Mutex<Gate>,
    /// Told of every change that a newcomer may be waiting for.
    changed: Notify,
    /// Lets a newcomer ask for a checkpoint without disturbing the holder.
    ledger: Mutex<std::sync::Weak<super::ledger::Ledger>>,
}

/// A verdict over one approach.
enum Approach {
    Wait,
    LeaveAlone,
    Vacant,
}

impl Seat {
    fn new() -> Self {
        let gate = Gate {
            activity: Activity::Preparing,
            yields_at: UploadOffset::ZERO,
            last_heard: Instant::now(),
            stop: None,
            leaving: false,
            holder: None,
        };
        Self { gate: Mutex::new(gate), changed: Notify::new(), ledger: Mutex::default() }
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        // A panic while holding the gate leaves plain values behind; they stay usable.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The holder is ready to receive; `yields_at` is where it would leave the upload.
    pub(super) fn receive_from(
        &self,
        yields_at: UploadOffset,
        ledger: std::sync::Weak<super::ledger::Ledger>,
    ) {
        *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) = ledger;
        let mut gate = self.gate();
        gate.activity = Activity::Receiving;
        gate.yields_at = yields_at;
        gate.last_heard = Instant::now();
        drop(gate);
        self.changed.notify_waiters();
    }

    /// What the holder is keeping account in, for a checkpoint on demand.
    pub(super) fn ledger(&self) -> Option<Arc<super::ledger::Ledger>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// The holder is about to write a batch.
    ///
    /// # Errors
    ///
    /// The reason to stop, if it was told to; it must not write then.
    pub(super) fn begin_write(&self) -> Result<(), StopReason> {
        let mut gate = self.gate();
        if let Some(reason) = gate.stop {
            return Err(reason);
        }
        gate.activity = Activity::Writing;
        gate.last_heard = Instant::now();
        Ok(())
    }

    /// The batch is written, and the holder would now yield at `yields_at`.
    pub(super) fn end_write(&self, yields_at: UploadOffset) {
        let mut gate = self.gate();
        gate.activity = Activity::Receiving;
        gate.yields_at = yields_at;
        gate.last_heard = Instant::now();
        drop(gate);
        self.changed.notify_waiters();
    }

    /// The holder's request is over. From now on newcomers wait for what it commits.
    ///
    /// Returns the reason to stop that came before, if one did.
    pub(super) fn leave(&self) -> Option<StopReason> {
        let mut gate = self.gate();
        gate.leaving = true;
        gate.stop
    }

    /// Returns once no batch is being written any more, with the seat marked as settling.
    pub(super) async fn settle(&self) {
        loop {
            let changed = self.changed.notified();
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
    pub(super) fn poll_stopped(&self, cx: &mut Context<'_>) -> Poll<()> {
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
    pub(super) fn stop_reason(&self) -> Option<StopReason> {
        self.gate().stop
    }

    /// Tells the holder to stop.
    fn stop(&self, gate: &mut Gate, reason: StopReason) {
        gate.stop.get_or_insert(reason);
        if let Some(holder) = gate.holder.take() {
            holder.wake();
        }
    }

    fn approach(&self, claim: Claim, silent_after: Duration) -> Approach {
        let mut gate = self.gate();
        match (gate.activity, claim) {
            (Activity::Released, _) => Approach::Vacant,
            (Activity::Receiving | Activity::Writing, _) if gate.leaving => Approach::Wait,
            (Activity::Preparing | Activity::Receiving | Activity::Writing, Claim::Terminate) => {
                self.stop(&mut gate, StopReason::Terminated);
                Approach::Wait
            }
            (Activity::Receiving, _) if gate.stop.is_some() => Approach::Wait,
            (Activity::Receiving, Claim::Append(at)) if gate.yields_at == at => {
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
            (Activity::Writing, Claim::Inspect) => Approach::LeaveAlone,
            (Activity::Preparing | Activity::Settling, _)
            | (Activity::Writing, Claim::Append(_)) => Approach::Wait,
        }
    }
}

/// Every seat that is taken.
#[derive(Debug)]
pub(super) struct Leases {
    seats: Mutex<Seats>,
    emptied: Notify,
    silent_after: Duration,
}

#[derive(Debug, Default)]
struct Seats {
    taken: HashMap<UploadId, Arc<Seat>>,
    closed: bool,
}

impl Leases {
    pub(super) fn new(silent_after: Duration) -> Arc<Self> {
        Arc::new(Self { seats: Mutex::default(), emptied: Notify::new(), silent_after })
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many seats are taken.
    pub(super) fn taken(&self) -> usize {
        self.seats().taken.len()
    }

    /// Whether somebody holds the seat of `id`.
    pub(super) fn is_taken(&self, id: UploadId) -> bool {
        self.seats().taken.contains_key(&id)
    }

    /// Takes the seat if it is free.
    pub(super) fn take(self: &Arc<Self>, id: UploadId) -> Result<Lease, Occupied> {
        let mut seats = self.seats();
        if seats.closed {
            return Err(Occupied::ShuttingDown);
        }
        match seats.taken.entry(id) {
            Entry::Occupied(taken) => Err(Occupied::Receiving(Arc::clone(taken.get()))),
            Entry::Vacant(free) => {
                let seat = Arc::clone(free.insert(Arc::new(Seat::new())));
                Ok(Lease { leases: Arc::clone(self), id, seat })
            }
        }
    }

    /// Takes the seat, disturbing its holder as far as `claim` may, and waiting at most `patience`.
    pub(super) async fn claim(
        self: &Arc<Self>,
        id: UploadId,
        claim: Claim,
        patience: Duration,
    ) -> Result<Lease, Occupied> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let seat = match self.take(id) {
                Err(Occupied::Receiving(seat)) => seat,
                taken @ (Ok(_) | Err(Occupied::Stuck | Occupied::ShuttingDown)) => return taken,
            };
            let changed = seat.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match seat.approach(claim, self.silent_after) {
                Approach::Vacant => tokio::task::yield_now().await,
                Approach::LeaveAlone => return Err(Occupied::Receiving(Arc::clone(&seat))),
                Approach::Wait => {
                    if tokio::time::timeout_at(deadline, changed).await.is_err() {
                        return Err(Occupied::Stuck);
                    }
                }
            }
        }
    }

    /// Gives no more seats, and tells every holder to stop.
    pub(super) fn close(&self) {
        let mut seats = self.seats();
        seats.closed = true;
        for seat in seats.taken.values() {
            let mut gate = seat.gate();
            seat.stop(&mut gate, StopReason::Shutdown);
        }
    }

    /// Waits until every seat is free.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.taken() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

/// The right to write one upload; given back on drop.
#[derive(Debug)]
pub(super) struct Lease {
    leases: Arc<Leases>,
    id: UploadId,
    seat: Arc<Seat>,
}

impl Lease {
    pub(super) fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut seats = self.leases.seats();
        seats.taken.remove(&self.id);
        let empty = seats.taken.is_empty();
        drop(seats);
        self.seat.gate().activity = Activity::Released;
        self.seat.changed.notify_waiters();
        if empty {
            self.leases.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
