//! Secrets that sign on behalf of the gateway, and the keys made from them.
//!
//! A secret is never used itself: every purpose has a key of its own, HMAC-SHA256(secret, purpose),
//! so that what is signed for one can never be taken for the other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

/// What links are signed for.
pub const SIGNED_LINK: &str = "signed-link v1";
/// What leads session ids that clients chose to uploads.
pub const CHUNK_SESSION_ID: &str = "chunk-session-id v1";
/// What stands for clients in what is remembered of them.
pub const CLIENT: &str = "client v1";
/// What draws the sessions whose transfers are fitted.
pub const LOT: &str = "adaptive-lot v1";
/// What leads slots to uploads.
pub const SLOT: &str = "slot v1";
/// What slots of our own are signed for; the base path of their tenant follows.
pub const SLOT_TOKEN: &str = "slot-token v1";

/// Bytes of a secret that we make; a file of somebody else's has at least as many.
const SECRET_BYTES: usize = 32;
/// No secret file is longer.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Something that nobody else knows. Never printed.
#[derive(Clone)]
pub struct Secret(hmac::Key);

impl Secret {
    /// The key for one purpose.
    #[must_use]
    pub fn key_for(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0; 32];
        let tag = hmac::sign(&self.0, purpose.as_bytes());
        key.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        key
    }

    /// The secret in the file `path`. Blocking.
    ///
    /// # Errors
    ///
    /// The system's; [`io::ErrorKind::InvalidData`] if it is too short to be a secret, or too long.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        let long = u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES);
        if bytes.len() < SECRET_BYTES || long {
            let what = "a secret has between 32 bytes and 64 KiB";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The secret in the file `path`, which is made if it is not there: 32 random bytes that only
    /// its user may read. Once this returns, the file survives a power cut. Blocking.
    ///
    /// Several processes may do this at once: all get the same secret.
    ///
    /// # Errors
    ///
    /// As [`Secret::read`].
    pub fn read_or_make(path: &Path) -> io::Result<Self> {
        match Self::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(path)?,
            read => return read,
        }
        Self::read(path)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

/// Makes the file whole or not at all, and never over one that is there.
fn make(path: &Path) -> io::Result<()> {
    let mut bytes = [0; SECRET_BYTES];
    let random = SystemRandom::new().fill(&mut bytes);
    random.map_err(|_| io::Error::other("the system has no random numbers"))?;
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let draft = folder.join(format!("secret.{}", uuid::Uuid::new_v4().simple()));
    let written = write(&draft, &bytes).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&draft);
    written.and(removed)?;
    File::open(folder)?.sync_all()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    ///
    #[test]
    fn a_secret_is_made_once_and_for_its_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let made = Secret::read_or_make(&path).unwrap().key_for(SIGNED_LINK);
        assert_eq!(Secret::read_or_make(&path).unwrap().key_for(SIGNED_LINK), made);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (32, 0o600));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn everybody_who_makes_it_at_once_gets_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let make = || Secret::read_or_make(&path).unwrap().key_for(SIGNED_LINK);
        let keys: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn every_purpose_and_every_secret_has_a_key_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let secret = |name| Secret::read_or_make(&folder.path().join(name)).unwrap();
        let (one, other) = (secret("a"), secret("b"));
        assert_ne!(one.key_for(SIGNED_LINK), one.key_for("something else"));
        assert_ne!(one.key_for(SIGNED_LINK), other.key_for(SIGNED_LINK));
        assert_eq!(format!("{one:?}"), "Secret(hidden)");
    }

    #[test]
    fn a_file_that_is_too_short_for_a_secret_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, [1; 31]).unwrap();
        let error = Secret::read_or_make(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(fs::read(&path).unwrap(), [1; 31]);
    }
}
