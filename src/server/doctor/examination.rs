//! Comparing records, blobs and labels. Changes nothing.

use std::sync::Arc;

use crate::engine::EngineError;
use crate::engine::sound::{self, sound_ahead, sound_prefix};
use crate::storage::{BlobReader, BlobState, BlobStore, SessionStore, StorageError};
use crate::upload::record::RecordError;
use crate::upload::{Chunks, Phase, Session, UploadId, UploadOffset, record};

use super::fault::{Fault, Remedy};
use super::{Depth, chain};

/// What a label says.
enum Label {
    Missing,
    /// Of a newer program.
    Newer,
    Unreadable(String),
    Says(Box<Session>),
}

/// What is wrong with one upload that has a record.
pub(super) async fn of_record(
    sessions: &dyn SessionStore,
    blobs: &dyn BlobStore,
    id: UploadId,
    depth: Depth,
) -> Option<Fault> {
    let label = match label(blobs, id).await {
        Ok(label) => label,
        Err(error) => return Some(Fault::new(id, told(&error), Remedy::None)),
    };
    let session = match sessions.get(id) {
        Ok(Some(stored)) => stored.session,
        Ok(None) => return None,
        Err(StorageError::Record { source, .. }) => return Some(unreadable(id, &source, label)),
        Err(error) => {
            let what = format!("{}; `tidegate doctor --rebuild` helps", told(&error));
            return Some(Fault::new(id, what, Remedy::None));
        }
    };
    let fault = match &label {
        Label::Says(labelled) if is_ahead(labelled, &session) => {
            let what = "its record is older than its label: the session store lost changes";
            Some(Fault::new(id, what, Remedy::Restore(labelled.clone())))
        }
        Label::Says(_) | Label::Missing | Label::Newer | Label::Unreadable(_) => {
            of_bytes(blobs, &session, depth).await
        }
    };
    fault.or_else(|| of_label(&session, &label))
}

/// What is wrong with one upload of which something lies there, but that has no record.
pub(super) async fn of_stray(blobs: &dyn BlobStore, id: UploadId) -> Option<Fault> {
    let label = match label(blobs, id).await {
        Ok(label) => label,
        Err(error) => return Some(Fault::new(id, told(&error), Remedy::None)),
    };
    match (label, blobs.state(id).await) {
        (Label::Says(session), _) => {
            Some(Fault::new(id, "its record is lost", Remedy::Restore(session)))
        }
        (Label::Newer, _) => Some(newer(id)),
        (_, Err(error)) => Some(Fault::new(id, told(&error), Remedy::SetAside)),
        (Label::Missing | Label::Unreadable(_), Ok(Some(blob))) if !blob.published => {
            let what = "bytes without a record; removed at storage.orphan_age";
            Some(Fault::note(id, what, Remedy::None))
        }
        (Label::Missing, Ok(Some(_))) => {
            Some(Fault::note(id, "a finished file without a record", Remedy::SetAside))
        }
        (Label::Unreadable(why), Ok(blob)) => {
            let bytes = if blob.is_some() { "a finished file" } else { "a label" };
            let what = format!("{bytes} without a record, and the label is unreadable ({why})");
            Some(Fault::new(id, what, Remedy::SetAside))
        }
        (Label::Missing, Ok(None)) => None,
    }
}

async fn label(blobs: &dyn BlobStore, id: UploadId) -> Result<Label, StorageError> {
    let Some(label) = blobs.read_label(id).await? else { return Ok(Label::Missing) };
    Ok(match record::decode(&label) {
        Ok(session) if session.id() == id => Label::Says(Box::new(session)),
        Ok(_) => Label::Unreadable("it is the label of another upload".to_owned()),
        Err(RecordError::NewerVersion(_)) => Label::Newer,
        Err(error) => Label::Unreadable(error.to_string()),
    })
}

fn unreadable(id: UploadId, error: &RecordError, label: Label) -> Fault {
    match (error, label) {
        (RecordError::NewerVersion(_), _) | (_, Label::Newer) => newer(id),
        (_, Label::Says(session)) => Fault::new(id, error.to_string(), Remedy::Restore(session)),
        (_, Label::Missing) => {
            Fault::new(id, format!("{error}, and it has no label"), Remedy::SetAside)
        }
        (_, Label::Unreadable(why)) => {
            let what = format!("{error}, and its label is unreadable ({why})");
            Fault::new(id, what, Remedy::SetAside)
        }
    }
}

fn newer(id: UploadId) -> Fault {
    let what = "a newer tidegate wrote its record; run that version, or remove the upload with \
                `tidegate sessions rm`";
    Fault::new(id, what, Remedy::None)
}

/// Whether a label, which trails its record, knows more than it.
pub(super) fn is_ahead(label: &Session, record: &Session) -> bool {
    let rank = |session: &Session| match session.phase() {
        Phase::Receiving | Phase::Assembling => 0,
        Phase::Complete => 1,
        Phase::Gone(_) => 2,
    };
    let further = rank(label) > rank(record);
    further || (rank(label) == rank(record) && label.received().bytes() > record.received().bytes())
}

/// Where the label is not what it should be.
fn of_label(session: &Session, label: &Label) -> Option<Fault> {
    let id = session.id();
    if matches!(session.phase(), Phase::Gone(_)) {
        return None;
    }
    match label {
        Label::Says(_) => None,
        Label::Newer => Some(newer(id)),
        // Labels trail by a moment; one that was cut off then is only missed by a rebuild.
        Label::Missing => {
            Some(Fault::note(id, "it has no label, so a rebuild would miss it", Remedy::Relabel))
        }
        Label::Unreadable(why) => {
            let what = format!("its label is unreadable ({why}), so a rebuild would miss it");
            Some(Fault::note(id, what, Remedy::Relabel))
        }
    }
}

/// Where record and blob do not agree.
async fn of_bytes(blobs: &dyn BlobStore, session: &Session, depth: Depth) -> Option<Fault> {
    let id = session.id();
    let blob = match (blobs.state(id).await, session.phase()) {
        (Ok(blob), _) => blob,
        (Err(StorageError::Damaged { what, .. }), Phase::Receiving) => {
            return Some(Fault::new(id, what, Remedy::CutBack));
        }
        (Err(error), _) => return Some(Fault::new(id, told(&error), Remedy::None)),
    };
    match (session.phase(), blob) {
        (Phase::Complete, blob) => of_finished(blobs, session, blob, depth).await,
        (Phase::Receiving, blob) => of_running(blobs, session, blob, depth).await,
        (Phase::Gone(_), Some(_)) => {
            let what = "it is gone, but its bytes are still there";
            Some(Fault::note(id, what, Remedy::FinishDeletion))
        }
        (Phase::Gone(_) | Phase::Assembling, _) => None,
    }
}

async fn of_finished(
    blobs: &dyn BlobStore,
    session: &Session,
    blob: Option<BlobState>,
    depth: Depth,
) -> Option<Fault> {
    let (id, end) = (session.id(), session.offset());
    let Some(blob) = blob else {
        return Some(Fault::new(id, "it is complete, but its bytes are gone", Remedy::SetAside));
    };
    if blob.offset < end {
        let what = format!("it is complete, but only {} of {end} bytes are there", blob.offset);
        return Some(Fault::new(id, what, Remedy::SetAside));
    }
    // What looks too long or in the wrong place is read in any case: the remedy depends on it.
    if depth == Depth::Thorough || blob.offset > end || !blob.published {
        let differing = match reader(blobs, id, blob.published).await {
            Ok(reader) => differing(reader, session.sums().clone()).await,
            Err(error) => Err(error.into()),
        };
        match differing {
            Ok(None) => {}
            Ok(Some(differs)) => {
                return Some(Fault::new(id, differs.to_string(), Remedy::SetAside));
            }
            Err(error) => return Some(Fault::new(id, chain(&error), Remedy::None)),
        }
    }
    if !blob.published {
        let what = "it is complete, but its bytes were not published";
        return Some(Fault::new(id, what, Remedy::Publish));
    }
    (blob.offset > end).then(|| {
        let what = format!("{} bytes are there, but it has only {end}", blob.offset);
        Fault::new(id, what, Remedy::CutTail)
    })
}

async fn of_running(
    blobs: &dyn BlobStore,
    session: &Session,
    blob: Option<BlobState>,
    depth: Depth,
) -> Option<Fault> {
    let (id, received) = (session.id(), session.received());
    let Some(blob) = blob else {
        let what = format!("{} bytes were accepted, but they are gone", received.bytes());
        return (received.bytes() > 0).then(|| Fault::new(id, what, Remedy::CutBack));
    };
    if blob.published {
        let whole = session.length().is_some_and(|length| length.end() == blob.offset);
        return Some(if whole {
            let what = "its last byte is there; the next start finishes it";
            Fault::note(id, what, Remedy::None)
        } else {
            let what = format!("{} bytes were published, which is not all of it", blob.offset);
            Fault::new(id, what, Remedy::SetAside)
        });
    }
    let reach = received.reach();
    if blob.offset.get() < reach {
        let what = format!("{reach} bytes were accepted, but only {} are there", blob.offset);
        return Some(Fault::new(id, what, Remedy::CutBack));
    }
    if depth == Depth::Quick || received.bytes() == 0 {
        return None;
    }
    match is_sound(blobs, session).await {
        Ok(true) => None,
        Ok(false) => {
            let what = "bytes that were accepted are not those that arrived";
            Some(Fault::new(id, what, Remedy::CutBack))
        }
        Err(error) => Some(Fault::new(id, chain(&error), Remedy::None)),
    }
}

async fn reader(
    blobs: &dyn BlobStore,
    id: UploadId,
    published: bool,
) -> Result<Arc<dyn BlobReader>, StorageError> {
    let opened = if published { blobs.open(id) } else { blobs.open_unpublished(id) };
    opened.await.map(Arc::from)
}

/// The first stretch that is not what its sum says.
async fn differing(
    reader: Arc<dyn BlobReader>,
    sums: crate::upload::Sums,
) -> Result<Option<sound::Differs>, EngineError> {
    let covered = sums.covered();
    let end = UploadOffset::new(reader.length()).unwrap_or_default();
    let (sound, kept) = sound_prefix(reader, sums.clone(), end).await?;
    let start = sound.get();
    Ok((start < covered).then(|| {
        let bytes = sums.segments().get(kept.segments().len()).map_or(0, |stretch| stretch.bytes);
        sound::Differs { start, end: start.saturating_add(bytes) }
    }))
}

/// Whether every sum of a running upload is right, at its front and ahead of it.
async fn is_sound(blobs: &dyn BlobStore, session: &Session) -> Result<bool, EngineError> {
    let reader = reader(blobs, session.id(), false).await?;
    if differing(Arc::clone(&reader), session.sums().clone()).await?.is_some() {
        return Ok(false);
    }
    let ahead = session.chunks().map_or_else(Vec::new, Chunks::sums_ahead);
    Ok(sound_ahead(reader, ahead).await?.into_iter().all(|sound| sound))
}

/// What a store said, with its reasons.
fn told(error: &StorageError) -> String {
    let reasons = chain(error);
    if reasons.is_empty() { error.to_string() } else { format!("{error}: {reasons}") }
}
