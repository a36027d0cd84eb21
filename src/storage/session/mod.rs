//! Adapters of [`SessionStore`](super::SessionStore): sled, memory.
