//! All that one owner has.

use std::sync::Arc;

use crate::storage::StorageError;
use crate::upload::{Departure, Owner, Phase, UploadId, Usage};

use super::error::EngineError;
use super::lease::Claim;
use super::ledger::blocking;
use super::{Engine, Shared};

/// Records read at a time.
const PAGE: usize = 1024;

impl Engine {
    /// What `owner` has, added up. Nobody in particular has nothing.
    ///
    /// # Errors
    ///
    /// [`EngineError::Storage`] if the store cannot be read.
    pub async fn usage(&self, owner: &Owner) -> Result<Usage, EngineError> {
        let (shared, owner) = (Arc::clone(&self.shared), owner.clone());
        self.run(async move {
            let holdings = shared.holdings(owner).await?;
            Ok(Usage::of(&holdings, shared.clock.now()))
        })
        .await
    }

    /// Removes everything of `owner`, finished or not; writers are told to stop first. Returns how
    /// many uploads that were.
    ///
    /// What remains are tombstones that name nobody. Uploads that are created meanwhile may stay.
    /// Every record is read once, because a tombstone may have left its owner's list.
    ///
    /// # Errors
    ///
    /// [`EngineError::Busy`] if a writer does not let go in time, [`EngineError::Storage`] if a
    /// store fails; what was removed until then is gone, and doing it again goes on.
    pub async fn remove_owner(&self, owner: &Owner) -> Result<usize, EngineError> {
        let (shared, owner) = (Arc::clone(&self.shared), owner.clone());
        if owner.name().is_none() {
            return Ok(0);
        }
        self.run(async move {
            let mut removed = 0_usize;
            for holding in shared.holdings(owner.clone()).await? {
                removed = removed.saturating_add(shared.remove_of(holding.id, &owner).await?);
            }
            let mut after = None;
            loop {
                let (last, theirs) = shared.records_of(owner.clone(), after).await?;
                for id in theirs {
                    removed = removed.saturating_add(shared.remove_of(id, &owner).await?);
                }
                after = last;
                if after.is_none() {
                    return Ok(removed);
                }
            }
        })
        .await
    }
}

impl Shared {
    /// The next page of records: where it ends, and which of them are `owner`'s.
    async fn records_of(
        self: &Arc<Self>,
        owner: Owner,
        after: Option<UploadId>,
    ) -> Result<(Option<UploadId>, Vec<UploadId>), EngineError> {
        let shared = Arc::clone(self);
        blocking(move || {
            let ids = shared.sessions.ids(after, PAGE)?;
            let last = ids.last().copied();
            let is_theirs = |id: &UploadId| {
                let stored = shared.sessions.get(*id).ok().flatten();
                stored.is_some_and(|stored| *stored.session.owner() == owner)
            };
            Ok((last, ids.into_iter().filter(is_theirs).collect()))
        })
        .await
    }

    /// Removes one upload of `owner`, or whose one that is gone was; returns how many were there.
    async fn remove_of(&self, id: UploadId, owner: &Owner) -> Result<usize, EngineError> {
        let _lease = self.take_over(id, Claim::Terminate).await?;
        let there = match self.sessions.get(id) {
            Ok(Some(mut stored)) if stored.session.owner() == owner => {
                stored.session.disown();
                if matches!(stored.session.phase(), Phase::Gone(_)) {
                    self.sessions.commit(&stored.session, stored.revision).await?;
                    0
                } else {
                    self.depart(stored, Departure::Terminated).await?;
                    1
                }
            }
            Ok(Some(_) | None) => 0,
            // It is listed as theirs, and nobody can tell otherwise.
            Err(StorageError::Record { .. }) => {
                self.clear(id).await?;
                1
            }
            Err(error) => return Err(error.into()),
        };
        self.sessions.unlist(owner, id)?;
        Ok(there)
    }
}
