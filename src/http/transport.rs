//! [`Stream`]: the bytes of one connection, over TCP, a Unix socket or TLS.
//!
//! `actix-http` reads and writes HTTP on it. Its own work is what `actix-http` cannot know or do:
//!
//! - count bytes for the [`Connection`], and end when somebody closes that;
//! - end when nothing can be written for the write timeout, or less than the minimum rate (see
//!   `outflow`), or, over HTTP/2, when the peer takes nothing of any answer for so long;
//! - bound what arrives between two requests (see `interlude`), and the frames of HTTP/2 (see `frames`);
//! - end an HTTP/2 connection without requests, when idle for long or when the server stops;
//! - slip interim answers in, behind all earlier answers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use futures_core::ready;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use crate::network::{Line, Lines};

use super::alarm::Alarm;
use super::connection::{Connection, Ends, Framing};
use super::frames::{Frames, settings_with_bounds};
use super::interlude::Interlude;
use super::open_connections::OpenConnection;
use super::outflow::Outflow;
use super::settings::ConnectionBounds;

/// After a stop, an HTTP/2 connection without requests is given this long to write what it has.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// More than answers to pings and the like: a peer that takes so much takes its answer.
const MORE_THAN_CONTROL: u64 = 1024;

/// What carries the bytes.
pub(super) enum Wire {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

/// Ready when the server begins to stop.
pub(super) type Stopping = Pin<Box<dyn Future<Output = ()>>>;

/// The bytes of one connection.
pub struct Stream {
    wire: Wire,
    /// Bytes that were read to find out what is spoken, and not yet handed on.
    ahead: Bytes,
    connection: Connection,
    /// The peer sends nothing more.
    ended: bool,
    bounds: ConnectionBounds,
    interlude: Interlude,
    quiet: Alarm,
    outflow: Outflow,
    blocked: Alarm,
    /// Follows the peer's frames, over HTTP/2.
    frames: Option<Frames>,
    /// The settings of HTTP/2 have yet to be sent.
    untold: bool,
    /// The rest of an interim answer that has begun to be written.
    interim: Bytes,
    stopping: Option<Stopping>,
    stopped: Option<Instant>,
    /// How much the peer had taken when it last took a piece of an answer, and when that was.
    taken_bytes: u64,
    taken_at: Instant,
    _line: Line,
    _open: OpenConnection,
}

impl Stream {
    pub(super) fn new(
        wire: Wire,
        ahead: Bytes,
        ends: Ends,
        bounds: ConnectionBounds,
        stopping: Stopping,
        lines: Lines,
        open: OpenConnection,
    ) -> Self {
        let connection = Connection::new(ends, bounds.max_streams, lines);
        Self {
            wire,
            ahead,
            _line: connection.listed(),
            connection,
            ended: false,
            bounds,
            interlude: Interlude::new(ends.framing, Instant::now()),
            quiet: Alarm::default(),
            outflow: Outflow::default(),
            blocked: Alarm::default(),
            frames: (ends.framing == Framing::Http2).then(|| Frames::new(Instant::now())),
            untold: ends.framing == Framing::Http2,
            interim: Bytes::new(),
            // The dispatcher of HTTP/1 stops by itself.
            stopping: (ends.framing == Framing::Http2).then_some(stopping),
            stopped: None,
            taken_bytes: 0,
            taken_at: Instant::now(),
            _open: open,
        }
    }

    /// The handle that its handlers get.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    fn poll_read_wire(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let bytes = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(bytes));
            return Poll::Ready(Ok(()));
        }
        if !self.ended {
            let before = buffer.filled().len();
            let read = match &mut self.wire {
                Wire::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
                Wire::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
                Wire::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            };
            match ready!(read) {
                Ok(()) => self.ended = buffer.filled().len() == before && buffer.remaining() > 0,
                // As an error, it would make actix-http throw away what it has read but not yet
                // handed on. As an end, the body gets all that arrived, then breaks off.
                Err(error) if is_broken(&error) => self.ended = true,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if self.ended && self.connection.holds_back_its_end() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn writer(&mut self) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        match &mut self.wire {
            Wire::Tcp(stream) => Pin::new(stream),
            Wire::Tls(stream) => Pin::new(&mut **stream),
            Wire::Unix(stream) => Pin::new(stream),
        }
    }

    /// Whether what arrived between two requests is more than anybody reads.
    fn is_flooded(&mut self, arrived: u64) -> bool {
        if self.connection.running() > 0 {
            return false;
        }
        let now = Instant::now();
        self.interlude.look(self.connection.turn());
        self.interlude.received(arrived, now);
        self.interlude.is_flooded(&self.bounds)
    }

    /// Ready when there is nothing left to wait for.
    fn poll_quiet(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(stopping) = &mut self.stopping
            && stopping.as_mut().poll(context).is_ready()
        {
            self.stopping = None;
            self.stopped = Some(Instant::now());
        }
        if self.connection.running() > 0 {
            let deadline = self.held_back_until();
            return deadline.map_or(Poll::Pending, |deadline| self.quiet.poll(deadline, context));
        }
        self.interlude.look(self.connection.turn());
        if self.outflow.is_waiting() && self.interlude.may_be_answering() {
            return Poll::Pending;
        }
        let patience = self.interlude.deadline(&self.bounds, self.connection.answered_conflict());
        let deadline = match self.stopped {
            Some(stopped) if !self.outflow.is_waiting() => {
                stopped.max(self.interlude.since()).checked_add(LAST_WORDS)
            }
            Some(_) | None => patience,
        };
        deadline.map_or(Poll::Pending, |deadline| self.quiet.poll(deadline, context))
    }

    /// When a peer that takes nothing of any answer loses the connection.
    fn held_back_until(&mut self) -> Option<Instant> {
        let since = self.connection.held_back_since()?;
        let written = self.connection.written_bytes();
        let least = self.bounds.patience().least_bytes().max(MORE_THAN_CONTROL);
        if written.saturating_sub(self.taken_bytes) > least {
            self.taken_bytes = written;
            self.taken_at = Instant::now();
        }
        since.max(self.taken_at).checked_add(self.bounds.write_timeout)
    }

    /// Turns a write that takes too long into an error. `bytes` is how many it took.
    fn bound_write<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        let patience = self.bounds.patience();
        if let Poll::Ready(Ok(taken)) = &written {
            // Only a write that waited has to be told the time.
            let timed = self.outflow.is_running();
            if timed && self.outflow.took(count(bytes(taken)), patience, Instant::now()) {
                return Poll::Ready(Err(self.too_slow()));
            }
        }
        while written.is_pending() {
            let end = self.outflow.waits(patience, Instant::now());
            let Some(end) = end else { return Poll::Pending };
            ready!(self.blocked.poll(end, context));
            if self.outflow.is_over(patience, Instant::now()) {
                return Poll::Ready(Err(self.too_slow()));
            }
        }
        written
    }

    fn too_slow(&self) -> io::Error {
        tracing::debug!(connection = ?self.connection, "the peer does not read; connection ended");
        io::ErrorKind::TimedOut.into()
    }

    /// Tells the bounds of HTTP/2 in the first frame; how many bytes of `bytes` that was.
    ///
    /// The frame goes where interim answers go: before everything else.
    fn tell_bounds(&mut self, bytes: &[u8]) -> Option<usize> {
        if !std::mem::take(&mut self.untold) {
            return None;
        }
        let (taken, frame) = settings_with_bounds(bytes, self.bounds.max_streams)?;
        self.interim = Bytes::from(frame);
        Some(taken)
    }

    /// Whether what arrived is more than a peer has reason to send.
    fn is_excessive(&mut self, arrived: &[u8]) -> bool {
        let frames = self.frames.as_mut();
        let excess = frames.and_then(|frames| frames.passed(arrived, Instant::now()).err());
        if let Some(excess) = excess {
            tracing::debug!(connection = ?self.connection, ?excess, "connection ended");
        }
        excess.is_some()
    }

    fn poll_write_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            let interim = self.interim.clone();
            let written = self.writer().poll_write(context, &interim);
            match ready!(self.bound_write(written, |taken| *taken, context))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => {
                    self.interim.advance(bytes);
                    self.connection.count_written(count(bytes));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn closed(&self) -> io::Result<()> {
        if self.connection.is_closed() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

/// Whether the peer or the network ended the connection without a proper end.
fn is_broken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::TimedOut
            | io::ErrorKind::UnexpectedEof
    )
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.closed()?;
        let before = buffer.filled().len();
        if this.poll_read_wire(context, buffer)?.is_ready() {
            let arrived = count(buffer.filled().len().saturating_sub(before));
            this.connection.count_read(arrived);
            let excessive = buffer.filled().get(before..).is_some_and(|new| this.is_excessive(new));
            if excessive || this.is_flooded(arrived) {
                tracing::debug!(connection = ?this.connection, "too much after an answer; connection ended");
                buffer.set_filled(before);
            }
            return Poll::Ready(Ok(()));
        }
        this.connection.wait(context.waker());
        // Closed between the look above and the line above: nobody would wake us.
        this.closed()?;
        this.poll_quiet(context).map(Ok)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.closed()?;
        if let Some(taken) = this.tell_bounds(bytes) {
            return Poll::Ready(Ok(taken));
        }
        ready!(this.poll_write_interim(context))?;
        let written = this.writer().poll_write(context, bytes);
        this.bound_write(written, |taken| *taken, context).map_ok(|bytes| {
            this.connection.count_written(count(bytes));
            bytes
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.closed()?;
        if let Some(taken) = slices.first().and_then(|first| this.tell_bounds(first)) {
            return Poll::Ready(Ok(taken));
        }
        ready!(this.poll_write_interim(context))?;
        let written = this.writer().poll_write_vectored(context, slices);
        this.bound_write(written, |taken| *taken, context).map_ok(|bytes| {
            this.connection.count_written(count(bytes));
            bytes
        })
    }

    fn is_write_vectored(&self) -> bool {
        match &self.wire {
            Wire::Tcp(stream) => stream.is_write_vectored(),
            Wire::Tls(stream) => stream.is_write_vectored(),
            Wire::Unix(stream) => stream.is_write_vectored(),
        }
    }

    /// The dispatcher flushes when everything it had to say has been written: this is where an
    /// interim answer may follow.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.interim.is_empty() {
            this.interim = this.connection.take_interim();
        }
        ready!(this.poll_write_interim(context))?;
        let flushed = this.writer().poll_flush(context);
        this.bound_write(flushed, |()| 0, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = this.writer().poll_shutdown(context);
        this.bound_write(shut, |()| 0, context)
    }
}

/// Bytes of one read or write, as they are counted.
fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
