//! Blobs in memory: for tests, and the yardstick that other adapters are measured against.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::storage::{
    BlobReader, BlobState, BlobStore, BlobWriter, Joining, Labels, LocalFile, Pending, Room,
    StorageError, Tail, TakeIn,
};
use crate::upload::{UploadId, UploadOffset, record};

/// Keeps blobs in vectors; gone with the process.
///
/// It keeps the promises of [`BlobStore`] except durability, which memory cannot give.
#[derive(Clone, Debug)]
pub struct MemoryBlobStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    entries: Mutex<BTreeMap<UploadId, Entry>>,
    room: Mutex<Room>,
}

#[derive(Debug, Default)]
struct Entry {
    blob: Option<Arc<Mutex<Blob>>>,
    published: bool,
    label: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Blob {
    bytes: Vec<u8>,
    /// Where the tail begins that recovery must discard.
    unproven: Option<usize>,
    touched: Instant,
}

/// A panic elsewhere cannot leave these half-changed, so a poisoned lock is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn damaged(id: UploadId, what: &str) -> StorageError {
    StorageError::Damaged { id, what: what.to_owned() }
}

/// Past what memory can hold is past the end of every blob here.
fn index(at: UploadOffset) -> usize {
    usize::try_from(at.get()).unwrap_or(usize::MAX)
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl MemoryBlobStore {
    /// An empty store that takes `capacity_bytes`, written once, whatever is deleted since.
    #[must_use]
    pub fn new(capacity_bytes: u64) -> Self {
        let room = Mutex::new(Room { usable_bytes: capacity_bytes, reserve_bytes: 0 });
        Self { shared: Arc::new(Shared { entries: Mutex::default(), room }) }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<UploadId, Entry>> {
        lock(&self.shared.entries)
    }

    /// The unpublished blob, or a new one if `at` is the front; cut back to `at` unless only the
    /// record tells what is there.
    fn cut_open(
        &self,
        id: UploadId,
        at: UploadOffset,
        tail: Tail,
    ) -> Result<Arc<Mutex<Blob>>, StorageError> {
        let mut entries = self.entries();
        let entry = entries.entry(id).or_default();
        if entry.published {
            return Err(damaged(id, "it is published already"));
        }
        let blob = Arc::clone(entry.blob.get_or_insert_with(Blob::new));
        match tail {
            Tail::Recorded => lock(&blob).reaches(id, at)?,
            Tail::Keep | Tail::Discard => lock(&blob).cut(id, at)?,
        }
        Ok(blob)
    }

    fn find(&self, id: UploadId, published: bool) -> Result<Arc<Mutex<Blob>>, StorageError> {
        let entries = self.entries();
        let entry = entries.get(&id).filter(|entry| entry.published == published);
        entry.and_then(|entry| entry.blob.clone()).ok_or(StorageError::Missing(id))
    }

    fn read(&self, id: UploadId, published: bool) -> Result<Box<dyn BlobReader>, StorageError> {
        let blob = self.find(id, published)?;
        let length = count(lock(&blob).bytes.len());
        Ok(Box::new(MemoryReader { blob, length }))
    }
}

impl Blob {
    fn new() -> Arc<Mutex<Self>> {
        let touched = Instant::now();
        Arc::new(Mutex::new(Self { bytes: Vec::new(), unproven: None, touched }))
    }

    fn reaches(&self, id: UploadId, at: UploadOffset) -> Result<(), StorageError> {
        if self.bytes.len() < index(at) {
            return Err(damaged(id, "it is shorter than the offset to continue from"));
        }
        Ok(())
    }

    fn cut(&mut self, id: UploadId, at: UploadOffset) -> Result<(), StorageError> {
        self.reaches(id, at)?;
        self.bytes.truncate(index(at));
        self.touched = Instant::now();
        Ok(())
    }

    fn put(&mut self, at: usize, bytes: &[u8]) -> Result<(), StorageError> {
        let end = at.checked_add(bytes.len()).ok_or(StorageError::NoRoom)?;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        if let Some(place) = self.bytes.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
        self.touched = Instant::now();
        Ok(())
    }

    fn proven(&self) -> u64 {
        count(self.unproven.map_or(self.bytes.len(), |from| from.min(self.bytes.len())))
    }
}

impl Shared {
    fn admit(&self, bytes: u64) -> Result<(), StorageError> {
        let mut room = lock(&self.room);
        let left = room.usable_bytes.checked_sub(bytes);
        room.usable_bytes = left.ok_or(StorageError::NoRoom)?;
        Ok(())
    }
}

impl BlobStore for MemoryBlobStore {
    fn begin(
        &self,
        id: UploadId,
        at: UploadOffset,
        tail: Tail,
    ) -> Pending<'_, Box<dyn BlobWriter>> {
        Box::pin(async move {
            let blob = self.cut_open(id, at, tail)?;
            lock(&blob).unproven = match tail {
                Tail::Keep | Tail::Recorded => None,
                Tail::Discard => Some(index(at)),
            };
            let shared = Arc::clone(&self.shared);
            let writer: Box<dyn BlobWriter> = Box::new(MemoryWriter { shared, id, blob });
            Ok(writer)
        })
    }

    fn state(&self, id: UploadId) -> Pending<'_, Option<BlobState>> {
        Box::pin(async move {
            let entries = self.entries();
            let Some(entry) = entries.get(&id) else { return Ok(None) };
            let Some(blob) = &entry.blob else { return Ok(None) };
            let offset = UploadOffset::new(lock(blob).proven());
            let offset = offset.ok_or_else(|| damaged(id, "it is longer than any upload"))?;
            Ok(Some(BlobState { offset, published: entry.published }))
        })
    }

    fn publish(&self, id: UploadId) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut entries = self.entries();
            let entry = entries.entry(id).or_default();
            let blob = entry.blob.get_or_insert_with(Blob::new);
            lock(blob).unproven = None;
            entry.published = true;
            Ok(())
        })
    }

    fn open(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>> {
        Box::pin(async move { self.read(id, true) })
    }

    fn open_unpublished(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>> {
        Box::pin(async move { self.read(id, false) })
    }

    fn delete(&self, id: UploadId) -> Pending<'_, ()> {
        Box::pin(async move {
            self.entries().remove(&id);
            Ok(())
        })
    }

    fn join(&self, target: UploadId, at: UploadOffset, part: UploadId) -> Pending<'_, u64> {
        Box::pin(async move {
            let part = self.find(part, true)?;
            let bytes = lock(&part).bytes.clone();
            let target = self.cut_open(target, at, Tail::Keep)?;
            self.shared.admit(count(bytes.len()))?;
            lock(&target).put(index(at), &bytes)?;
            Ok(count(bytes.len()))
        })
    }

    /// Both ways are a copy here.
    fn take_in(&self, id: UploadId, mut from: LocalFile, _way: TakeIn) -> Pending<'_, u64> {
        Box::pin(async move {
            if self.entries().get(&id).is_some_and(|entry| entry.published) {
                return Err(damaged(id, "it is published already"));
            }
            let mut bytes = Vec::new();
            from.file.read_to_end(&mut bytes).map_err(StorageError::io("copying a file"))?;
            self.shared.admit(count(bytes.len()))?;
            let blob = self.cut_open(id, UploadOffset::ZERO, Tail::Keep)?;
            lock(&blob).put(0, &bytes)?;
            self.publish(id).await?;
            Ok(count(bytes.len()))
        })
    }

    fn room(&self) -> Result<Room, StorageError> {
        Ok(*lock(&self.shared.room))
    }

    fn label(&self, id: UploadId, record: Bytes) -> Pending<'_, ()> {
        Box::pin(async move {
            self.entries().entry(id).or_default().label = Some(record.to_vec());
            Ok(())
        })
    }

    fn read_label(&self, id: UploadId) -> Pending<'_, Option<Vec<u8>>> {
        Box::pin(async move { Ok(self.entries().get(&id).and_then(|entry| entry.label.clone())) })
    }

    fn labels(&self, after: Option<UploadId>, limit: usize) -> Pending<'_, Labels> {
        Box::pin(async move {
            let start = after.map_or(Bound::Unbounded, Bound::Excluded);
            let entries = self.entries();
            let ids = entries.range((start, Bound::Unbounded)).map(|(id, _)| *id);
            Ok(Labels { ids: ids.take(limit).collect() })
        })
    }

    fn joining(&self) -> Joining {
        Joining::Supported
    }

    fn sweep(
        &self,
        age: Duration,
        known: Box<dyn Fn(UploadId) -> bool + Send>,
    ) -> Pending<'_, u64> {
        Box::pin(async move {
            let mut entries = self.entries();
            let before = entries.len();
            entries.retain(|id, entry| {
                let old = |blob: &Arc<Mutex<Blob>>| lock(blob).touched.elapsed() >= age;
                let label = entry.label.as_ref();
                entry.published
                    || !entry.blob.as_ref().is_some_and(old)
                    || label.is_some_and(|label| record::decode(label).is_ok())
                    || known(*id)
            });
            Ok(count(before.saturating_sub(entries.len())))
        })
    }
}

struct MemoryWriter {
    shared: Arc<Shared>,
    id: UploadId,
    blob: Arc<Mutex<Blob>>,
}

impl BlobWriter for MemoryWriter {
    fn write(&self, at: UploadOffset, batch: &[Bytes]) -> Result<(), StorageError> {
        let mut position = index(at);
        for bytes in batch {
            self.shared.admit(count(bytes.len()))?;
            lock(&self.blob).put(position, bytes)?;
            position = position.saturating_add(bytes.len());
        }
        Ok(())
    }

    fn written(&self) -> Result<UploadOffset, StorageError> {
        let offset = UploadOffset::new(count(lock(&self.blob).bytes.len()));
        offset.ok_or_else(|| damaged(self.id, "it is longer than any upload"))
    }

    fn renew(&self, _: UploadOffset, _: UploadOffset) -> Result<(), StorageError> {
        Ok(())
    }

    fn sync(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn cut(&self, at: UploadOffset) -> Result<(), StorageError> {
        lock(&self.blob).cut(self.id, at)
    }

    fn keep_tail(&self) -> Result<(), StorageError> {
        lock(&self.blob).unproven = None;
        Ok(())
    }
}

struct MemoryReader {
    blob: Arc<Mutex<Blob>>,
    length: u64,
}

impl BlobReader for MemoryReader {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, at: UploadOffset, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let blob = lock(&self.blob);
        let rest = blob.bytes.get(index(at)..).unwrap_or_default();
        let (from, to) = (rest.iter(), buffer.iter_mut());
        let mut filled = 0_usize;
        for (to, from) in to.zip(from) {
            *to = *from;
            filled = filled.saturating_add(1);
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::storage::contract::blob::every_promise!(|| {
        crate::storage::contract::blob::Subject {
            store: Arc::new(MemoryBlobStore::new(u64::MAX)),
            full: Arc::new(MemoryBlobStore::new(0)),
            guard: Box::new(()),
        }
    });
}
