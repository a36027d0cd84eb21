//! What has to survive: sessions and bytes.
//!
//! Two traits that promise, adapters that keep the promise, and one contract suite per trait that
//! every adapter runs. Only `server/wiring.rs` names an adapter.
//!
//! | file | holds |
//! |---|---|
//! | `error` | what can go wrong, by meaning |
//! | `session_store` | [`SessionStore`]: records, revisions, expiry |
//! | `blob_store` | [`BlobStore`], [`BlobWriter`], [`BlobReader`]: bytes, in place, published |
//! | `blob_care` | [`BlobCare`]: what the doctor does with a blob store |
//! | `profile_store` | [`ProfileStore`]: what is known of clients; may be lost |
//! | `retry` | [`Retrying`]: a blob store that tries again when the device fails in passing |
//! | `session/` | adapters: sled, memory |
//! | `blob/` | adapters: local files, memory |
//! | `contract/` | the promises, as tests that take an adapter |

pub mod blob;
pub mod blob_care;
pub mod blob_store;
#[cfg(test)]
pub mod contract;
pub mod error;
pub mod profile_store;
pub mod retry;
pub mod session;
pub mod session_store;

pub use blob_care::{BlobCare, Cleared, Stray};
pub use blob_store::{
    BlobReader, BlobState, BlobStore, BlobWriter, Joining, Labels, LocalFile, Room, Tail, TakeIn,
};
pub use error::StorageError;
pub use profile_store::{ProfileKey, ProfileStore};
pub use retry::{Retried, Retries, Retrying};
pub use session_store::{ListFault, Mend, Revision, SessionStore, Stored};

/// A boxed future, so that the traits stay usable as trait objects.
pub type Pending<'a, T> =
    std::pin::Pin<Box<dyn Future<Output = Result<T, StorageError>> + Send + 'a>>;
