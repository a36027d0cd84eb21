//! temporary
use crate::storage::*;
use crate::upload::*;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
#[derive(Default)]
struct Blob {
    data: Vec<u8>,
    published: bool,
    unproven: Option<u64>,
    label: Option<Vec<u8>>,
    exists: bool,
}
type Map = Arc<Mutex<BTreeMap<UploadId, Blob>>>;
#[derive(Default)]
pub struct MemoryBlobStore(Map);
impl MemoryBlobStore {
    pub fn new() -> Self {
        Self::default()
    }
}
struct W(Map, UploadId);
impl BlobWriter for W {
    fn write(&self, at: UploadOffset, batch: &[Bytes]) -> Result<(), StorageError> {
        let mut m = self.0.lock().unwrap();
        let b = m.entry(self.1).or_default();
        let mut at = at.get() as usize;
        for p in batch {
            if b.data.len() < at + p.len() {
                b.data.resize(at + p.len(), 0);
            }
            b.data[at..at + p.len()].copy_from_slice(p);
            at += p.len();
        }
        Ok(())
    }
    fn written(&self) -> Result<UploadOffset, StorageError> {
        Ok(UploadOffset::new(self.0.lock().unwrap()[&self.1].data.len() as u64).unwrap())
    }
    fn sync(&self) -> Result<(), StorageError> {
        Ok(())
    }
    fn cut(&self, at: UploadOffset) -> Result<(), StorageError> {
        self.0.lock().unwrap().get_mut(&self.1).unwrap().data.truncate(at.get() as usize);
        Ok(())
    }
    fn keep_tail(&self) -> Result<(), StorageError> {
        self.0.lock().unwrap().get_mut(&self.1).unwrap().unproven = None;
        Ok(())
    }
}
struct R(Vec<u8>);
impl BlobReader for R {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }
    fn read_at(&self, at: UploadOffset, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let at = (at.get() as usize).min(self.0.len());
        let n = buffer.len().min(self.0.len() - at);
        buffer[..n].copy_from_slice(&self.0[at..at + n]);
        Ok(n)
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
            let mut m = self.0.lock().unwrap();
            let b = m.entry(id).or_default();
            b.exists = true;
            if (b.data.len() as u64) < at.get() {
                return Err(StorageError::Damaged { id, what: "short".into() });
            }
            b.data.truncate(at.get() as usize);
            b.unproven = (tail == Tail::Discard).then_some(at.get());
            Ok(Box::new(W(self.0.clone(), id)) as Box<dyn BlobWriter>)
        })
    }
    fn state(&self, id: UploadId) -> Pending<'_, Option<BlobState>> {
        Box::pin(async move {
            Ok(self.0.lock().unwrap().get(&id).filter(|b| b.exists).map(|b| BlobState {
                offset: UploadOffset::new(b.unproven.unwrap_or(b.data.len() as u64)).unwrap(),
                published: b.published,
            }))
        })
    }
    fn publish(&self, id: UploadId) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut m = self.0.lock().unwrap();
            let b = m.entry(id).or_default();
            b.published = true;
            b.exists = true;
            Ok(())
        })
    }
    fn open(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>> {
        Box::pin(async move {
            let m = self.0.lock().unwrap();
            let b = m.get(&id).filter(|b| b.published).ok_or(StorageError::Missing(id))?;
            Ok(Box::new(R(b.data.clone())) as Box<dyn BlobReader>)
        })
    }
    fn open_unpublished(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>> {
        Box::pin(async move {
            let m = self.0.lock().unwrap();
            let b = m.get(&id).ok_or(StorageError::Missing(id))?;
            Ok(Box::new(R(b.data.clone())) as Box<dyn BlobReader>)
        })
    }
    fn delete(&self, id: UploadId) -> Pending<'_, ()> {
        Box::pin(async move {
            self.0.lock().unwrap().remove(&id);
            Ok(())
        })
    }
    fn join(&self, target: UploadId, at: UploadOffset, part: UploadId) -> Pending<'_, u64> {
        Box::pin(async move {
            let mut m = self.0.lock().unwrap();
            let d = m.get(&part).ok_or(StorageError::Missing(part))?.data.clone();
            let b = m.get_mut(&target).ok_or(StorageError::Missing(target))?;
            b.data.truncate(at.get() as usize);
            b.data.extend_from_slice(&d);
            Ok(d.len() as u64)
        })
    }
    fn room(&self) -> Result<Room, StorageError> {
        Ok(Room { usable_bytes: 1 << 40, reserve_bytes: 0 })
    }
    fn label(&self, id: UploadId, record: Bytes) -> Pending<'_, ()> {
        Box::pin(async move {
            if let Some(b) = self.0.lock().unwrap().get_mut(&id) {
                b.label = Some(record.to_vec());
            }
            Ok(())
        })
    }
    fn read_label(&self, id: UploadId) -> Pending<'_, Option<Vec<u8>>> {
        Box::pin(async move { Ok(self.0.lock().unwrap().get(&id).and_then(|b| b.label.clone())) })
    }
    fn labels(&self, _: Option<UploadId>, _: usize) -> Pending<'_, Labels> {
        Box::pin(async move { Ok(Labels::default()) })
    }
    fn joining(&self) -> Joining {
        Joining::Supported
    }
    fn sweep(
        &self,
        _: std::time::Duration,
        _: Box<dyn Fn(UploadId) -> bool + Send>,
    ) -> Pending<'_, u64> {
        Box::pin(async move { Ok(0) })
    }
}
