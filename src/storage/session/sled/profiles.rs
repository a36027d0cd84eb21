//! Profiles of clients, in a tree of their own beside the sessions.
//!
//! Nothing here waits for a flush; what is written goes with the next one of the sessions, or with the end of the
//! process. Losing it costs nobody anything.

use std::sync::Arc;

use sled::Tree;

use crate::storage::{ProfileKey, ProfileStore, StorageError};

use super::ahead::{Ahead, Aim};
use super::{border, cache, open};

/// Keeps profiles in the database of the sessions.
pub struct SledProfileStore {
    profiles: Tree,
    ahead: Arc<Ahead>,
}

impl std::fmt::Debug for SledProfileStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SledProfileStore").finish_non_exhaustive()
    }
}

impl SledProfileStore {
    pub(super) const fn new(profiles: Tree, ahead: Arc<Ahead>) -> Self {
        Self { profiles, ahead }
    }
}

impl ProfileStore for SledProfileStore {
    fn profiles(&self, most: usize) -> Result<Vec<(ProfileKey, Vec<u8>)>, StorageError> {
        border::caught(|| {
            let mut found = Vec::new();
            for entry in self.profiles.iter().take(most) {
                let (key, record) = entry.map_err(open::failed)?;
                if let Ok(key) = ProfileKey::try_from(key.as_ref()) {
                    found.push((key, record.to_vec()));
                }
            }
            Ok(found)
        })
    }

    fn keep_profile(&self, key: &ProfileKey, record: &[u8]) -> Result<(), StorageError> {
        self.ahead.check(Aim::Keep)?;
        border::caught(|| {
            self.profiles.insert(key, record).map_err(open::failed)?;
            cache::count(&self.profiles, key).map_err(open::failed)
        })
    }

    fn forget_profile(&self, key: &ProfileKey) -> Result<(), StorageError> {
        self.ahead.check(Aim::Delete)?;
        border::caught(|| {
            self.profiles.remove(key).map_err(open::failed)?;
            cache::count(&self.profiles, key).map_err(open::failed)
        })
    }

    fn forget_all_profiles(&self) -> Result<(), StorageError> {
        self.ahead.check(Aim::Delete)?;
        border::caught(|| self.profiles.clear().map_err(open::failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::session::sled::{SledSessionStore, SledSettings};

    fn opened(path: &std::path::Path) -> (SledSessionStore, SledProfileStore) {
        let store = SledSessionStore::open(&SledSettings::new(path.to_owned())).unwrap();
        let profiles = store.profile_store();
        (store, profiles)
    }

    #[test]
    fn sled_keeps_its_promises() {
        let folder = tempfile::tempdir().unwrap();
        let (_store, profiles) = opened(folder.path());
        crate::storage::contract::profile::keeps_its_promises(&profiles);
    }

    #[test]
    fn what_was_written_is_there_after_a_clean_stop() {
        let folder = tempfile::tempdir().unwrap();
        let (store, profiles) = opened(folder.path());
        profiles.keep_profile(&[7; 17], b"kept").unwrap();
        drop((store, profiles));
        let (_store, profiles) = opened(folder.path());
        assert_eq!(profiles.profiles(10).unwrap(), [([7; 17], b"kept".to_vec())]);
    }
}
