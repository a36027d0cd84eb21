//! How many flushes there were, in the database and beside it: so that a loss is noticed.
//!
//! When sled 0.34 opens a log in which a bit is flipped, or that was cut short, it takes what comes before
//! as all there is, and says nothing: one bit can cost most of the sessions, and everybody would hear
//! that their upload does not exist. So each flush carries a number into the log, and once the flush is on the
//! device the same number goes into a file beside it. A database that knows a smaller one has lost
//! what was acknowledged.
//!
//! ```text
//! tree `mark`          key `flushes`: u64, big-endian
//! <database>/mark      the same number (u64, big-endian), then its CRC-32 (u32, big-endian)
//! ```
//!
//! The file is written after the log and never synced: it may trail, which claims less, and a torn one
//! claims nothing. Where nothing is synced (`durability = "os"`) there is no file, because after a power
//! cut it could be ahead without anything being wrong.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sled::Tree;

/// Name of the tree.
pub(super) const TREE: &str = "mark";
const KEY: &[u8] = b"flushes";
const FILE: &str = "mark";
const FILE_BYTES: usize = 12;

/// The number of the last flush, kept in both places.
pub(super) struct Mark {
    tree: Tree,
    file: Option<File>,
    flushes: u64,
}

/// What happens to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// It is compared and kept.
    Kept,
    /// It would claim too much.
    Removed,
    /// It is what it is.
    LeftAlone,
}

/// The database knows fewer flushes than there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    pub(super) known: u64,
    pub(super) were: u64,
}

impl Mark {
    /// Reads the number in the database.
    pub(super) fn open(tree: Tree, directory: &Path, beside: Beside) -> io::Result<Self> {
        let path = path(directory);
        let file = match beside {
            Beside::Kept => {
                let mut options = OpenOptions::new();
                options.read(true).write(true).create(true).truncate(false).mode(0o600);
                Some(options.open(path)?)
            }
            Beside::Removed => match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => None,
            },
            Beside::LeftAlone => None,
        };
        let flushes = tree.get(KEY).map_err(io::Error::other)?;
        let flushes = flushes.and_then(|number| Some(u64::from_be_bytes(*number.first_chunk()?)));
        Ok(Self { tree, file, flushes: flushes.unwrap_or(0) })
    }

    /// Whether the database knows every flush that the file tells of.
    pub(super) fn agrees(&self) -> io::Result<Result<(), Behind>> {
        let Some(file) = &self.file else { return Ok(Ok(())) };
        let mut bytes = [0; FILE_BYTES];
        let were = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => read(bytes).unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error),
        };
        let known = self.flushes;
        Ok(if known < were { Err(Behind { known, were }) } else { Ok(()) })
    }

    /// Puts the number of the next flush where that flush will take it along.
    pub(super) fn begin(&mut self) -> sled::Result<()> {
        self.flushes = self.flushes.saturating_add(1);
        self.tree.insert(KEY, &self.flushes.to_be_bytes()).map(drop)
    }

    /// The flush is where it was to be.
    pub(super) fn done(&self) {
        if let Some(file) = &self.file {
            // A file that could not be written claims less: nothing that anybody was promised.
            drop(file.write_all_at(&written(self.flushes), 0));
        }
    }
}

/// Where the number lies beside the database in `directory`.
fn path(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

fn written(flushes: u64) -> [u8; FILE_BYTES] {
    let number = flushes.to_be_bytes();
    let crc = crc32fast::hash(&number).to_be_bytes();
    let mut bytes = [0; FILE_BYTES];
    bytes.iter_mut().zip(number.into_iter().chain(crc)).for_each(|(to, from)| *to = from);
    bytes
}

/// `None` for what is torn.
fn read(bytes: [u8; FILE_BYTES]) -> Option<u64> {
    let (number, crc) = bytes.split_first_chunk::<8>()?;
    let sound = crc.first_chunk::<4>() == Some(&crc32fast::hash(number).to_be_bytes());
    sound.then_some(u64::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_back_and_a_torn_one_does_not() {
        for flushes in [0, 1, u64::MAX] {
            assert_eq!(read(written(flushes)), Some(flushes));
        }
        let mut torn = written(0x0102);
        torn[7] ^= 1;
        assert_eq!(read(torn), None);
        assert_eq!(read([0; FILE_BYTES]), None);
    }
}
