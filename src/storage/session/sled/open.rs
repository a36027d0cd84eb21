//! Opening the database, and what an operator is told when that fails.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sled::{Db, Tree};

use crate::storage::StorageError;

use super::ahead::{self, Ahead};
use super::doubt;
use super::flush::Flush;
use super::mark::{Behind, Beside, Mark};
use super::snapshots::{self, Damaged};
use super::{SledSettings, border, mark};

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
    /// It opens, but what it holds is older than what was acknowledged; see `mark`.
    #[error(
        "the session database has lost its newest changes (it knows {known} of {were} flushes): keep a \
         copy of the data directory, then recreate it from the uploads with `tidegate doctor --rebuild`"
    )]
    Behind {
        /// Flushes that it knows.
        known: u64,
        /// Flushes that there were.
        were: u64,
    },
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
    pub(super) profiles: Tree,
    pub(super) flush: Flush,
    pub(super) ahead: Arc<Ahead>,
}

/// Opens the database in `settings.path`, or creates it there.
pub(super) fn open(settings: &SledSettings) -> Result<Opened, StorageError> {
    let path = settings.path.as_path();
    let unusable = |source| SledTrouble::Unusable { path: path.to_owned(), source };
    create(path).map_err(unusable)?;
    ahead::give_back(path);
    doubt::clear_up(path).map_err(unusable)?;
    // Without syncs there is no mark to tell what a log without its snapshot has lost.
    let tells = settings.sync || settings.salvage;
    let damaged = if tells { Damaged::SetAside } else { Damaged::Refused };
    prepare(path, damaged).map_err(unusable)?;
    // sled panics on some kinds of damage instead of returning an error.
    let attempt =
        || border::caught(|| patient(|| trees(settings)).map_err(|error| refused(path, error)));
    let opened = match attempt() {
        Err(_) if settings.salvage => {
            ignore_settings(path).map_err(unusable)?;
            attempt()
        }
        Err(StorageError::NoRoom) => {
            // The next try shall find again what this one did.
            drop(Ahead::of(path));
            return Err(StorageError::NoRoom);
        }
        opened => opened,
    };
    let (db, [sessions, pieces, expiry, owners, profiles, mark]) = opened?;
    let beside = match (settings.salvage, settings.sync) {
        (true, _) => Beside::LeftAlone,
        (false, true) => Beside::Kept,
        (false, false) => Beside::Removed,
    };
    let mark = border::caught(|| Ok(Mark::open(mark, path, beside)))?.map_err(unusable)?;
    if let Err(Behind { known, were }) = mark.agrees().map_err(unusable)? {
        return Err(SledTrouble::Behind { known, were }.into());
    }
    if !settings.salvage {
        snapshots::let_go(path).map_err(unusable)?;
    }
    // Also where commits do not wait for the device: without its settings the database would not
    // open again after a power cut.
    let log = settle(path).inspect_err(|_| doubt::raise(path)).map_err(unusable)?;
    let log = settings.sync.then_some(log);
    let ahead = Arc::new(Ahead::of(path).map_err(unusable)?);
    let flush = flush(db, log, path.to_owned(), Arc::clone(&ahead), mark);
    Ok(Opened { sessions, pieces, expiry, owners, profiles, flush, ahead })
}

fn create(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Renames sled's settings, which it makes anew: damaged ones keep it from opening a log that is sound.
#[expect(
    clippy::disallowed_methods,
    reason = "in a database that was set aside; after a power cut the doctor does it again"
)]
fn ignore_settings(path: &Path) -> io::Result<()> {
    match std::fs::rename(path.join("conf"), path.join("ignored-conf")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
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

/// As [`patient`], for what comes before. If it stays in use, opening it will say so.
fn prepare(path: &Path, damaged: Damaged) -> io::Result<()> {
    let deadline = Instant::now().checked_add(LOCK_WAIT);
    while !snapshots::prepare(path, damaged)? && deadline.is_some_and(|end| Instant::now() < end) {
        thread::park_timeout(LOCK_POLL);
    }
    Ok(())
}

fn trees(settings: &SledSettings) -> sled::Result<(Db, [Tree; 6])> {
    // `Mode` is left alone: sled 0.34 keeps the setting but nothing in it reads it. The segment
    // size is left alone too, because it is also the size of sled's write buffers.
    let db = sled::Config::new()
        .path(&settings.path)
        .cache_capacity(settings.cache_bytes)
        .flush_every_ms(None)
        .open()?;
    let tree = |name: &str| db.open_tree(name);
    let (sessions, pieces) = (tree("sessions")?, tree("pieces")?);
    let (expiry, owners, profiles) = (tree("expiry")?, tree("owners")?, tree("profiles")?);
    let trees = [sessions, pieces, expiry, owners, profiles, tree(mark::TREE)?];
    Ok((db, trees))
}

/// Syncs what opening created, names included; returns a handle on sled's log.
///
/// Names first: sled has given back segments that only the snapshot before this one needs.
fn settle(path: &Path) -> io::Result<File> {
    File::open(path)?.sync_all()?;
    let log = File::open(path.join("db"))?;
    log.sync_all()?;
    File::open(path.join("conf"))?.sync_all()?;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(log)
}

/// `flush` of sled 0.34 on Linux writes its buffers and calls `sync_file_range`, which persists
/// neither the size of the file nor what the device holds in its cache. That is enough to survive
/// `kill -9`; for a power cut the log is synced on a handle of our own as well.
fn flush(db: Db, log: Option<File>, path: PathBuf, ahead: Arc<Ahead>, mut mark: Mark) -> Flush {
    let mut flush = move || {
        mark.begin().map_err(|error| error.to_string())?;
        db.flush().map_err(|error| error.to_string())?;
        ahead.renew();
        log.as_ref().map_or(Ok(()), File::sync_data).map_err(|error| error.to_string())?;
        mark.done();
        Ok(())
    };
    Box::new(move || flush().inspect_err(|_| doubt::raise(&path)))
}

/// Why it was not opened, for whoever asked.
fn refused(path: &Path, error: sled::Error) -> StorageError {
    match error {
        sled::Error::Io(error) if error.kind() == io::ErrorKind::StorageFull => {
            StorageError::NoRoom
        }
        error @ (sled::Error::Io(_)
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::CollectionNotFound(_)
        | sled::Error::Corruption { .. }) => explained(path, error).into(),
    }
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
