//! Opening the database, and what an operator is told when that fails.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sled::{Db, Tree};

use crate::storage::StorageError;

use super::flush::Flush;
use super::{SledSettings, border};

/// How long opening waits for another user of the database to let go …
const LOCK_WAIT: Duration = Duration::from_secs(1);
/// … and how often it looks.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// What is wrong with the database, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum SledTrouble {
    /// Another process has it open.
    #[error(
        "another tidegate is running on {}: two cannot share one data directory; stop it, or give \
         this one another --data-dir", .0.display()
    )]
    Locked(PathBuf),
    /// It does not pass sled's checks; found when it is opened, or when the damaged part is read.
    #[error(
        "the session database is damaged ({0}): keep a copy of the data directory, then recreate \
         it from the uploads with `tidegate doctor --rebuild`"
    )]
    Damaged(String),
    /// Another version of sled wrote it, or with other parameters.
    #[error("the session database in {} cannot be used by this program: {what}", path.display())]
    Unsupported {
        /// Directory of the database.
        path: PathBuf,
        /// What sled found.
        what: String,
    },
    /// The operating system does not let us.
    #[error("the session database in {} cannot be opened", path.display())]
    Unusable {
        /// Directory of the database.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A flush failed. The store takes no changes until it is opened again.
    #[error("sessions could not be written to the disk ({0}); restart once the disk is well again")]
    Flush(String),
}

impl From<SledTrouble> for StorageError {
    fn from(trouble: SledTrouble) -> Self {
        Self::Database(Box::new(trouble))
    }
}

/// A failure of sled while it is open.
pub(super) fn failed(error: sled::Error) -> StorageError {
    match error {
        sled::Error::Corruption { .. } => SledTrouble::Damaged(error.to_string()).into(),
        sled::Error::Io(_)
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::CollectionNotFound(_) => StorageError::Database(Box::new(error)),
    }
}

/// An open database.
pub(super) struct Opened {
    pub(super) sessions: Tree,
    pub(super) pieces: Tree,
    pub(super) expiry: Tree,
    pub(super) owners: Tree,
    pub(super) flush: Flush,
}

/// Opens the database in `settings.path`, or creates it there.
pub(super) fn open(settings: &SledSettings) -> Result<Opened, StorageError> {
    let path = settings.path.as_path();
    let unusable = |source| SledTrouble::Unusable { path: path.to_owned(), source };
    create(path).map_err(unusable)?;
    // sled panics on some kinds of damage instead of returning an error.
    let opened = border::caught(|| {
        patient(|| trees(settings)).map_err(|error| explained(path, error).into())
    })?;
    let (db, [sessions, pieces, expiry, owners]) = opened;
    let log = if settings.sync { Some(settle(path).map_err(unusable)?) } else { None };
    Ok(Opened { sessions, pieces, expiry, owners, flush: flush(db, log) })
}

fn create(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens again for a moment while the lock is held: by a process that is just ending, or by a
/// thread of sled that has not yet let go of a database which this process closed.
fn patient<T>(open: impl Fn() -> sled::Result<T>) -> sled::Result<T> {
    let deadline = Instant::now().checked_add(LOCK_WAIT);
    loop {
        match open() {
            Err(sled::Error::Io(error))
                if is_lock(&error) && deadline.is_some_and(|end| Instant::now() < end) =>
            {
                // Nobody tells when a lock is released; nobody wakes this thread earlier either.
                thread::park_timeout(LOCK_POLL);
            }
            outcome => return outcome,
        }
    }
}

fn trees(settings: &SledSettings) -> sled::Result<(Db, [Tree; 4])> {
    // `Mode` is left alone: sled 0.34 keeps the setting but nothing in it reads it. The segment
    // size is left alone too, because it is also the size of sled's write buffers.
    let db = sled::Config::new()
        .path(&settings.path)
        .cache_capacity(settings.cache_bytes)
        .flush_every_ms(None)
        .open()?;
    let tree = |name: &str| db.open_tree(name);
    let trees = [tree("sessions")?, tree("pieces")?, tree("expiry")?, tree("owners")?];
    Ok((db, trees))
}

/// Syncs what opening created, names included; returns a handle on sled's log.
fn settle(path: &Path) -> io::Result<File> {
    let log = File::open(path.join("db"))?;
    log.sync_all()?;
    File::open(path.join("conf"))?.sync_all()?;
    File::open(path)?.sync_all()?;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(log)
}

/// `flush` of sled 0.34 on Linux writes its buffers and calls `sync_file_range`, which persists
/// neither the size of the file nor what the device holds in its cache. That is enough to survive
/// `kill -9`; for a power cut the log is synced on a handle of our own as well.
fn flush(db: Db, log: Option<File>) -> Flush {
    Box::new(move || {
        db.flush().map_err(|error| error.to_string())?;
        log.as_ref().map_or(Ok(()), File::sync_data).map_err(|error| error.to_string())
    })
}

/// Turns sled's answer into what the operator has to know.
fn explained(path: &Path, error: sled::Error) -> SledTrouble {
    let path = path.to_owned();
    match error {
        sled::Error::Io(error) if is_lock(&error) => SledTrouble::Locked(path),
        sled::Error::Io(source) => SledTrouble::Unusable { path, source },
        sled::Error::Unsupported(what) => SledTrouble::Unsupported { path, what },
        sled::Error::Corruption { .. }
        | sled::Error::ReportableBug(_)
        | sled::Error::CollectionNotFound(_) => SledTrouble::Damaged(error.to_string()),
    }
}

/// sled 0.34 has no error of its own for this; the words are all there is to go by.
fn is_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other && error.to_string().contains("could not acquire lock")
}
