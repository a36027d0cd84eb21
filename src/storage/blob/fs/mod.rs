//! Blobs as local files: the default.
//!
//! ```text
//! <root>/running/a/<id>            bytes as they arrive, in place
//! <root>/running/a/<id>.unproven   where a tail begins that recovery must discard
//! <root>/finished/a/<id>           published: the bytes and nothing else
//! <root>/labels/a/<id>             the self-describing record, newest last
//! <root>/quarantine/               what the doctor took out of the way
//! ```
//!
//! `a` is the first digit of the id. The sixteen directories of each kind are made when the store
//! is opened, so that no request waits for one. Only ids are ever part of a path.
//!
//! | file | holds |
//! |---|---|
//! | `layout` | paths, and making sure at start that they can be written |
//! | `writer` | positioned writes, sync, cut |
//! | `reader` | reading stretches |
//! | `marker` | the mark of an unproven tail |
//! | `names` | which names of running blobs may be missing on the device |
//! | `open_files` | how many may be open at once |
//! | `publish` | the only rename, made durable; removal, made durable |
//! | `join` | one file appended to another inside the kernel |
//! | `take_in` | a file of this machine becomes a blob |
//! | `label` | the self-describing record |
//! | `room` | how much may still be written |
//! | `sweep` | listing, and removing what nobody knows |
//! | `care` | what only the doctor does |
//!
//! **Threads.** Whatever touches a directory or waits for the device runs on tokio's blocking
//! threads, `begin` too: the hop costs some 30 µs of CPU per upload (about 73 against 46 µs for a 4 KiB
//! upload without sync), but a journal that stalls then holds no thread on which others commit.
//! [`BlobWriter`] and [`BlobReader`] block their caller, who is told so.

mod care;
mod join;
mod label;
mod layout;
mod marker;
mod names;
mod open_files;
mod publish;
mod reader;
mod room;
mod sweep;
mod take_in;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::storage::{
    BlobCare, BlobReader, BlobState, BlobStore, BlobWriter, Cleared, Joining, Labels, LocalFile,
    Pending, Room, StorageError, Stray, Tail, TakeIn,
};
use crate::upload::{UploadId, UploadOffset};

use layout::Layout;
use names::Names;
use open_files::OpenFiles;
use room::RoomGauge;

/// How the store is opened.
#[derive(Clone, Debug)]
pub struct FsSettings {
    /// Directory of the blobs, created with mode 0700 if it is not there. Nothing else lives in it.
    pub root: PathBuf,
    /// Whether sync and publish wait for the device (`durability = "fsync"`). Otherwise they do
    /// not, which survives `kill -9` but not a power cut.
    pub sync: bool,
    /// Bytes kept free on the device.
    pub reserve_bytes: u64,
    /// Most blobs that are open at once, for reading or writing.
    pub max_open: usize,
}

impl FsSettings {
    /// Default of `reserve_bytes`.
    pub const RESERVE_BYTES: u64 = 256 * 1024 * 1024;

    /// The settings that keep every promise, for blobs in `root`.
    #[must_use]
    pub const fn new(root: PathBuf) -> Self {
        Self { root, sync: true, reserve_bytes: Self::RESERVE_BYTES, max_open: usize::MAX }
    }
}

/// Keeps each blob in a file of its own.
#[derive(Clone, Debug)]
pub struct FsBlobStore {
    files: Arc<Files>,
}

/// What every operation needs; its methods block and are spread over the files of this folder.
#[derive(Debug)]
struct Files {
    layout: Layout,
    room: RoomGauge,
    names: Names,
    open: OpenFiles,
    sync: bool,
}

impl FsBlobStore {
    /// Opens the store, or creates it. Blocking.
    ///
    /// Proves by a real write and sync that the directory can be used. A full device passes: its
    /// uploads can still be downloaded and deleted, and [`BlobStore::room`] tells.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`] that names the path which cannot be used.
    pub fn open(settings: &FsSettings) -> Result<Self, StorageError> {
        let layout = Layout::prepare(&settings.root)?;
        let room = RoomGauge::new(&settings.root, settings.reserve_bytes)?;
        let (open, names) = (OpenFiles::new(settings.max_open), Names::new());
        Ok(Self { files: Arc::new(Files { layout, room, names, open, sync: settings.sync }) })
    }

    /// Runs `work` on a blocking thread. Once begun it runs to its end, also if nobody waits.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Files>) -> Result<T, StorageError> + Send + 'static,
    ) -> Pending<'_, T> {
        let files = Arc::clone(&self.files);
        Box::pin(async move {
            match tokio::task::spawn_blocking(move || work(&files)).await {
                Ok(outcome) => outcome,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime shut down before the work began.
                    Err(_) => Err(StorageError::Closed),
                },
            }
        })
    }
}

impl BlobStore for FsBlobStore {
    fn begin(
        &self,
        id: UploadId,
        at: UploadOffset,
        tail: Tail,
    ) -> Pending<'_, Box<dyn BlobWriter>> {
        self.blocking(move |files| files.begin(id, at, tail).map(writer))
    }

    fn state(&self, id: UploadId) -> Pending<'_, Option<BlobState>> {
        self.blocking(move |files| files.state(id))
    }

    fn publish(&self, id: UploadId) -> Pending<'_, ()> {
        self.blocking(move |files| files.publish(id))
    }

    fn open(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>> {
        self.blocking(move |files| files.open(id).map(reader))
    }

    fn open_unpublished(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>> {
        self.blocking(move |files| files.open_unpublished(id).map(reader))
    }

    fn delete(&self, id: UploadId) -> Pending<'_, ()> {
        self.blocking(move |files| files.delete(id))
    }

    fn join(&self, target: UploadId, at: UploadOffset, part: UploadId) -> Pending<'_, u64> {
        self.blocking(move |files| files.join(target, at, part))
    }

    fn take_in(&self, id: UploadId, from: LocalFile, way: TakeIn) -> Pending<'_, u64> {
        self.blocking(move |files| files.take_in(id, &from, way))
    }

    fn room(&self) -> Result<Room, StorageError> {
        self.files.room.room()
    }

    fn label(&self, id: UploadId, record: Bytes) -> Pending<'_, ()> {
        self.blocking(move |files| files.label(id, &record))
    }

    fn read_label(&self, id: UploadId) -> Pending<'_, Option<Vec<u8>>> {
        self.blocking(move |files| files.read_label(id))
    }

    fn labels(&self, after: Option<UploadId>, limit: usize) -> Pending<'_, Labels> {
        self.blocking(move |files| files.labels(after, limit))
    }

    fn joining(&self) -> Joining {
        // Where the kernel cannot join, `join` falls back to reading and writing.
        Joining::Supported
    }

    fn sweep(
        &self,
        age: Duration,
        known: Box<dyn Fn(UploadId) -> bool + Send>,
    ) -> Pending<'_, u64> {
        self.blocking(move |files| files.sweep(age, known.as_ref()))
    }
}

impl BlobCare for FsBlobStore {
    fn strays(&self, limit: usize) -> Pending<'_, Vec<Stray>> {
        self.blocking(move |files| files.strays(limit))
    }

    fn clear(&self, stray: Stray) -> Pending<'_, Cleared> {
        self.blocking(move |files| files.clear(&stray))
    }

    fn set_aside(&self, id: UploadId) -> Pending<'_, Vec<PathBuf>> {
        self.blocking(move |files| files.set_aside(id))
    }

    fn cut_published(&self, id: UploadId, at: UploadOffset) -> Pending<'_, PathBuf> {
        self.blocking(move |files| files.cut_published(id, at))
    }
}

fn writer(writer: writer::FsWriter) -> Box<dyn BlobWriter> {
    Box::new(writer)
}

fn reader(reader: reader::FsReader) -> Box<dyn BlobReader> {
    Box::new(reader)
}

#[cfg(test)]
mod tests;
