//! One connection after the other, until told to stop.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::slots::Slots;

use super::connection::{Connection, Ending};
use super::settings::ComponentSettings;

/// Where a component stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is connecting.
    Connecting,
    /// It is connected, and answers.
    Ready,
    /// It waits before it connects again.
    Waiting {
        /// What went wrong.
        why: String,
    },
    /// It was told to stop, and has.
    Stopped,
}

/// Keeps a component connected until `stop` becomes true or its sender is gone.
///
/// Never gives up: whatever the server does, it is tried again after a bounded wait. `state` always
/// says where it stands.
pub async fn run(
    settings: Arc<ComponentSettings>,
    slots: Arc<dyn Slots>,
    state: watch::Sender<State>,
    mut stop: watch::Receiver<bool>,
) {
    let mut failures: u32 = 0;
    loop {
        state.send_replace(State::Connecting);
        let mut ready_at = None;
        let ended = attempt(&settings, &slots, &state, &mut ready_at, &mut stop).await;
        let Err(ending) = ended else { break };
        let backoff = settings.timings.backoff;
        let lasted = ready_at.is_some_and(|at: Instant| at.elapsed() >= backoff.longest);
        failures = if lasted { 1 } else { failures.saturating_add(1) };
        let wait = backoff.wait(failures, random());
        let why = reason(&ending);
        tracing::warn!(why, ?wait, "the XMPP server is lost, connecting again");
        state.send_replace(State::Waiting { why });
        tokio::select! {
            () = sleep(wait) => {}
            () = stopped(&mut stop) => break,
        }
    }
    state.send_replace(State::Stopped);
}

/// One connection. `ready_at` is set once it is taken.
async fn attempt(
    settings: &Arc<ComponentSettings>,
    slots: &Arc<dyn Slots>,
    state: &watch::Sender<State>,
    ready_at: &mut Option<Instant>,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), Ending> {
    let connection = tokio::select! {
        opened = Connection::open(Arc::clone(settings)) => opened?,
        () = stopped(stop) => return Ok(()),
    };
    *ready_at = Some(Instant::now());
    tracing::info!(domain = settings.component.domain, "the XMPP server takes us as a component");
    state.send_replace(State::Ready);
    connection.serve(slots, stop).await
}

/// Waits until `stop` is true or its sender is gone.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone; the guard of a success must not live on.
    drop(stop.wait_for(|stop| *stop).await);
}

/// The failure and what is behind it, in one line.
fn reason(ending: &Ending) -> String {
    match std::error::Error::source(ending) {
        Some(source) => format!("{ending}: {source}"),
        None => ending.to_string(),
    }
}

fn random() -> u16 {
    let [high, low, ..] = uuid::Uuid::new_v4().into_bytes();
    u16::from_be_bytes([high, low])
}
