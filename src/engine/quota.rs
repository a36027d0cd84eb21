//! One upload more, if its owner may have it.
//!
//! An owner's creations are judged one after the other, and what was promised counts until it is
//! on the owner's list, so that two at once cannot both have the last byte. Writing is never held
//! up: only the judgement waits for its turn.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

use crate::storage::StorageError;
use crate::upload::quota::{Grant, Standing};
use crate::upload::{
    Departure, Holding, NewSession, Owner, Quota, Refusal, UploadId, UploadLength,
};

use super::Shared;
use super::error::EngineError;
use super::lease::Claim;
use super::ledger::blocking;

/// Turns that owners share; enough that two rarely meet.
const TURNS: u64 = 64;
/// Entries of a list read at a time.
const PAGE: usize = 4096;
/// Owners that are remembered as checked. One that is forgotten is checked once more.
const MAX_CHECKED: usize = 100_000;

/// Whose turn it is, and what was promised.
#[derive(Debug)]
pub(super) struct Quotas {
    turns: Vec<AsyncMutex<()>>,
    /// Uploads that were granted and may not be listed yet.
    promised: Arc<Mutex<HashMap<UploadId, (Owner, Holding)>>>,
    /// Owners whose list was compared with their records since the start.
    checked: Mutex<HashSet<u64>>,
}

impl Default for Quotas {
    fn default() -> Self {
        let turns = (0..TURNS).map(|_| AsyncMutex::new(())).collect();
        Self { turns, promised: Arc::default(), checked: Mutex::default() }
    }
}

/// A promise: counts against its owner's quota until it is dropped or listed.
#[derive(Debug)]
pub(super) struct Admission {
    id: UploadId,
    promised: Arc<Mutex<HashMap<UploadId, (Owner, Holding)>>>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        locked(&self.promised).remove(&self.id);
    }
}

/// A panic elsewhere cannot leave a map half-changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hash(owner: &Owner) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(owner)
}

impl Quotas {
    /// Whose creations take turns with those of `owner`.
    fn turn(&self, owner: &Owner) -> Option<&AsyncMutex<()>> {
        usize::try_from(hash(owner) % TURNS).ok().and_then(|index| self.turns.get(index))
    }

    fn promise(&self, owner: &Owner, holding: Holding) -> Admission {
        locked(&self.promised).insert(holding.id, (owner.clone(), holding));
        Admission { id: holding.id, promised: Arc::clone(&self.promised) }
    }

    /// What was promised to `owner` and is not in `listed`.
    fn promised_beside(&self, owner: &Owner, listed: &[Holding]) -> Vec<Holding> {
        let known: HashSet<UploadId> = listed.iter().map(|holding| holding.id).collect();
        let promised = locked(&self.promised);
        let theirs = promised.values().filter(|(whose, _)| whose == owner);
        theirs.map(|(_, holding)| *holding).filter(|holding| !known.contains(&holding.id)).collect()
    }

    fn is_checked(&self, owner: &Owner) -> bool {
        locked(&self.checked).contains(&hash(owner))
    }

    fn set_checked(&self, owner: &Owner) {
        let mut checked = locked(&self.checked);
        if checked.len() >= MAX_CHECKED {
            checked.clear();
        }
        checked.insert(hash(owner));
    }
}

impl Shared {
    /// Judges a new upload by what its owner may have, and makes room for it if that is wanted.
    ///
    /// `None` if nothing is bounded, or nobody in particular asks. What it returns has to be held
    /// until the session is stored.
    ///
    /// # Errors
    ///
    /// [`Refusal::QuotaReached`] or [`Refusal::TooLarge`]; nothing was removed then.
    pub(super) async fn admit(
        self: &Arc<Self>,
        new: &mut NewSession,
        id: UploadId,
    ) -> Result<Option<Admission>, EngineError> {
        let bounded = new.quota.filter(|quota| quota.is_bounded() && new.owner.name().is_some());
        let Some(quota) = bounded else { return Ok(None) };
        let length = new.geometry.map(|geometry| geometry.length()).or(new.length);
        let wanted = length.map(UploadLength::get);
        let turn = self.quotas.turn(&new.owner);
        let _turn = match turn {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let grant = self.judge(&new.owner, quota, wanted).await?;
        for oldest in grant.remove {
            self.evict(oldest, &new.owner).await?;
        }
        if let Some(max) = grant.max_bytes.and_then(UploadLength::new) {
            new.max_length = Some(new.max_length.map_or(max, |own| own.min(max)));
        }
        let (bytes, created_at) = (wanted.unwrap_or(0), self.clock.now());
        let (standing, expires_at) = (Standing::Running, None);
        let holding = Holding { id, standing, created_at, expires_at, bytes, day_bytes: bytes };
        Ok(Some(self.quotas.promise(&new.owner, holding)))
    }

    /// A list that a crash left behind its records refuses and removes nothing: before that it is
    /// compared with them.
    async fn judge(
        self: &Arc<Self>,
        owner: &Owner,
        quota: Quota,
        wanted: Option<u64>,
    ) -> Result<Grant, EngineError> {
        let mut listed = self.holdings(owner.clone()).await?;
        loop {
            let promised = self.quotas.promised_beside(owner, &listed);
            let all: Vec<Holding> = listed.iter().copied().chain(promised).collect();
            let verdict = quota.judge(&all, wanted, self.clock.now());
            let harmless = verdict.as_ref().is_ok_and(|grant| grant.remove.is_empty())
                || matches!(verdict, Err(Refusal::TooLarge { .. }));
            if harmless || self.quotas.is_checked(owner) {
                return Ok(verdict?);
            }
            listed = self.checked_holdings(owner.clone(), listed).await?;
            self.quotas.set_checked(owner);
        }
    }

    /// What `owner` has, as it is listed; what is of no importance any more is taken off the list.
    pub(super) async fn holdings(
        self: &Arc<Self>,
        owner: Owner,
    ) -> Result<Vec<Holding>, EngineError> {
        let shared = Arc::clone(self);
        blocking(move || {
            let (now, mut after, mut all) = (shared.clock.now(), None, Vec::new());
            loop {
                let page = shared.sessions.holdings(&owner, after, PAGE)?;
                let Some(last) = page.last() else { return Ok(all) };
                after = Some(last.id);
                for holding in page {
                    if holding.is_history(now) {
                        shared.sessions.unlist(&owner, holding.id)?;
                    } else {
                        all.push(holding);
                    }
                }
            }
        })
        .await
    }

    /// As [`Shared::holdings`], with every entry compared with its record.
    async fn checked_holdings(
        self: &Arc<Self>,
        owner: Owner,
        listed: Vec<Holding>,
    ) -> Result<Vec<Holding>, EngineError> {
        let shared = Arc::clone(self);
        blocking(move || {
            let checked = listed.into_iter().filter_map(|holding| {
                match shared.sessions.relist(&owner, holding.id) {
                    // What cannot be read still has its bytes.
                    Err(StorageError::Record { .. }) => Some(Ok(holding)),
                    checked => checked.transpose(),
                }
            });
            checked.collect()
        })
        .await
    }

    /// Removes a finished upload to make room for its owner's next one.
    async fn evict(&self, id: UploadId, owner: &Owner) -> Result<(), EngineError> {
        let _lease = self.take_over(id, Claim::Terminate).await?;
        let Some(stored) = self.sessions.get(id)? else { return Ok(()) };
        if stored.session.owner() == owner && stored.session.is_complete() {
            self.depart(stored, Departure::Expired).await?;
            tracing::info!(upload = %id, "{id} was removed: its owner's quota was full");
        }
        Ok(())
    }
}
