//! Signals: when to stop, when to hurry, when to read certificates again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What an operator, or the system, wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// Hears signals from its creation on.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Starts to listen. From now on the signals do not end the process by themselves.
    ///
    /// # Errors
    ///
    /// The system's, if it does not let us.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next wish. Cancel-safe: a signal is not lost.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.hang_up.recv() => Wish::Reload,
        }
    }

    /// Waits until somebody wants it to stop (again).
    pub async fn stop(&mut self) {
        while self.next().await != Wish::Stop {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_hang_up_asks_for_a_reload() {
        let mut signals = Signals::listen().unwrap();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP)
            .unwrap();
        let wish = tokio::time::timeout(Duration::from_secs(10), signals.next()).await;
        assert_eq!(wish, Ok(Wish::Reload));
    }
}
