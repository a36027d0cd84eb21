//! The lists beside the records, compared with them: for the doctor.
//!
//! A crash may leave an entry too much, which is dropped when its moment comes. Damage may also take one
//! away, and nothing that runs would notice: the upload would never expire, or not count for its owner.

use sled::IVec;

use crate::storage::{ListFault, Mend, StorageError};
use crate::upload::{Phase, Session, UploadId};

use super::SledSessionStore;
use super::lists::LIST_PAGE;
use super::value::Head;

type Tell<'a> = &'a mut dyn FnMut(UploadId, ListFault);

impl SledSessionStore {
    /// See [`SessionStore::compare_lists`](crate::storage::SessionStore::compare_lists).
    pub(super) fn compare(&self, mend: Mend, tell: Tell<'_>) -> Result<(), StorageError> {
        let mut after = None;
        loop {
            let ids = self.list(after, LIST_PAGE)?;
            after = ids.last().copied();
            if after.is_none() {
                break;
            }
            for id in ids {
                self.is_listed(id, mend, tell)?;
            }
        }
        self.drop_due(mend, tell)?;
        self.drop_owned(mend, tell)?;
        self.drop_pieces(mend, tell)
    }

    /// Looks whether a record has its entries. One that cannot be read has none that could be told.
    fn is_listed(&self, id: UploadId, mend: Mend, tell: Tell<'_>) -> Result<(), StorageError> {
        let Ok(Some(stored)) = self.read(id) else { return Ok(()) };
        let (session, value) = (&stored.session, self.head(id)?);
        let head = value.as_ref().and_then(|value| Head::read(value));
        let agrees = head.is_some_and(|head| head.expires_at == session.expires_at());
        let is_due = agrees && self.expiry.has(session.expires_at(), id)?;
        // What is gone may have been taken off the list on purpose.
        let is_gone = matches!(session.phase(), Phase::Gone(_));
        let is_listed = is_gone || self.owners.has(session)?;
        if !is_due {
            tell(id, ListFault::NotDue);
        }
        if !is_listed {
            tell(id, ListFault::NotListed);
        }
        if mend == Mend::Yes && !(is_due && is_listed) {
            // Writes the head and every entry anew.
            self.put(session, Some(stored.revision))?;
        }
        Ok(())
    }

    fn drop_due(&self, mend: Mend, tell: Tell<'_>) -> Result<(), StorageError> {
        for key in self.expiry.keys() {
            let (key, entry) = key?;
            let Some((_, id)) = entry else { continue };
            if self.head(id)?.is_none() {
                tell(id, ListFault::DueWithoutRecord);
                if mend == Mend::Yes {
                    self.expiry.remove_key(&key)?;
                }
            }
        }
        Ok(())
    }

    fn drop_owned(&self, mend: Mend, tell: Tell<'_>) -> Result<(), StorageError> {
        for key in self.owners.keys() {
            let (key, Some(id)) = key? else { continue };
            let dangles = match self.read(id) {
                Ok(stored) => !stored.is_some_and(|stored| is_owned(&stored.session, &key)),
                // Whose it is cannot be told.
                Err(_) => false,
            };
            if dangles {
                tell(id, ListFault::ListedWithoutRecord);
                if mend == Mend::Yes {
                    self.owners.remove_key(&key)?;
                }
            }
        }
        Ok(())
    }

    fn drop_pieces(&self, mend: Mend, tell: Tell<'_>) -> Result<(), StorageError> {
        let mut last = None;
        for id in self.pieces.ids() {
            let id = id?;
            if last.replace(id) != Some(id) && self.head(id)?.is_none() {
                tell(id, ListFault::StrayPieces);
                if mend == Mend::Yes {
                    self.pieces.remove_all(id)?;
                }
            }
        }
        Ok(())
    }
}

fn is_owned(session: &Session, key: &IVec) -> bool {
    super::owners::key(session.owner(), session.id()).is_some_and(|owned| owned[..] == key[..])
}
