//! Adapters of [`BlobStore`](super::BlobStore): local files, memory.
pub mod memory;
