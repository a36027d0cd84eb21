//! Names in directories, twice: as a process sees them, and as they are on the device.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use crate::chance::Chance;

use super::Inode;

/// What names survive without their directory having been synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// As on ext4: one journal for everything. A cut takes the newest changes, and every sync, of
    /// a file too, brings the journal to the device.
    Ordered,
    /// What POSIX promises: a directory's names survive once it was synced. Each directory keeps
    /// the order of its changes, and a rename is never half done.
    Loose,
}

type Listing = BTreeMap<OsString, Inode>;

/// One change of one name.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) directory: Inode,
    pub(super) name: OsString,
    /// What the name stands for afterwards; `None` if it is gone.
    pub(super) now: Option<Inode>,
}

/// Every directory.
#[derive(Clone, Debug)]
pub(super) struct Names {
    journal: Journal,
    seen: BTreeMap<Inode, Listing>,
    kept: BTreeMap<Inode, Listing>,
    /// Changes that are not on the device, oldest first. Each happens whole or not at all.
    pending: Vec<Vec<Edit>>,
}

impl Names {
    /// The names on the device are `kept`.
    pub(super) fn new(journal: Journal, kept: BTreeMap<Inode, Listing>) -> Self {
        Self { journal, seen: kept.clone(), kept, pending: Vec::new() }
    }

    pub(super) fn get(&self, directory: Inode, name: &OsStr) -> Option<Inode> {
        self.seen.get(&directory)?.get(name).copied()
    }

    pub(super) fn list(&self, directory: Inode) -> impl Iterator<Item = (&OsString, Inode)> {
        let listing = self.seen.get(&directory).into_iter().flatten();
        listing.map(|(name, inode)| (name, *inode))
    }

    /// How many names `inode` has.
    pub(super) fn count(&self, inode: Inode) -> usize {
        self.seen.values().flat_map(Listing::values).filter(|named| **named == inode).count()
    }

    pub(super) fn change(&mut self, edits: Vec<Edit>) {
        edits.iter().for_each(|edit| apply(&mut self.seen, edit));
        self.pending.push(edits);
    }

    /// A file was synced.
    pub(super) fn file_synced(&mut self) {
        match self.journal {
            Journal::Ordered => self.keep_all(),
            Journal::Loose => {}
        }
    }

    /// A directory was synced.
    pub(super) fn sync(&mut self, directory: Inode) {
        match self.journal {
            Journal::Ordered => self.keep_all(),
            Journal::Loose => self.keep_of(directory),
        }
    }

    fn keep_all(&mut self) {
        for edit in self.pending.drain(..).flatten() {
            apply(&mut self.kept, &edit);
        }
    }

    /// Keeps what was done to `directory`, and what has to be before it.
    fn keep_of(&mut self, directory: Inode) {
        let mut touched = BTreeSet::from([directory]);
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for change in self.pending.drain(..).rev() {
            if change.iter().any(|edit| touched.contains(&edit.directory)) {
                touched.extend(change.iter().map(|edit| edit.directory));
                taken.push(change);
            } else {
                left.push(change);
            }
        }
        left.reverse();
        self.pending = left;
        for edit in taken.into_iter().rev().flatten() {
            apply(&mut self.kept, &edit);
        }
    }

    /// The names on the device after the power went.
    pub(super) fn after_cut(mut self, chance: &mut Chance) -> BTreeMap<Inode, Listing> {
        let changes = u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        let reached = usize::try_from(chance.below(changes.saturating_add(1))).unwrap_or(0);
        let mut stopped: BTreeSet<Inode> = BTreeSet::new();
        for change in self.pending.into_iter().take(reached) {
            let behind = change.iter().any(|edit| stopped.contains(&edit.directory));
            if behind || (self.journal == Journal::Loose && chance.once_in(4)) {
                stopped.extend(change.iter().map(|edit| edit.directory));
            } else {
                change.iter().for_each(|edit| apply(&mut self.kept, edit));
            }
        }
        self.kept
    }
}

fn apply(listings: &mut BTreeMap<Inode, Listing>, edit: &Edit) {
    let listing = listings.entry(edit.directory).or_default();
    match edit.now {
        Some(inode) => drop(listing.insert(edit.name.clone(), inode)),
        None => drop(listing.remove(&edit.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Inode = 2;
    const B: Inode = 3;

    fn named(directory: Inode, name: &str, now: Option<Inode>) -> Edit {
        Edit { directory, name: name.into(), now }
    }

    fn has(names: &BTreeMap<Inode, Listing>, directory: Inode, name: &str) -> bool {
        names.get(&directory).is_some_and(|listing| listing.contains_key(OsStr::new(name)))
    }

    fn cuts(names: &Names) -> Vec<BTreeMap<Inode, Listing>> {
        (0..200).map(|seed| names.clone().after_cut(&mut Chance::new(seed))).collect()
    }

    #[test]
    fn a_name_survives_once_its_directory_is_synced() {
        let mut names = Names::new(Journal::Loose, BTreeMap::new());
        names.change(vec![named(A, "a", Some(9))]);
        names.file_synced();
        assert!(cuts(&names).iter().any(|left| !has(left, A, "a")), "a file's sync is not enough");
        names.sync(A);
        assert!(cuts(&names).iter().all(|left| has(left, A, "a")));
    }

    #[test]
    fn a_rename_is_never_half_done_and_either_directory_settles_it() {
        for synced in [None, Some(A), Some(B)] {
            let mut names = Names::new(Journal::Loose, BTreeMap::new());
            names.change(vec![named(A, "x", Some(9))]);
            names.sync(A);
            names.change(vec![named(A, "x", None), named(B, "y", Some(9))]);
            if let Some(directory) = synced {
                names.sync(directory);
            }
            let left = cuts(&names);
            assert!(left.iter().all(|left| has(left, A, "x") != has(left, B, "y")));
            let undone = left.iter().any(|left| has(left, A, "x"));
            assert_eq!(undone, synced.is_none());
        }
    }

    #[test]
    fn an_ordered_journal_loses_only_the_newest_changes() {
        let mut names = Names::new(Journal::Ordered, BTreeMap::new());
        names.change(vec![named(A, "first", Some(8))]);
        names.change(vec![named(B, "second", Some(9))]);
        let left = cuts(&names);
        assert!(left.iter().all(|left| has(left, A, "first") || !has(left, B, "second")));
        assert!(left.iter().any(|left| has(left, A, "first") && !has(left, B, "second")));
        names.file_synced();
        assert!(cuts(&names).iter().all(|left| has(left, B, "second")));
    }
}
