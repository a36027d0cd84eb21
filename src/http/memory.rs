//! [`Memory`]: how much bodies on their way may take, all of them together.
//!
//! Uploads and downloads have half each, so that readers who take their time cannot keep anybody from
//! uploading. An upload holds a batch while that is written, and waits without holding anything: its
//! client is not read from meanwhile, and nothing is dropped. A download holds the piece that its
//! client has yet to take.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counted in units of so many bytes.
const UNIT_BYTES: usize = 1024;

/// Memory for bodies in both directions. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) uploads: Budget,
    pub(super) downloads: Budget,
}

impl Memory {
    /// Half of `bytes` for each direction.
    pub(super) fn new(bytes: usize) -> Self {
        Self { uploads: Budget::new(bytes / 2), downloads: Budget::new(bytes / 2) }
    }
}

/// Memory for bodies in one direction. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    free: Arc<Semaphore>,
    units: u32,
}

/// Memory that is in use until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    _units: Option<OwnedSemaphorePermit>,
}

impl Budget {
    fn new(bytes: usize) -> Self {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let permits = usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))), units }
    }

    /// Whether more than half of it is free.
    pub(super) fn is_ample(&self) -> bool {
        self.free.available_permits() > usize::try_from(self.units / 2).unwrap_or(usize::MAX)
    }

    /// Bytes that are free.
    pub(super) fn free_bytes(&self) -> usize {
        self.free.available_permits().saturating_mul(UNIT_BYTES)
    }

    /// Memory for `bytes`, if there is some and nobody waits for it.
    pub(super) fn try_hold(&self, bytes: usize) -> Option<Held> {
        let units = Arc::clone(&self.free).try_acquire_many_owned(self.units_of(bytes)).ok()?;
        Some(Held { _units: Some(units) })
    }

    /// Memory for `bytes`, as soon as there is some; who came first is served first.
    pub(super) async fn hold(self, bytes: usize) -> Held {
        let units = self.units_of(bytes);
        // It is never closed.
        Held { _units: self.free.acquire_many_owned(units).await.ok() }
    }

    /// Never more than there is: whoever wants more waits for all of it.
    fn units_of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).min(self.units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_held_is_bounded_and_whoever_waits_is_served_in_turn() {
        let budget = Budget::new(64 * 1024);
        let held = budget.try_hold(64 * 1024).unwrap();
        assert!(budget.try_hold(1).is_none());
        let waiting = tokio::spawn(budget.clone().hold(16 * 1024));
        drop(held);
        let held = waiting.await.unwrap();
        assert!(budget.try_hold(48 * 1024).is_some());
        assert!(budget.try_hold(48 * 1024 + 1).is_none());
        drop(held);
    }

    #[tokio::test]
    async fn whoever_wants_more_than_there_is_gets_all_of_it() {
        let budget = Budget::new(64 * 1024);
        let held = budget.clone().hold(1 << 40).await;
        assert!(budget.try_hold(1).is_none());
        drop(held);
        assert!(budget.is_ample());
    }

    #[test]
    fn downloads_take_nothing_from_uploads() {
        let memory = Memory::new(128 * 1024);
        let _held = memory.downloads.try_hold(64 * 1024).unwrap();
        assert!(memory.downloads.try_hold(1).is_none());
        assert!(memory.uploads.try_hold(64 * 1024).is_some());
    }
}
