//! Which client a request comes from, for what is remembered of it.
//!
//! A client is a device of an owner; where nobody in particular owns, it is an address. Only a keyed hash of either
//! goes further. An owner has [`DEVICES`] devices at most: more names fall together, so that making up
//! names brings nobody more than that.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::engine::profiles::{Census, ClientKey, Profiles};
use crate::engine::{Clock as _, SystemClock};
use crate::protocol::head::RequestHead;
use crate::tuning::profile::{ClientProfile, Hints, Lesson};
use crate::upload::Owner;

use super::client_hints;

/// Devices of one owner, or behind one address.
const DEVICES: u8 = 8;

/// Hashes clients: secret, and the same for the life of the data directory.
#[derive(Clone)]
pub struct ClientHash([u8; 32]);

impl ClientHash {
    /// The hash with this key.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn of(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut key = [0; 64];
        key.iter_mut().zip(self.0).for_each(|(byte, secret)| *byte = secret);
        let mut code = Hmac::<Sha256>::new(&key.into());
        for part in parts {
            code.update(part);
        }
        let code: [u8; 32] = code.finalize().into_bytes().into();
        *code.first_chunk::<16>().unwrap_or(&[0; 16])
    }

    /// The key of one device; `None` if nothing is known that could tell the client from others.
    fn client(&self, owner: &Owner, address: Option<IpAddr>, device: u8) -> Option<ClientKey> {
        match (owner.name(), address) {
            (Some(name), _) => {
                Some(ClientKey::new(true, self.of(&[&[1, device], name.as_bytes()])))
            }
            (None, Some(address)) => {
                Some(ClientKey::new(false, self.of(&[&[0, device], &network(address)])))
            }
            (None, None) => None,
        }
    }

    /// Into which of the places of devices a name falls; 0 is that of a client which names none.
    fn device(&self, name: Option<&str>) -> u8 {
        let Some(name) = name else { return 0 };
        let [first, ..] = self.of(&[&[2], name.as_bytes()]);
        1 + first % (DEVICES - 1)
    }

    /// Every client that `owner` may be.
    pub(super) fn clients_of(&self, owner: &Owner) -> Vec<ClientKey> {
        (0..DEVICES).filter_map(|device| self.client(owner, None, device)).collect()
    }
}

impl std::fmt::Debug for ClientHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ClientHash(hidden)")
    }
}

/// What stands for an address: all of IPv4, of IPv6 what one customer has (/64).
fn network(address: IpAddr) -> [u8; 8] {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(address) => *address.octets().first_chunk::<8>().unwrap_or(&[0; 8]),
    }
}

/// What is remembered of clients, and the hash by which they are found. Clones share it.
#[derive(Clone, Debug)]
pub struct Clients {
    profiles: Profiles,
    hash: ClientHash,
}

impl Clients {
    /// Clients as `profiles` know them.
    #[must_use]
    pub const fn new(profiles: Profiles, hash: ClientHash) -> Self {
        Self { profiles, hash }
    }

    /// Who sent this request, acting for `owner`.
    pub(super) fn who(
        &self,
        head: &RequestHead<'_>,
        owner: &Owner,
        address: Option<IpAddr>,
    ) -> Option<Client> {
        let device = self.hash.device(client_hints::device(head));
        let key = self.hash.client(owner, address, device)?;
        Some(Client { profiles: self.profiles.clone(), key, hints: client_hints::read(head) })
    }

    /// How many are remembered.
    pub(super) fn census(&self) -> Census {
        self.profiles.census()
    }

    /// Forgets an owner, whatever its device. Blocking.
    ///
    /// # Errors
    ///
    /// As [`Profiles::forget`].
    pub(super) fn forget(&self, owner: &Owner) -> Result<(), crate::engine::EngineError> {
        Ok(self.profiles.forget(&self.hash.clients_of(owner))?)
    }
}

/// One client, as a transfer knows it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    profiles: Profiles,
    key: ClientKey,
    hints: Hints,
}

impl Client {
    /// What is known of it.
    pub(super) fn profile(&self) -> Option<ClientProfile> {
        self.profiles.of(self.key, SystemClock.now())
    }

    /// What it said of its connection.
    pub(super) const fn hints(&self) -> Hints {
        self.hints
    }

    /// Its transfer has ended.
    pub(super) fn learn(&self, lesson: &Lesson) {
        self.profiles.learn(self.key, lesson, SystemClock.now());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn hash() -> ClientHash {
        ClientHash::new([7; 32])
    }

    #[test]
    fn a_name_counts_more_than_an_address_and_ipv6_by_64_bits() {
        let (ann, nobody) = (Owner::named("ann".to_owned()), Owner::anonymous());
        let at = |owner: &Owner, address: &str| {
            hash().client(owner, Some(address.parse().unwrap()), 0).unwrap()
        };
        assert_eq!(at(&ann, "192.0.2.1"), at(&ann, "192.0.2.2"));
        assert_ne!(at(&nobody, "192.0.2.1"), at(&nobody, "192.0.2.2"));
        assert_eq!(at(&nobody, "192.0.2.1"), at(&nobody, "::ffff:192.0.2.1"));
        assert_eq!(at(&nobody, "2001:db8::1"), at(&nobody, "2001:db8::2"));
        assert_ne!(at(&nobody, "2001:db8::1"), at(&nobody, "2001:db8:0:1::1"));
        assert_eq!(hash().client(&nobody, None, 0), None);
    }

    #[test]
    fn a_thousand_devices_are_eight_and_an_owner_is_forgotten_with_all_of_them() {
        let ann = Owner::named("ann".to_owned());
        let names = (0..1000).map(|number| format!("device-{number}"));
        let mut places: BTreeSet<u8> = names.map(|name| hash().device(Some(&name))).collect();
        places.insert(hash().device(None));
        assert_eq!(places.len(), usize::from(DEVICES));
        let keys = places.into_iter().map(|place| hash().client(&ann, None, place).unwrap());
        assert_eq!(keys.collect::<Vec<_>>(), hash().clients_of(&ann));
    }

    #[test]
    fn another_key_finds_nobody() {
        let ann = Owner::named("ann".to_owned());
        assert_ne!(hash().clients_of(&ann), ClientHash::new([8; 32]).clients_of(&ann));
    }
}
