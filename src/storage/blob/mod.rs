//! Adapters of [`BlobStore`](super::BlobStore).
//!
//! | folder or file | holds |
//! |---|---|
//! | `memory` | vectors: for tests, and the yardstick of the contract suite |
//! | `fs/` | local files: the default |

pub mod fs;
pub mod memory;

pub use fs::{FsBlobStore, FsSettings};
pub use memory::MemoryBlobStore;
