//! What lies where.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::storage::StorageError;
use crate::upload::UploadId;

/// Mode of every file: what is uploaded is nobody else's business on this machine.
pub(super) const FILE_MODE: u32 = 0o600;
/// Mode of every directory.
pub(super) const DIRECTORY_MODE: u32 = 0o700;

/// Paths of the store, made of ids and nothing else.
#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

/// The three kinds of directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Running,
    Finished,
    Labels,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Running, Self::Finished, Self::Labels];

    const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Labels => "labels",
        }
    }
}

/// The ids that begin with one hexadecimal digit; they share a directory of each kind.
///
/// Sixteen: enough that threads do not queue for one directory, few enough that making them all
/// does not delay the first start, which 256 of each kind did by more than a second on a slow disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shard(u8);

/// How many shards there are.
pub(super) const SHARDS: usize = 16;

impl Shard {
    /// Every shard, in the order of ids.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self)
    }

    /// The shard of this id.
    pub(super) const fn of(id: UploadId) -> Self {
        let [first, ..] = *id.as_bytes();
        Self(first >> 4)
    }

    /// Its number, below [`SHARDS`].
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl Layout {
    /// Makes every directory, and makes sure that files in them can be written and synced.
    pub(super) fn prepare(root: &Path) -> Result<Self, StorageError> {
        let layout = Self { root: root.to_owned() };
        layout.make_directories().map_err(StorageError::io("creating the data directory"))?;
        match layout.probe() {
            // Refusing to start would also refuse the downloads and deletions that a full device
            // can still do.
            Err(error) if is_full(&error) => {}
            probed => probed.map_err(StorageError::io("writing to the data directory"))?,
        }
        Ok(layout)
    }

    fn make_directories(&self) -> io::Result<()> {
        let builder = |path: &Path| {
            let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path);
            made.map_err(|error| named(path, &error))
        };
        builder(&self.root)?;
        for kind in Kind::ALL {
            for shard in Shard::all() {
                builder(&self.shard(kind, shard))?;
            }
            // The names of the shards; the shards themselves are empty and need no sync.
            sync_directory(&self.root.join(kind.name()))?;
        }
        sync_directory(&self.root)?;
        self.root
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .map_or(Ok(()), sync_directory)
    }

    fn probe(&self) -> io::Result<()> {
        let path = self.root.join("probe");
        let probe = || {
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&path)?;
            file.write_all(b"tidegate can write here\n")?;
            file.sync_all()?;
            std::fs::remove_file(&path)
        };
        probe().map_err(|error| named(&path, &error))
    }

    /// Where the doctor puts what it takes out of the way; made when it is needed.
    pub(super) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// The directory of the ids in this shard.
    pub(super) fn shard(&self, kind: Kind, Shard(digit): Shard) -> PathBuf {
        self.root.join(kind.name()).join(format!("{digit:x}"))
    }

    /// The directory that holds the file of this id.
    pub(super) fn directory(&self, kind: Kind, id: UploadId) -> PathBuf {
        self.shard(kind, Shard::of(id))
    }

    pub(super) fn path(&self, kind: Kind, id: UploadId) -> PathBuf {
        self.directory(kind, id).join(id.to_string())
    }

    /// Marks the tail of a running blob; see `marker`.
    pub(super) fn marker(&self, id: UploadId) -> PathBuf {
        self.directory(Kind::Running, id).join(format!("{id}.unproven"))
    }

    /// Where a label is written anew before it takes the place of the old one.
    pub(super) fn new_label(&self, id: UploadId) -> PathBuf {
        self.directory(Kind::Labels, id).join(format!("{id}.new"))
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|error| named(path, &error))
}

/// The same error with the path in its words; only for paths without a client's words in them.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
