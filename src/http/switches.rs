//! [`Switches`]: notices that a client goes on with an upload from another address, or by another
//! transport.
//!
//! Only whoever may write the upload gets here. Of an address nothing is kept but a hash by a key that
//! dies with the process, in memory, for a bounded number of uploads. Of two paths that bring chunks
//! in turn each turn is a switch: there is no telling which of them stays.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::events::Switch;
use crate::upload::UploadId;

use super::connection::{Carrier, Connection, Framing};
use super::shares::origin;

/// Parts that are locked apart, so that transfers rarely wait for each other.
const PARTS: usize = 16;

/// A look from a new path and the bytes that follow it belong together only for so long.
const SOON: Duration = Duration::from_secs(60);

/// The way by which a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// Of the client's address; 0 if none is known.
    address: u64,
    /// `None` for a request without a connection of ours (tests).
    transport: Option<(Carrier, Framing)>,
    /// The first byte that came by it, as far as this request is concerned.
    since: Instant,
}

impl Path {
    fn differs_from(&self, other: &Self) -> Option<Switch> {
        if self.address != other.address {
            Some(Switch::Address)
        } else if self.transport != other.transport {
            Some(Switch::Transport)
        } else {
            None
        }
    }
}

/// A switch, once bytes were accepted by the new path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Switched {
    pub(super) how: Switch,
    /// From the first byte on the new path to accepted bytes.
    pub(super) took: Duration,
}

/// By which path each upload came last. Clones share it.
#[derive(Clone)]
pub(super) struct Switches(Arc<Shared>);

struct Shared {
    key: RandomState,
    most: usize,
    parts: [Mutex<Part>; PARTS],
}

#[derive(Default)]
struct Part {
    last: HashMap<UploadId, Last>,
    /// In the order in which they are forgotten.
    order: VecDeque<UploadId>,
}

struct Last {
    path: Path,
    /// A look came by another path.
    looked: Option<Path>,
}

impl fmt::Debug for Switches {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Switches").field("most", &self.0.most).finish_non_exhaustive()
    }
}

impl Switches {
    /// Remembers the paths of at most about `most` uploads; the oldest is forgotten first.
    pub(super) fn new(most: usize) -> Self {
        let parts = std::array::from_fn(|_| Mutex::default());
        Self(Arc::new(Shared { key: RandomState::new(), most, parts }))
    }

    /// The way of a request of `client` that begins now.
    pub(super) fn path(&self, client: Option<IpAddr>, connection: Option<&Connection>) -> Path {
        let address = client.map_or(0, |client| self.0.key.hash_one(origin(client)).max(1));
        let opened = connection.and_then(Connection::opened_for_this_request);
        let transport = connection.map(|connection| (connection.carrier(), connection.framing()));
        Path { address, transport, since: opened.unwrap_or_else(Instant::now) }
    }

    /// Whoever may write the upload has looked at it by `path`.
    pub(super) fn looked(&self, id: UploadId, path: Path) {
        let Some(mut part) = self.part(id) else { return };
        if let Some(last) = part.last.get_mut(&id) {
            let known = |looked: Path| looked.differs_from(&path).is_none() && is_recent(looked);
            if path.differs_from(&last.path).is_none() {
                last.looked = None;
            } else if !last.looked.is_some_and(known) {
                last.looked = Some(path);
            }
        }
    }

    /// Bytes that came by `path` were accepted. Tells if that is another path than before.
    pub(super) fn accepted(&self, id: UploadId, path: Path, now: Instant) -> Option<Switched> {
        let most = self.0.most.div_ceil(PARTS);
        let mut part = self.part(id)?;
        let Some(last) = part.last.get_mut(&id) else {
            part.last.insert(id, Last { path, looked: None });
            part.order.push_back(id);
            if part.order.len() > most
                && let Some(oldest) = part.order.pop_front()
            {
                part.last.remove(&oldest);
            }
            return None;
        };
        let how = path.differs_from(&last.path);
        let looked = last.looked.take().filter(|looked| {
            looked.differs_from(&path).is_none() && is_recent(*looked) && looked.since < path.since
        });
        last.path = path;
        let since = looked.map_or(path.since, |looked| looked.since);
        how.map(|how| Switched { how, took: now.saturating_duration_since(since) })
    }

    /// `None` if nothing is remembered.
    fn part(&self, id: UploadId) -> Option<MutexGuard<'_, Part>> {
        let hash = self.0.key.hash_one(id);
        let index = hash.checked_rem(u64::try_from(PARTS).ok()?)?;
        let part = self.0.parts.get(usize::try_from(index).ok()?)?;
        (self.0.most > 0).then(|| part.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn is_recent(path: Path) -> bool {
    path.since.elapsed() < SOON
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(switches: &Switches, address: &str) -> Path {
        switches.path(Some(address.parse().unwrap()), None)
    }

    fn later(instant: Instant, milliseconds: u64) -> Instant {
        instant + Duration::from_millis(milliseconds)
    }

    #[test]
    fn another_address_is_a_switch_once_bytes_are_accepted_by_it() {
        let (switches, id) = (Switches::new(100), UploadId::generate());
        let (here, there) = (path(&switches, "192.0.2.1"), path(&switches, "192.0.2.2"));
        assert_eq!(switches.accepted(id, here, here.since), None);
        assert_eq!(switches.accepted(id, here, here.since), None);
        let took = Duration::from_millis(7);
        let switched = switches.accepted(id, there, later(there.since, 7));
        assert_eq!(switched, Some(Switched { how: Switch::Address, took }));
        assert_eq!(switches.accepted(id, there, there.since), None);
    }

    #[test]
    fn another_transport_from_the_same_address_is_told_apart() {
        let (switches, id) = (Switches::new(100), UploadId::generate());
        let first = path(&switches, "192.0.2.1");
        let second = Path { transport: Some((Carrier::Tls, Framing::Http2)), ..first };
        switches.accepted(id, first, first.since);
        let switched = switches.accepted(id, second, second.since).unwrap();
        assert_eq!(switched.how, Switch::Transport);
    }

    #[test]
    fn the_time_counts_from_the_look_that_came_first_by_the_new_path() {
        let (switches, id) = (Switches::new(100), UploadId::generate());
        let (here, look) = (path(&switches, "192.0.2.1"), path(&switches, "192.0.2.2"));
        switches.accepted(id, here, here.since);
        switches.looked(id, look);
        let bytes = Path { since: later(look.since, 20), ..look };
        let switched = switches.accepted(id, bytes, later(look.since, 50)).unwrap();
        assert_eq!(switched.took, Duration::from_millis(50));
    }

    #[test]
    fn a_look_alone_is_no_switch() {
        let (switches, id) = (Switches::new(100), UploadId::generate());
        let (here, look) = (path(&switches, "192.0.2.1"), path(&switches, "192.0.2.2"));
        switches.accepted(id, here, here.since);
        switches.looked(id, look);
        assert_eq!(switches.accepted(id, here, here.since), None);
    }

    #[test]
    fn addresses_of_one_network_of_ipv6_are_one() {
        let (switches, id) = (Switches::new(100), UploadId::generate());
        let (here, there) = (path(&switches, "2001:db8::1"), path(&switches, "2001:db8::2"));
        switches.accepted(id, here, here.since);
        assert_eq!(switches.accepted(id, there, there.since), None);
    }

    #[test]
    fn of_very_many_uploads_the_oldest_are_forgotten() {
        let switches = Switches::new(160);
        let here = path(&switches, "192.0.2.1");
        for _ in 0..10_000 {
            switches.accepted(UploadId::generate(), here, here.since);
        }
        let kept = |part: &Mutex<Part>| {
            let part = part.lock().unwrap();
            assert_eq!(part.last.len(), part.order.len());
            part.last.len()
        };
        let kept: usize = switches.0.parts.iter().map(kept).sum();
        assert!((1..=160).contains(&kept), "{kept}");
    }

    #[test]
    fn with_room_for_none_nothing_is_remembered() {
        let (switches, id) = (Switches::new(0), UploadId::generate());
        let (here, there) = (path(&switches, "192.0.2.1"), path(&switches, "192.0.2.2"));
        switches.accepted(id, here, here.since);
        assert_eq!(switches.accepted(id, there, there.since), None);
    }
}
