//! [`BlobStore`]: holds the bytes of uploads.

use std::fs::File;
use std::path::PathBuf;

use bytes::Bytes;

use crate::upload::{UploadId, UploadOffset};

use super::Pending;
use super::error::StorageError;

/// What the bytes behind the committed offset are worth after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// They are the client's bytes: recovery may keep them.
    Keep,
    /// They are unproven until a checksum was compared (T-118): recovery must discard them.
    Discard,
    /// Only the record tells which bytes are there: some lie far ahead. Nothing is cut off, the size
    /// of the blob says nothing, and gaps read as zeros.
    Recorded,
}

/// What is stored of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobState {
    /// Bytes that are there, contiguous from the front, not counting a tail to be discarded.
    pub offset: UploadOffset,
    /// Whether it was published.
    pub published: bool,
}

/// A file that lies on this machine, and is not ours.
#[derive(Debug)]
pub struct LocalFile {
    /// Open for reading, at its beginning; says which file is meant.
    pub file: File,
    /// Where it lies.
    pub path: PathBuf,
}

/// How a file is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeIn {
    /// Its bytes are copied, in the kernel where that can be done.
    Copy,
    /// It gets a second name: no bytes are copied, but whoever changes the file in its old place
    /// changes the blob. Only within one file system.
    Link,
}

/// Room on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that may still be written without touching the reserve.
    pub usable_bytes: u64,
    /// Bytes kept free so that the session store never meets a full device.
    pub reserve_bytes: u64,
}

/// Holds the bytes of uploads, one blob per upload.
///
/// # Guarantees every implementation gives
///
/// - **In place.** Bytes written at an offset are read back at that offset.
/// - **Durable.** Once [`BlobWriter::sync`] or [`BlobStore::publish`] returns `Ok`, the bytes (and,
///   for `publish`, the name) survive a power cut.
/// - **All or nothing.** [`BlobStore::open`] opens published blobs only.
/// - **Idempotent.** Publishing what is published and deleting what is gone succeed.
/// - **Found again.** A label written for an upload is listed by [`BlobStore::labels`] as long as
///   the upload has not been deleted. Labels may trail by seconds after a power cut.
///
/// What it does not promise: exclusion between writers of one blob. The engine's lease does that.
pub trait BlobStore: Send + Sync + 'static {
    /// Opens the blob for writing from `at`, creating it if needed.
    ///
    /// Whatever lies behind `at` is cut off first, so that the size of the blob always tells how
    /// far the writer got; unless the record tells ([`Tail::Recorded`]). A blob that is shorter than
    /// `at` is damaged.
    fn begin(&self, id: UploadId, at: UploadOffset, tail: Tail)
    -> Pending<'_, Box<dyn BlobWriter>>;

    /// What is stored; `None` if nothing is.
    fn state(&self, id: UploadId) -> Pending<'_, Option<BlobState>>;

    /// Makes the blob visible under its final name. It must have been synced.
    fn publish(&self, id: UploadId) -> Pending<'_, ()>;

    /// Opens a published blob for reading.
    fn open(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>>;

    /// Opens an unpublished blob for reading: for recovery and for joining parts.
    fn open_unpublished(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>>;

    /// Removes the blob, its label and whatever else belongs to it.
    fn delete(&self, id: UploadId) -> Pending<'_, ()>;

    /// Appends the whole published `part` to the unpublished blob `target` at `at`, without
    /// carrying the bytes through the process where the device can; returns the bytes appended.
    fn join(&self, target: UploadId, at: UploadOffset, part: UploadId) -> Pending<'_, u64>;

    /// Makes a file of this machine a published blob, of which nothing may be there yet; returns its
    /// bytes. The file stays as it is, and where it is.
    ///
    /// All of it or nothing: a file that is changed meanwhile is refused as damaged, and what was
    /// copied of it is an unpublished blob to be deleted.
    fn take_in(&self, id: UploadId, from: LocalFile, way: TakeIn) -> Pending<'_, u64>;

    /// How much may still be written. Cheap: may be a fraction of a second old.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`] if the device cannot be asked.
    fn room(&self) -> Result<Room, StorageError>;

    /// Writes the self-describing record that is kept with the blob.
    fn label(&self, id: UploadId, record: Bytes) -> Pending<'_, ()>;

    /// The label of one upload, if there is one.
    fn read_label(&self, id: UploadId) -> Pending<'_, Option<Vec<u8>>>;

    /// Every upload that has a blob or a label, in pages: ids behind `after`, at most `limit`.
    fn labels(&self, after: Option<UploadId>, limit: usize) -> Pending<'_, Labels>;

    /// Whether [`BlobStore::join`] works: decides if concatenation is advertised.
    fn joining(&self) -> Joining;

    /// Removes unpublished blobs older than `age` for which `known` says no; returns how many.
    fn sweep(
        &self,
        age: std::time::Duration,
        known: Box<dyn Fn(UploadId) -> bool + Send>,
    ) -> Pending<'_, u64>;
}

/// Whether parts can be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// Yes.
    Supported,
    /// No: concatenation is not advertised.
    Unsupported,
}

/// One page of [`BlobStore::labels`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// Ids in ascending order.
    pub ids: Vec<UploadId>,
}

/// Writes one blob.
///
/// Shared between the thread that receives bytes and the one that syncs them, hence `&self`.
pub trait BlobWriter: Send + Sync + 'static {
    /// Writes `batch` at `at`, in order, without gaps, all of it.
    ///
    /// Blocks as long as the device does; the engine moves to a blocking thread while it is slow.
    ///
    /// # Errors
    ///
    /// [`StorageError::NoRoom`] when the device is full: what fitted is kept, and the error does
    /// not say how much; ask [`BlobWriter::written`].
    fn write(&self, at: UploadOffset, batch: &[Bytes]) -> Result<(), StorageError>;

    /// How far the blob reaches.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`] if the device cannot be asked.
    fn written(&self) -> Result<UploadOffset, StorageError>;

    /// Writes the bytes from `from` to `to` once more, as they are. Blocking.
    ///
    /// For bytes of a process that was killed: if a sync failed before, the system takes them for
    /// written, shows them, and would never bring them to the device.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`] if they cannot be read or written.
    fn renew(&self, from: UploadOffset, to: UploadOffset) -> Result<(), StorageError>;

    /// Waits until everything written so far is on the device. Blocking.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`]; nothing written since the last success may be relied on then.
    fn sync(&self) -> Result<(), StorageError>;

    /// Cuts the blob back to `at`. Blocking.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`] if it cannot be cut.
    fn cut(&self, at: UploadOffset) -> Result<(), StorageError>;

    /// The tail has been proven: recovery may keep it from now on. Blocking, brief.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`] if the mark cannot be removed.
    fn keep_tail(&self) -> Result<(), StorageError>;
}

/// Reads one blob.
pub trait BlobReader: Send + Sync + 'static {
    /// Bytes of the blob.
    fn length(&self) -> u64;

    /// Fills `buffer` from `at`; returns how many bytes there were, less than asked only at the end.
    /// Blocking.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`] if the device fails.
    fn read_at(&self, at: UploadOffset, buffer: &mut [u8]) -> Result<usize, StorageError>;
}
