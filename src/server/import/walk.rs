//! Every file below a directory, in the order of names, without following a symbolic link.

use std::collections::HashSet;
use std::fmt;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

/// How an old server names the preview of a picture: beside it, with this instead of the ending.
const PREVIEW: &str = ".thumb.jpg";
/// Deeper than any slot.
const MAX_DEPTH: usize = 64;

/// Something below the directory.
#[derive(Debug)]
pub(super) enum Found {
    /// A file, and the decoded path of its slot.
    File { path: PathBuf, slot: String },
    /// Something that is no upload.
    LeftOut { path: PathBuf, why: LeftOut },
    /// Something that could not be looked at.
    Unreadable { path: PathBuf, error: std::io::Error },
}

/// Why something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Its name begins with a dot; of a directory, everything in it.
    Hidden,
    /// It is a symbolic link.
    Link,
    /// It is neither a file nor a directory.
    Special,
    /// It is the preview of a picture beside it.
    Preview,
    /// It is a directory that holds something else.
    Elsewhere,
    /// It lies deeper than any upload.
    Deep,
    /// Its name is not text, so no address can name it.
    NotText,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Hidden => "hidden, with whatever is in it",
            Self::Link => "a symbolic link",
            Self::Special => "neither a file nor a directory",
            Self::Preview => "the preview of a picture beside it",
            Self::Elsewhere => "a directory of the old server with something else in it",
            Self::Deep => "deeper than any upload lies",
            Self::NotText => "its name is not UTF-8, so that no address leads to it",
        })
    }
}

/// A directory that is yet to be read, or an entry.
enum Step {
    Read { path: PathBuf, slot: String, depth: usize },
    Tell(Found),
}

pub(super) struct Walk<'a> {
    /// The next one last. One directory's entries at a time, and those of the ones above it.
    steps: Vec<Step>,
    without: &'a [PathBuf],
    without_previews: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: &Path, without: &'a [PathBuf], without_previews: bool) -> Self {
        let first = Step::Read { path: root.to_owned(), slot: String::new(), depth: 0 };
        Self { steps: vec![first], without, without_previews }
    }

    fn read(&mut self, path: PathBuf, slot: &str, depth: usize) {
        let entries: Result<Vec<DirEntry>, _> =
            std::fs::read_dir(&path).and_then(|entries| entries.collect());
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.steps.push(Step::Tell(Found::Unreadable { path, error })),
        };
        // The last is looked at first.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
        let previews = if self.without_previews { previews(&entries) } else { HashSet::new() };
        for entry in entries {
            let step = self.step(&entry, slot, depth, &previews);
            self.steps.push(step);
        }
    }

    fn step(
        &self,
        entry: &DirEntry,
        folder: &str,
        depth: usize,
        previews: &HashSet<String>,
    ) -> Step {
        let path = entry.path();
        let left_out = |path, why| Step::Tell(Found::LeftOut { path, why });
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            return left_out(path, LeftOut::NotText);
        };
        if name.starts_with('.') {
            return left_out(path, LeftOut::Hidden);
        }
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => return Step::Tell(Found::Unreadable { path, error }),
        };
        let slot = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if kind.is_symlink() {
            left_out(path, LeftOut::Link)
        } else if kind.is_dir() && self.without.contains(&path) {
            left_out(path, LeftOut::Elsewhere)
        } else if kind.is_dir() && depth >= MAX_DEPTH {
            left_out(path, LeftOut::Deep)
        } else if kind.is_dir() {
            Step::Read { path, slot, depth: depth.saturating_add(1) }
        } else if !kind.is_file() {
            left_out(path, LeftOut::Special)
        } else if previews.contains(&name) {
            left_out(path, LeftOut::Preview)
        } else {
            Step::Tell(Found::File { path, slot })
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            match self.steps.pop()? {
                Step::Tell(found) => return Some(found),
                Step::Read { path, slot, depth } => self.read(path, &slot, depth),
            }
        }
    }
}

/// The names that previews of the other entries would have.
fn previews(entries: &[DirEntry]) -> HashSet<String> {
    let names = entries.iter().filter_map(|entry| entry.file_name().into_string().ok());
    let originals = names.filter(|name| !name.ends_with(PREVIEW));
    let stem = |name: String| name.rsplit_once('.').map(|(stem, _)| format!("{stem}{PREVIEW}"));
    originals.filter_map(stem).collect()
}
