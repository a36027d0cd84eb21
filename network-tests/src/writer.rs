//! A client that sends steadily, and does not notice that its link is dead.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use conformance_tests::content::after;
use conformance_tests::wire::http2::{self, Way};
use conformance_tests::wire::{Connection, Limits};

use crate::resume::{Upload, connect};
use crate::trouble::Trouble;

/// Bytes of a piece, and the pause after it: 10 MB/s at most, more than a phone gets.
const PIECE: usize = 10 * 1024;
const PAUSE: Duration = Duration::from_millis(1);
/// A send or an answer that takes longer will not come: the link is dead.
const STEP: Duration = Duration::from_millis(500);
/// Nobody sends for longer.
const LONGEST: Duration = Duration::from_secs(600);

/// What was sent, and the connection that it was sent on.
#[derive(Debug)]
pub struct Sent {
    /// The connection, which the gateway may still take for a living one.
    pub connection: Connection,
    /// Bytes of every head and of the body behind it, in order.
    layout: Vec<(u64, u64)>,
}

impl Sent {
    /// How many of `arrived` bytes on the connection belong to bodies.
    #[must_use]
    pub fn body_bytes(&self, arrived: u64) -> u64 {
        let (mut left, mut bodies) = (arrived, 0_u64);
        for (head, body) in &self.layout {
            left = left.saturating_sub(*head);
            bodies = bodies.saturating_add(left.min(*body));
            left = left.saturating_sub(*body);
        }
        bodies
    }
}

/// What the one who cuts the link and the one who sends know of each other.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes that were given to the kernel.
    pub given: AtomicU64,
    /// The port on our side.
    pub port: AtomicU16,
    /// Whether it is enough.
    pub stop: AtomicBool,
}

/// Sends `upload` to its server at `address`, until it is told to stop or nothing goes through any more.
///
/// # Errors
///
/// [`Trouble`] if the connection cannot be made, or a request is refused.
pub fn send_steadily(upload: &Upload, address: &str, progress: &Progress) -> Result<Sent, Trouble> {
    let mut sent = Sent { connection: connect(address, STEP)?, layout: Vec::new() };
    progress.port.store(sent.connection.local_port().unwrap_or(0), Ordering::Relaxed);
    for (request, range) in upload.requests() {
        let head = request.encode_head(address, &[]);
        let body = upload.bytes.get(range).unwrap_or_default();
        sent.layout.push((length(head.len()), length(body.len())));
        let pieces = std::iter::once(head.as_slice()).chain(body.chunks(PIECE));
        for piece in pieces {
            if progress.stop.load(Ordering::Relaxed) || sent.connection.send(piece).is_err() {
                return Ok(sent);
            }
            progress.given.fetch_add(length(piece.len()), Ordering::Relaxed);
            std::thread::park_timeout(PAUSE);
        }
        match sent.connection.answer(request.method()) {
            Ok(answer) if answer.response.head.status < 300 => {}
            Ok(answer) => {
                let line = answer.response.head.line;
                return Err(Trouble::wrong(format!(
                    "a request on a living link is refused: {line}"
                )));
            }
            Err(_) => return Ok(sent),
        }
    }
    Ok(sent)
}

/// The same by HTTP/2 of an upload that is one request, without a word of what became of it.
///
/// # Errors
///
/// [`Trouble`] if it cannot be begun.
pub fn send_steadily_by_http2(
    upload: &Upload,
    address: &str,
    progress: &Progress,
) -> Result<(), Trouble> {
    let way = Way { address, authority: address, tls: None };
    let limits = Limits { step: STEP, until: after(LONGEST) };
    for (request, range) in upload.requests() {
        let mut left = Bytes::copy_from_slice(upload.bytes.get(range).unwrap_or_default());
        let pieces = std::iter::from_fn(|| {
            let piece = left.split_to(PIECE.min(left.len()));
            progress.given.fetch_add(length(piece.len()), Ordering::Relaxed);
            (!piece.is_empty() && !progress.stop.load(Ordering::Relaxed)).then_some(piece)
        });
        let opened = |port| progress.port.store(port, Ordering::Relaxed);
        http2::send_steadily(way, limits, &request, pieces, PAUSE, opened)?;
    }
    Ok(())
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
