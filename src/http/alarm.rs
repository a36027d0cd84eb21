//! [`Alarm`]: a timer that is set again and again.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_core::ready;
use tokio::time::Sleep;

/// A moment to be woken at.
#[derive(Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Ready at `moment`. A moment that moves later costs nothing until the earlier one passes.
    pub(super) fn poll(&mut self, moment: Instant, context: &mut Context<'_>) -> Poll<()> {
        let earlier = self.sleep.as_ref().is_some_and(|sleep| {
            let set_to = sleep.deadline().into_std();
            set_to <= moment && !sleep.is_elapsed()
        });
        if !earlier {
            self.reset(moment);
        }
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        ready!(sleep.as_mut().poll(context));
        if sleep.deadline().into_std() >= moment {
            return Poll::Ready(());
        }
        sleep.as_mut().reset(moment.into());
        sleep.as_mut().poll(context)
    }

    fn reset(&mut self, moment: Instant) {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(moment.into()),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(moment.into()))),
        }
    }
}
