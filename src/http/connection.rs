//! [`Connection`]: the handle by which a handler reaches the connection its request came by.
//!
//! A handler gets it with `request.conn_data::<Connection>()`.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::network::{Carried, Line, Lines, Path, PathSample};

pub use super::open_connections::OpenConnections;

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// TCP, nothing around it.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// A Unix socket.
    Unix,
}

/// How requests and answers are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// HTTP/1: one request after the other.
    Http1,
    /// HTTP/2: several at a time.
    Http2,
}

/// Where a connection comes from and what it carries; fixed for its life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) peer: Option<SocketAddr>,
    pub(super) local: Option<SocketAddr>,
    pub(super) carrier: Carrier,
    pub(super) framing: Framing,
}

/// A connection as its handlers see it. Clones are the same connection; usable from any thread.
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

struct Shared {
    ends: Ends,
    path: Path,
    /// All connections that there are.
    lines: Lines,
    /// Since when our own address of it is gone.
    severed: OnceLock<Instant>,
    /// Told of that.
    news: Arc<Notify>,
    /// Bodies that are poured into a transfer.
    pouring: AtomicUsize,
    /// More requests in progress end the connection.
    max_running: usize,
    opened: Instant,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
    /// How many had been read when the last request ended.
    read_before: AtomicU64,
    closed: AtomicBool,
    /// Who waits for bytes from the peer; woken to notice that the connection was closed.
    waiting: Mutex<Option<Waker>>,
    /// Requests in progress: taken up, answer not yet handed over to the last byte.
    running: AtomicUsize,
    /// How often a request began or ended, and when the last time was.
    turn: Mutex<Turn>,
    /// Whether the last answer was a refusal: its body may not have been read to the end.
    refused: AtomicBool,
    /// Whether the last answer was a conflict (409).
    conflict: AtomicBool,
    /// Bodies of answers of which a piece was taken, and not yet the next one.
    offered: AtomicUsize,
    /// When that last changed.
    offered_at: Mutex<Instant>,
    /// Bodies whose reader may not have taken yet all that was read for them.
    unread_bodies: AtomicUsize,
    /// Whether the end of the connection is held back for them.
    holds_end: AtomicBool,
    interim: Mutex<Interim>,
    interim_waiting: AtomicBool,
}

/// Tells one interlude between requests from the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) number: u64,
    pub(super) since: Instant,
}

/// Interim answers on their way.
#[derive(Default)]
struct Interim {
    /// Between the beginning of a request and the beginning of its answer.
    open: bool,
    queue: BytesMut,
}

/// Why an interim answer cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterimRefused {
    /// HTTP/2 frames cannot be slipped in from outside.
    #[error("interim answers are not possible over HTTP/2")]
    Http2,
    /// No request is waiting for its answer.
    #[error("no request is waiting for its answer")]
    TooLate,
    /// It does not begin with `HTTP/1.1 1`, or does not end with an empty line.
    #[error("this is not the head of an interim answer")]
    Malformed,
    /// The peer does not read, and [`Connection::INTERIM_BYTES`] are waiting already.
    #[error("too many interim answers are waiting to be sent")]
    Full,
}

impl Connection {
    /// Most bytes of interim answers that may wait to be written.
    pub const INTERIM_BYTES: usize = 4096;

    pub(super) fn new(ends: Ends, max_streams: u32, lines: Lines) -> Self {
        // HTTP/1 has one request after the other. A client is told its bound only by the first frame it
        // gets, and requests that it took back may still be at work for a moment.
        let max_running = usize::try_from(max_streams).unwrap_or(usize::MAX).saturating_mul(4);
        Self(Arc::new(Shared {
            ends,
            path: Path::default(),
            lines,
            severed: OnceLock::new(),
            news: Arc::default(),
            pouring: AtomicUsize::new(0),
            max_running,
            opened: Instant::now(),
            read_bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            read_before: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            waiting: Mutex::new(None),
            running: AtomicUsize::new(0),
            turn: Mutex::new(Turn { number: 0, since: Instant::now() }),
            refused: AtomicBool::new(false),
            conflict: AtomicBool::new(false),
            offered: AtomicUsize::new(0),
            offered_at: Mutex::new(Instant::now()),
            unread_bodies: AtomicUsize::new(0),
            holds_end: AtomicBool::new(false),
            interim: Mutex::new(Interim::default()),
            interim_waiting: AtomicBool::new(false),
        }))
    }

    /// Address of the peer; `None` for a Unix socket. Not what a proxy says about its client.
    #[must_use]
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.0.ends.peer
    }

    /// Our own address, as the peer reached it; `None` for a Unix socket.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.0.ends.local
    }

    /// What carries it.
    #[must_use]
    pub fn carrier(&self) -> Carrier {
        self.0.ends.carrier
    }

    /// How requests are framed on it.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.0.ends.framing
    }

    /// What the kernel measured on it, at most some seconds ago; `None` if it was not measured: a Unix
    /// socket, a connection that has just begun, or `streaming.network_condition_monitoring` is off.
    #[must_use]
    pub fn path(&self) -> Option<PathSample> {
        self.0.path.sample()
    }

    /// Lists it until what is returned is dropped.
    pub(super) fn listed(&self) -> Line {
        let ends = self.0.ends.local.zip(self.0.ends.peer);
        let carried: Weak<dyn Carried> = Arc::<Shared>::downgrade(&self.0);
        self.0.lines.list(ends, self.0.path.clone(), carried)
    }

    /// All connections that there are.
    pub(super) fn lines(&self) -> &Lines {
        &self.0.lines
    }

    /// Since when our own address of it is gone, if it is: then nothing comes by it any more.
    pub(super) fn severed_since(&self) -> Option<Instant> {
        self.0.severed.get().copied()
    }

    /// Ready when that happens. It may have happened before.
    pub(super) fn news(&self) -> OwnedNotified {
        Arc::clone(&self.0.news).notified_owned()
    }

    /// A body is about to be poured into a transfer.
    pub(super) fn pouring_begins(&self) {
        self.0.pouring.fetch_add(1, Ordering::AcqRel);
    }

    /// The transfer of a body is settled. A connection whose address is gone has no further use then.
    pub(super) fn pouring_ends(&self) {
        let last = self.0.pouring.fetch_sub(1, Ordering::AcqRel) == 1;
        if last && self.severed_since().is_some() {
            self.close();
        }
    }

    /// When it was opened, if the request in progress is its first one.
    pub(super) fn opened_for_this_request(&self) -> Option<Instant> {
        (self.turn().number <= 1).then_some(self.0.opened)
    }

    /// Bytes that were read from it, heads and framing included, encryption not.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.0.read_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that were written to it, heads and framing included, encryption not.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.0.written_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that were read for the running request, its head included; `None` over HTTP/2, where
    /// requests share the connection.
    #[must_use]
    pub fn received_bytes(&self) -> Option<u64> {
        match self.framing() {
            Framing::Http1 => {
                Some(self.read_bytes().saturating_sub(self.0.read_before.load(Ordering::Relaxed)))
            }
            Framing::Http2 => None,
        }
    }

    /// Ends the connection: the next read or write on it fails, and a pending read at once.
    ///
    /// Requests in progress are dropped by that, like by a reset from the peer.
    pub fn close(&self) {
        self.0.close();
    }

    /// Whether [`Connection::close`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    /// Sends the head of an interim answer (status 1xx) before the answer of the running request.
    ///
    /// It is written whole, behind all earlier answers, and before the answer to the request in
    /// progress; it is dropped if that answer begins first. The caller must know that the client
    /// asked for it: a client that does not expect it may take it for the answer.
    ///
    /// # Errors
    ///
    /// [`InterimRefused`]; nothing is sent then.
    pub fn send_interim(&self, head: &[u8]) -> Result<(), InterimRefused> {
        if self.framing() == Framing::Http2 {
            return Err(InterimRefused::Http2);
        }
        let empty_line = head.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let whole = empty_line.and_then(|at| at.checked_add(4)) == Some(head.len());
        if !whole || !head.starts_with(b"HTTP/1.1 1") {
            return Err(InterimRefused::Malformed);
        }
        let mut interim = unpoisoned(&self.0.interim);
        if !interim.open {
            return Err(InterimRefused::TooLate);
        }
        if interim.queue.len().saturating_add(head.len()) > Self::INTERIM_BYTES {
            return Err(InterimRefused::Full);
        }
        interim.queue.extend_from_slice(head);
        self.0.interim_waiting.store(true, Ordering::Release);
        drop(interim);
        self.wake();
        Ok(())
    }

    pub(super) fn request_begins(&self) {
        if self.0.running.fetch_add(1, Ordering::AcqRel) >= self.0.max_running {
            tracing::debug!(connection = ?self, "too many requests at once; connection ended");
            self.close();
        }
        self.turns();
        if self.framing() == Framing::Http1 {
            unpoisoned(&self.0.interim).open = true;
        }
    }

    pub(super) fn answer_begins(&self) {
        if self.framing() == Framing::Http1 {
            let mut interim = unpoisoned(&self.0.interim);
            interim.open = false;
            interim.queue.clear();
            self.0.interim_waiting.store(false, Ordering::Release);
        }
    }

    pub(super) fn request_ends(&self) {
        self.answer_begins();
        self.0.read_before.store(self.read_bytes(), Ordering::Relaxed);
        self.turns();
        self.0.running.fetch_sub(1, Ordering::AcqRel);
        // The dispatcher of HTTP/2 is another task. That of HTTP/1 is awake here, but has looked for bytes
        // before; if it waits for the rest of a refused body, it has to look again, or no bound begins.
        if self.framing() == Framing::Http2 || self.0.refused.load(Ordering::Acquire) {
            self.wake();
        }
    }

    /// Takes note whether the answer that begins is a refusal, and whether it is a conflict (409).
    pub(super) fn answers(&self, refused: bool, conflict: bool) {
        self.0.refused.store(refused, Ordering::Release);
        self.0.conflict.store(conflict, Ordering::Release);
    }

    /// Whether the last answer was a conflict (409).
    pub(super) fn answered_conflict(&self) -> bool {
        self.0.conflict.load(Ordering::Acquire)
    }

    /// A piece of an answer was handed over.
    pub(super) fn offers(&self) {
        self.0.offered.fetch_add(1, Ordering::AcqRel);
        *unpoisoned(&self.0.offered_at) = Instant::now();
    }

    /// The next piece is wanted, or nothing more.
    pub(super) fn takes(&self) {
        self.0.offered.fetch_sub(1, Ordering::AcqRel);
        *unpoisoned(&self.0.offered_at) = Instant::now();
    }

    /// Since when every request in progress waits for the peer to take its answer. Over HTTP/2,
    /// where the peer can hold answers back while the connection itself is in motion.
    pub(super) fn held_back_since(&self) -> Option<Instant> {
        let held_back = self.0.offered.load(Ordering::Acquire) == self.running();
        (held_back && self.framing() == Framing::Http2).then(|| *unpoisoned(&self.0.offered_at))
    }

    /// Requests in progress.
    pub(super) fn running(&self) -> usize {
        self.0.running.load(Ordering::Acquire)
    }

    pub(super) fn turn(&self) -> Turn {
        *unpoisoned(&self.0.turn)
    }

    fn turns(&self) {
        let mut turn = unpoisoned(&self.0.turn);
        *turn = Turn { number: turn.number.wrapping_add(1), since: Instant::now() };
    }

    pub(super) fn count_read(&self, bytes: u64) {
        self.0.read_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn count_written(&self, bytes: u64) {
        self.0.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A body is being read, and what was read for it has yet to be taken.
    pub(super) fn body_is_unread(&self) {
        self.0.unread_bodies.fetch_add(1, Ordering::SeqCst);
    }

    /// All that was read for the body has been taken, or nobody wants it any more.
    pub(super) fn body_is_read(&self) {
        // Only then: whoever waits for a body is asked whenever its connection is, so that waking it
        // every time would be a loop.
        if self.0.unread_bodies.fetch_sub(1, Ordering::SeqCst) == 1
            && self.0.holds_end.swap(false, Ordering::SeqCst)
        {
            self.wake();
        }
    }

    /// Whether the end of the connection has to wait: `actix-http` hands a body on in pieces of
    /// what it has read, and at the end of the connection drops what it has not handed on yet.
    ///
    /// Whoever is told so is woken when it is over.
    pub(super) fn holds_back_its_end(&self) -> bool {
        let unread = || self.0.unread_bodies.load(Ordering::SeqCst) > 0;
        if self.framing() != Framing::Http1 || !unread() {
            return false;
        }
        self.0.holds_end.store(true, Ordering::SeqCst);
        unread()
    }

    /// Interim answers that may be written now.
    pub(super) fn take_interim(&self) -> Bytes {
        if !self.0.interim_waiting.load(Ordering::Acquire) {
            return Bytes::new();
        }
        let mut interim = unpoisoned(&self.0.interim);
        self.0.interim_waiting.store(false, Ordering::Release);
        interim.queue.split().freeze()
    }

    /// Remembers who waits for bytes, to be woken by [`Connection::close`].
    pub(super) fn wait(&self, waker: &Waker) {
        let mut waiting = unpoisoned(&self.0.waiting);
        if !waiting.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *waiting = Some(waker.clone());
        }
    }

    fn wake(&self) {
        self.0.wake();
    }
}

impl Shared {
    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        let waiting = unpoisoned(&self.waiting).clone();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

impl Carried for Shared {
    /// Whoever receives takes what has arrived, commits it, and closes; with nobody, it is closed at once.
    fn severed(&self) -> usize {
        self.severed.get_or_init(Instant::now);
        self.news.notify_waiters();
        let pouring = self.pouring.load(Ordering::Acquire);
        if pouring == 0 {
            self.close();
        }
        pouring
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("ends", &self.0.ends)
            .field("read_bytes", &self.read_bytes())
            .field("written_bytes", &self.written_bytes())
            .finish_non_exhaustive()
    }
}

/// Whoever panicked while holding the lock left whole values behind: each is set in one step.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
