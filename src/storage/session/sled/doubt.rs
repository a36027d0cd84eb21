//! What a failed flush means for the next start.
//!
//! After a sync that failed the system takes the pages of the log for clean, although the device
//! does not have them. Whoever reads the log on the same boot sees them all the same, and no later
//! sync writes them. So a flush that fails leaves a mark, and the next start, before it believes
//! anything, writes the log once more where it lies: then what is read is what the device has.
//!
//! The mark need not survive a power cut, because the pages do not either.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// Beside sled's files; sled leaves names alone that it does not know.
const MARK: &str = "unsynced";
/// Bytes that are written again at a time.
const STEP_BYTES: usize = 1024 * 1024;

/// Notes that the log may be ahead of the device.
pub(super) fn raise(path: &Path) {
    if let Err(error) = File::create(path.join(MARK)) {
        tracing::error!(%error, "the session database in {} could not be marked as unsynced: \
            restart the machine, not only the gateway, once the disk is well again", path.display());
    }
}

/// Writes the log again if there is a mark, and takes the mark away.
///
/// # Errors
///
/// If the device still does not take it; the mark stays.
pub(super) fn clear_up(path: &Path) -> io::Result<()> {
    let mark = path.join(MARK);
    if !mark.try_exists()? {
        return Ok(());
    }
    let log = OpenOptions::new().read(true).write(true).open(path.join("db"))?;
    if flock(&log, FlockOperation::NonBlockingLockExclusive).is_err() {
        // It is in use, and opening it will say so.
        return Ok(());
    }
    tracing::warn!(
        "a flush of the session database failed before this start: its log is written again"
    );
    write_again(&log)?;
    log.sync_all()?;
    fs::remove_file(mark)
}

/// Writes every byte where it is.
fn write_again(log: &File) -> io::Result<()> {
    let mut buffer = vec![0; STEP_BYTES];
    let mut at = 0_u64;
    loop {
        let filled = log.read_at(&mut buffer, at)?;
        let Some(bytes) = buffer.get(..filled).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        log.write_all_at(bytes, at)?;
        at = at.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn a_log_that_may_be_ahead_of_the_device_is_written_again_once() {
        let directory = TempDir::new().unwrap();
        let (path, log) = (directory.path(), directory.path().join("db"));
        let bytes: Vec<u8> = (0..=250).cycle().take(STEP_BYTES * 2 + 17).collect();
        fs::write(&log, &bytes).unwrap();
        let before = std::time::SystemTime::UNIX_EPOCH;
        let untouched = || fs::metadata(&log).unwrap().modified().unwrap() == before;
        let touch =
            || File::options().write(true).open(&log).unwrap().set_modified(before).unwrap();
        touch();
        clear_up(path).unwrap();
        assert!(untouched(), "there was no mark");
        raise(path);
        clear_up(path).unwrap();
        assert!(!untouched(), "not written again");
        assert!(fs::read(&log).unwrap() == bytes);
        touch();
        clear_up(path).unwrap();
        assert!(untouched(), "the mark stayed");
    }

    #[test]
    fn a_log_that_somebody_uses_is_left_alone() {
        let directory = TempDir::new().unwrap();
        let log = File::create(directory.path().join("db")).unwrap();
        flock(&log, FlockOperation::LockExclusive).unwrap();
        raise(directory.path());
        clear_up(directory.path()).unwrap();
        assert!(directory.path().join(MARK).exists());
    }
}
