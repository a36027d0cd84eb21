//! Signed links: a credential that fits into a URL.
//!
//! ```text
//! link    = "tgl1." base64url(payload ‖ mac)              without padding
//! payload = verbs ‖ expiry ‖ max ‖ owner
//! mac     = HMAC-SHA256(key, "tgl1." ‖ payload)           32 bytes
//! ```
//!
//! `verbs` is one byte with a bit per verb, `expiry` the Unix time in seconds and `max` the longest
//! upload in bytes, both 8 bytes with the highest first; `max` is all ones where there is no bound.
//! `owner` is text up to the mac (A-30).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use crate::upload::{Owner, Timestamp, UploadLength};

use super::owner::{MAX_OWNER_BYTES, owner};
use super::verb::Verbs;

/// How every link begins. Another layout gets another number.
pub const PREFIX: &str = "tgl1.";
/// The query parameter that carries one.
pub const PARAMETER: &str = "link";

const FIXED_BYTES: usize = 17;
const MAC_BYTES: usize = 32;
/// No link is longer.
const MAX_TEXT_BYTES: usize =
    PREFIX.len() + (FIXED_BYTES + MAX_OWNER_BYTES + MAC_BYTES).div_ceil(3) * 4;

/// Signs links, and knows its own.
#[derive(Clone, Debug)]
pub struct LinkKey(hmac::Key);

impl LinkKey {
    /// The key with these bytes.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

/// What a link allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// To whom uploads made with it belong; always a name.
    pub owner: Owner,
    /// When it ends, in whole seconds.
    pub expires_at: Timestamp,
    /// Longest upload that may be created with it.
    pub max_length: Option<UploadLength>,
    /// What it is good for.
    pub verbs: Verbs,
}

/// Why a text is no good link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It was not made with this key, or was changed since.
    #[error("not a link of ours")]
    Forged,
    /// It was good once.
    #[error("the link expired")]
    Expired,
}

impl Link {
    /// The link as text, of URL-safe characters only; `None` if its owner's name is not one (A-4).
    #[must_use]
    pub fn sign(&self, key: &LinkKey) -> Option<String> {
        let name = self.owner.name()?;
        owner(name)?;
        let mut bytes = PREFIX.as_bytes().to_vec();
        bytes.push(self.verbs.bits());
        bytes.extend(self.expires_at.unix_seconds().to_be_bytes());
        bytes.extend(self.max_length.map_or(u64::MAX, UploadLength::get).to_be_bytes());
        bytes.extend(name.as_bytes());
        let mac = hmac::sign(&key.0, &bytes);
        bytes.extend(mac.as_ref());
        let signed = bytes.get(PREFIX.len()..)?;
        Some(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(signed)))
    }

    /// Reads a link. The signature is judged first and in constant time: nothing that was not
    /// signed is looked at (A-31).
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub fn read(text: &[u8], key: &LinkKey, now: Timestamp) -> Result<Self, LinkError> {
        let link = Self::unsealed(text, key).ok_or(LinkError::Forged)?;
        if now >= link.expires_at { Err(LinkError::Expired) } else { Ok(link) }
    }

    fn unsealed(text: &[u8], key: &LinkKey) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX.as_bytes())?;
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let mut bytes = PREFIX.as_bytes().to_vec();
        URL_SAFE_NO_PAD.decode_vec(encoded, &mut bytes).ok()?;
        let (signed, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        hmac::verify(&key.0, signed, mac).ok()?;
        let (verbs, rest) = signed.get(PREFIX.len()..)?.split_first()?;
        let (expiry, rest) = rest.split_first_chunk::<8>()?;
        let (max, name) = rest.split_first_chunk::<8>()?;
        let max_length = match u64::from_be_bytes(*max) {
            u64::MAX => None,
            bytes => Some(UploadLength::new(bytes)?),
        };
        let expiry = u64::from_be_bytes(*expiry).checked_mul(1000)?;
        Some(Self {
            owner: owner(std::str::from_utf8(name).ok()?)?,
            expires_at: Timestamp::from_unix_milliseconds(expiry),
            max_length,
            verbs: Verbs::from_bits(*verbs)?,
        })
    }
}

/// Whether a byte may be part of a link.
#[must_use]
pub const fn is_written_with(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// What a query says about links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InQuery<'a> {
    /// Nothing.
    Absent,
    /// One link, or what is said to be one.
    One(&'a str),
    /// More than one: which to believe is not ours to guess.
    Several,
}

/// The link in a query (A-32).
#[must_use]
pub fn in_query(query: &str) -> InQuery<'_> {
    let value = |pair: &str| pair.strip_prefix(PARAMETER)?.strip_prefix('=').map(str::len);
    let mut values = query.split('&').filter(|pair| value(pair).is_some());
    match (values.next(), values.next()) {
        (None, _) => InQuery::Absent,
        (Some(pair), None) => InQuery::One(pair.split_once('=').map_or("", |(_, link)| link)),
        (Some(_), Some(_)) => InQuery::Several,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::token::Verb;

    const NOON: Timestamp = Timestamp::from_unix_milliseconds(1_403_697_600_000);

    fn key(byte: u8) -> LinkKey {
        LinkKey::new(&[byte; 32])
    }

    fn link(name: &str, max: Option<u64>) -> Link {
        Link {
            owner: Owner::named(name.to_owned()),
            expires_at: NOON,
            max_length: max.and_then(UploadLength::new),
            verbs: Verbs::UPLOAD,
        }
    }

    fn before() -> Timestamp {
        Timestamp::from_unix_milliseconds(NOON.unix_milliseconds() - 1)
    }

    #[test]
    fn a_link_is_good_until_it_expires() {
        let text = link("ann", Some(5)).sign(&key(1)).unwrap();
        assert_eq!(Link::read(text.as_bytes(), &key(1), before()), Ok(link("ann", Some(5))));
        assert_eq!(Link::read(text.as_bytes(), &key(1), NOON), Err(LinkError::Expired));
    }

    #[test]
    fn a_link_of_another_key_is_forged_even_if_it_has_expired() {
        let text = link("ann", None).sign(&key(1)).unwrap();
        assert_eq!(Link::read(text.as_bytes(), &key(2), NOON), Err(LinkError::Forged));
    }

    #[test]
    fn the_payload_of_one_link_does_not_go_with_the_signature_of_another() {
        let decoded = |name: &str| {
            let text = link(name, None).sign(&key(1)).unwrap();
            URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX).unwrap()).unwrap()
        };
        let (ann, bob) = (decoded("ann"), decoded("bob"));
        let mac = ann.len() - MAC_BYTES;
        let swapped = [&ann[..mac], &bob[mac..]].concat();
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(swapped));
        assert_eq!(Link::read(text.as_bytes(), &key(1), before()), Err(LinkError::Forged));
    }

    #[test]
    fn a_link_is_short_and_no_longer_one_is_looked_at() {
        assert!(link("ann@example.org", Some(1)).sign(&key(1)).unwrap().len() < 100);
        let longest = link(&"x".repeat(MAX_OWNER_BYTES), None).sign(&key(1)).unwrap();
        assert!(longest.len() <= MAX_TEXT_BYTES);
        assert!(Link::read(longest.as_bytes(), &key(1), before()).is_ok());
        assert_eq!(link(&"x".repeat(MAX_OWNER_BYTES + 1), None).sign(&key(1)), None);
        assert_eq!(link("", None).sign(&key(1)), None);
    }

    #[test]
    fn a_query_holds_one_link_or_several_or_none() {
        for (query, expected) in [
            ("", InQuery::Absent),
            ("x=1&links=2&xlink=3&link", InQuery::Absent),
            ("link=a", InQuery::One("a")),
            ("x=1&link=a=b&y", InQuery::One("a=b")),
            ("link=", InQuery::One("")),
            ("link=a&link=a", InQuery::Several),
        ] {
            assert_eq!(in_query(query), expected, "{query:?}");
        }
    }

    proptest! {
        #[test]
        fn every_link_reads_back(
            name in "[a-zé@. -]{1,40}",
            seconds in 1..1_u64 << 40,
            max: Option<u32>,
            bits in 0..32_u8,
        ) {
            prop_assume!(owner(&name).is_some());
            let expires_at = Timestamp::from_unix_milliseconds(seconds * 1000);
            let verbs = Verb::ALL.into_iter().enumerate();
            let verbs = verbs.filter(|(index, _)| bits & (1 << index) != 0).map(|(_, verb)| verb);
            let verbs = verbs.fold(Verbs::NONE, Verbs::and);
            let link = Link { expires_at, verbs, ..link(&name, max.map(u64::from)) };
            let text = link.sign(&key(1)).unwrap();
            prop_assert_eq!(Link::read(text.as_bytes(), &key(1), Timestamp::default()), Ok(link));
        }

        #[test]
        fn one_changed_character_makes_it_forged(at: prop::sample::Index, to in "[A-Za-z0-9_.-]") {
            let text = link("ann", Some(7)).sign(&key(1)).unwrap();
            let mut changed = text.clone().into_bytes();
            let at = at.index(changed.len());
            changed[at] = to.as_bytes()[0];
            prop_assume!(changed != text.as_bytes());
            prop_assert_eq!(Link::read(&changed, &key(1), before()), Err(LinkError::Forged));
        }

        #[test]
        fn a_shortened_or_lengthened_link_is_forged(keep in 0..80_usize, tail in "[A-Za-z0-9]{0,4}") {
            let text = link("ann", Some(7)).sign(&key(1)).unwrap();
            let mut other = text.clone();
            other.truncate(keep);
            other.push_str(&tail);
            prop_assume!(other != text);
            prop_assert_eq!(Link::read(other.as_bytes(), &key(1), before()), Err(LinkError::Forged));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = Link::read(&bytes, &key(1), before());
            let _ = Link::read(&[PREFIX.as_bytes(), &bytes].concat(), &key(1), before());
        }
    }
}
