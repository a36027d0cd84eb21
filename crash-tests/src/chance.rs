//! Chance that repeats: the same seed, the same choices.

/// A generator of numbers (splitmix64).
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// A generator that begins at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator of its own for `part`, so that parts do not depend on each other's order.
    #[must_use]
    pub fn part(seed: u64, part: u64) -> Self {
        Self::new(mixed(seed).wrapping_add(mixed(part.wrapping_add(1))))
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.state)
    }

    /// A number below `bound`; 0 if there is none.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number().checked_rem(bound).unwrap_or(0)
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of `items`.
    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let at = self.below(u64::try_from(items.len()).unwrap_or(u64::MAX));
        items.get(usize::try_from(at).unwrap_or(0))
    }
}

fn mixed(number: u64) -> u64 {
    let mut z = number;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Bytes `from..to` of the content that belongs to `seed`.
///
/// No two places look alike, so that bytes at a wrong place, zeros and bytes of another upload are
/// all noticed.
#[must_use]
pub fn content(seed: u64, from: u64, to: u64) -> Vec<u8> {
    let words = from / 8..to.div_ceil(8);
    let bytes = words.flat_map(|word| mixed(mixed(seed) ^ word.wrapping_mul(31)).to_le_bytes());
    let skip = usize::try_from(from % 8).unwrap_or(0);
    let take = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
    bytes.skip(skip).take(take).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_another_differs() {
        let first = |seed| Chance::new(seed).number();
        assert_eq!(first(3), first(3));
        assert_ne!(first(3), first(4));
    }

    #[test]
    fn a_stretch_of_content_is_what_the_whole_has_there() {
        let whole = content(7, 0, 100);
        assert_eq!(content(7, 13, 61), whole[13..61]);
        assert_ne!(content(8, 0, 100), whole);
    }
}
