//! The mark of an unproven tail: `<id>.unproven` beside the running blob.
//!
//! It is a symbolic link to nowhere whose text is the offset at which the tail begins, in decimal.
//! Unlike a file, a link comes into being together with its text: no crash leaves a mark that does
//! not say from where.

use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::upload::UploadOffset;

use super::publish::remove;

/// Marks everything from `at` on as unproven, whatever was marked before.
pub(super) fn set(path: &Path, at: UploadOffset) -> io::Result<()> {
    match symlink(at.to_string(), path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            remove(path)?;
            symlink(at.to_string(), path)
        }
        done => done,
    }
}

/// Where the unproven tail begins, if there is a mark.
pub(super) fn get(path: &Path) -> io::Result<Option<UploadOffset>> {
    let text = match std::fs::read_link(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let offset = text.to_str().and_then(|text| text.parse().ok()).and_then(UploadOffset::new);
    offset.map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Whether something is there that is no mark: not a link, or one that says no offset.
pub(super) fn is_unreadable(error: &io::Error) -> bool {
    [io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput].contains(&error.kind())
}
