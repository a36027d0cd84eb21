//! [`Shares`]: how much each address has of what there is only so much of.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Bits of an IPv6 address that a provider gives to one customer; the rest is theirs to choose.
const NETWORK_BITS: u32 = 64;

/// What addresses have at once, and the most that one may have. Clones count the same.
///
/// Bounded by what is counted: an address that has nothing is not remembered.
#[derive(Clone, Debug)]
pub(super) struct Shares(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    most: Option<usize>,
    held: Mutex<HashMap<IpAddr, usize>>,
}

impl Shares {
    /// Lets every address have `most` at once; `None` is no bound.
    #[must_use]
    pub(super) fn new(most: Option<usize>) -> Self {
        Self(Arc::new(Counts { most, held: Mutex::default() }))
    }

    /// Counts one more for the address until the share is dropped; `None` if it has as many as it
    /// may have.
    pub(super) fn take(&self, address: IpAddr) -> Option<Share> {
        let Some(most) = self.0.most else { return Some(Share { counted: None }) };
        let origin = origin(address);
        let mut held = self.0.held();
        let count = held.entry(origin).or_insert(0);
        if *count >= most {
            return None;
        }
        *count = count.saturating_add(1);
        drop(held);
        Some(Share { counted: Some((Arc::clone(&self.0), origin)) })
    }
}

impl Counts {
    /// Whoever panicked while holding the lock left whole values behind.
    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the things that an address has.
#[derive(Debug)]
pub(super) struct Share {
    counted: Option<(Arc<Counts>, IpAddr)>,
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some((counts, origin)) = &self.counted else { return };
        let mut held = counts.held();
        if let Some(count) = held.get_mut(origin) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(origin);
            }
        }
    }
}

/// Whom an address belongs to: itself, or its /64.
pub(super) fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> NETWORK_BITS << NETWORK_BITS;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_at_most_its_share_and_others_have_theirs() {
        let shares = Shares::new(Some(2));
        let [first, second] = [address("192.0.2.1"), address("192.0.2.2")];
        let held = (shares.take(first).unwrap(), shares.take(first).unwrap());
        assert!(shares.take(first).is_none());
        assert!(shares.clone().take(second).is_some());
        drop(held.0);
        assert!(shares.take(first).is_some());
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_share() {
        let shares = Shares::new(Some(1));
        let _held = shares.take(address("2001:db8:0:7::1")).unwrap();
        assert!(shares.take(address("2001:db8:0:7:ffff::2")).is_none());
        assert!(shares.take(address("2001:db8:0:8::1")).is_some());
    }

    #[test]
    fn an_ipv4_address_is_the_same_by_way_of_ipv6() {
        let shares = Shares::new(Some(1));
        let _held = shares.take(address("192.0.2.1")).unwrap();
        assert!(shares.take(address("::ffff:192.0.2.1")).is_none());
    }

    #[test]
    fn an_address_that_has_nothing_is_not_remembered() {
        let shares = Shares::new(Some(1));
        for number in 0..100_u8 {
            drop(shares.take(IpAddr::from([192, 0, 2, number])));
        }
        assert_eq!(shares.0.held().len(), 0);
    }

    #[test]
    fn without_a_bound_nothing_is_counted() {
        let shares = Shares::new(None);
        let held: Vec<_> = (0..100).map(|_| shares.take(address("192.0.2.1")).unwrap()).collect();
        assert_eq!((held.len(), shares.0.held().len()), (100, 0));
    }
}
