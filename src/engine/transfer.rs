//! Bytes on their way: written where they arrive, checkpointed, handed back.

use std::cell::Cell;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;

use crate::storage::StorageError;
use crate::upload::transition::Ceiling;
use crate::upload::{AppendPlan, Metadata, Session, UploadId, UploadLength, UploadOffset};

use super::Shared;
use super::error::EngineError;
use super::events::{Ending, Event};
use super::lease::{Lease, StopReason};
use super::ledger::{Deferred, Ledger, Persistence};

/// Looking at the free room this often, in bytes, is often enough beside a reserve of megabytes.
const ROOM_CHECK_BYTES: u64 = 4 * 1024 * 1024;

/// A running transfer, lent to whoever receives the bytes.
///
/// # Guarantees
///
/// - **Cancel-safe.** Dropping it at any point hands it to the engine's runtime, which commits
///   what was written (or takes back what cannot be proven). Nothing waits for that.
/// - **Bounded.** It takes no byte past its budget and holds no bytes of its own.
/// - **Exclusive.** It holds the upload's lease until it is settled.
#[derive(Debug)]
pub struct Transfer {
    /// `None` once it was settled.
    running: Option<Running>,
    id: UploadId,
    budget_bytes: u64,
    ceiling: Ceiling,
}

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    lease: Lease,
    ledger: Arc<Ledger>,
    declares: Option<UploadLength>,
    /// The device was slow at the last write: the next one goes to a blocking thread.
    slow: bool,
    since_checkpoint: Since,
    since_room_check: u64,
}

/// What a transfer may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// Where it would leave the upload if it stopped at once.
    pub(super) yields_at: UploadOffset,
    /// Most bytes its body may have.
    pub(super) budget_bytes: u64,
    /// The bound behind `budget_bytes`.
    pub(super) ceiling: Ceiling,
    /// The length it declares.
    pub(super) declares: Option<UploadLength>,
}

impl From<&AppendPlan> for Course {
    fn from(plan: &AppendPlan) -> Self {
        let AppendPlan { start, budget_bytes, ceiling, declares } = *plan;
        Self { yields_at: start, budget_bytes, ceiling, declares }
    }
}

/// What has happened since the last checkpoint.
#[derive(Debug)]
struct Since {
    bytes: u64,
    moment: Instant,
}

impl Since {
    fn now() -> Self {
        Self { bytes: 0, moment: Instant::now() }
    }
}

impl Transfer {
    pub(super) fn lend(
        shared: Arc<Shared>,
        lease: Lease,
        ledger: Ledger,
        id: UploadId,
        course: Course,
    ) -> Self {
        let ledger = Arc::new(ledger);
        lease.seat().receive_from(course.yields_at, Arc::downgrade(&ledger));
        shared.observer.observe(Event::TransferBegan);
        Self {
            running: Some(Running {
                shared,
                lease,
                ledger,
                declares: course.declares,
                slow: false,
                since_checkpoint: Since::now(),
                since_room_check: 0,
            }),
            id,
            budget_bytes: course.budget_bytes,
            ceiling: course.ceiling,
        }
    }

    /// The upload it writes.
    #[must_use]
    pub const fn id(&self) -> UploadId {
        self.id
    }

    /// How many more bytes it may take.
    #[must_use]
    pub const fn budget_bytes(&self) -> u64 {
        self.budget_bytes
    }

    /// Whether the next write is made on the calling thread, without waiting for another one.
    #[must_use]
    pub fn writes_here(&self) -> bool {
        self.running.as_ref().is_some_and(|running| !running.slow)
    }

    /// Writes a batch behind what is there, and empties it.
    ///
    /// On the calling thread, unless the device was slow just before. To lose nothing when the
    /// caller is dropped, hand over what has arrived before waiting for more.
    ///
    /// # Errors
    ///
    /// - [`EngineError::Refused`] when the body runs past its budget: what fits was written
    ///   (T-40); call [`Transfer::halt`] and tell the client.
    /// - [`EngineError::TakenOver`], [`EngineError::NotFound`] (deleted meanwhile) or
    ///   [`EngineError::ShuttingDown`] when it was told to stop: nothing of the batch was written.
    /// - [`EngineError::NoRoom`] or [`EngineError::Storage`] when the device refuses; what fitted
    ///   is kept.
    ///
    /// After any error, call [`Transfer::halt`].
    pub async fn write(&mut self, batch: &mut Vec<Bytes>) -> Result<(), EngineError> {
        let over = fit(batch, self.budget_bytes);
        let bytes = total(batch);
        let Some(running) = self.running.as_mut() else { return Ok(()) };
        if bytes > 0 {
            running.write(std::mem::take(batch), bytes).await?;
            self.budget_bytes = self.budget_bytes.saturating_sub(bytes);
            self.checkpoint_if_due();
        }
        batch.clear();
        if over { Err(self.ceiling.refusal().into()) } else { Ok(()) }
    }

    /// Ready once a newer request, a deletion or the shutdown wants it to stop.
    pub fn poll_stopped(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.running {
            Some(running) => running.lease.seat().poll_stopped(cx),
            None => Poll::Ready(()),
        }
    }

    #[cfg(test)]
    pub(super) fn ledger(&self) -> Option<Arc<Ledger>> {
        self.running.as_ref().map(|running| Arc::clone(&running.ledger))
    }

    /// Starts a checkpoint on the engine's runtime if one is due. Never waits.
    pub fn checkpoint_if_due(&mut self) {
        let Some(running) = self.running.as_mut() else { return };
        let (settings, since) = (&running.shared.settings, &running.since_checkpoint);
        let due = since.bytes >= settings.checkpoint_bytes
            || (since.bytes > 0 && since.moment.elapsed() >= settings.checkpoint_interval);
        if !due || running.ledger.is_unproven() {
            return;
        }
        running.since_checkpoint = Since::now();
        let (id, ledger) = (self.id, Arc::clone(&running.ledger));
        running.shared.runtime.spawn(async move {
            if let Err(error) = ledger.checkpoint().await {
                // The transfer goes on; its end will meet the same trouble and answer for it.
                tracing::warn!(upload = %id, %error, "a checkpoint of {id} failed");
            }
        });
    }

    /// The body ended as it should: makes it durable and, if the upload is whole, visible.
    ///
    /// # Errors
    ///
    /// [`EngineError::ChecksumMismatch`] if the bytes are not what was announced (T-113);
    /// [`EngineError::TakenOver`] and its kin if it was told to stop just before;
    /// [`EngineError::Storage`] if a store failed, with nothing acknowledged.
    pub async fn complete(mut self) -> Result<Session, EngineError> {
        match self.running.take() {
            Some(running) => running.settle(BodyEnd::Whole).await,
            None => Err(EngineError::ShuttingDown),
        }
    }

    /// The body ended as it should, and was all of the upload: completes it with the length it has
    /// reached ([`super::WhenCut::Discard`]), described by `metadata`.
    ///
    /// # Errors
    ///
    /// As [`Transfer::complete`].
    pub async fn complete_here(self, metadata: Metadata) -> Result<Session, EngineError> {
        if let Some(running) = &self.running {
            running.ledger.describe(metadata);
        }
        self.complete().await
    }

    /// The body ended early: makes durable what arrived.
    ///
    /// # Errors
    ///
    /// [`EngineError::TakenOver`], [`EngineError::NotFound`] or [`EngineError::ShuttingDown`] if
    /// that was the reason; [`EngineError::Storage`] if a store failed.
    pub async fn halt(mut self) -> Result<Session, EngineError> {
        match self.running.take() {
            Some(running) => running.settle(BodyEnd::Early).await,
            None => Err(EngineError::ShuttingDown),
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // Nobody waits: the engine's runtime settles it. A failure was logged there.
            drop(running.spawn_settling(BodyEnd::Early));
        }
    }
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyEnd {
    Whole,
    Early,
}

impl Running {
    async fn write(&mut self, batch: Vec<Bytes>, bytes: u64) -> Result<(), EngineError> {
        self.check_room(bytes)?;
        self.lease.seat().begin_write().map_err(|reason| self.stopped(reason))?;
        let written = if self.slow {
            self.write_elsewhere(batch, None).await
        } else {
            let started = Instant::now();
            let written = self.write_here(&batch);
            self.slow = started.elapsed() > self.shared.settings.slow_write;
            match written {
                // The device failed in passing: it is given time, and this thread is not.
                Ok(Some(Deferred { left, failure })) => {
                    self.write_elsewhere(left, Some(failure)).await
                }
                written => written.map(drop),
            }
        };
        self.since_checkpoint.bytes = self.since_checkpoint.bytes.saturating_add(bytes);
        written
    }

    /// Returns what has to be written elsewhere, at once: until then this write has not ended.
    fn write_here(&self, batch: &[Bytes]) -> Result<Option<Deferred>, EngineError> {
        let (retries, failure) = (&self.shared.retries, &Cell::new(None));
        let once = match retries.are_any() {
            true => Persistence::Defer,
            false => Persistence::Insist { retries, failure },
        };
        let written = self.ledger.write(batch, once);
        if !matches!(written, Ok(Some(_))) {
            self.lease.seat().end_write(self.ledger.yields_at());
        }
        written
    }

    /// Writes on a blocking thread, where a device that fails in passing is given time. If the caller
    /// is dropped meanwhile, the write still ends and is counted before the transfer is settled.
    ///
    /// `failure` is what a first attempt has failed with.
    async fn write_elsewhere(
        &mut self,
        batch: Vec<Bytes>,
        failure: Option<StorageError>,
    ) -> Result<(), EngineError> {
        let (ledger, seat) = (Arc::clone(&self.ledger), Arc::clone(self.lease.seat()));
        let retries = self.shared.retries.clone();
        let work = move || {
            let (started, failure) = (Instant::now(), Cell::new(failure));
            let insist = Persistence::Insist { retries: &retries, failure: &failure };
            let written = ledger.write(&batch, insist).map(drop);
            seat.end_write(ledger.yields_at());
            (written, started.elapsed())
        };
        match self.shared.runtime.spawn_blocking(work).await {
            Ok((written, took)) => {
                self.slow = took > self.shared.settings.slow_write;
                written
            }
            Err(_) => Err(EngineError::ShuttingDown),
        }
    }

    /// Keeps the reserve free, so that the session store never meets a full device.
    fn check_room(&mut self, bytes: u64) -> Result<(), EngineError> {
        self.since_room_check = self.since_room_check.saturating_add(bytes);
        if self.since_room_check < ROOM_CHECK_BYTES {
            return Ok(());
        }
        self.since_room_check = 0;
        if self.shared.blobs.room()?.usable_bytes < bytes {
            return Err(EngineError::NoRoom { offset: None });
        }
        Ok(())
    }

    /// What a transfer that was told to stop answers before it is settled.
    fn stopped(&self, reason: StopReason) -> EngineError {
        stop_error(reason, self.ledger.yields_at())
    }

    /// Settles on the engine's runtime and waits for it there.
    async fn settle(self, end: BodyEnd) -> Result<Session, EngineError> {
        match self.spawn_settling(end).await {
            Ok(settled) => settled,
            Err(_) => Err(EngineError::ShuttingDown),
        }
    }

    fn spawn_settling(self, end: BodyEnd) -> tokio::task::JoinHandle<Result<Session, EngineError>> {
        let runtime = self.shared.runtime.clone();
        // Before anything else, so that whoever comes now finds a writer that is leaving.
        let stop = self.lease.seat().leave();
        runtime.spawn(async move {
            self.lease.seat().settle().await;
            let result = match (end, stop) {
                (BodyEnd::Whole, None) => self.ledger.conclude(self.declares).await,
                (BodyEnd::Whole | BodyEnd::Early, _) => self.ledger.cut_short(self.declares).await,
            };
            self.report(end, stop, &result);
            let session = result?;
            match stop {
                Some(reason) => Err(stop_error(reason, session.offset())),
                None => Ok(session),
            }
        })
    }

    fn report(
        &self,
        end: BodyEnd,
        stop: Option<StopReason>,
        result: &Result<Session, EngineError>,
    ) {
        let ending = match (end, stop, result) {
            (_, _, Err(EngineError::ChecksumMismatch { .. })) => Ending::Mismatch,
            (_, _, Err(_)) | (_, Some(StopReason::Shutdown), _) => Ending::Stopped,
            (_, Some(StopReason::TakenOver | StopReason::Terminated), _) => Ending::TakenOver,
            (BodyEnd::Whole, None, Ok(_)) => Ending::Whole,
            (BodyEnd::Early, None, Ok(_)) => Ending::Cut,
        };
        let accepted_bytes = if result.is_ok() { self.ledger.written_bytes() } else { 0 };
        self.shared.observer.observe(Event::TransferEnded { accepted_bytes, ending });
    }
}

fn stop_error(reason: StopReason, offset: UploadOffset) -> EngineError {
    match reason {
        StopReason::TakenOver => EngineError::TakenOver { offset },
        StopReason::Terminated => EngineError::NotFound,
        StopReason::Shutdown => EngineError::ShuttingDown,
    }
}

fn total(batch: &[Bytes]) -> u64 {
    batch.iter().map(|piece| u64::try_from(piece.len()).unwrap_or(u64::MAX)).sum()
}

/// Cuts `batch` down to `budget` bytes; whether anything had to go.
fn fit(batch: &mut Vec<Bytes>, budget: u64) -> bool {
    let mut left = usize::try_from(budget).unwrap_or(usize::MAX);
    let mut over = false;
    batch.retain_mut(|piece| {
        if piece.len() > left {
            over = true;
            piece.truncate(left);
        }
        left = left.saturating_sub(piece.len());
        !piece.is_empty()
    });
    over
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_batch_is_cut_to_its_budget_from_the_front(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..10),
            budget in 0_u64..120,
        ) {
            let whole = pieces.concat();
            let mut batch: Vec<Bytes> = pieces.into_iter().map(Bytes::from).collect();
            let over = fit(&mut batch, budget);
            let kept = usize::try_from(budget).unwrap().min(whole.len());
            prop_assert_eq!(over, whole.len() > kept);
            prop_assert_eq!(batch.concat(), &whole[..kept]);
        }
    }
}
