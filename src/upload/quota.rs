//! What one owner may have, and whether one upload more fits into it. Pure: what the owner has
//! comes in as a list.

use std::time::Duration;

use super::id::UploadId;
use super::quantity::UploadLength;
use super::refusal::Refusal;
use super::relation::Relation;
use super::session::{Phase, Session};
use super::time::Timestamp;

/// The time over which [`Quota::bytes_per_day`] counts.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What one owner may have. `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Most unfinished uploads, slots that nothing was put into among them.
    pub running: Option<usize>,
    /// Most bytes in any 24 hours, whether they are still there or not.
    pub bytes_per_day: Option<u64>,
    /// Most bytes at once.
    pub total: Option<Total>,
}

/// Most bytes that one owner may have at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// How many.
    pub bytes: u64,
    /// What becomes of an upload that would pass that.
    pub when_full: WhenFull,
}

/// What becomes of an upload for which its owner has no bytes left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused.
    Refuse,
    /// The owner's oldest finished uploads go, until with the new one there are this many bytes or
    /// fewer.
    DeleteOldest {
        /// How many; not more than the total.
        down_to: u64,
    },
}

/// One upload of an owner, as quotas count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Which.
    pub id: UploadId,
    /// Where it stands.
    pub standing: Standing,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it goes by itself.
    pub expires_at: Option<Timestamp>,
    /// Bytes that it has, or was promised.
    pub bytes: u64,
    /// Bytes that count for the day on which it was created.
    pub day_bytes: u64,
}

/// Where an upload stands, as quotas count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Bytes are still to come.
    Running,
    /// A finished partial upload: what a final one is made of.
    Part,
    /// A finished file.
    Kept,
    /// Nothing is there any more.
    Gone,
}

impl Holding {
    /// What `session` counts for.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        let standing = match (session.phase(), session.relation()) {
            (Phase::Receiving | Phase::Assembling, _) => Standing::Running,
            (Phase::Complete, Relation::Partial) => Standing::Part,
            (Phase::Complete, Relation::Whole | Relation::Final { .. }) => Standing::Kept,
            (Phase::Gone(_), _) => Standing::Gone,
        };
        let bytes = match standing {
            Standing::Gone => 0,
            Standing::Running | Standing::Part | Standing::Kept => {
                session.length().map_or(session.offset().get(), UploadLength::get)
            }
        };
        let day_bytes = match (standing, session.relation()) {
            (Standing::Gone, _) => session.spent(),
            // Its bytes came with its parts.
            (_, Relation::Final { .. }) => 0,
            (_, Relation::Whole | Relation::Partial) => bytes,
        };
        Self {
            id: session.id(),
            standing,
            created_at: session.created_at(),
            expires_at: session.expires_at(),
            bytes,
            day_bytes,
        }
    }

    /// Whether it is there at `now`: what expired is as good as gone.
    #[must_use]
    pub fn is_there(&self, now: Timestamp) -> bool {
        self.standing != Standing::Gone && self.expires_at.is_none_or(|expiry| expiry > now)
    }

    /// Bytes of the 24 hours before `now`. What was promised and never came costs nothing.
    fn of_the_day(&self, now: Timestamp) -> u64 {
        let lapsed = self.standing == Standing::Running && !self.is_there(now);
        if lapsed || now.since(self.created_at) >= DAY { 0 } else { self.day_bytes }
    }

    /// Whether it is of no importance any more for any quota.
    #[must_use]
    pub fn is_history(&self, now: Timestamp) -> bool {
        self.standing == Standing::Gone
            && (self.day_bytes == 0 || now.since(self.created_at) >= DAY)
    }
}

/// What an owner has, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Uploads that are there, finished or not.
    pub uploads: usize,
    /// The unfinished ones among them.
    pub running: usize,
    /// Bytes that they have, or were promised.
    pub bytes: u64,
    /// Bytes of the last 24 hours.
    pub day_bytes: u64,
}

impl Usage {
    /// The sum of `holdings` at `now`.
    #[must_use]
    pub fn of(holdings: &[Holding], now: Timestamp) -> Self {
        let mut usage = Self::default();
        for holding in holdings {
            usage.day_bytes = usage.day_bytes.saturating_add(holding.of_the_day(now));
            if holding.is_there(now) {
                usage.uploads = usage.uploads.saturating_add(1);
                usage.bytes = usage.bytes.saturating_add(holding.bytes);
                if holding.standing == Standing::Running {
                    usage.running = usage.running.saturating_add(1);
                }
            }
        }
        usage
    }
}

/// An upload that fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// What has to go before it, oldest first.
    pub remove: Vec<UploadId>,
    /// Most bytes it may become, where its length is not known yet.
    pub max_bytes: Option<u64>,
}

impl Quota {
    /// Whether anything is bounded.
    #[must_use]
    pub const fn is_bounded(&self) -> bool {
        self.running.is_some() || self.bytes_per_day.is_some() || self.total.is_some()
    }

    /// Judges one upload more, of `wanted` bytes if that is known.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooLarge`] if it could never fit, [`Refusal::QuotaReached`] if it does not now,
    /// with the moment from which it could, as far as that can be told.
    pub fn judge(
        &self,
        holdings: &[Holding],
        wanted: Option<u64>,
        now: Timestamp,
    ) -> Result<Grant, Refusal> {
        let usage = Usage::of(holdings, now);
        let bytes = wanted.unwrap_or(0);
        self.could_fit(bytes)?;
        if self.running.is_some_and(|most| usage.running >= most) {
            let running = |holding: &&Holding| holding.standing == Standing::Running;
            let there = holdings.iter().filter(|holding| holding.is_there(now));
            let retry_at = there.filter(running).filter_map(|holding| holding.expires_at).min();
            return Err(Refusal::QuotaReached { retry_at });
        }
        if self.bytes_per_day.is_some_and(|most| usage.day_bytes.saturating_add(bytes) > most) {
            let freed =
                |holding: &Holding| (holding.created_at.after(DAY), holding.of_the_day(now));
            let room = self.bytes_per_day.unwrap_or(0).saturating_sub(bytes);
            let retry_at = falls_to(usage.day_bytes, room, holdings.iter().map(freed));
            return Err(Refusal::QuotaReached { retry_at });
        }
        let remove = match self.total {
            Some(total) if usage.bytes.saturating_add(bytes) > total.bytes => {
                total.make_room(holdings, &usage, bytes, now)?
            }
            Some(_) | None => Vec::new(),
        };
        let left = |most: u64, used: u64| most.saturating_sub(used);
        let day = self.bytes_per_day.map(|most| left(most, usage.day_bytes));
        let total = self.total.map(|total| left(total.bytes, usage.bytes));
        let max_bytes = day.into_iter().chain(total).min().filter(|_| wanted.is_none());
        Ok(Grant { remove, max_bytes })
    }

    /// Refuses what no deletion and no waiting would make fit.
    fn could_fit(&self, bytes: u64) -> Result<(), Refusal> {
        let bounds = self.bytes_per_day.into_iter().chain(self.total.map(|total| total.bytes));
        match bounds.min().and_then(UploadLength::new) {
            Some(max) if bytes > max.get() => Err(Refusal::TooLarge { max }),
            Some(_) | None => Ok(()),
        }
    }
}

impl Total {
    /// The oldest finished uploads that have to go.
    fn make_room(
        &self,
        holdings: &[Holding],
        usage: &Usage,
        bytes: u64,
        now: Timestamp,
    ) -> Result<Vec<UploadId>, Refusal> {
        let there = || holdings.iter().filter(|holding| holding.is_there(now));
        let refused = || {
            let freed = there().filter_map(|holding| Some((holding.expires_at?, holding.bytes)));
            let room = self.bytes.saturating_sub(bytes);
            Refusal::QuotaReached { retry_at: falls_to(usage.bytes, room, freed) }
        };
        let WhenFull::DeleteOldest { down_to } = self.when_full else { return Err(refused()) };
        let mut kept: Vec<_> =
            there().filter(|holding| holding.standing == Standing::Kept).collect();
        kept.sort_unstable_by_key(|holding| (holding.created_at, holding.id));
        let mut left = usage.bytes.saturating_add(bytes);
        let mut remove = Vec::new();
        for holding in kept {
            if left <= down_to.min(self.bytes) {
                break;
            }
            // An empty file frees nothing.
            if holding.bytes > 0 {
                left = left.saturating_sub(holding.bytes);
                remove.push(holding.id);
            }
        }
        // What is running cannot go: it is better to delete nothing than to delete in vain.
        if left > self.bytes { Err(refused()) } else { Ok(remove) }
    }
}

/// When `sum` has fallen to `room`, as `freed` says what goes when.
fn falls_to(
    sum: u64,
    room: u64,
    freed: impl Iterator<Item = (Timestamp, u64)>,
) -> Option<Timestamp> {
    let mut freed: Vec<_> = freed.collect();
    freed.sort_unstable();
    let mut left = sum;
    freed.into_iter().find_map(|(moment, bytes)| {
        left = left.saturating_sub(bytes);
        (left <= room).then_some(moment)
    })
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
