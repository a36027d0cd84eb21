//! Keeping sled's page cache to its size.
//!
//! sled 0.34 spreads its pages over 256 shards of cache, and a shard compares itself with its
//! capacity only once 64 accesses to it have gathered. Until then every page among them stays in
//! memory, whatever the capacity. Ids are random, so nearly every look meets another page: by
//! itself sled keeps some 8,000 pages of about five kilobytes, for good.
//!
//! The remedy is to look more than once. The further looks find the page in memory and cost half
//! a microsecond each; the gathering accesses then speak of so many fewer pages. The tree `expiry`
//! does without: it grows at one end, and its pages are small. A scan over ids alone does, too:
//! whoever scans them reads the sessions next.

use sled::{IVec, Tree};

/// Accesses that one look makes. At most 256 · 64 / 32 = 512 pages wait, on average half of them.
const ACCESSES: u32 = 32;

/// What `tree` holds under `key`.
pub(super) fn get(tree: &Tree, key: &[u8]) -> sled::Result<Option<IVec>> {
    for _ in 1..ACCESSES {
        tree.get(key)?;
    }
    // The last look is the freshest: others may be writing.
    tree.get(key)
}

/// Counts the page of a `key` that was just written or removed.
pub(super) fn count(tree: &Tree, key: &[u8]) -> sled::Result<()> {
    get(tree, key).map(drop)
}
