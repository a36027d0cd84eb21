//! Asks which addresses this machine has.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, UdpSocket};

use super::change::Standing;

/// How often a list is begun again that changed while the kernel told it.
#[cfg(target_os = "linux")]
const ATTEMPTS: u32 = 5;

/// All addresses on links of this machine, as the kernel tells them. Blocking.
#[cfg(target_os = "linux")]
pub(super) fn on_links() -> io::Result<Standing> {
    let mut attempt = 1;
    loop {
        match list() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted && attempt < ATTEMPTS => {
                attempt = attempt.saturating_add(1);
            }
            listed => return listed,
        }
    }
}

#[cfg(target_os = "linux")]
fn list() -> io::Result<Standing> {
    use netlink_packet_core::Parseable as _;
    use netlink_packet_route::RouteNetlinkMessage;
    use netlink_packet_route::address::{AddressAttribute, AddressMessage};
    use netlink_packet_route::link::{LinkFlags, LinkHeader, LinkMessage};

    use super::netlink::dump;

    let mut running = BTreeSet::new();
    dump(None, RouteNetlinkMessage::GetLink(LinkMessage::default()), |_, payload| {
        if let Ok(link) = LinkHeader::parse(payload)
            && link.flags.contains(LinkFlags::Up | LinkFlags::LowerUp)
        {
            running.insert(link.index);
        }
    })?;
    let mut found = Vec::new();
    dump(None, RouteNetlinkMessage::GetAddress(AddressMessage::default()), |_, payload| {
        let Ok(message) = AddressMessage::parse(payload) else { return };
        let (mut local, mut other) = (None, None);
        for attribute in &message.attributes {
            if let AddressAttribute::Local(address) = attribute {
                local = Some(*address);
            } else if let AddressAttribute::Address(address) = attribute {
                other = Some(*address);
            }
        }
        // On a link from point to point the other one is the far end.
        let own = local.or(other);
        found.extend(own.map(|address| (address, running.contains(&message.header.index))));
    })?;
    Ok(found.into_iter().collect())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn on_links() -> io::Result<Standing> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Which of these addresses this machine has, found out by trying to use them: for where nobody can be
/// asked. Blocking; sends nothing.
///
/// Of links it knows nothing. With `net.ipv4.ip_nonlocal_bind` every address can be used, so none is ever
/// found to be gone.
pub(super) fn usable(addresses: &BTreeSet<IpAddr>) -> Standing {
    let is_there = |address: &&IpAddr| match UdpSocket::bind((**address, 0)) {
        Ok(_) => true,
        // Whatever else is wrong, the address is not.
        Err(error) => error.kind() != io::ErrorKind::AddrNotAvailable,
    };
    addresses.iter().filter(is_there).map(|address| (*address, true)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_kernel_lists_loopback_and_trying_finds_it_too() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        let only = |standing: Standing| {
            let mut history = super::super::change::History::new(standing);
            history.look(Standing::default(), &BTreeSet::from([loopback])).gone
        };
        assert_eq!(only(on_links().unwrap()), BTreeSet::from([loopback]));
        let tried = BTreeSet::from([loopback, "192.0.2.1".parse().unwrap()]);
        assert_eq!(usable(&tried), Standing::from_iter([(loopback, true)]));
    }
}
