//! [`Lines`]: the TCP connections, by their addresses, as the kernel names them.
//!
//! Touched when a connection begins or ends, and by those who look at all of them; never by a
//! transfer that runs.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::path::{Path, PathSample};
use super::{Observer, Unobserved};

/// Whatever uses a connection.
pub trait Carried: Send + Sync {
    /// Our own address of the connection is gone: nothing comes or goes by it any more. How many transfers
    /// receive by it.
    fn severed(&self) -> usize;
}

/// The connections that there are; clones have the same ones.
#[derive(Clone)]
pub struct Lines(Arc<Shared>);

struct Shared {
    lines: Mutex<HashMap<Ends, Entry>>,
    next: AtomicU64,
    observer: Arc<dyn Observer>,
    /// Until when transfers pause, in nanoseconds since `origin`; 0 if they do not.
    paused_until: AtomicU64,
    origin: Instant,
}

/// Both ends, in the form in which the kernel tells them, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    local: (IpAddr, u16),
    peer: (IpAddr, u16),
}

impl Ends {
    pub(super) fn new(local: SocketAddr, peer: SocketAddr) -> Self {
        let plain = |end: SocketAddr| (end.ip().to_canonical(), end.port());
        Self { local: plain(local), peer: plain(peer) }
    }
}

struct Entry {
    /// Tells a connection from one with the same ends before it.
    number: u64,
    /// The family of the socket, which may be IPv6 although the addresses are not.
    is_ipv6: bool,
    path: Path,
    carried: Weak<dyn Carried>,
}

/// Who was told that their address is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Severed {
    /// Connections.
    pub connections: usize,
    /// Transfers that receive by them.
    pub transfers: usize,
}

/// A connection that is listed until this is dropped.
pub struct Line {
    lines: Lines,
    listed: Option<(Ends, u64)>,
    path: Path,
}

impl Default for Lines {
    fn default() -> Self {
        Self::new(Arc::new(Unobserved))
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lines").field("len", &self.lock().len()).finish_non_exhaustive()
    }
}

impl Lines {
    /// None yet.
    #[must_use]
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self(Arc::new(Shared {
            lines: Mutex::default(),
            next: AtomicU64::new(0),
            observer,
            paused_until: AtomicU64::new(0),
            origin: Instant::now(),
        }))
    }

    /// Lists a connection with these ends, if it has any: a Unix socket has none.
    #[must_use]
    pub fn list(
        &self,
        ends: Option<(SocketAddr, SocketAddr)>,
        path: Path,
        carried: Weak<dyn Carried>,
    ) -> Line {
        let listed = ends.map(|(local, peer)| {
            let number = self.0.next.fetch_add(1, Ordering::Relaxed);
            let key = Ends::new(local, peer);
            let entry = Entry { number, is_ipv6: local.is_ipv6(), path: path.clone(), carried };
            self.lock().insert(key, entry);
            (key, number)
        });
        Line { lines: self.clone(), listed, path }
    }

    /// Where our connections end: whether the socket is one of IPv6, and our port.
    pub(super) fn ports(&self) -> BTreeSet<(bool, u16)> {
        self.lock().iter().map(|(ends, entry)| (entry.is_ipv6, ends.local.1)).collect()
    }

    /// Takes note of what was measured. What is about nobody's connection is dropped.
    pub(super) fn take(&self, samples: &[(Ends, PathSample)]) {
        let paths: Vec<_> = {
            let lines = self.lock();
            let found = |(ends, sample): &(Ends, PathSample)| {
                Some((lines.get(ends)?.path.clone(), *sample))
            };
            samples.iter().filter_map(found).collect()
        };
        for (path, sample) in paths {
            let before = path.set(sample).unwrap_or_default();
            if sample.has_moved_since(&before) {
                self.0.observer.sampled(&sample);
            }
        }
    }

    /// Tells those whose own address is among `gone`.
    pub fn sever(&self, gone: &BTreeSet<IpAddr>) -> Severed {
        let severed: Vec<_> = {
            let lines = self.lock();
            let theirs = lines.iter().filter(|(ends, _)| gone.contains(&ends.local.0));
            theirs.filter_map(|(_, entry)| entry.carried.upgrade()).collect()
        };
        Severed {
            connections: severed.len(),
            transfers: severed.iter().map(|carried| carried.severed()).sum(),
        }
    }

    /// Our own addresses, as far as connections have them.
    pub(super) fn addresses(&self) -> BTreeSet<IpAddr> {
        self.lock().keys().map(|ends| ends.local.0).collect()
    }

    /// From now on transfers pause until then.
    pub fn pause_until(&self, until: Instant) {
        let since = until.saturating_duration_since(self.0.origin).as_nanos();
        self.0.paused_until.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.0.observer.settles(until.saturating_duration_since(Instant::now()));
    }

    /// Until when transfers pause, if they do. Costs one look at a number that hardly ever changes.
    #[must_use]
    pub fn paused_until(&self) -> Option<Instant> {
        match self.0.paused_until.load(Ordering::Relaxed) {
            0 => None,
            since => {
                let until = self.0.origin.checked_add(Duration::from_nanos(since));
                until.filter(|until| *until > Instant::now())
            }
        }
    }

    /// Who wants to know.
    #[must_use]
    pub fn observer(&self) -> &dyn Observer {
        self.0.observer.as_ref()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Ends, Entry>> {
        // Each change is one call of the map's.
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Some((ends, number)) = self.listed else { return };
        let mut lines = self.lines.lock();
        if lines.get(&ends).is_some_and(|entry| entry.number == number) {
            lines.remove(&ends);
        }
        drop(lines);
        if let Some(last) = self.path.sample() {
            self.lines.0.observer.ended(&last);
        }
    }
}
