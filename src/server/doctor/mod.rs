//! Looks at a data directory while no gateway works on it, and makes its session store anew.
//!
//! Looking changes nothing. Rebuilding deletes nothing: a store that cannot be used is kept aside.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Settings;
use crate::engine::events::{Observer, Unobserved};
use crate::storage::{BlobState, BlobStore, Room, SessionStore, StorageError};
use crate::upload::{Phase, Session, UploadId, record};

use super::data_dir::DataDir;
use super::error::ServerError;
use super::secret::Secret;
use super::{authority, wiring};

/// Uploads looked at per step.
const PAGE: usize = 512;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Sound,
    /// Heals by itself, or matters only if something else breaks.
    Note,
    /// Something is wrong, or lost.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// What it is, and what to do about it.
    pub text: String,
}

impl Finding {
    fn new(grade: Grade, text: impl Into<String>) -> Self {
        Self { grade, text: text.into() }
    }
}

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

/// Looks at everything, without changing anything.
///
/// # Errors
///
/// [`ServerError`] if the directory cannot be looked at at all.
pub async fn examine(settings: &Settings) -> Result<Vec<Finding>, ServerError> {
    let path = &settings.server.data_dir;
    if !path.is_dir() {
        let text = format!("there is no data directory {}; the gateway makes it", path.display());
        return Ok(vec![Finding::new(Grade::Note, text)]);
    }
    let data = DataDir::claim(path)?;
    let mut findings = vec![written(data.path())];
    findings.extend(authorisation(&data, settings));
    let blobs = wiring::open_blobs(&data, settings)?;
    findings.push(room(blobs.room()?));
    if !data.sessions().exists() {
        findings.push(if wiring::holds_uploads(blobs.as_ref()).await? {
            let text = "there are uploads but no session store; run `tidegate doctor --rebuild`";
            Finding::new(Grade::Wrong, text)
        } else {
            Finding::new(Grade::Sound, "there are no uploads yet")
        });
        return Ok(findings);
    }
    match open(&data.sessions(), settings) {
        Ok(sessions) => {
            let found = compare(sessions.as_ref(), blobs.as_ref()).await;
            sessions.close().await?;
            findings.extend(found?);
        }
        Err(error) => {
            findings.push(Finding::new(Grade::Wrong, format!("{error}: {}", chain(&error))))
        }
    }
    Ok(findings)
}

/// The files that say who may do what.
fn authorisation(data: &DataDir, settings: &Settings) -> Vec<Finding> {
    let unusable = authority::unusable_files(settings).into_iter();
    let mut findings: Vec<Finding> =
        unusable.map(|text| Finding::new(Grade::Wrong, text)).collect();
    let path = data.path().join("secret");
    match Secret::read(&path).and_then(|_| std::fs::metadata(&path)) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            let text = format!(
                "{} can be read by other users, who could make upload links; chmod 600 it",
                path.display()
            );
            findings.push(Finding::new(Grade::Wrong, text));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = "there is no secret yet; the gateway makes it, and older links are void";
            findings.push(Finding::new(Grade::Note, text));
        }
        Err(error) => {
            let text = format!(
                "{} cannot be used: {error}; put it back, or remove it, which ends every link",
                path.display()
            );
            findings.push(Finding::new(Grade::Wrong, text));
        }
    }
    findings
}

fn open(path: &Path, settings: &Settings) -> Result<Arc<dyn SessionStore>, ServerError> {
    let nobody: Arc<dyn Observer> = Arc::new(Unobserved);
    wiring::open_sessions(path, settings, &nobody)
}

fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn written(path: &Path) -> Finding {
    match tempfile_in(path) {
        Ok(()) => Finding::new(Grade::Sound, format!("{} can be written", path.display())),
        Err(error) => Finding::new(
            Grade::Wrong,
            format!("{} cannot be written: {error}; give its user the right to", path.display()),
        ),
    }
}

fn tempfile_in(path: &Path) -> std::io::Result<()> {
    let probe = path.join("doctor-was-here");
    std::fs::write(&probe, b"x")?;
    std::fs::remove_file(&probe)
}

fn room(room: Room) -> Finding {
    let usable = bytesize::ByteSize(room.usable_bytes);
    let reserve = bytesize::ByteSize(room.reserve_bytes);
    if room.usable_bytes == 0 {
        let text = format!(
            "no room: less than storage.reserve = {reserve} is free, so uploads are refused; free \
             some space"
        );
        return Finding::new(Grade::Wrong, text);
    }
    Finding::new(
        Grade::Sound,
        format!("room for {usable} of uploads, beside a reserve of {reserve}"),
    )
}

/// Compares records, blobs and labels.
async fn compare(
    sessions: &dyn SessionStore,
    blobs: &dyn BlobStore,
) -> Result<Vec<Finding>, StorageError> {
    let (mut findings, mut looked_at, mut after) = (Vec::new(), 0_u64, None);
    loop {
        let ids = sessions.ids(after, PAGE)?;
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        for id in ids {
            looked_at += 1;
            findings.extend(one(sessions, blobs, id).await);
        }
    }
    let mut after = None;
    loop {
        let ids = blobs.labels(after, PAGE).await?.ids;
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        for id in ids {
            if matches!(sessions.get(id), Ok(None)) {
                findings.push(stray(blobs, id).await);
            }
        }
    }
    let wrong = findings.iter().filter(|finding| finding.grade == Grade::Wrong).count();
    findings.push(Finding::new(
        Grade::Sound,
        format!("{looked_at} uploads looked at, {wrong} of them with something wrong"),
    ));
    Ok(findings)
}

/// What is odd about one recorded upload.
async fn one(sessions: &dyn SessionStore, blobs: &dyn BlobStore, id: UploadId) -> Option<Finding> {
    let wrong = |text: String| Some(Finding::new(Grade::Wrong, text));
    let session = match sessions.get(id) {
        Ok(Some(stored)) => stored.session,
        Ok(None) => return None,
        Err(error) => {
            let why = chain(&error);
            return wrong(format!("{id}: {error}: {why}; `tidegate doctor --rebuild` helps"));
        }
    };
    let blob = match blobs.state(id).await {
        Ok(blob) => blob,
        Err(error) => return wrong(format!("{id}: {error}")),
    };
    if let Some(finding) = disagreement(&session, blob) {
        return Some(finding);
    }
    if matches!(session.phase(), Phase::Gone(_)) {
        return None;
    }
    match blobs.read_label(id).await {
        Ok(Some(label)) => record::decode(&label).err().map(|error| {
            Finding::new(
                Grade::Note,
                format!("{id}: its label is unreadable ({error}), so a rebuild would miss it"),
            )
        }),
        // Labels trail by a moment; one that was cut off then is only missed by a rebuild.
        Ok(None) => {
            let text = format!("{id}: it has no label, so a rebuild would miss it");
            Some(Finding::new(Grade::Note, text))
        }
        Err(error) => wrong(format!("{id}: {error}")),
    }
}

/// Where record and blob do not agree.
fn disagreement(session: &Session, blob: Option<BlobState>) -> Option<Finding> {
    let (id, offset, received) = (session.id(), session.offset(), session.received());
    let wrong = |text: String| Some(Finding::new(Grade::Wrong, text));
    let note = |text: String| Some(Finding::new(Grade::Note, text));
    match (session.phase(), blob) {
        (Phase::Complete, None) => wrong(format!("{id}: it is complete, but its bytes are gone")),
        (Phase::Complete, Some(blob)) if !blob.published => {
            wrong(format!("{id}: it is complete, but its bytes were not published"))
        }
        (Phase::Complete, Some(blob)) if blob.offset != offset => {
            wrong(format!("{id}: it has {} bytes instead of {offset}", blob.offset))
        }
        (Phase::Receiving, None) if received.bytes() > 0 => {
            let accepted = received.bytes();
            wrong(format!("{id}: {accepted} bytes were accepted, but they are gone"))
        }
        (Phase::Receiving, Some(blob)) if blob.offset.get() < received.reach() => {
            let reach = received.reach();
            wrong(format!("{id}: {reach} bytes were accepted, but only {} are there", blob.offset))
        }
        (Phase::Receiving, Some(blob)) if blob.published => {
            note(format!("{id}: its last byte is there; the next start finishes it"))
        }
        (Phase::Gone(_), Some(_)) => {
            note(format!("{id}: it is gone, but its bytes are still there"))
        }
        (Phase::Complete | Phase::Receiving | Phase::Assembling | Phase::Gone(_), _) => None,
    }
}

/// What a blob without a record is.
async fn stray(blobs: &dyn BlobStore, id: UploadId) -> Finding {
    let label = blobs.read_label(id).await.ok().flatten();
    if label.and_then(|label| record::decode(&label).ok()).is_some() {
        let text = format!("{id}: its record is lost; `tidegate doctor --rebuild` brings it back");
        return Finding::new(Grade::Wrong, text);
    }
    let text = format!("{id}: bytes without a record; removed at storage.orphan_age if unfinished");
    Finding::new(Grade::Note, text)
}

/// Makes the session store sound again from what lies beside the uploads.
///
/// A store that opens, with every record readable, is kept and only completed. Any other is set
/// aside, and a new one made: records that the old one still gives are preferred to labels,
/// because labels trail.
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
                && let Ok(old) = open(aside, settings)
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

/// The store, if it opens and every record in it can be read.
async fn sound_store(data: &DataDir, settings: &Settings) -> Option<Arc<dyn SessionStore>> {
    if !data.sessions().exists() {
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

/// How many records there are; fails at the first that cannot be read.
fn count(sessions: &dyn SessionStore) -> Result<u64, StorageError> {
    let (mut records, mut after) = (0, None);
    loop {
        let ids = sessions.ids(after, PAGE)?;
        let Some(last) = ids.last() else { return Ok(records) };
        after = Some(*last);
        for id in ids {
            records += u64::from(sessions.get(id)?.is_some());
        }
    }
}

/// Copies every record that can still be read; what the old store cannot list is left to labels.
async fn take_over(old: &dyn SessionStore, new: &dyn SessionStore) -> Result<u64, StorageError> {
    let (mut copied, mut after) = (0, None);
    while let Ok(ids) = old.ids(after, PAGE) {
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        for id in ids {
            if let Ok(Some(stored)) = old.get(id) {
                new.create(&stored.session).await?;
                copied += 1;
            }
        }
    }
    // The old store stays as it is; only its files are let go.
    drop(old.close().await);
    Ok(copied)
}

/// Adds what has a label but no record.
async fn restore(
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
            if sessions.get(id)?.is_some() {
                continue;
            }
            let label = blobs.read_label(id).await.ok().flatten();
            let session = label.and_then(|label| record::decode(&label).ok());
            match session.filter(|session| session.id() == id) {
                // What the label did not know yet is settled by recovery at the next start, as
                // after any crash.
                Some(session) => {
                    sessions.create(&session).await?;
                    rebuilt.restored += 1;
                }
                None => rebuilt.without_record.push(id),
            }
        }
    }
}

#[cfg(test)]
mod tests;
