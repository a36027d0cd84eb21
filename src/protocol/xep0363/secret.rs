//! Keys, and HMAC-SHA256 values compared in constant time.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A key shared with whoever issues tokens. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Keeps these bytes; `None` if there are none, since everybody knows that key.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// The bytes, for whoever has to show that it knows them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether `digest` is the HMAC of `parts`, one behind the other. In constant time.
    #[must_use]
    pub fn signed(&self, parts: &[&[u8]], digest: &[u8]) -> bool {
        self.mac(parts).is_some_and(|mac| mac.verify_slice(digest).is_ok())
    }

    /// The HMAC of `parts`, one behind the other; `None` never happens, since a key of any length
    /// is one.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> Option<[u8; 32]> {
        self.mac(parts).map(|mac| mac.finalize().into_bytes().into())
    }

    fn mac(&self, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        for part in parts {
            mac.update(part);
        }
        Some(mac)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(hidden)")
    }
}

/// The 32 bytes that 64 **lower-case** hexadecimal digits stand for; `None` for everything else,
/// so that a token has exactly one written form.
#[must_use]
pub fn digest_from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_secret_is_none_and_a_secret_is_never_shown() {
        assert_eq!(Secret::new(""), None);
        assert_eq!(format!("{:?}", Secret::new("it-is-secret")), "Some((hidden))");
    }

    #[test]
    fn parts_are_signed_as_if_they_were_one() {
        // RFC 4231, test case 2.
        let key = Secret::new("Jefe").unwrap();
        let digest =
            digest_from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(key.sign(&[b"what do ya want for nothing?"]), digest);
        assert!(key.signed(&[b"what do ya ", b"want for ", b"nothing?"], &digest.unwrap()));
        assert!(!key.signed(&[b"what do ya want for nothing"], &digest.unwrap()));
    }

    #[test]
    fn a_digest_is_64_lower_case_digits_and_nothing_else() {
        let digest = "0a936e8c4c0d76cbdc6625e08011ba26270417412612c3e8086e0a54ddace1d8";
        assert!(digest_from_hex(digest).is_some());
        for text in [
            "",
            digest.get(1..).unwrap(),
            digest.get(..62).unwrap(),
            &format!("{digest}00"),
            &digest.to_uppercase(),
            &digest.replace('a', "A"),
            &digest.replace('a', "g"),
            &format!(" {}", digest.get(1..).unwrap()),
            &format!("0x{}", digest.get(2..).unwrap()),
            &"é".repeat(32),
        ] {
            assert_eq!(digest_from_hex(text), None, "{text}");
        }
    }
}
