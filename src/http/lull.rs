//! When a body is not read because the network changes, or can bring nothing more.
//!
//! Looked at before each batch: one number that all share and that hardly ever changes, and one of the
//! body's own connection. Nobody takes a lock for it while bytes come.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::futures::OwnedNotified;
use tokio::time::{Sleep, sleep_until};

use super::connection::Connection;
use super::pace::Pace;

/// So often nothing has to be there, one after the other, until all that had arrived is taken: what
/// reads from the socket runs in between.
const EMPTY_LOOKS: u32 = 3;

/// Keeps watch over the connection of a body that is poured into a transfer.
pub(super) struct Lull {
    connection: Option<Connection>,
    /// Told when the connection's own address is gone.
    news: Option<Pin<Box<OwnedNotified>>>,
    /// Since when the body is not read, and until when.
    pause: Option<(Instant, Pin<Box<Sleep>>)>,
    /// The end of the pause that began before the body did: it came by the network as it is now.
    passed: Option<Instant>,
    /// How often nothing was there since the address is gone.
    empty: u32,
}

impl Lull {
    pub(super) fn new(connection: Option<Connection>) -> Self {
        if let Some(connection) = &connection {
            connection.pouring_begins();
        }
        let passed = connection.as_ref().and_then(|connection| connection.lines().paused_until());
        Self { connection, news: None, pause: None, passed, empty: 0 }
    }

    /// Ready unless the network settles, and the body is not to be read until it has: with how long that
    /// was, once. The client has no part in that time.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>, pace: &mut Pace) -> Poll<Duration> {
        let Some(connection) = self.connection.clone() else { return Poll::Ready(Duration::ZERO) };
        if self.pause.is_none() {
            let until = connection.lines().paused_until();
            let over = |until: &Instant| {
                self.passed == Some(*until) || connection.severed_since().is_some()
            };
            let until = until.filter(|until| !over(until));
            let Some(until) = until else { return Poll::Ready(Duration::ZERO) };
            self.pause = Some((Instant::now(), Box::pin(sleep_until(until.into()))));
        }
        if let Some((since, over)) = &mut self.pause {
            let since = *since;
            if over.as_mut().poll(cx).is_pending() {
                ready!(self.poll_severed(cx, &connection));
            }
            let now = Instant::now();
            let took = now.saturating_duration_since(since);
            pace.progressed(0, took, now);
            connection.lines().observer().paused(took);
            self.pause = None;
            return Poll::Ready(took);
        }
        Poll::Ready(Duration::ZERO)
    }

    /// Nothing was there. Ready if nothing more can come, and all that had come is taken.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = self.connection.clone() else { return Poll::Pending };
        ready!(self.poll_severed(cx, &connection));
        self.empty = self.empty.saturating_add(1);
        if self.empty < EMPTY_LOOKS {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Something was there.
    pub(super) const fn took(&mut self) {
        self.empty = 0;
    }

    fn poll_severed(&mut self, cx: &mut Context<'_>, connection: &Connection) -> Poll<()> {
        // Before the look, so that nothing that happens behind it is missed.
        let news = self.news.get_or_insert_with(|| Box::pin(connection.news()));
        if connection.severed_since().is_some() || news.as_mut().poll(cx).is_ready() {
            self.news = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Lull {
    fn drop(&mut self) {
        let Some(connection) = &self.connection else { return };
        if let Some(since) = connection.severed_since() {
            connection.lines().observer().severed(since.elapsed());
        }
        connection.pouring_ends();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use crate::http::connection::{Carrier, Ends, Framing};
    use crate::network::{Line, Lines};

    use super::*;

    const HERE: &str = "192.0.2.7:80";

    fn connection(lines: &Lines) -> (Connection, Line) {
        let (local, peer): (SocketAddr, SocketAddr) =
            (HERE.parse().unwrap(), "198.51.100.1:4000".parse().unwrap());
        let (carrier, framing) = (Carrier::Tcp, Framing::Http1);
        let ends = Ends { local: Some(local), peer: Some(peer), carrier, framing };
        let connection = Connection::new(ends, 1, lines.clone());
        let line = connection.listed();
        (connection, line)
    }

    fn sever(lines: &Lines) -> (usize, usize) {
        let here: IpAddr = HERE.parse::<SocketAddr>().unwrap().ip();
        let severed = lines.sever(&[here].into());
        (severed.connections, severed.transfers)
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn pace() -> Pace {
        Pace::tried(Duration::from_secs(1), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_runs_pauses_once_and_one_that_begins_later_does_not() {
        let lines = Lines::default();
        let (connection, _line) = connection(&lines);
        let mut cx = Context::from_waker(Waker::noop());
        let mut running = Lull::new(Some(connection.clone()));
        assert!(running.poll_over(&mut cx, &mut pace()).is_ready());
        lines.pause_until(Instant::now() + Duration::from_secs(3600));
        let mut later = Lull::new(Some(connection));
        assert!(later.poll_over(&mut cx, &mut pace()).is_ready());
        assert!(running.poll_over(&mut cx, &mut pace()).is_pending());
        // What is over is over, although the clock of the lines has not moved.
        lines.pause_until(Instant::now());
        tokio::time::advance(Duration::from_secs(3601)).await;
        assert!(running.poll_over(&mut cx, &mut pace()).is_ready());
    }

    #[tokio::test]
    async fn a_body_whose_address_is_gone_is_woken_even_out_of_a_pause() {
        let lines = Lines::default();
        let (connection, _line) = connection(&lines);
        let (woken, mut pace) = (Arc::new(Woken::default()), pace());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut lull = Lull::new(Some(connection.clone()));
        assert!(lull.poll_ended(&mut cx).is_pending());
        lines.pause_until(Instant::now() + Duration::from_secs(3600));
        assert!(lull.poll_over(&mut cx, &mut pace).is_pending());
        assert_eq!((sever(&lines), woken.0.load(Ordering::SeqCst)), ((1, 1), 1));
        assert!(lull.poll_over(&mut cx, &mut pace).is_ready());
        for _ in 1..EMPTY_LOOKS {
            assert!(lull.poll_ended(&mut cx).is_pending());
        }
        assert!(lull.poll_ended(&mut cx).is_ready());
        drop(lull);
        assert!(connection.is_closed());
    }

    #[tokio::test]
    async fn what_still_arrives_by_an_address_that_is_gone_is_taken_first() {
        let lines = Lines::default();
        let (connection, _line) = connection(&lines);
        let mut cx = Context::from_waker(Waker::noop());
        let mut lull = Lull::new(Some(connection));
        sever(&lines);
        for _ in 0..10 {
            assert!(lull.poll_ended(&mut cx).is_pending());
            lull.took();
        }
    }
}
