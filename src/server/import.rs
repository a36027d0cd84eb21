//! Files of another server become uploads, served at the addresses they have had.
//!
//! The old directory is only read. What cannot be taken in is named and passed over; only what would
//! go wrong for every further file ends it, such as a full device.

mod walk;

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::config::Settings;
use crate::engine::{AdoptOrder, Adopted, Engine, EngineError};
use crate::http::media_type;
use crate::http::settings::SlotTenant;
use crate::protocol::chunked::address::{CHUNKED_UPLOAD, UPLOAD_STATUS};
use crate::protocol::xep0363::{SlotKey, SlotPath, name};
use crate::storage::{LocalFile, StorageError, TakeIn};
use crate::upload::{NewSession, Timestamp};

use super::error::ServerError;
use super::{sessions, slots};

pub use walk::LeftOut;
use walk::{Found, Walk};

/// What is to be taken in.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The directory below which the files lie, each at the path of its slot.
    pub directory: PathBuf,
    /// The base path of the tenant whose slots they become.
    pub base_path: String,
    /// Whether files get a second name instead of being copied.
    pub hard_link: bool,
    /// Directories that hold something else.
    pub without: Vec<PathBuf>,
    /// Whether `x.thumb.jpg` beside `x.*` is somebody's preview, and no file of its own.
    pub without_previews: bool,
}

/// What became of it, in numbers of files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Taken in now.
    pub taken: u64,
    /// Bytes of these.
    pub taken_bytes: u64,
    /// There already, from an earlier time.
    pub there: u64,
    /// Old enough to have been removed by the retention that counts for them.
    pub over: u64,
    /// Deleted or expired here since they were taken in.
    pub gone: u64,
    /// Left out on purpose.
    pub left_out: u64,
    /// Not taken in although they should be: somebody has to look.
    pub failed: u64,
    /// Why it ended before it was through.
    pub ended_by: Option<String>,
}

impl Report {
    /// Whether everything that should be here is.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.failed == 0 && self.ended_by.is_none()
    }
}

/// Something that is said about one file while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Which file or directory.
    pub path: PathBuf,
    /// What about it.
    pub text: String,
}

/// Why nothing can be taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No tenant lives there.
    #[error(
        "no tenant of xep0363.tenants has the base path {base_path:?}; there is {}",
        if known.is_empty() { "none at all".to_owned() } else { known.join(", ") }
    )]
    NoTenant {
        /// The base path that was asked for.
        base_path: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The directory cannot be read.
    #[error("the directory {} cannot be read", path.display())]
    Directory {
        /// Which one.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// It is the data directory, or lies in it, or the other way round.
    #[error(
        "{} and the data directory {} lie within each other; name the directory of the old server",
        path.display(), data.display()
    )]
    Ours {
        /// The directory that was named.
        path: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
    /// Hard links cannot be made.
    #[error(
        "{} and the data directory {} lie on different file systems, so that no hard link can be \
         made; leave out --hard-link to copy, or put server.data_dir beside it",
        path.display(), data.display()
    )]
    OtherDevice {
        /// The directory that was named.
        path: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
    /// The stores cannot be used.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// Takes in what is wanted, and tells `remark` about every file that is not simply taken in.
///
/// Done again it goes on where it stopped. No gateway may work on the data directory.
///
/// # Errors
///
/// [`ImportError`], before anything was taken in.
pub async fn import(
    settings: &Settings,
    wanted: &Wanted,
    remark: &mut impl FnMut(Remark),
) -> Result<Report, ImportError> {
    let directory = wanted.directory.canonicalize().and_then(|path| {
        std::fs::read_dir(&path)?;
        Ok(path)
    });
    let directory = directory.map_err(|source| {
        let path = wanted.directory.clone();
        ImportError::Directory { path, source }
    })?;
    let offline = sessions::offline(settings).await?;
    let done = async {
        apart(&directory, offline.data.path(), wanted.hard_link)?;
        let slots = slots::build(&offline.data, settings)?;
        let tenant = slots.tenants.iter().zip(&settings.xep0363.tenants);
        let tenant = tenant.into_iter().find(|(_, said)| said.base_path == wanted.base_path);
        let Some((tenant, _)) = tenant else { return Err(no_tenant(settings, wanted)) };
        let engine = &offline.engine;
        let absolute = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        let without = wanted.without.iter().map(absolute).collect();
        let wanted = &Wanted { without, ..wanted.clone() };
        let place = Place { settings, wanted, engine, tenant, ids: &slots.ids };
        Ok(place.take_all(&directory, remark).await)
    }
    .await;
    offline.engine.stop().await;
    done
}

fn no_tenant(settings: &Settings, wanted: &Wanted) -> ImportError {
    let known = settings.xep0363.tenants.iter().map(|tenant| format!("{:?}", tenant.base_path));
    ImportError::NoTenant { base_path: wanted.base_path.clone(), known: known.collect() }
}

/// Whether the two directories have nothing to do with each other, and what links need.
fn apart(path: &Path, data: &Path, hard_link: bool) -> Result<(), ImportError> {
    let (path, data) = (path.to_owned(), data.to_owned());
    if path.starts_with(&data) || data.starts_with(&path) {
        return Err(ImportError::Ours { path, data });
    }
    let device = |path: &Path| {
        let metadata = std::fs::metadata(path);
        metadata.map(|metadata| metadata.dev()).map_err(|source| {
            let path = path.to_owned();
            ImportError::Directory { path, source }
        })
    };
    if hard_link && device(&path)? != device(&data)? {
        return Err(ImportError::OtherDevice { path, data });
    }
    Ok(())
}

/// Where files go.
struct Place<'a> {
    settings: &'a Settings,
    wanted: &'a Wanted,
    engine: &'a Engine,
    tenant: &'a SlotTenant,
    ids: &'a SlotKey,
}

/// What stands in the way of one file.
enum Trouble {
    /// It alone.
    File(String),
    /// Every further one as well.
    All(String),
}

impl Place<'_> {
    async fn take_all(&self, directory: &Path, remark: &mut impl FnMut(Remark)) -> Report {
        let mut report = Report::default();
        for found in Walk::new(directory, &self.wanted.without, self.wanted.without_previews) {
            let (path, text) = match found {
                Found::File { path, slot } => match self.take(&path, &slot).await {
                    Ok((adopted, bytes)) => match count(&mut report, adopted, bytes) {
                        Some(text) => (path, text),
                        None => continue,
                    },
                    Err(Trouble::File(text)) => {
                        report.failed = report.failed.saturating_add(1);
                        (path, text)
                    }
                    Err(Trouble::All(text)) => {
                        report.ended_by = Some(format!("{}: {text}", path.display()));
                        return report;
                    }
                },
                Found::LeftOut { path, why } => {
                    report.left_out = report.left_out.saturating_add(1);
                    (path, format!("left out: {why}"))
                }
                Found::Unreadable { path, error } => {
                    report.failed = report.failed.saturating_add(1);
                    (path, format!("cannot be read: {error}"))
                }
            };
            remark(Remark { path, text });
        }
        report
    }

    async fn take(&self, path: &Path, slot: &str) -> Result<(Adopted, u64), Trouble> {
        let slot = SlotPath::new(slot).map_err(|error| {
            Trouble::File(format!("has no address that could be asked for: {error}"))
        })?;
        if let Some(other) = self.hidden_by(&slot) {
            return Err(Trouble::File(format!("its old address belongs to {other} now")));
        }
        let unreadable = |error| Trouble::File(format!("cannot be read: {error}"));
        let file = open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(Trouble::File("another file took its place".to_owned()));
        }
        let bytes = metadata.len();
        let way = if self.wanted.hard_link { TakeIn::Link } else { TakeIn::Copy };
        let order = AdoptOrder {
            id: self.ids.upload(&self.tenant.tenant.base, &slot),
            new: self.described(&slot, modified(&metadata))?,
            from: LocalFile { file, path: path.to_owned() },
            way,
            bytes,
            since: modified(&metadata),
        };
        let adopted = self.engine.adopt(order).await.map_err(trouble)?;
        Ok((adopted, bytes))
    }

    fn described(&self, slot: &SlotPath, since: Timestamp) -> Result<NewSession, Trouble> {
        let ending = slot.file_name().rsplit_once('.').map_or("", |(_, ending)| ending);
        let metadata = name::described(slot, &media_type(&ending.to_ascii_lowercase()));
        let metadata = metadata.map_err(|error| Trouble::File(error.to_string()))?;
        let owner = name::owner_by_path(&self.tenant.tenant, slot);
        let memory = self.tenant.tenant.scheme.memory();
        let keeping = self.tenant.keeping;
        let (keep_until, retention) = (keeping.until(None, since), keeping.retention());
        let new = NewSession::of(owner, None, metadata);
        Ok(NewSession { memory, keep_until, retention, ..new })
    }

    /// What is served at a slot's address before slots are: only a tenant at the root has such.
    fn hidden_by(&self, slot: &SlotPath) -> Option<&'static str> {
        let address = format!("{}/{}", self.tenant.tenant.base.as_str(), slot.as_str());
        let below = |at: &str| {
            let rest = address.strip_prefix(at)?.strip_prefix('/').unwrap_or_default();
            (address == at || (!rest.is_empty() && !rest.contains('/'))).then_some(())
        };
        let tenants = &self.settings.xep0363.tenants;
        let others = tenants.iter().map(|tenant| tenant.base_path.as_str());
        // The root alone holds other base paths.
        let mut others =
            others.filter(|base| !matches!(*base, "/") && *base != self.wanted.base_path);
        if others.any(|base| address.strip_prefix(base).is_some_and(|rest| rest.starts_with('/'))) {
            return Some("another tenant");
        }
        let uploads = &self.settings.uploads;
        let chunked = uploads.chunkeduploadsenabled;
        if uploads.form_path.as_deref() == Some(address.as_str()) {
            Some("uploads.form_path")
        } else if below(&self.settings.server.base_path).is_some() {
            Some("server.base_path")
        } else if chunked && (below(CHUNKED_UPLOAD).is_some() || address == UPLOAD_STATUS) {
            Some("uploads.chunkeduploadsenabled")
        } else {
            None
        }
    }
}

/// Opens the very file: no symbolic link, and without waiting for whatever else is there.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty()).map(File::from)?)
}

/// When a file was last changed; the beginning of time for what is older than that.
fn modified(metadata: &std::fs::Metadata) -> Timestamp {
    let seconds = u64::try_from(metadata.mtime()).unwrap_or(0);
    let milliseconds = u64::try_from(metadata.mtime_nsec() / 1_000_000).unwrap_or(0);
    let since = seconds.saturating_mul(1000).saturating_add(milliseconds);
    Timestamp::from_unix_milliseconds(since)
}

fn trouble(error: EngineError) -> Trouble {
    match error {
        EngineError::NoRoom { .. } => {
            Trouble::All("there is no room left on the device; make some and go on".to_owned())
        }
        EngineError::ShuttingDown => Trouble::All("it is being stopped".to_owned()),
        EngineError::Storage(StorageError::Database(error)) => Trouble::All(error.to_string()),
        EngineError::Storage(StorageError::Io { doing, source }) => {
            Trouble::File(format!("{doing} failed: {source}"))
        }
        EngineError::Storage(StorageError::Damaged { what, .. }) => Trouble::File(what),
        error @ (EngineError::Storage(_)
        | EngineError::NotFound
        | EngineError::Refused(_)
        | EngineError::ChecksumMismatch { .. }
        | EngineError::TakenOver { .. }
        | EngineError::Busy
        | EngineError::Overloaded) => Trouble::File(error.to_string()),
    }
}

/// Counts what became of a file; says something if it is worth it.
fn count(report: &mut Report, adopted: Adopted, bytes: u64) -> Option<String> {
    let (number, text) = match adopted {
        Adopted::Taken => {
            report.taken_bytes = report.taken_bytes.saturating_add(bytes);
            (&mut report.taken, None)
        }
        Adopted::There => (&mut report.there, None),
        Adopted::Gone => (&mut report.gone, None),
        Adopted::Over => (&mut report.over, None),
        Adopted::Other { bytes: there } => {
            let text = format!("has {bytes} bytes, but {there} are there already; nothing changed");
            (&mut report.failed, Some(text))
        }
    };
    *number = number.saturating_add(1);
    text
}

#[cfg(test)]
mod tests;
