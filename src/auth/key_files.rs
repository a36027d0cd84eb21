//! Files with keys, looked at again so that keys can be changed without a restart (A-29).
//!
//! What was read last and could be used stays in use until a file says something else that can be
//! used. So a key is gone when its file no longer holds it, and a file that is being written, or
//! was written wrongly, changes nothing.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::protocol::token::jws::Algorithm;
use crate::protocol::token::key::{Key, KeyError};

/// No key file is longer.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// One file, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// Where it lies.
    pub path: PathBuf,
    /// What is in it.
    pub holds: Holds,
}

/// What a key file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// One key: for HS256 the secret itself, otherwise a public key in PEM.
    One {
        /// What it is for.
        algorithm: Algorithm,
        /// Its id, if tokens name it.
        id: Option<String>,
    },
    /// A JWK set.
    Set,
}

/// A key file that cannot be used. Says which, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The system does not give it.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Too long for what it should be.
    #[error("{} is longer than any key file", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("{} {why}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: KeyError,
    },
}

/// The keys of several files.
#[derive(Debug)]
pub struct KeyFiles {
    current: RwLock<Arc<Vec<Key>>>,
    files: Mutex<Vec<Followed>>,
}

/// A file with what it was last good for.
#[derive(Debug)]
struct Followed {
    file: KeyFile,
    keys: Vec<Key>,
    /// What it held when it was last looked at, usable or not.
    seen: Seen,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Bytes(Vec<u8>),
    Nothing,
}

impl KeyFiles {
    /// Reads every file. Blocking.
    ///
    /// # Errors
    ///
    /// The first [`KeyFileError`].
    pub fn load(files: Vec<KeyFile>) -> Result<Self, KeyFileError> {
        let followed = files.into_iter().map(|file| {
            let bytes = read(&file.path)?;
            let keys = file.keys(&bytes)?;
            Ok(Followed { file, keys, seen: Seen::Bytes(bytes) })
        });
        let files = followed.collect::<Result<Vec<_>, KeyFileError>>()?;
        let current = RwLock::new(Arc::new(together(&files)));
        Ok(Self { current, files: Mutex::new(files) })
    }

    /// The keys in use.
    pub(super) fn current(&self) -> Arc<Vec<Key>> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files that have changed, and logs what came of it. Blocking.
    pub fn follow(&self) {
        self.look_again(false);
    }

    /// Reads every file, changed or not, and logs what came of it. Blocking.
    pub fn reload(&self) {
        self.look_again(true);
    }

    fn look_again(&self, always: bool) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = false;
        for file in files.iter_mut() {
            changed |= file.look_again(always);
        }
        if changed {
            let fresh = Arc::new(together(&files));
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
    }
}

fn together(files: &[Followed]) -> Vec<Key> {
    files.iter().flat_map(|file| file.keys.iter().cloned()).collect()
}

impl Followed {
    /// Whether its keys are others now.
    fn look_again(&mut self, always: bool) -> bool {
        let read = read(&self.file.path);
        let seen = read.as_ref().map_or(Seen::Nothing, |bytes| Seen::Bytes(bytes.clone()));
        if seen == self.seen && !always {
            return false;
        }
        self.seen = seen;
        let path = self.file.path.display();
        match read.and_then(|bytes| self.file.keys(&bytes)) {
            Ok(keys) => {
                let count = keys.len();
                tracing::info!(file = %path, keys = count, "keys read again: {count} in {path}");
                if count == 0 {
                    tracing::warn!(file = %path, "no key is left in {path}");
                }
                self.keys = keys;
                true
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, file = %path, "the old keys of {path} stay in use");
                false
            }
        }
    }
}

impl KeyFile {
    /// Whether it can be read and used. Blocking.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`].
    pub fn check(&self) -> Result<(), KeyFileError> {
        self.keys(&read(&self.path)?).map(drop)
    }

    fn keys(&self, bytes: &[u8]) -> Result<Vec<Key>, KeyFileError> {
        let keys = match &self.holds {
            Holds::Set => Key::from_set(bytes),
            Holds::One { algorithm: Algorithm::Hs256, id } => {
                Key::from_secret(id.clone(), without_line_break(bytes)).map(|key| vec![key])
            }
            Holds::One { algorithm, id } => {
                Key::from_pem(id.clone(), *algorithm, bytes).map(|key| vec![key])
            }
        };
        keys.map_err(|why| KeyFileError::Unusable { path: self.path.clone(), why })
    }
}

/// Editors and `echo` end a file with a line break that is no part of the secret.
fn without_line_break(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

fn read(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| KeyFileError::Unreadable { path: path.to_owned(), source })?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_FILE_BYTES) {
        Ok(bytes)
    } else {
        Err(KeyFileError::TooLong { path: path.to_owned() })
    }
}

#[cfg(test)]
#[path = "key_files_tests.rs"]
mod tests;
