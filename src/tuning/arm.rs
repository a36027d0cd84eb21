//! Which sessions are fitted.
//!
//! Each session draws a lot, by a keyed hash of its id: nobody outside can tell what an id draws, so that
//! nobody can make one arm look worse by being slow in it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::upload::UploadId;

/// In how many groups the sessions of an arm are counted.
pub const GROUPS: u8 = 16;

/// Whether a session is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arm {
    /// Its buffers follow what is measured.
    Adaptive,
    /// Its buffers are what the settings say.
    Fixed,
}

impl Arm {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Adaptive, Self::Fixed];
}

/// What a session draws; the same each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot(u64);

impl Lot {
    /// The lot with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The group in which the session is counted, below [`GROUPS`]. Says nothing of its arm.
    #[must_use]
    pub fn group(self) -> u8 {
        let group = self.0 / 100 % u64::from(GROUPS);
        u8::try_from(group).unwrap_or(0)
    }
}

/// The key behind lots: secret, and the same for the life of the data directory.
#[derive(Clone)]
pub struct LotKey([u8; 32]);

impl LotKey {
    /// The key with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What the session with this id draws.
    #[must_use]
    pub fn draw(&self, id: UploadId) -> Lot {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return Lot(0) };
        mac.update(id.as_bytes());
        let tag = mac.finalize().into_bytes();
        Lot(tag.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

impl std::fmt::Debug for LotKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LotKey(hidden)")
    }
}

/// How many sessions of a hundred are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollout(u8);

impl Rollout {
    /// None is.
    pub const NOBODY: Self = Self(0);

    /// So many of a hundred; more than all are all.
    #[must_use]
    pub fn percent(percent: u8) -> Self {
        Self(percent.min(100))
    }

    /// So many of a hundred.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The arm of a session. Whoever is fitted stays so when more are.
    #[must_use]
    pub fn arm(self, lot: Lot) -> Arm {
        if lot.0 % 100 < u64::from(self.0) { Arm::Adaptive } else { Arm::Fixed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_a_share_of_the_sessions_and_a_session_stays_in_its_arm() {
        let key = LotKey::new([7; 32]);
        let ids: Vec<UploadId> = (0..4000).map(|_| UploadId::generate()).collect();
        for (percent, around) in [(0, 0), (10, 400), (50, 2000), (100, 4000), (200, 4000)] {
            let rollout = Rollout::percent(percent);
            let arms: Vec<Arm> = ids.iter().map(|id| rollout.arm(key.draw(*id))).collect();
            let again: Vec<Arm> = ids.iter().map(|id| rollout.arm(key.draw(*id))).collect();
            assert_eq!(arms, again);
            let adaptive = arms.iter().filter(|arm| **arm == Arm::Adaptive).count();
            // Five standard deviations.
            assert!(usize::abs_diff(adaptive, around) <= 160, "{percent} %: {adaptive}");
        }
    }

    #[test]
    fn whoever_is_fitted_stays_so_when_more_are() {
        let all = |percent| {
            let rollout = Rollout::percent(percent);
            move |number: &u64| rollout.arm(Lot::new(*number)) == Arm::Adaptive
        };
        assert!((0..1000).filter(all(10)).all(|number| all(20)(&number)));
    }

    #[test]
    fn another_key_draws_other_lots() {
        let id = UploadId::generate();
        assert_ne!(LotKey::new([1; 32]).draw(id), LotKey::new([2; 32]).draw(id));
        assert_eq!(format!("{:?}", LotKey::new([1; 32])), "LotKey(hidden)");
    }

    #[test]
    fn groups_are_even_in_each_arm() {
        let mut groups = [0_u32; 16];
        for number in (0..32_000_u64).filter(|number| number % 100 < 10) {
            groups[usize::from(Lot::new(number).group())] += 1;
        }
        assert!(groups.iter().all(|count| *count == 200), "{groups:?}");
    }
}
