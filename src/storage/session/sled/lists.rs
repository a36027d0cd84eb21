//! What is due, what is there, and what somebody has.

use std::ops::Bound;

use crate::storage::StorageError;
use crate::upload::{Holding, Owner, Timestamp, UploadId, record};

use super::value::Head;
use super::{SledSessionStore, open};

/// Sessions listed at a time.
pub(super) const LIST_PAGE: usize = 1024;

impl SledSessionStore {
    /// Lists what every owner has, unless that was done before.
    pub(super) fn list_all(&self) -> Result<(), StorageError> {
        if self.owners.is_built()? {
            return Ok(());
        }
        let mut after = None;
        loop {
            let ids = self.list(after, LIST_PAGE)?;
            for id in &ids {
                // What cannot be read belongs to nobody that could be told.
                if let Ok(Some(stored)) = self.read(*id) {
                    self.owners.note(&stored.session)?;
                }
            }
            after = ids.last().copied();
            if after.is_none() {
                return self.owners.set_built();
            }
        }
    }

    /// Whether a due hint names a session that can be judged; drops the hint if it is stale.
    fn is_due(&self, moment: Timestamp, id: UploadId) -> Result<bool, StorageError> {
        let _turn = self.turn(id);
        let value = self.head(id)?;
        let head = value.as_ref().and_then(|value| Head::read(value));
        match (&value, head) {
            (Some(_), Some(head)) if head.expires_at == Some(moment) => {
                // What cannot be read cannot be judged, and must not keep others from their turn.
                let record = self.pieces.whole(id, head)?;
                Ok(record::decode(&record).is_ok())
            }
            (Some(_), Some(_) | None) => self.expiry.remove(Some(moment), id).map(|()| false),
            (None, _) => {
                self.pieces.remove_all(id)?;
                self.expiry.remove(Some(moment), id).map(|()| false)
            }
        }
    }

    /// See [`SessionStore::expiring`].
    pub(super) fn due(
        &self,
        moment: Timestamp,
        limit: usize,
    ) -> Result<Vec<UploadId>, StorageError> {
        let mut due = Vec::new();
        for hint in self.expiry.until(moment) {
            if due.len() >= limit {
                break;
            }
            let (expiry, id) = hint?;
            if self.is_due(expiry, id)? {
                due.push(id);
            }
        }
        Ok(due)
    }

    /// See [`SessionStore::ids`].
    pub(super) fn list(
        &self,
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Vec<UploadId>, StorageError> {
        let after = after.map(|id| *id.as_bytes());
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = self.sessions.range((start, Bound::Unbounded)).keys();
        // Only ids are ever keys of this tree; anything else is not ours to list.
        let ids = keys.filter_map(|key| match key {
            Ok(key) => <[u8; 16]>::try_from(&*key).ok().map(|key| Ok(UploadId::from_bytes(key))),
            Err(error) => Some(Err(open::failed(error))),
        });
        ids.take(limit).collect()
    }

    /// See [`SessionStore::relist`].
    pub(super) fn list_again(
        &self,
        owner: &Owner,
        id: UploadId,
    ) -> Result<Option<Holding>, StorageError> {
        let _turn = self.turn(id);
        let session = self.read(id)?.map(|stored| stored.session);
        match session.filter(|session| session.owner() == owner) {
            Some(session) => {
                self.owners.note(&session)?;
                Ok(Some(Holding::of(&session)))
            }
            None => self.owners.forget(owner, id).map(|()| None),
        }
    }
}
