//! Profiles in memory, for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::storage::{ProfileKey, ProfileStore, StorageError};

/// Keeps profiles in a map; gone with the process.
#[derive(Debug, Default)]
pub struct MemoryProfileStore(Mutex<BTreeMap<ProfileKey, Vec<u8>>>);

impl MemoryProfileStore {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<ProfileKey, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProfileStore for MemoryProfileStore {
    fn profiles(&self, most: usize) -> Result<Vec<(ProfileKey, Vec<u8>)>, StorageError> {
        Ok(self.kept().iter().take(most).map(|(key, record)| (*key, record.clone())).collect())
    }

    fn keep_profile(&self, key: &ProfileKey, record: &[u8]) -> Result<(), StorageError> {
        self.kept().insert(*key, record.to_vec());
        Ok(())
    }

    fn forget_profile(&self, key: &ProfileKey) -> Result<(), StorageError> {
        self.kept().remove(key);
        Ok(())
    }

    fn forget_all_profiles(&self) -> Result<(), StorageError> {
        self.kept().clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_keeps_the_promises_of_a_store() {
        crate::storage::contract::profile::keeps_its_promises(&MemoryProfileStore::default());
    }
}
