//! One writer per byte, and who may disturb it.
//!
//! A *seat* is taken while somebody writes an upload: all of it, or one of its chunks beside others
//! who write other chunks. A newcomer approaches the seat with a
//! [`Claim`], and the seat decides under one short lock whether the holder is told to stop, left
//! alone, or waited for. Because the holder passes the same lock before every batch, the offset at
//! which it yields cannot move between the decision and the stop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::upload::UploadId;

mod seat;

use seat::{Activity, Approach};
pub(super) use seat::{Claim, Desk, Scope, Seat, StopReason};

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

/// Every seat that is taken.
#[derive(Debug)]
pub(super) struct Leases {
    seats: Mutex<Seats>,
    emptied: Notify,
    silent_after: Duration,
}

#[derive(Debug, Default)]
struct Seats {
    rows: HashMap<UploadId, Row>,
    /// Seats in all rows.
    taken: usize,
    closed: bool,
}

/// The seats of one upload: one for the whole, or one each for several chunks.
#[derive(Debug, Default)]
struct Row {
    desk: Arc<Desk>,
    taken: Vec<Arc<Seat>>,
    /// Newcomers that wait for the whole. Chunks wait behind them, or they might never get it.
    waiting: usize,
}

impl Row {
    /// Takes a seat, unless somebody is in the way.
    fn take(&mut self, scope: Scope) -> Result<Arc<Seat>, InTheWay> {
        let excluded = self.taken.iter().filter(|seat| seat.scope.excludes(scope));
        let seats: Vec<_> = excluded.map(Arc::clone).collect();
        let held_back = self.waiting > 0 && scope != Scope::Whole;
        if !seats.is_empty() || held_back {
            return Err(InTheWay { desk: Arc::clone(&self.desk), seats });
        }
        if scope == Scope::Whole {
            self.desk.forget_account();
        }
        let seat = Arc::new(Seat::new(scope, Arc::clone(&self.desk)));
        self.taken.push(Arc::clone(&seat));
        Ok(seat)
    }

    fn is_deserted(&self) -> bool {
        self.taken.is_empty() && self.waiting == 0
    }
}

/// Who is in the way of a newcomer; nobody, if it only waits behind others.
struct InTheWay {
    desk: Arc<Desk>,
    seats: Vec<Arc<Seat>>,
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
        self.seats().taken
    }

    /// Whether somebody writes `id`.
    pub(super) fn is_taken(&self, id: UploadId) -> bool {
        self.seats().rows.get(&id).is_some_and(|row| !row.taken.is_empty())
    }

    /// Those who write `id`.
    pub(super) fn seats_of(&self, id: UploadId) -> Vec<Arc<Seat>> {
        self.seats().rows.get(&id).map_or_else(Vec::new, |row| row.taken.clone())
    }

    /// Takes the seat for the whole, if nobody writes.
    pub(super) fn take(self: &Arc<Self>, id: UploadId) -> Result<Lease, Occupied> {
        match self.try_take(id, Scope::Whole)? {
            Ok(lease) => Ok(lease),
            Err(in_the_way) => Err(in_the_way
                .seats
                .into_iter()
                .next()
                .map_or(Occupied::Stuck, Occupied::Receiving)),
        }
    }

    fn try_take(
        self: &Arc<Self>,
        id: UploadId,
        scope: Scope,
    ) -> Result<Result<Lease, InTheWay>, Occupied> {
        let mut seats = self.seats();
        if seats.closed {
            return Err(Occupied::ShuttingDown);
        }
        let taken = seats.rows.entry(id).or_default().take(scope);
        if taken.is_ok() {
            seats.taken = seats.taken.saturating_add(1);
        }
        Ok(taken.map(|seat| Lease { leases: Arc::clone(self), id, seat }))
    }

    /// Takes a seat, disturbing others as far as `claim` may, and waiting at most `patience`.
    pub(super) async fn claim(
        self: &Arc<Self>,
        id: UploadId,
        claim: Claim,
        patience: Duration,
    ) -> Result<Lease, Occupied> {
        let mut desk = match self.try_take(id, claim.scope())? {
            Ok(lease) => return Ok(lease),
            Err(in_the_way) => in_the_way.desk,
        };
        let deadline = tokio::time::Instant::now() + patience;
        let _waiting = (claim.scope() == Scope::Whole).then(|| Waiting::for_whole(self, id));
        loop {
            // Listening before looking, so that no change in between goes unheard.
            let listened = Arc::clone(&desk);
            let changed = listened.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let in_the_way = match self.try_take(id, claim.scope())? {
                Ok(lease) => return Ok(lease),
                Err(in_the_way) => in_the_way,
            };
            if !Arc::ptr_eq(&in_the_way.desk, &desk) {
                desk = in_the_way.desk;
                continue;
            }
            if self.must_wait(&in_the_way, claim)? {
                if tokio::time::timeout_at(deadline, changed).await.is_err() {
                    return Err(Occupied::Stuck);
                }
            } else {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Approaches everybody who is in the way; whether there is anything to wait for.
    fn must_wait(&self, in_the_way: &InTheWay, claim: Claim) -> Result<bool, Occupied> {
        let mut wait = in_the_way.seats.is_empty();
        for seat in &in_the_way.seats {
            match seat.approach(claim, self.silent_after) {
                Approach::Vacant => {}
                Approach::Wait => wait = true,
                Approach::LeaveAlone => return Err(Occupied::Receiving(Arc::clone(seat))),
            }
        }
        Ok(wait)
    }

    /// Gives no more seats, and tells every holder to stop.
    pub(super) fn close(&self) {
        let mut seats = self.seats();
        seats.closed = true;
        for seat in seats.rows.values().flat_map(|row| &row.taken) {
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
        if let Some(row) = seats.rows.get_mut(&self.id) {
            row.taken.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
            if row.is_deserted() {
                seats.rows.remove(&self.id);
            }
        }
        seats.taken = seats.taken.saturating_sub(1);
        let empty = seats.taken == 0;
        drop(seats);
        self.seat.gate().activity = Activity::Released;
        self.seat.desk.changed.notify_waiters();
        if empty {
            self.leases.emptied.notify_waiters();
        }
    }
}

/// Somebody who waits for the whole of an upload.
struct Waiting {
    leases: Arc<Leases>,
    id: UploadId,
}

impl Waiting {
    fn for_whole(leases: &Arc<Leases>, id: UploadId) -> Self {
        let mut seats = leases.seats();
        let row = seats.rows.entry(id).or_default();
        row.waiting = row.waiting.saturating_add(1);
        Self { leases: Arc::clone(leases), id }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut seats = self.leases.seats();
        let Some(row) = seats.rows.get_mut(&self.id) else { return };
        row.waiting = row.waiting.saturating_sub(1);
        let desk = Arc::clone(&row.desk);
        if row.is_deserted() {
            seats.rows.remove(&self.id);
        }
        drop(seats);
        desk.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
