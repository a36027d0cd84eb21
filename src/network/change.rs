//! [`Standing`]: the addresses of this machine; [`History`]: which changes of them concern us.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Most addresses that are remembered because connections lost them. Who has more loses the memory.
const MAX_MISSED: usize = 256;

/// The addresses of this machine at one moment, each with whether its link carries anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing(BTreeMap<IpAddr, bool>);

impl FromIterator<(IpAddr, bool)> for Standing {
    fn from_iter<I: IntoIterator<Item = (IpAddr, bool)>>(addresses: I) -> Self {
        Self(addresses.into_iter().collect())
    }
}

/// What a change of the network means for our connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Addresses that connections have, and this machine has no more.
    pub(super) gone: BTreeSet<IpAddr>,
    /// Addresses that connections lost, and that are back.
    pub(super) come: BTreeSet<IpAddr>,
    /// Addresses that connections have, and whose link went down or up.
    pub(super) shifted: BTreeSet<IpAddr>,
    /// Whether anything changed at all.
    pub(super) any: bool,
}

impl Change {
    /// Whether it is about an address that our connections have, or had until it went.
    ///
    /// What is not: a container's link that comes and goes, a tunnel that nobody reaches us by.
    pub(super) fn concerns_us(&self) -> bool {
        !(self.gone.is_empty() && self.come.is_empty() && self.shifted.is_empty())
    }
}

/// What was there at the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    before: Standing,
    /// Addresses that went while connections had them.
    missed: BTreeSet<IpAddr>,
}

impl History {
    /// Begins with what is there.
    pub(super) fn new(now: Standing) -> Self {
        Self { before: now, missed: BTreeSet::new() }
    }

    /// Addresses that went while connections had them, and are not back.
    pub(super) const fn missed(&self) -> &BTreeSet<IpAddr> {
        &self.missed
    }

    /// Takes it that the addresses of connections were there, for whoever looks seldom: a connection may have begun
    /// after the last look, and its address may be gone at the next one.
    pub(super) fn were_there(&mut self, used: &BTreeSet<IpAddr>) {
        for address in used.difference(&self.missed) {
            self.before.0.entry(*address).or_insert(true);
        }
    }

    /// Another look, while connections have the addresses `used`.
    ///
    /// An address that was never seen on a link (a whole network routed to this machine, say) is not
    /// missed either.
    pub(super) fn look(&mut self, now: Standing, used: &BTreeSet<IpAddr>) -> Change {
        let before = std::mem::replace(&mut self.before, now);
        let now = &self.before.0;
        let mut change = Change { any: before.0 != *now, ..Change::default() };
        for (address, was_up) in &before.0 {
            match now.get(address) {
                None if used.contains(address) => drop(change.gone.insert(*address)),
                Some(is_up) if is_up != was_up && used.contains(address) => {
                    change.shifted.insert(*address);
                }
                None | Some(_) => {}
            }
        }
        change.come =
            self.missed.iter().filter(|missed| now.contains_key(missed)).copied().collect();
        self.missed.retain(|missed| !change.come.contains(missed));
        if self.missed.len().saturating_add(change.gone.len()) > MAX_MISSED {
            self.missed.clear();
        }
        self.missed.extend(change.gone.iter().take(MAX_MISSED));
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> BTreeSet<IpAddr> {
        list.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn standing(up: &[&str], down: &[&str]) -> Standing {
        let up = addresses(up).into_iter().map(|address| (address, true));
        up.chain(addresses(down).into_iter().map(|address| (address, false))).collect()
    }

    const ETHERNET: &str = "192.0.2.7";
    const WIFI: &str = "2001:db8::7";
    const CONTAINER: &str = "172.17.0.1";

    #[test]
    fn an_address_that_connections_have_is_gone_and_comes_back_once() {
        let mut history = History::new(standing(&[ETHERNET, WIFI], &[]));
        let used = addresses(&[ETHERNET, WIFI]);
        let change = history.look(standing(&[WIFI], &[]), &used);
        assert_eq!(change.gone, addresses(&[ETHERNET]));
        assert!(change.concerns_us());
        // Its connections have ended.
        let used = addresses(&[WIFI]);
        assert!(!history.look(standing(&[WIFI], &[]), &used).concerns_us());
        let change = history.look(standing(&[ETHERNET, WIFI], &[]), &used);
        assert_eq!(change.come, addresses(&[ETHERNET]));
        assert!(!history.look(standing(&[ETHERNET, WIFI], &[]), &used).concerns_us());
    }

    #[test]
    fn links_that_no_connection_came_by_may_come_and_go() {
        let mut history = History::new(standing(&[ETHERNET, WIFI], &[]));
        let used = addresses(&[ETHERNET]);
        for now in [standing(&[ETHERNET, WIFI, CONTAINER], &[]), standing(&[ETHERNET], &[WIFI])] {
            let change = history.look(now, &used);
            assert!(change.any && !change.concerns_us(), "{change:?}");
        }
        assert!(!history.look(standing(&[ETHERNET], &[]), &used).concerns_us());
    }

    #[test]
    fn a_link_that_goes_down_keeps_its_address_and_concerns_those_who_have_it() {
        let mut history = History::new(standing(&[ETHERNET], &[]));
        let used = addresses(&[ETHERNET]);
        let change = history.look(standing(&[], &[ETHERNET]), &used);
        assert_eq!((change.gone.len(), change.shifted), (0, used));
    }

    #[test]
    fn an_address_that_no_link_ever_had_is_not_missed() {
        let mut history = History::new(standing(&[ETHERNET], &[]));
        let used = addresses(&["127.0.0.5", "198.51.100.9"]);
        assert!(!history.look(standing(&[ETHERNET], &[]), &used).any);
    }

    #[test]
    fn where_looks_are_seldom_the_address_of_a_young_connection_is_missed_once() {
        let mut history = History::new(standing(&[], &[]));
        let used = addresses(&[ETHERNET]);
        history.were_there(&used);
        assert_eq!(history.look(standing(&[], &[]), &used).gone, used);
        // Its connection has not ended yet.
        history.were_there(&used);
        assert!(!history.look(standing(&[], &[]), &used).concerns_us());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut history = History::default();
        for number in 0..10_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            let used = BTreeSet::from([address]);
            history.look(Standing::from_iter([(address, true)]), &used);
            history.look(Standing::default(), &used);
            assert!(history.missed.len() <= MAX_MISSED);
        }
    }
}
