//! Memory for a body's batches.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use crate::http::memory::{Budget, Held};
use crate::http::pace::Pace;
use crate::http::tuner::Course;

/// Memory for the batches of one body: as much as its course says.
pub(super) struct Room {
    budget: Budget,
    pub(super) course: Course,
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
    pub(super) fn new(budget: &Budget, course: Course) -> Self {
        Self { budget: budget.clone(), course, held: None, awaited: None }
    }

    /// Ready once there is room for a batch of so many bytes. The client has no part in the time that it
    /// takes.
    pub(super) fn poll_hold(&mut self, cx: &mut Context<'_>, pace: &mut Pace) -> Poll<usize> {
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

    pub(super) const fn is_awaited(&self) -> bool {
        self.awaited.is_some()
    }

    pub(super) fn give_back(&mut self) {
        self.held = None;
    }
}
