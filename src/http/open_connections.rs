//! [`OpenConnections`]: how many there are, and how many were one too many.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::shares::Share;

/// An address that has too many connections is named this often, so that a flood does not fill the log.
const NAMED_EVERY: Duration = Duration::from_secs(60);

/// How many connections are open; clones count the same.
#[derive(Clone, Debug, Default)]
pub struct OpenConnections(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    open: AtomicUsize,
    refused: AtomicU64,
    named: Mutex<Option<Instant>>,
}

impl OpenConnections {
    /// How many there are now.
    #[must_use]
    pub fn get(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// How many were closed at once, because their address had as many as it may have.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Counts one more until the guard is dropped, which gives back the share of its address.
    pub(super) fn open(&self, share: Option<Share>) -> OpenConnection {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        OpenConnection { connections: self.clone(), _share: share }
    }

    /// Counts one that is closed at once, and names its address now and then.
    pub(super) fn refuse(&self, address: IpAddr) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        let mut named = self.0.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.is_none_or(|last| last.elapsed() >= NAMED_EVERY) {
            *named = Some(Instant::now());
            tracing::warn!(
                %address,
                "{address} has as many connections as server.max_connections_per_address allows; more \
                 are closed. If it is a proxy, name it in server.trusted_proxies"
            );
        }
    }
}

/// One open connection, as counted.
#[derive(Debug)]
pub(super) struct OpenConnection {
    connections: OpenConnections,
    _share: Option<Share>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_connections_are_counted_until_they_are_dropped() {
        let open = OpenConnections::default();
        let (first, second) = (open.open(None), open.open(None));
        assert_eq!(open.get(), 2);
        drop((first, second));
        assert_eq!(open.get(), 0);
    }

    #[test]
    fn refused_connections_are_counted_and_not_open() {
        let open = OpenConnections::default();
        open.clone().refuse(IpAddr::from([192, 0, 2, 1]));
        assert_eq!((open.get(), open.refused()), (0, 1));
    }
}
