//! `doctor --rebuild`: the session store, made anew from what lies beside the uploads.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::Settings;
use crate::storage::{BlobStore, SessionStore, StorageError};
use crate::upload::record::RecordError;
use crate::upload::{UploadId, record};

use super::examination::is_ahead;
use super::mending::put_record;
use super::{PAGE, open};
use crate::server::data_dir::DataDir;
use crate::server::error::ServerError;
use crate::server::wiring;

/// What a rebuild did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Where the old store is kept, if it was set aside.
    pub set_aside: Option<PathBuf>,
    /// Uploads that already were in the store, or whose record could be taken over from the old one.
    pub kept: u64,
    /// Uploads whose record was made from what lies beside them.
    pub restored: u64,
    /// Uploads without a readable record anywhere. Their bytes are left where they are.
    pub without_record: Vec<UploadId>,
}

/// Makes the session store sound again from what lies beside the uploads.
///
/// A store that opens and lists its records is kept and only completed. Any other is set aside, and a
/// new one made: of a record that the old one still gives and a label, the one that is further counts.
///
/// # Errors
///
/// [`ServerError`] if the directory cannot be used. Nothing is lost then: run it again.
pub async fn rebuild(settings: &Settings) -> Result<Rebuilt, ServerError> {
    let data = DataDir::claim(&settings.server.data_dir)?;
    let blobs = wiring::open_blobs(&data, settings)?;
    let mut rebuilt = Rebuilt::default();
    let sessions = match sound_store(&data, settings).await {
        Some(sessions) => {
            rebuilt.kept = count(sessions.as_ref())?;
            sessions
        }
        None => {
            rebuilt.set_aside = data.set_sessions_aside()?;
            let sessions = open(&data.sessions(), settings)?;
            if let Some(aside) = &rebuilt.set_aside
                && let Ok(old) = wiring::salvage_sessions(aside, settings)
            {
                rebuilt.kept = take_over(old.as_ref(), sessions.as_ref()).await?;
            }
            sessions
        }
    };
    restore(sessions.as_ref(), blobs.as_ref(), &mut rebuilt).await?;
    sessions.close().await?;
    Ok(rebuilt)
}

/// The store, if it opens and its records can be listed.
async fn sound_store(data: &DataDir, settings: &Settings) -> Option<Arc<dyn SessionStore>> {
    if !wiring::has_sessions(data) {
        return None;
    }
    let sessions = open(&data.sessions(), settings).ok()?;
    if count(sessions.as_ref()).is_ok() {
        return Some(sessions);
    }
    // Let go of its files before they are moved.
    drop(sessions.close().await);
    None
}

/// How many records can be read; fails where the store itself cannot be.
fn count(sessions: &dyn SessionStore) -> Result<u64, StorageError> {
    let (mut records, mut after) = (0, None);
    loop {
        let ids = sessions.ids(after, PAGE)?;
        let Some(last) = ids.last() else { return Ok(records) };
        after = Some(*last);
        for id in ids {
            match sessions.get(id) {
                Ok(stored) => records += u64::from(stored.is_some()),
                Err(StorageError::Record { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Copies every record that can still be read; what the old store cannot list is left to labels.
pub(super) async fn take_over(
    old: &dyn SessionStore,
    new: &dyn SessionStore,
) -> Result<u64, StorageError> {
    let (mut copied, mut after) = (0, None);
    while let Ok(ids) = old.ids(after, PAGE) {
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        for id in ids {
            if let Ok(Some(stored)) = old.get(id) {
                put_record(new, &stored.session).await?;
                copied += 1;
            }
        }
    }
    // The old store stays as it is; only its files are let go.
    drop(old.close().await);
    Ok(copied)
}

/// Adds what has a label but no record, and what a label knows better than a record.
pub(super) async fn restore(
    sessions: &dyn SessionStore,
    blobs: &dyn BlobStore,
    rebuilt: &mut Rebuilt,
) -> Result<(), StorageError> {
    let mut after = None;
    loop {
        let ids = blobs.labels(after, PAGE).await?.ids;
        let Some(last) = ids.last() else { return Ok(()) };
        after = Some(*last);
        for id in ids {
            restore_one(sessions, blobs, id, rebuilt).await?;
        }
    }
}

async fn restore_one(
    sessions: &dyn SessionStore,
    blobs: &dyn BlobStore,
    id: UploadId,
    rebuilt: &mut Rebuilt,
) -> Result<(), StorageError> {
    let record = match sessions.get(id) {
        Ok(stored) => stored.map(|stored| stored.session),
        // A newer program can read it.
        Err(StorageError::Record { source: RecordError::NewerVersion(_), .. }) => return Ok(()),
        Err(StorageError::Record { .. }) => None,
        Err(error) => return Err(error),
    };
    let label = blobs.read_label(id).await.ok().flatten();
    let session = label.and_then(|label| record::decode(&label).ok());
    match (session.filter(|session| session.id() == id), record) {
        // What the label did not know yet is settled by recovery at the next start, as after any
        // crash.
        (Some(session), None) => {
            put_record(sessions, &session).await?;
            rebuilt.restored += 1;
        }
        (Some(session), Some(record)) if is_ahead(&session, &record) => {
            put_record(sessions, &session).await?;
            rebuilt.restored += 1;
            rebuilt.kept = rebuilt.kept.saturating_sub(1);
        }
        (Some(_) | None, Some(_)) => {}
        (None, None) => rebuilt.without_record.push(id),
    }
    Ok(())
}
