//! The body pump: from the socket into a transfer.
//!
//! Takes what is there, up to one batch, and hands it over before it waits for more: at every
//! `await` the handler may be dropped (the client reset the connection), and only what is still in
//! the socket's buffers may be lost then. Memory is bounded by one batch.
//!
//! What wraps the bytes (a form) is taken off by a [`Source`], which is part of the pump's type: the
//! plain way costs nothing for it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_web::web::{Bytes, Payload};
use futures_core::Stream as _;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::engine::{EngineError, Transfer};
use crate::protocol::problem::Problem;
use crate::tuning::{Direction, PathMeasure};
use crate::upload::{Metadata, Session, UploadOffset};

use super::call::Call;
use super::client::Client;
use super::connection::Connection;
use super::failure::{Failure, after_settling};
use super::gateway::Gateway;
use super::lull::Lull;
use super::memory::{Budget, Held};
use super::pace::{Pace, Slowness};
use super::settings::HttpSettings;
use super::tuner::{Course, Move, measured_path};

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
    /// It ended early.
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
            match poll_fn(next).await {
                Step::Write => {
                    let (bytes, started) = (total(&self.batch), Instant::now());
                    let samples = room.course.samples_processor() && transfer.writes_here();
                    let clock = samples.then(thread_time);
                    let written = transfer.write(&mut self.batch).await;
                    if let Some(before) = clock {
                        room.course.cost(thread_time().saturating_sub(before), bytes);
                    }
                    room.give_back();
                    if let Err(failed) = written {
                        let settled = transfer.halt().await.map(|session| session.offset());
                        return Err(blamed(&mut room.course, after_settling(failed, settled)));
                    }
                    if std::mem::take(&mut is_new) {
                        call.was_accepted(transfer.id());
                    }
                    let now = Instant::now();
                    let device = now.saturating_duration_since(started);
                    pace.progressed(bytes, device, now);
                    let moved = Move { bytes, device, waited: Duration::ZERO };
                    room.course.moved(moved, now, || self.attention.path());
                    if let Some(slowness) = pace.judge(now) {
                        return Err(halted(transfer, &mut room.course, cut(slowness)).await);
                    }
                }
                Step::Whole => {
                    let session = match self.source.closing() {
                        None => transfer.complete().await,
                        Some(metadata) => transfer.complete_here(metadata).await,
                    };
                    let session = session.map_err(|error| blamed(&mut room.course, error))?;
                    room.course.went_well();
                    return Ok(session);
                }
                Step::Severed => {
                    room.course.is_forgiven();
                    return Err(halted(transfer, &mut room.course, broken).await);
                }
                Step::Cut(Cut::Broken) => {
                    return Err(halted(transfer, &mut room.course, broken).await);
                }
                Step::Cut(Cut::Refused(problem)) => {
                    return Err(halted(transfer, &mut room.course, |_| problem).await);
                }
                Step::Stopped => {
                    let taken_over = |offset| Problem::TakenOver { offset };
                    return Err(halted(transfer, &mut room.course, taken_over).await);
                }
                Step::Slow(slowness) => {
                    return Err(halted(transfer, &mut room.course, cut(slowness)).await);
                }
            }
        }
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
            return Poll::Ready(Step::Stopped);
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
            return Poll::Ready(Step::Severed);
        }
        while ticks.poll_tick(cx).is_ready() {
            transfer.checkpoint_if_due();
            if waits_for_client && let Some(slowness) = pace.judge(Instant::now()) {
                return Poll::Ready(Step::Slow(slowness));
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
            Some(Err(cut)) => Step::Cut(cut),
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

/// Memory for the batches of one body: as much as its course says.
struct Room {
    budget: Budget,
    course: Course,
    /// What is held, and for how many bytes.
    held: Option<(Held, usize)>,
    /// Since when some is waited for, and how it comes.
    awaited: Option<Awaited>,
}

struct Awaited {
    since: Instant,
    coming: Pin<Box<dyn Future<Output = Held>>>,
    bytes: usize,
}

impl Room {
    fn new(budget: &Budget, course: Course) -> Self {
        Self { budget: budget.clone(), course, held: None, awaited: None }
    }

    /// Ready once there is room for a batch of so many bytes. The client has no part in the time that it
    /// takes.
    fn poll_hold(&mut self, cx: &mut Context<'_>, pace: &mut Pace) -> Poll<usize> {
        if let Some((_, bytes)) = self.held {
            return Poll::Ready(bytes);
        }
        if self.awaited.is_none() {
            let bytes = self.course.buffer_bytes(self.budget.free_bytes());
            if let Some(held) = self.budget.try_hold(bytes) {
                self.held = Some((held, bytes));
                return Poll::Ready(bytes);
            }
            let coming = Box::pin(self.budget.clone().hold(bytes));
            self.awaited = Some(Awaited { since: Instant::now(), coming, bytes });
        }
        let Some(awaited) = &mut self.awaited else { return Poll::Pending };
        let held = ready!(awaited.coming.as_mut().poll(cx));
        let (now, bytes) = (Instant::now(), awaited.bytes);
        let waited = now.saturating_duration_since(awaited.since);
        pace.progressed(0, waited, now);
        self.course.waited(waited);
        (self.held, self.awaited) = (Some((held, bytes)), None);
        Poll::Ready(bytes)
    }

    const fn is_awaited(&self) -> bool {
        self.awaited.is_some()
    }

    fn give_back(&mut self) {
        self.held = None;
    }
}

/// What the reader of a body is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attending {
    /// It has taken all there was, and waits for more.
    Waiting,
    /// It is busy with what it took: more may be there.
    Elsewhere,
}

/// Keeps the end of a connection back while its reader is busy, so that a connection that breaks
/// off costs nothing that was read from it.
struct Attention {
    connection: Option<Connection>,
    attending: Attending,
}

impl Attention {
    fn turned_away(connection: Option<Connection>) -> Self {
        let mut attention = Self { connection, attending: Attending::Waiting };
        attention.turn(Attending::Elsewhere);
        attention
    }

    /// What the kernel says of the path to the client, if anything.
    fn path(&self) -> Option<PathMeasure> {
        self.connection.as_ref().and_then(measured_path)
    }

    fn turn(&mut self, attending: Attending) {
        if self.attending == attending {
            return;
        }
        self.attending = attending;
        if let Some(connection) = &self.connection {
            match attending {
                Attending::Waiting => connection.body_is_read(),
                Attending::Elsewhere => connection.body_is_unread(),
            }
        }
    }
}

impl Drop for Attention {
    fn drop(&mut self) {
        self.turn(Attending::Waiting);
    }
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.try_into().unwrap_or(0), spent.tv_nsec.try_into().unwrap_or(0))
}

fn cut(slowness: Slowness) -> impl FnOnce(UploadOffset) -> Problem {
    move |offset| match slowness {
        Slowness::Idle => Problem::Idle { offset: Some(offset) },
        Slowness::TooSlow => Problem::TooSlow { offset: Some(offset) },
    }
}

/// Settles a transfer that ends early; `problem` is told unless the engine knows a better reason.
async fn halted(
    transfer: Transfer,
    course: &mut Course,
    problem: impl FnOnce(UploadOffset) -> Problem,
) -> Failure {
    match transfer.halt().await {
        Ok(session) => problem(session.offset()).into(),
        Err(error) => blamed(course, error),
    }
}

/// What is answered; its client is remembered for it only if it could have done better.
fn blamed(course: &mut Course, error: EngineError) -> Failure {
    if error.is_ours() {
        course.is_forgiven();
    }
    error.into()
}

const fn broken(offset: UploadOffset) -> Problem {
    Problem::BodyBroken { offset: Some(offset) }
}

fn total(batch: &[Bytes]) -> u64 {
    batch.iter().map(|piece| u64::try_from(piece.len()).unwrap_or(u64::MAX)).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::task::Waker;

    use actix_http::error::PayloadError;
    use actix_web::FromRequest as _;
    use actix_web::test::TestRequest;
    use futures_core::Stream;

    use super::*;

    /// A payload whose pieces are all there already, and that goes on after them.
    struct Pieces(VecDeque<Bytes>);

    impl Stream for Pieces {
        type Item = Result<Bytes, PayloadError>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.pop_front().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(piece))))
        }
    }

    async fn body(pieces: Vec<&'static str>) -> Body {
        let pieces = pieces.into_iter().map(Bytes::from).collect();
        let pieces: Pin<Box<dyn Stream<Item = _>>> = Box::pin(Pieces(pieces));
        let mut payload = actix_http::Payload::Stream { payload: pieces };
        let request = TestRequest::default().to_http_request();
        Body::new(Payload::from_request(&request, &mut payload).await.unwrap(), None)
    }

    #[tokio::test]
    async fn a_batch_is_what_is_there_up_to_its_size() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut body = body(vec!["four", "", "more", "rest"]).await;
        assert!(body.fill(&mut cx, 5).is_ready());
        assert_eq!(body.batch, ["four", "more"]);
        body.batch.clear();
        assert!(body.fill(&mut cx, 5).is_pending());
        assert_eq!(body.batch, ["rest"]);
    }

    #[tokio::test]
    async fn tiny_pieces_do_not_make_a_batch_grow_without_bound() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut body = body(vec!["x"; 5 * MAX_PIECES]).await;
        assert!(body.fill(&mut cx, usize::MAX).is_ready());
        assert_eq!(body.batch.len(), MAX_PIECES);
    }
}
