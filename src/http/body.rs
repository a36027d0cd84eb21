//! The body pump: from the socket into a transfer.
//!
//! Takes what is there, up to one batch, and hands it over before it waits for more: at every
//! `await` the handler may be dropped (the client reset the connection), and only what is still in
//! the socket's buffers may be lost then. Memory is bounded by one batch.
//!
//! What wraps the bytes (a form) is taken off by a [`Source`], which is part of the pump's type: the
//! plain way costs nothing for it.

mod attention;
mod room;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::web::{Bytes, Payload};
use futures_core::Stream as _;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::engine::{EngineError, Transfer};
use crate::protocol::problem::Problem;
use crate::tuning::Direction;
use crate::upload::{Metadata, Session, UploadOffset};

use super::call::Call;
use super::client::Client;
use super::connection::Connection;
use super::failure::{Failure, after_settling};
use super::gateway::Gateway;
use super::lull::Lull;
use super::pace::{Pace, Slowness};
use super::settings::HttpSettings;
use super::tuner::{Course, Move};

use attention::{Attending, Attention};
use room::Room;

/// Most pieces of one batch: what one vectored write takes. Bounds what tiny chunks can cost.
const MAX_PIECES: usize = 1024;

/// Where the bytes of an upload come from: the payload, or what is left of it once its wrapping is
/// taken off.
pub(super) trait Source {
    /// The next bytes that are to be stored, or the end. Pending means that everything that had
    /// arrived was taken.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>>;

    /// What the end of a body said about the whole upload; then it is all of it.
    fn closing(&mut self) -> Option<Metadata> {
        None
    }
}

/// Why a body ended early.
#[derive(Debug)]
pub(super) enum Cut {
    /// It broke off, or is badly framed.
    Broken,
    /// Its content is refused.
    Refused(Problem),
}

/// A payload whose every byte is to be stored.
pub(super) struct Plain(Pin<Box<Payload>>);

impl Source for Plain {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        self.0.as_mut().poll_next(cx).map_err(|_| Cut::Broken)
    }
}

/// A request's body.
pub(super) struct Body<S = Plain> {
    source: S,
    attention: Attention,
    /// Who sends it, if that is remembered.
    client: Option<Client>,
    batch: Vec<Bytes>,
    /// How the source ended, once it has.
    end: Option<Result<(), Cut>>,
}

/// What the pump does next.
enum Step {
    /// Hand over the batch.
    Write,
    /// The body ended as it should.
    Whole,
    /// No more of it is taken.
    End(Early),
}

/// Why no more of a body is taken, although it is not whole.
enum Early {
    /// It ended by itself.
    Cut(Cut),
    /// The engine wants the transfer to stop.
    Stopped,
    /// Our address of its connection is gone, and all that had come by it is taken.
    Severed,
    /// It is not waited for any longer.
    Slow(Slowness),
}

impl Body {
    /// The body of a request that came by `connection`.
    pub(super) fn new(payload: Payload, connection: Option<&Connection>) -> Self {
        Self::of(Plain(Box::pin(payload)), connection)
    }

    /// Whether the body is empty after all; waits for its first byte or its end.
    ///
    /// For requests that do not say how long they are (T-95).
    pub(super) async fn is_empty(&mut self, settings: &HttpSettings) -> Result<bool, Problem> {
        let first = poll_fn(|cx| self.fill(cx, 1));
        match tokio::time::timeout(settings.read_timeout, first).await {
            Err(_) => Err(Problem::Idle { offset: None }),
            Ok(()) if !self.batch.is_empty() => Ok(false),
            Ok(()) => match self.end {
                Some(Err(_)) => Err(Problem::BodyBroken { offset: None }),
                Some(Ok(())) | None => Ok(true),
            },
        }
    }
}

impl<S: Source> Body<S> {
    /// The body of a request that came by `connection`, without its wrapping.
    pub(super) fn of(source: S, connection: Option<&Connection>) -> Self {
        let attention = Attention::turned_away(connection.cloned());
        Self { source, attention, client: None, batch: Vec::new(), end: None }
    }

    /// What comes of it is remembered of `client`.
    pub(super) fn of_client(self, client: Option<Client>) -> Self {
        Self { client, ..self }
    }

    /// Asks the source for something that comes before the first byte; waits for at most the time
    /// that nothing may arrive.
    pub(super) async fn ahead<T>(
        &mut self,
        settings: &HttpSettings,
        mut ask: impl FnMut(&mut S, &mut Context<'_>) -> Poll<Result<T, Cut>>,
    ) -> Result<T, Problem> {
        let ask = poll_fn(|cx| {
            self.attention.turn(Attending::Elsewhere);
            let asked = ask(&mut self.source, cx);
            if asked.is_pending() {
                self.attention.turn(Attending::Waiting);
            }
            asked
        });
        match tokio::time::timeout(settings.read_timeout, ask).await {
            Err(_) => Err(Problem::Idle { offset: None }),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Cut::Broken)) => Err(Problem::BodyBroken { offset: None }),
            Ok(Err(Cut::Refused(problem))) => Err(problem),
        }
    }

    /// Pours the body into `transfer` and settles it.
    pub(super) async fn pour(
        mut self,
        mut transfer: Transfer,
        call: &Call<'_>,
    ) -> Result<Session, Failure> {
        let (gateway, mut is_new) = (call.gateway, true);
        let settings = &gateway.settings;
        let mut pace = Pace::new(settings, Instant::now());
        let mut ticks = interval(pace.tick());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let course = self.course(&transfer, gateway);
        let mut room = Room::new(&gateway.memory.uploads, course);
        let mut lull = Lull::new(self.attention.connection.clone());
        loop {
            let next = |cx: &mut Context<'_>| {
                self.step(cx, &mut transfer, &mut pace, (&mut ticks, &mut room, &mut lull))
            };
            let early = match poll_fn(next).await {
                Step::Write => {
                    if let Err(failed) = self.write(&mut transfer, &mut pace, &mut room).await {
                        let settled = transfer.halt().await.map(|session| session.offset());
                        return Err(blamed(&mut room.course, after_settling(failed, settled)));
                    }
                    if std::mem::take(&mut is_new) {
                        call.was_accepted(transfer.id());
                    }
                    match pace.judge(Instant::now()) {
                        None => continue,
                        Some(slowness) => Early::Slow(slowness),
                    }
                }
                Step::Whole => return self.complete(transfer, &mut room.course).await,
                Step::End(early) => early,
            };
            return Err(halted(transfer, &mut room.course, early).await);
        }
    }

    /// Hands the batch over, and tells who measures how that went.
    async fn write(
        &mut self,
        transfer: &mut Transfer,
        pace: &mut Pace,
        room: &mut Room,
    ) -> Result<(), EngineError> {
        let (bytes, started) = (total(&self.batch), Instant::now());
        let samples = room.course.samples_processor() && transfer.writes_here();
        let clock = samples.then(thread_time);
        let written = transfer.write(&mut self.batch).await;
        if let Some(before) = clock {
            room.course.cost(thread_time().saturating_sub(before), bytes);
        }
        room.give_back();
        written?;
        let now = Instant::now();
        let device = now.saturating_duration_since(started);
        pace.progressed(bytes, device, now);
        let moved = Move { bytes, device, waited: Duration::ZERO };
        room.course.moved(moved, now, || self.attention.path());
        Ok(())
    }

    /// Completes the transfer of a body that is whole.
    async fn complete(
        &mut self,
        transfer: Transfer,
        course: &mut Course,
    ) -> Result<Session, Failure> {
        let session = match self.source.closing() {
            None => transfer.complete().await,
            Some(metadata) => transfer.complete_here(metadata).await,
        };
        let session = session.map_err(|error| blamed(course, error))?;
        course.went_well();
        Ok(session)
    }

    /// How large its batches are.
    fn course(&mut self, transfer: &Transfer, gateway: &Gateway) -> Course {
        let known = self.client.as_ref().and_then(Client::profile);
        let known = known.and_then(|profile| profile.buffer_bytes());
        let fixed = gateway.settings.batch_bytes;
        let mut course = gateway.tuner.course(Direction::Up, transfer.id(), fixed, known);
        course.is_of(self.client.take());
        course
    }

    /// Decides what is next; waits while nothing is there.
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        transfer: &mut Transfer,
        pace: &mut Pace,
        (ticks, room, lull): (&mut Interval, &mut Room, &mut Lull),
    ) -> Poll<Step> {
        if transfer.poll_stopped(cx).is_ready() {
            return Poll::Ready(Step::End(Early::Stopped));
        }
        // What has arrived stays where it is while the network settles, and the connection's end behind it.
        let paused = lull.poll_over(cx, pace);
        let reads = paused.map(|took| room.course.waited(took)).is_ready();
        self.attention.turn(Attending::Elsewhere);
        if reads && let Some(step) = self.next(cx, pace, room) {
            lull.took();
            return Poll::Ready(step);
        }
        let waits_for_client = reads && !room.is_awaited();
        if waits_for_client && lull.poll_ended(cx).is_ready() {
            return Poll::Ready(Step::End(Early::Severed));
        }
        while ticks.poll_tick(cx).is_ready() {
            transfer.checkpoint_if_due();
            if waits_for_client && let Some(slowness) = pace.judge(Instant::now()) {
                return Poll::Ready(Step::End(Early::Slow(slowness)));
            }
        }
        Poll::Pending
    }

    /// What is there to do at once, if anything.
    fn next(&mut self, cx: &mut Context<'_>, pace: &mut Pace, room: &mut Room) -> Option<Step> {
        let filled = room.poll_hold(cx, pace).map(|batch_bytes| self.fill(cx, batch_bytes));
        if !self.batch.is_empty() {
            return Some(Step::Write);
        }
        // Whoever waits for its client holds no memory.
        room.give_back();
        (filled == Poll::Ready(Poll::Ready(()))).then(|| match self.end.take() {
            Some(Err(cut)) => Step::End(Early::Cut(cut)),
            Some(Ok(())) | None => Step::Whole,
        })
    }

    /// Takes what is there. Ready when the batch is full or the payload has ended.
    fn fill(&mut self, cx: &mut Context<'_>, batch_bytes: usize) -> Poll<()> {
        self.attention.turn(Attending::Elsewhere);
        let mut bytes: usize = self.batch.iter().map(Bytes::len).sum();
        while self.end.is_none() && bytes < batch_bytes && self.batch.len() < MAX_PIECES {
            match self.source.poll_piece(cx) {
                Poll::Ready(Some(Ok(piece))) if piece.is_empty() => {}
                Poll::Ready(Some(Ok(piece))) => {
                    bytes = bytes.saturating_add(piece.len());
                    self.batch.push(piece);
                }
                Poll::Ready(Some(Err(cut))) => self.end = Some(Err(cut)),
                Poll::Ready(None) => self.end = Some(Ok(())),
                Poll::Pending => {
                    if self.batch.is_empty() {
                        self.attention.turn(Attending::Waiting);
                    }
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(())
    }
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.try_into().unwrap_or(0), spent.tv_nsec.try_into().unwrap_or(0))
}

/// Settles a transfer that ends early; why is told unless the engine knows a better reason.
async fn halted(transfer: Transfer, course: &mut Course, early: Early) -> Failure {
    if let Early::Severed = early {
        course.is_forgiven();
    }
    match transfer.halt().await {
        Ok(session) => problem_of(early, session.offset()).into(),
        Err(error) => blamed(course, error),
    }
}

/// What is told of a body that ended early, and that came to `offset`.
fn problem_of(early: Early, offset: UploadOffset) -> Problem {
    match early {
        Early::Cut(Cut::Broken) | Early::Severed => Problem::BodyBroken { offset: Some(offset) },
        Early::Cut(Cut::Refused(problem)) => problem,
        Early::Stopped => Problem::TakenOver { offset },
        Early::Slow(Slowness::Idle) => Problem::Idle { offset: Some(offset) },
        Early::Slow(Slowness::TooSlow) => Problem::TooSlow { offset: Some(offset) },
    }
}

/// What is answered; its client is remembered for it only if it could have done better.
fn blamed(course: &mut Course, error: EngineError) -> Failure {
    if error.is_ours() {
        course.is_forgiven();
    }
    error.into()
}

fn total(batch: &[Bytes]) -> u64 {
    batch.iter().map(|piece| u64::try_from(piece.len()).unwrap_or(u64::MAX)).sum()
}

#[cfg(test)]
mod tests;
