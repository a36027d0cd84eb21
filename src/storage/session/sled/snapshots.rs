//! Snapshots of sled's log, and what is done before the log is read without one.
//!
//! sled writes a snapshot under a name of its own, `snap.….generating`, syncs it, and renames it. When it
//! opens, however, it takes the last name that begins with `snap.`, finished or not; if that one is torn,
//! nothing opens.
//!
//! Without a snapshot sled reads its log from the beginning. That is not always enough: it begins with the
//! segment that the newest header calls stable, and if that segment has been given back since, sled 0.34 takes
//! everything for torn, overwrites all of the log and opens as empty. So the log is copied first, and the copy goes when
//! the mark has told that nothing is lost. One that is found at the next start is the log.
//!
//! ```text
//! <database>/snap.<LSN>      what was known at this position of the log, then its length (u64), then its CRC-32,
//!                            both little-endian
//! <database>/kept-db         the log as it was before it was read without a snapshot
//! <database>/ignored-…       a damaged snapshot
//! ```

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

const LOG: &str = "db";
const KEPT: &str = "kept-db";
/// A copy of which nobody knows whether it is whole.
const COPYING: &str = "kept-db.copying";
const SNAPSHOT: &str = "snap.";
const UNFINISHED: &str = ".generating";
const IGNORED: &str = "ignored-";
const LENGTH_AND_CRC_BYTES: usize = 12;

/// What becomes of a damaged snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damaged {
    /// It is set aside, and the log read without it: somebody sees afterwards what is lost.
    SetAside,
    /// It stays, and sled refuses it: nobody would see.
    Refused,
}

/// Makes the directory ready to be opened.
///
/// A half-made snapshot goes, and one that lacks nothing but its name gets it. Where none is left that is sound, the
/// log is copied. Returns whether it is ready: nothing happens while somebody has the database open.
pub(super) fn prepare(path: &Path, damaged: Damaged) -> io::Result<bool> {
    let log = match File::open(path.join(LOG)) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    if flock(&log, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    put_back(path)?;
    finish(path)?;
    let any_damaged = damaged == Damaged::SetAside && set_damaged_aside(path)?;
    if snapshots(path)?.is_empty() && fs::metadata(path.join(LOG))?.len() > 0 {
        keep(path, any_damaged)?;
    }
    Ok(true)
}

/// Nothing is lost: what was kept is not needed any more.
pub(super) fn let_go(path: &Path) -> io::Result<()> {
    remove(&path.join(KEPT))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A log that was kept when the process ended, or that came out too short, is where it was again.
fn put_back(path: &Path) -> io::Result<()> {
    if !path.join(KEPT).try_exists()? {
        return Ok(());
    }
    // First, since they tell of the other log: who dies in between finds the copy again.
    for name in snapshots(path)? {
        fs::remove_file(path.join(name))?;
    }
    rename(path, KEPT, LOG)
}

/// Ends what a death interrupted.
fn finish(path: &Path) -> io::Result<()> {
    for name in snapshots(path)? {
        let Some(finished) = name.strip_suffix(UNFINISHED) else { continue };
        if is_whole(&path.join(&name))? {
            rename(path, &name, finished)?;
        } else {
            fs::remove_file(path.join(name))?;
        }
    }
    Ok(())
}

/// The newest ones, until one is sound: sled then has more of its log to read. Says whether there were any.
fn set_damaged_aside(path: &Path) -> io::Result<bool> {
    let mut any = false;
    for name in snapshots(path)?.into_iter().rev() {
        if is_whole(&path.join(&name))? {
            break;
        }
        tracing::warn!(
            "{name} of the session database is damaged: it is set aside, and the log is read instead"
        );
        rename(path, &name, &format!("{IGNORED}{name}"))?;
        any = true;
    }
    Ok(any)
}

/// Copies the log. On a full device that fails; it has to work only if there was a snapshot, since nothing
/// has been given back behind the first one.
fn keep(path: &Path, had_snapshots: bool) -> io::Result<()> {
    let copying = path.join(COPYING);
    let copy = || {
        fs::copy(path.join(LOG), &copying)?;
        File::open(&copying)?.sync_all()?;
        rename(path, COPYING, KEPT)
    };
    match copy() {
        Err(error) if !had_snapshots && error.kind() == io::ErrorKind::StorageFull => {
            remove(&copying)
        }
        copied => copied,
    }
}

/// Names of snapshots, the newest last.
fn snapshots(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(SNAPSHOT) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether it is what sled wrote.
fn is_whole(path: &Path) -> io::Result<bool> {
    let bytes = fs::read(path)?;
    let body = bytes.len().checked_sub(LENGTH_AND_CRC_BYTES).and_then(|length| bytes.get(..length));
    let crc = bytes.last_chunk::<4>().map(|crc| u32::from_le_bytes(*crc));
    Ok(body.is_some_and(|body| !body.is_empty() && crc == Some(crc32fast::hash(body))))
}

#[expect(
    clippy::disallowed_methods,
    reason = "synced here, since these names belong to sled's directory and not to the blobs"
)]
fn rename(path: &Path, from: &str, to: &str) -> io::Result<()> {
    fs::rename(path.join(from), path.join(to))?;
    File::open(path)?.sync_all()
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

    fn whole() -> Vec<u8> {
        let body = b"what was known";
        let mut bytes = body.to_vec();
        bytes.extend(14_u64.to_le_bytes());
        bytes.extend(crc32fast::hash(body).to_le_bytes());
        bytes
    }

    /// A database's directory: a log, `conf`, and these snapshots.
    fn directory(snapshots: &[(&str, &[u8])]) -> TempDir {
        let directory = TempDir::new().unwrap();
        for (name, bytes) in [("db", &b"log"[..]), ("conf", b"")].iter().chain(snapshots) {
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        directory
    }

    #[test]
    fn what_was_not_finished_goes_and_the_one_before_it_stays() {
        let directory = directory(&[("snap.01", &whole()), ("snap.02.generating", b"torn")]);
        prepare(directory.path(), Damaged::SetAside).unwrap();
        assert_eq!(names(directory.path()), ["conf", "db", "snap.01"]);
    }

    #[test]
    fn a_snapshot_that_lacks_nothing_but_its_name_gets_it() {
        let directory = directory(&[("snap.02.generating", &whole())]);
        prepare(directory.path(), Damaged::SetAside).unwrap();
        assert_eq!(names(directory.path()), ["conf", "db", "snap.02"]);
    }

    #[test]
    fn of_damaged_snapshots_the_newest_sound_one_is_left() {
        let mut flipped = whole();
        flipped[3] ^= 1;
        let directory =
            directory(&[("snap.01", &whole()), ("snap.02", b""), ("snap.03", &flipped)]);
        prepare(directory.path(), Damaged::SetAside).unwrap();
        let left = ["conf", "db", "ignored-snap.02", "ignored-snap.03", "snap.01"];
        assert_eq!(names(directory.path()), left);
    }

    #[test]
    fn a_log_that_is_read_without_a_snapshot_is_kept_and_put_back_unless_it_is_let_go() {
        let directory = directory(&[("snap.01", b"damaged")]);
        let log = directory.path().join("db");
        for _ in 0..2 {
            prepare(directory.path(), Damaged::SetAside).unwrap();
            assert_eq!(fs::read(&log).unwrap(), b"log");
            assert_eq!(names(directory.path()), ["conf", "db", "ignored-snap.01", "kept-db"]);
            // What sled may make of it.
            fs::write(&log, b"").unwrap();
            fs::write(directory.path().join("snap.00"), whole()).unwrap();
        }
        let_go(directory.path()).unwrap();
        prepare(directory.path(), Damaged::SetAside).unwrap();
        assert_eq!(names(directory.path()), ["conf", "db", "ignored-snap.01", "snap.00"]);
        assert_eq!(fs::read(&log).unwrap(), b"");
    }

    #[test]
    fn a_damaged_snapshot_stays_where_nobody_would_see_a_loss() {
        let directory = directory(&[("snap.01", b"damaged")]);
        prepare(directory.path(), Damaged::Refused).unwrap();
        assert_eq!(names(directory.path()), ["conf", "db", "snap.01"]);
    }

    /// In about every seventh of these runs sled gives the log up.
    #[test]
    fn a_log_that_sled_gives_up_without_its_snapshot_is_as_it_was_at_the_next_start() {
        let (directory, copy) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let open = |path: &Path| {
            while !prepare(path, Damaged::Refused).unwrap() {
                std::thread::yield_now();
            }
            sled::Config::new().path(path).flush_every_ms(None).open().unwrap()
        };
        for run in 0..24_u8 {
            let database = open(directory.path());
            let_go(directory.path()).unwrap();
            for step in 0..(20 + usize::from(run) * 377 % 900) {
                // So few pages that a segment is soon without any that counts.
                database.insert([step as u8 % 4], vec![run; 100 + step * 97 % 400]).unwrap();
                database.flush().unwrap();
            }
            drop(database);
            for name in names(directory.path()) {
                if directory.path().join(&name).is_file() {
                    fs::copy(directory.path().join(&name), copy.path().join(&name)).unwrap();
                }
            }
            for name in snapshots(copy.path()).unwrap() {
                fs::write(copy.path().join(name), b"damaged").unwrap();
            }
            let log = || fs::read(copy.path().join("db")).unwrap();
            let before = log();
            prepare(copy.path(), Damaged::SetAside).unwrap();
            drop(open(copy.path()));
            // A thread of sled may not have let go yet.
            while !prepare(copy.path(), Damaged::SetAside).unwrap() {
                std::thread::yield_now();
            }
            assert!(log() == before, "run {run}");
            fs::remove_dir_all(copy.path()).unwrap();
            fs::create_dir(copy.path()).unwrap();
        }
    }

    #[test]
    fn a_database_that_somebody_uses_is_left_alone() {
        let directory = directory(&[("snap.01", b"damaged"), ("snap.02.generating", b"")]);
        let log = File::open(directory.path().join("db")).unwrap();
        flock(&log, FlockOperation::LockExclusive).unwrap();
        assert!(!prepare(directory.path(), Damaged::SetAside).unwrap());
        assert_eq!(names(directory.path()), ["conf", "db", "snap.01", "snap.02.generating"]);
    }
}
