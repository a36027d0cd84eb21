//! Sessions in memory: for tests, and the yardstick that other adapters are measured against.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::storage::{Pending, Revision, SessionStore, StorageError, Stored};
use crate::upload::{Holding, Owner, Session, Timestamp, UploadId, record};

/// Keeps encoded records in a map; gone with the process.
///
/// It keeps the promises of [`SessionStore`] except durability, which memory cannot give.
#[derive(Debug, Default)]
pub struct MemorySessionStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<UploadId, Entry>,
    expiry: BTreeSet<(Timestamp, UploadId)>,
    holdings: BTreeMap<(String, UploadId), Holding>,
    closed: bool,
}

/// Encoded rather than as a [`Session`], so that a test meets what the stored form does to it.
#[derive(Debug)]
struct Entry {
    revision: Revision,
    record: Vec<u8>,
    expires_at: Option<Timestamp>,
}

impl MemorySessionStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A panic elsewhere cannot leave the maps half-changed, so a poisoned lock is still good.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, session: &Session, seen: Option<Revision>) -> Result<Revision, StorageError> {
        let record = encoded(session)?;
        let mut state = self.state();
        state.open()?;
        let current = state.records.get(&session.id()).map(|entry| entry.revision);
        if current != seen {
            return Err(StorageError::Conflict);
        }
        let revision = seen.map_or(Revision::FIRST, Revision::next);
        state.list(session);
        state.put(session.id(), Entry { revision, record, expires_at: session.expires_at() });
        Ok(revision)
    }

    /// Overwrites the record with bytes that are none.
    #[cfg(test)]
    pub(crate) fn damage(&self, id: UploadId) {
        self.state().records.get_mut(&id).unwrap().record = b"not a record".to_vec();
    }
}

fn encoded(session: &Session) -> Result<Vec<u8>, StorageError> {
    record::encode(session).map_err(|source| StorageError::Record { id: session.id(), source })
}

impl State {
    const fn open(&self) -> Result<(), StorageError> {
        if self.closed { Err(StorageError::Closed) } else { Ok(()) }
    }

    fn list(&mut self, session: &Session) {
        if let Some(key) = listed(session.owner(), session.id()) {
            self.holdings.insert(key, Holding::of(session));
        }
    }

    fn unlist(&mut self, owner: &Owner, id: UploadId) {
        if let Some(key) = listed(owner, id) {
            self.holdings.remove(&key);
        }
    }

    fn read(&self, id: UploadId) -> Result<Option<Stored>, StorageError> {
        let Some(entry) = self.records.get(&id) else { return Ok(None) };
        let session =
            record::decode(&entry.record).map_err(|source| StorageError::Record { id, source })?;
        Ok(Some(Stored { session, revision: entry.revision }))
    }

    fn put(&mut self, id: UploadId, entry: Entry) {
        let expires_at = entry.expires_at;
        self.forget_expiry(id);
        if let Some(moment) = expires_at {
            self.expiry.insert((moment, id));
        }
        self.records.insert(id, entry);
    }

    fn forget_expiry(&mut self, id: UploadId) {
        if let Some(moment) = self.records.get(&id).and_then(|entry| entry.expires_at) {
            self.expiry.remove(&(moment, id));
        }
    }
}

/// The key under which an upload is listed; `None` for nobody in particular.
fn listed(owner: &Owner, id: UploadId) -> Option<(String, UploadId)> {
    Some((owner.name()?.to_owned(), id))
}

impl SessionStore for MemorySessionStore {
    fn create<'a>(&'a self, session: &'a Session) -> Pending<'a, Revision> {
        Box::pin(async move { self.store(session, None) })
    }

    fn get(&self, id: UploadId) -> Result<Option<Stored>, StorageError> {
        self.state().read(id)
    }

    fn settled(&self, _id: UploadId) -> Pending<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn commit<'a>(&'a self, session: &'a Session, seen: Revision) -> Pending<'a, Revision> {
        Box::pin(async move { self.store(session, Some(seen)) })
    }

    fn delete(&self, id: UploadId) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut state = self.state();
            state.open()?;
            state.forget_expiry(id);
            if let Ok(Some(stored)) = state.read(id) {
                state.unlist(stored.session.owner(), id);
            }
            state.records.remove(&id);
            Ok(())
        })
    }

    fn expiring(&self, moment: Timestamp, limit: usize) -> Result<Vec<UploadId>, StorageError> {
        let state = self.state();
        let due = state.expiry.iter().take_while(|(expiry, _)| *expiry <= moment);
        // What cannot be read cannot be judged, and must not keep the others from their turn.
        let readable = due.filter(|(_, id)| {
            state.records.get(id).is_some_and(|entry| record::decode(&entry.record).is_ok())
        });
        Ok(readable.map(|(_, id)| *id).take(limit).collect())
    }

    fn ids(&self, after: Option<UploadId>, limit: usize) -> Result<Vec<UploadId>, StorageError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.state();
        Ok(state.records.range((start, Bound::Unbounded)).map(|(id, _)| *id).take(limit).collect())
    }

    fn holdings(
        &self,
        owner: &Owner,
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Vec<Holding>, StorageError> {
        let Some(first) = listed(owner, UploadId::from_bytes([0; 16])) else {
            return Ok(Vec::new());
        };
        let state = self.state();
        let listed = state.holdings.range(first.clone()..);
        let theirs = listed.take_while(|((name, _), _)| *name == first.0);
        let behind = theirs.filter(|((_, id), _)| after.is_none_or(|after| *id > after));
        Ok(behind.map(|(_, holding)| *holding).take(limit).collect())
    }

    fn relist(&self, owner: &Owner, id: UploadId) -> Result<Option<Holding>, StorageError> {
        let mut state = self.state();
        let session = state.read(id)?.map(|stored| stored.session);
        let session = session.filter(|session| session.owner() == owner);
        match &session {
            Some(session) => state.list(session),
            None => state.unlist(owner, id),
        }
        Ok(session.as_ref().map(Holding::of))
    }

    fn unlist(&self, owner: &Owner, id: UploadId) -> Result<(), StorageError> {
        self.state().unlist(owner, id);
        Ok(())
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            self.state().closed = true;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::storage::contract::session::every_promise!(|| {
        let store = std::sync::Arc::new(MemorySessionStore::new());
        let damaged = std::sync::Arc::clone(&store);
        crate::storage::contract::session::Subject {
            store,
            damage: Box::new(move |id| damaged.damage(id)),
            guard: Box::new(()),
        }
    });
}
