//! Tells a service manager how it stands; does nothing when there is none.

use sd_notify::NotifyState;

fn tell(state: NotifyState<'_>) {
    // Without NOTIFY_SOCKET this is a no-op.
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

/// Connections are accepted.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// It is shutting down.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// Says "still alive" twice per watchdog period, if the service manager wants to hear it.
///
/// Runs on the runtime that serves: one that hangs falls silent.
pub async fn watchdog() {
    let Some(period) = sd_notify::watchdog_enabled().filter(|period| !period.is_zero()) else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval(period / 2);
    loop {
        ticks.tick().await;
        tell(NotifyState::Watchdog);
    }
}
