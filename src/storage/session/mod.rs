//! Adapters of [`SessionStore`](super::SessionStore).
//!
//! | folder or file | holds |
//! |---|---|
//! | `memory` | a map: for tests, and the yardstick of the contract suite |
//! | `memory_profiles` | profiles of clients in a map, for tests |
//! | `sled/` | the embedded database: the default |

pub mod memory;
pub mod memory_profiles;
pub mod sled;

pub use memory::MemorySessionStore;
pub use sled::{SledSessionStore, SledSettings};
