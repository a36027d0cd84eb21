//! [`Interlude`]: what may arrive on a connection while no request is in progress, and for how long.
//!
//! `actix-http` reads the rest of a refused body so that the client gets to see the answer, but
//! without a bound on its bytes, and a chunked one without a bound on its time, even if nothing of it comes
//! any more; and its time for a request head holds for the first request of a connection only. The bounds
//! are kept here.

use std::time::Instant;

use super::connection::{Framing, Turn};
use super::settings::ConnectionBounds;

/// Far more than any head that is accepted (128 KiB), and more than the dispatcher reads at once before
/// it looks for a head (up to twice its buffer): what goes on longer is a body nobody asked for.
const LONGER_THAN_A_HEAD: u64 = 1024 * 1024;

/// After a conflict (409) the linger time is divided by this. Chromium repeats a request whose connection
/// was reset by itself, with the offset of before, and sends its whole body before it reads the 409. A
/// client does the same after a 409 as after a broken connection: it asks for the offset.
const LESS_AFTER_CONFLICT: u32 = 10;

/// The time between the end of one answer and the next request.
#[derive(Debug)]
pub(super) struct Interlude {
    framing: Framing,
    turn: u64,
    since: Instant,
    first_byte: Option<Instant>,
    bytes: u64,
}

impl Interlude {
    pub(super) const fn new(framing: Framing, now: Instant) -> Self {
        Self { framing, turn: 0, since: now, first_byte: None, bytes: 0 }
    }

    /// Starts over if there was a request since the last look. The time counts from its end, however much
    /// later that look is.
    pub(super) fn look(&mut self, turn: Turn) {
        if turn.number != self.turn {
            *self = Self { turn: turn.number, ..Self::new(self.framing, turn.since) };
        }
    }

    /// Takes note of bytes that arrived.
    pub(super) fn received(&mut self, bytes: u64, now: Instant) {
        self.first_byte.get_or_insert(now);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Whether more bytes arrived than anybody is ready to read and drop.
    pub(super) fn is_flooded(&self, bounds: &ConnectionBounds) -> bool {
        self.bytes > bounds.linger_bytes.max(LONGER_THAN_A_HEAD)
    }

    /// When the connection is to be closed; `None` if never.
    ///
    /// `conflict`: the last answer was a 409.
    pub(super) fn deadline(&self, bounds: &ConnectionBounds, conflict: bool) -> Option<Instant> {
        match self.framing {
            Framing::Http1 if self.bytes > LONGER_THAN_A_HEAD => {
                let less = if conflict { LESS_AFTER_CONFLICT } else { 1 };
                let linger = bounds.linger.checked_div(less)?;
                self.first_byte.and_then(|first| first.checked_add(linger))
            }
            // The dispatcher closes idle connections itself, by the same time. It does not if it waits for
            // the rest of a chunked body that was refused.
            Framing::Http1 => {
                self.first_byte.unwrap_or(self.since).checked_add(bounds.idle_timeout)
            }
            // The dispatcher only asks whether the peer is alive.
            Framing::Http2 => self.since.checked_add(bounds.idle_timeout),
        }
    }

    /// Whether the end of the last answer may still be on its way: then the write timeout holds.
    pub(super) const fn may_be_answering(&self) -> bool {
        matches!(self.framing, Framing::Http1) && self.first_byte.is_none()
    }

    /// When no request has been in progress since.
    pub(super) const fn since(&self) -> Instant {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BOUNDS: ConnectionBounds = ConnectionBounds {
        write_timeout: Duration::from_secs(1),
        idle_timeout: Duration::from_secs(60),
        linger: Duration::from_secs(10),
        linger_bytes: 4 * 1024 * 1024,
        min_rate_bytes_per_second: 0,
        max_streams: 128,
    };

    #[test]
    fn a_connection_on_which_nothing_comes_has_the_idle_timeout_from_the_answer() {
        let start = Instant::now();
        let interlude = Interlude::new(Framing::Http1, start);
        assert_eq!(interlude.deadline(&BOUNDS, false), Some(start + BOUNDS.idle_timeout));
    }

    #[test]
    fn a_head_that_drips_in_has_the_idle_timeout_from_its_first_byte() {
        let start = Instant::now();
        let mut interlude = Interlude::new(Framing::Http1, start);
        interlude.received(1, start + Duration::from_secs(5));
        interlude.received(1, start + Duration::from_secs(30));
        assert_eq!(interlude.deadline(&BOUNDS, false), Some(start + Duration::from_secs(65)));
    }

    #[test]
    fn the_rest_of_a_refused_body_has_the_linger_time_and_the_linger_bytes() {
        let start = Instant::now();
        let mut interlude = Interlude::new(Framing::Http1, start);
        interlude.received(LONGER_THAN_A_HEAD + 1, start);
        assert_eq!(interlude.deadline(&BOUNDS, false), Some(start + BOUNDS.linger));
        assert!(!interlude.is_flooded(&BOUNDS));
        interlude.received(BOUNDS.linger_bytes, start);
        assert!(interlude.is_flooded(&BOUNDS));
    }

    #[test]
    fn the_rest_of_a_body_at_the_wrong_offset_has_a_tenth_of_the_linger_time() {
        let start = Instant::now();
        let mut interlude = Interlude::new(Framing::Http1, start);
        interlude.received(LONGER_THAN_A_HEAD + 1, start);
        assert_eq!(interlude.deadline(&BOUNDS, true), Some(start + BOUNDS.linger / 10));
    }

    #[test]
    fn a_request_after_a_conflict_has_the_idle_timeout() {
        let start = Instant::now();
        let mut interlude = Interlude::new(Framing::Http1, start);
        interlude.received(1, start);
        assert_eq!(interlude.deadline(&BOUNDS, true), Some(start + BOUNDS.idle_timeout));
    }

    #[test]
    fn a_new_request_starts_the_count_over() {
        let start = Instant::now();
        let mut interlude = Interlude::new(Framing::Http1, start);
        interlude.received(BOUNDS.linger_bytes + 1, start);
        interlude.look(Turn { number: 1, since: start + Duration::from_secs(1) });
        assert!(!interlude.is_flooded(&BOUNDS));
        let again = start + Duration::from_secs(1) + BOUNDS.idle_timeout;
        assert_eq!(interlude.deadline(&BOUNDS, false), Some(again));
    }

    #[test]
    fn an_http2_connection_without_requests_is_closed_after_the_idle_timeout() {
        let start = Instant::now();
        let mut interlude = Interlude::new(Framing::Http2, start);
        interlude.received(17, start + Duration::from_secs(30));
        assert_eq!(interlude.deadline(&BOUNDS, false), Some(start + BOUNDS.idle_timeout));
    }
}
