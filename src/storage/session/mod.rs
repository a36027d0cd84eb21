//! Adapters of [`SessionStore`](super::SessionStore): sled, memory.
pub mod memory;
