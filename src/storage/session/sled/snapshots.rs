//! Snapshots that sled left behind half-made.
//!
//! sled writes a snapshot under a name of its own, `snap.….generating`, syncs it, and renames it. When it
//! opens, however, it takes the last name that begins with `snap.`, and that is the one of a snapshot which
//! a death left half-made: nothing opens then. The one before it is sound, and still there.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

const SNAPSHOT: &str = "snap.";
const UNFINISHED: &str = ".generating";

/// Removes those that were never finished. Nothing happens if somebody has the database open.
pub(super) fn remove_unfinished(path: &Path) -> io::Result<()> {
    let log = match File::open(path.join("db")) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if flock(&log, FlockOperation::NonBlockingLockExclusive).is_err() {
        // It is in use, and opening it will say so.
        return Ok(());
    }
    remove(path, |name| name.ends_with(UNFINISHED)).map(drop)
}

/// Removes all of them, which sled makes anew from its log; says whether there were any.
///
/// A power cut may leave a finished one without its bytes. Whether the log has everything is judged by
/// its mark.
pub(super) fn remove_all(path: &Path) -> io::Result<bool> {
    let any = remove(path, |_| true)?;
    if any {
        tracing::warn!(
            "the session database does not open with its snapshot: it is opened from its log"
        );
    }
    Ok(any)
}

fn remove(path: &Path, chosen: impl Fn(&str) -> bool) -> io::Result<bool> {
    let mut any = false;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(SNAPSHOT) && chosen(&name) {
            fs::remove_file(entry.path())?;
            any = true;
        }
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn names(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).unwrap();
        let name =
            |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }

    fn directory() -> TempDir {
        let directory = TempDir::new().unwrap();
        for name in ["db", "conf", "snap.01", "snap.02.generating"] {
            File::create(directory.path().join(name)).unwrap();
        }
        directory
    }

    #[test]
    fn what_was_not_finished_goes_and_the_one_before_it_stays() {
        let directory = directory();
        remove_unfinished(directory.path()).unwrap();
        assert_eq!(names(directory.path()), ["conf", "db", "snap.01"]);
        assert!(remove_all(directory.path()).unwrap());
        assert_eq!(names(directory.path()), ["conf", "db"]);
        assert!(!remove_all(directory.path()).unwrap());
    }

    #[test]
    fn a_database_that_somebody_uses_is_left_alone() {
        let directory = directory();
        let log = File::open(directory.path().join("db")).unwrap();
        flock(&log, FlockOperation::LockExclusive).unwrap();
        remove_unfinished(directory.path()).unwrap();
        assert_eq!(names(directory.path()).len(), 4);
    }
}
