//! Where a request comes from: whose word about that is believed.

use std::borrow::Borrow;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::protocol::forwarded::{self, Forwarded};
use crate::protocol::head::RequestHead;

/// What the proxies in front of us say about a request; nothing, unless `peer` is one of the `trusted`.
///
/// Whoever reaches a Unix socket has no address; only a proxy does that, so that it counts as one as
/// soon as any proxy is trusted. `head` is read only if somebody is believed.
pub(super) fn said<'a, H: Borrow<RequestHead<'a>>>(
    trusted: &[IpNet],
    peer: Option<IpAddr>,
    head: impl FnOnce() -> H,
) -> Forwarded {
    let believed = |address: IpAddr| {
        let address = address.to_canonical();
        trusted.iter().any(|network| network.contains(&address))
    };
    if peer.map_or(!trusted.is_empty(), believed) {
        forwarded::read(head().borrow(), believed)
    } else {
        Forwarded::default()
    }
}
