//! Orphans: the first process of a container inherits those whose parents have ended.
//!
//! A health check that starts others, or a shell in the container, leaves some. Until somebody takes
//! its exit status, each that ends stays in the table of processes (a zombie), and that table is full
//! some day. The gateway starts no process itself, so every child is an orphan.

use rustix::process::{WaitOptions, getpid, wait};
use tokio::signal::unix::{SignalKind, signal};

/// Lets orphans go as they end, for as long as it is polled, if this is process 1. Never ready.
pub(super) async fn let_go() {
    if getpid().is_init() {
        match signal(SignalKind::child()) {
            Ok(mut ended) => loop {
                // One signal may stand for several; those from before the first are there, too.
                while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {}
                if ended.recv().await.is_none() {
                    break;
                }
            },
            Err(error) => {
                tracing::warn!(%error, "as process 1 it cannot let go of processes that end");
            }
        }
    }
    std::future::pending().await
}
