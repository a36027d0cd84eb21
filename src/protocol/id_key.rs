//! Ids of uploads that follow from what a client chose: the same one each time, and not to be
//! guessed by whoever has not the key.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::upload::UploadId;

/// A key that leads names to uploads; never printed.
#[derive(Clone)]
pub struct IdKey([u8; 32]);

impl std::fmt::Debug for IdKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("IdKey(..)")
    }
}

impl IdKey {
    /// The key with these bytes: secret, and the same for the life of the data directory.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The upload that `parts`, one behind the other, mean: the first 16 bytes of their
    /// HMAC-SHA256, as a UUID of version 4. The caller keeps the parts from running into each
    /// other.
    #[must_use]
    pub fn upload(&self, parts: &[&[u8]]) -> UploadId {
        // HMAC fills a short key up with zeros; written out, no length is left that could be wrong.
        let mut key = [0; 64];
        key.iter_mut().zip(self.0).for_each(|(byte, secret)| *byte = secret);
        let mut code = Hmac::<Sha256>::new(&key.into());
        for part in parts {
            code.update(part);
        }
        let code: [u8; 32] = code.finalize().into_bytes().into();
        UploadId::from_random_bytes(*code.first_chunk::<16>().unwrap_or(&[0; 16]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lead_to_one_upload_as_if_they_were_one_and_under_another_key_to_another() {
        let key = IdKey::new([7; 32]);
        let id = key.upload(&[b"abc", b"de"]);
        assert_eq!(key.upload(&[b"ab", b"cde"]), id);
        assert_ne!(key.upload(&[b"abcdf"]), id);
        assert_ne!(IdKey::new([8; 32]).upload(&[b"abcde"]), id);
        assert_eq!(format!("{key:?}"), "IdKey(..)");
    }
}
