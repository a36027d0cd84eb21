//! temporary
use crate::storage::*;
use crate::upload::*;
use std::collections::BTreeMap;
use std::sync::Mutex;
#[derive(Default)]
pub struct MemorySessionStore(Mutex<BTreeMap<UploadId, Stored>>);
impl MemorySessionStore {
    pub fn new() -> Self {
        Self::default()
    }
}
impl SessionStore for MemorySessionStore {
    fn create<'a>(&'a self, session: &'a Session) -> Pending<'a, Revision> {
        Box::pin(async move {
            let mut m = self.0.lock().unwrap();
            if m.contains_key(&session.id()) {
                return Err(StorageError::Conflict);
            }
            m.insert(session.id(), Stored { session: session.clone(), revision: Revision::FIRST });
            Ok(Revision::FIRST)
        })
    }
    fn get(&self, id: UploadId) -> Result<Option<Stored>, StorageError> {
        Ok(self.0.lock().unwrap().get(&id).cloned())
    }
    fn commit<'a>(&'a self, session: &'a Session, seen: Revision) -> Pending<'a, Revision> {
        Box::pin(async move {
            let mut m = self.0.lock().unwrap();
            let Some(s) = m.get_mut(&session.id()) else {
                return Err(StorageError::Missing(session.id()));
            };
            if s.revision != seen {
                return Err(StorageError::Conflict);
            }
            s.session = session.clone();
            s.revision = seen.next();
            Ok(s.revision)
        })
    }
    fn delete(&self, id: UploadId) -> Pending<'_, ()> {
        Box::pin(async move {
            self.0.lock().unwrap().remove(&id);
            Ok(())
        })
    }
    fn expiring(&self, moment: Timestamp, limit: usize) -> Result<Vec<UploadId>, StorageError> {
        let m = self.0.lock().unwrap();
        let mut v: Vec<_> = m
            .values()
            .filter(|s| s.session.expires_at().is_some_and(|e| e <= moment))
            .map(|s| (s.session.expires_at(), s.session.id()))
            .collect();
        v.sort();
        Ok(v.into_iter().take(limit).map(|p| p.1).collect())
    }
    fn ids(&self, after: Option<UploadId>, limit: usize) -> Result<Vec<UploadId>, StorageError> {
        Ok(self
            .0
            .lock()
            .unwrap()
            .keys()
            .filter(|id| after.is_none_or(|a| **id > a))
            .take(limit)
            .copied()
            .collect())
    }
    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
