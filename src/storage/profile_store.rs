//! [`ProfileStore`]: where what is known of clients outlives the process.

use super::StorageError;

/// Under which a profile is kept: a keyed hash, from which nobody finds back to the client.
pub type ProfileKey = [u8; 17];

/// Keeps what is known of clients.
///
/// # Promises
///
/// What was written is there after a clean stop. A crash may take any of it: whoever keeps something here can do
/// without. Nothing waits for the device. All of it blocks, for as long as memory and page cache take.
pub trait ProfileStore: Send + Sync + 'static {
    /// Up to `most` of what is kept, in the order of keys.
    ///
    /// # Errors
    ///
    /// [`StorageError::Database`] if it cannot be read.
    fn profiles(&self, most: usize) -> Result<Vec<(ProfileKey, Vec<u8>)>, StorageError>;

    /// Keeps `record` under `key`, in place of what was there.
    ///
    /// # Errors
    ///
    /// [`StorageError::NoRoom`] or [`StorageError::Database`]; nothing has changed then.
    fn keep_profile(&self, key: &ProfileKey, record: &[u8]) -> Result<(), StorageError>;

    /// Forgets what is kept under `key`, if anything is.
    ///
    /// # Errors
    ///
    /// As [`ProfileStore::keep_profile`].
    fn forget_profile(&self, key: &ProfileKey) -> Result<(), StorageError>;

    /// Forgets everything.
    ///
    /// # Errors
    ///
    /// As [`ProfileStore::keep_profile`].
    fn forget_all_profiles(&self) -> Result<(), StorageError>;
}
