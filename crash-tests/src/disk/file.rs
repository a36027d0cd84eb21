//! What is in a file, twice: as a process sees it, and as it is on the device.

use std::collections::BTreeSet;

use crate::chance::Chance;

/// What reaches the device as one.
pub(super) const PAGE: usize = 4096;
/// What is never torn within a page.
const SECTOR: usize = 512;

/// The bytes of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    seen: Vec<u8>,
    kept: Vec<u8>,
    /// Pages that are not on the device as they are seen.
    dirty: BTreeSet<usize>,
    /// The file was made shorter, down to here, and the journal does not know yet.
    cut_to: Option<usize>,
}

impl Content {
    pub(super) const fn len(&self) -> usize {
        self.seen.len()
    }

    /// At most `length` bytes from `at` on.
    pub(super) fn read(&self, at: usize, length: usize) -> &[u8] {
        let end = at.saturating_add(length).min(self.seen.len());
        self.seen.get(at..end).unwrap_or_default()
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at.saturating_add(bytes.len());
        if end > self.seen.len() {
            self.seen.resize(end, 0);
        }
        if let Some(place) = self.seen.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
        if !bytes.is_empty() {
            self.dirty.extend(at / PAGE..end.div_ceil(PAGE));
        }
    }

    /// Makes the file `length` long: cut off, or filled up with zeros.
    pub(super) fn resize(&mut self, length: usize) {
        if length < self.seen.len() {
            self.cut_to = Some(self.cut_to.map_or(length, |before| before.min(length)));
            self.dirty.retain(|page| page.saturating_mul(PAGE) < length);
        }
        self.seen.resize(length, 0);
    }

    /// Everything seen is on the device afterwards.
    pub(super) fn sync(&mut self) {
        self.journal_cut();
        for page in std::mem::take(&mut self.dirty) {
            self.keep(page, PAGE / SECTOR);
        }
        self.kept.resize(self.seen.len(), 0);
    }

    /// A sync that failed: the kernel takes the pages for clean and never writes them again,
    /// whatever a later sync says.
    pub(super) fn fail_sync(&mut self) {
        self.dirty.clear();
    }

    /// What a kernel does by itself at any time: some pages reach the device, in any order.
    pub(super) fn write_back(&mut self, chance: &mut Chance) {
        self.journal_cut();
        let some: Vec<usize> = self.dirty.iter().copied().filter(|_| chance.once_in(2)).collect();
        for page in some {
            self.dirty.remove(&page);
            self.keep(page, PAGE / SECTOR);
        }
    }

    /// What is on the device after the power went.
    pub(super) fn after_cut(mut self, chance: &mut Chance) -> Self {
        // A cut is in the journal before anything is written behind it, so without it nothing is.
        let lost = chance.below(4);
        if lost > 0 && !(self.cut_to.is_some() && chance.once_in(2)) {
            self.journal_cut();
            for page in std::mem::take(&mut self.dirty) {
                let whole = lost == 1 || chance.once_in(2);
                if whole {
                    self.keep(page, PAGE / SECTOR);
                } else if chance.once_in(8) {
                    let sectors = chance.below(8);
                    self.keep(page, usize::try_from(sectors).unwrap_or(0));
                }
            }
            // The size may run ahead of the data; what was not written reads as zeros.
            if self.kept.len() < self.seen.len() && (lost == 1 || chance.once_in(4)) {
                self.kept.resize(self.seen.len(), 0);
            }
        }
        let seen = self.kept.clone();
        Self { seen, kept: self.kept, dirty: BTreeSet::new(), cut_to: None }
    }

    fn journal_cut(&mut self) {
        if let Some(length) = self.cut_to.take() {
            self.kept.truncate(length);
        }
    }

    /// The first sectors of a page reach the device.
    fn keep(&mut self, page: usize, sectors: usize) {
        let start = page.saturating_mul(PAGE);
        let end = start.saturating_add(sectors.saturating_mul(SECTOR)).min(self.seen.len());
        if end <= start {
            return;
        }
        if self.kept.len() < end {
            self.kept.resize(end, 0);
        }
        if let (Some(to), Some(from)) = (self.kept.get_mut(start..end), self.seen.get(start..end)) {
            to.copy_from_slice(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(content: &Content) -> Vec<Vec<u8>> {
        (0..200).map(|seed| content.clone().after_cut(&mut Chance::new(seed)).seen).collect()
    }

    #[test]
    fn what_was_synced_survives_every_cut() {
        let mut content = Content::default();
        content.write(0, &[7; 3 * PAGE + 5]);
        content.sync();
        assert!(cuts(&content).iter().all(|left| *left == [7; 3 * PAGE + 5]));
    }

    #[test]
    fn what_was_not_synced_survives_whole_in_part_out_of_order_or_not_at_all() {
        let mut content = Content::default();
        content.write(0, &[7; 4 * PAGE]);
        let left = cuts(&content);
        assert!(left.iter().any(Vec::is_empty));
        assert!(left.contains(&vec![7; 4 * PAGE]));
        assert!(left.iter().any(|left| left.len() > PAGE && left[0] == 0 && left[PAGE] == 7));
        assert!(left.iter().any(|left| left.len() % PAGE != 0), "a torn page");
        assert!(left.iter().any(|left| left.len() == 4 * PAGE && left.ends_with(&[0])));
    }

    #[test]
    fn an_overwrite_that_was_not_synced_leaves_the_old_page_or_the_new_one() {
        let mut content = Content::default();
        content.write(0, &[1; PAGE]);
        content.sync();
        content.write(0, &[2; PAGE]);
        let left = cuts(&content);
        assert!(left.contains(&vec![1; PAGE]) && left.contains(&vec![2; PAGE]));
        assert!(left.iter().all(|left| left.len() == PAGE && !left.contains(&0)));
    }

    #[test]
    fn nothing_from_before_a_cut_shows_through_what_was_written_after_it() {
        let mut content = Content::default();
        content.write(0, &[1; 4 * PAGE]);
        content.sync();
        content.resize(PAGE);
        content.write(PAGE, &[2; 3 * PAGE]);
        for left in cuts(&content) {
            let new = left[PAGE.min(left.len())..].contains(&2);
            assert!(!(new && left[PAGE..].contains(&1)), "old and new bytes are mixed");
        }
    }

    #[test]
    fn pages_of_a_failed_sync_are_never_written_by_a_later_one() {
        let mut content = Content::default();
        content.write(0, &[7; PAGE]);
        content.fail_sync();
        content.sync();
        assert!(cuts(&content).iter().all(|left| *left == [0; PAGE]));
        assert_eq!(content.read(0, 1), [7], "the process still sees them");
    }
}
