//! The data directory: made if need be, and locked for one process.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::ServerError;
use super::secret::Secret;

/// A data directory that this process alone works on.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The directory itself is locked, so no lock file can be left behind or removed; the lock
    /// ends with the handle, even after `kill -9`.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is not there, and locks it.
    ///
    /// # Errors
    ///
    /// [`ServerError::DataDir`] if it cannot be made or written, [`ServerError::Locked`] if another
    /// process works on it.
    pub fn claim(path: &Path) -> Result<Self, ServerError> {
        let failed =
            |doing| move |source| ServerError::DataDir { path: path.to_owned(), doing, source };
        create(path).map_err(failed("made"))?;
        let path = path.canonicalize().map_err(failed("found"))?;
        let lock = File::open(&path).map_err(failed("opened"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(ServerError::Locked { path }),
            Err(error) => Err(failed("locked")(error.into())),
        }
    }

    /// The directory, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the session store lives.
    #[must_use]
    pub fn sessions(&self) -> PathBuf {
        self.path.join("sessions")
    }

    /// Where the bytes live.
    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// The secret of this directory, made at the first start.
    ///
    /// # Errors
    ///
    /// [`ServerError::Secret`] if it cannot be read or made.
    pub fn secret(&self) -> Result<Secret, ServerError> {
        secret_in(&self.path)
    }

    /// Moves the session store out of the way, keeping it; returns where it is now, or `None` if
    /// there was none.
    ///
    /// # Errors
    ///
    /// [`ServerError::DataDir`] if it cannot be moved.
    pub fn set_sessions_aside(&self) -> Result<Option<PathBuf>, ServerError> {
        let sessions = self.sessions();
        if !sessions.exists() {
            return Ok(None);
        }
        let names = (1_u32..).map(|number| self.path.join(format!("sessions.damaged-{number}")));
        for aside in names {
            if !aside.exists() {
                moved(&sessions, &aside).map_err(|source| ServerError::DataDir {
                    path: self.path.clone(),
                    doing: "changed",
                    source,
                })?;
                return Ok(Some(aside));
            }
        }
        Ok(None)
    }
}

/// The secret of the data directory `path`, without claiming the directory: a gateway may run on it.
///
/// # Errors
///
/// [`ServerError::Secret`] if it cannot be read or made.
pub fn secret_in(path: &Path) -> Result<Secret, ServerError> {
    let path = path.join("secret");
    Secret::read_or_make(&path).map_err(|source| ServerError::Secret { path, source })
}

/// Private to its user: uploads lie there as the clients sent them.
///
/// Its name, and those above it that were made for it, are on the device afterwards: a file system may
/// forget a name whose directory was never synced, and everything below it.
fn create(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists());
    let made = made.count();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // Also if it was there: who made it may have been killed before the sync.
    for parent in path.canonicalize()?.ancestors().skip(1).take(made.max(1)) {
        match File::open(parent).and_then(|parent| parent.sync_all()) {
            // An operator who made the directory may keep what is above it to themselves.
            Err(error) if made == 0 && error.kind() == ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "moves a directory that nobody uses; a power cut leaves it under one of its two names"
)]
fn moved(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::rename(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_and_its_path_is_absolute() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::claim(&folder.path().join("a/b")).unwrap();
        assert!(data.path().is_absolute());
        assert!(data.path().is_dir());
    }

    #[test]
    fn a_directory_keeps_its_secret() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::claim(folder.path()).unwrap();
        let key = data.secret().unwrap().key_for("x");
        assert_eq!(secret_in(folder.path()).unwrap().key_for("x"), key, "beside a gateway");
    }

    #[test]
    fn a_directory_is_claimed_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::claim(folder.path()).unwrap();
        assert!(matches!(DataDir::claim(folder.path()), Err(ServerError::Locked { .. })));
        drop(first);
        assert!(DataDir::claim(folder.path()).is_ok());
    }

    #[test]
    fn a_session_store_that_is_set_aside_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::claim(folder.path()).unwrap();
        assert_eq!(data.set_sessions_aside().unwrap(), None);
        for number in 1..=2 {
            fs::create_dir(data.sessions()).unwrap();
            fs::write(data.sessions().join("db"), number.to_string()).unwrap();
            let aside = data.set_sessions_aside().unwrap().unwrap();
            assert!(aside.ends_with(format!("sessions.damaged-{number}")));
            assert_eq!(fs::read_to_string(aside.join("db")).unwrap(), number.to_string());
        }
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataDir::claim(file.path()).unwrap_err();
        assert!(error.to_string().contains("server.data_dir"), "{error}");
    }
}
