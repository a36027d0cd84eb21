//! `doctor --repair`: what is safe to do, and nothing else.
//!
//! Bytes and records that cannot be mended are moved into the quarantine, not deleted. Every step leaves
//! something that the next run understands, so a run that was killed is simply repeated: bytes are cut
//! before the record is (a blob that is too short is cut back anyway), and what is set aside moves before
//! its record becomes a tombstone.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::Settings;
use crate::engine::sound::{sound_ahead, sound_prefix};
use crate::engine::{Clock as _, EngineError, SystemClock};
use crate::storage::{
    BlobCare, BlobReader, BlobStore, Mend, SessionStore, StorageError, Stored, Tail,
};
use crate::upload::{
    Chunks, Departure, Limits, Phase, Session, Sums, UploadId, UploadOffset, record,
};

use super::examination::{of_record, of_stray};
use super::fault::{Fault, Remedy};
use super::{Depth, Finding, Grade, MOST_STRAYS, PAGE, each_stray, stray_text};
use crate::server::data_dir::DataDir;
use crate::server::error::ServerError;
use crate::server::{translate, wiring};

/// Most faults of one upload that are mended in one run: mending one may show the next.
const ROUNDS: usize = 6;

/// Mends what can be mended; returns what it did.
///
/// # Errors
///
/// [`ServerError`] if the stores do not open (`doctor --rebuild` is for that) or fail. What was done until
/// then is done, and doing it again goes on.
pub async fn repair(settings: &Settings, depth: Depth) -> Result<Vec<Finding>, ServerError> {
    let data = DataDir::claim(&settings.server.data_dir)?;
    let blobs = wiring::open_blobs(&data, settings)?;
    let mut done = Vec::new();
    for stray in blobs.strays(MOST_STRAYS).await? {
        let text = stray_text(&stray);
        let cleared = blobs.clear(stray).await?;
        done.push(Finding::new(Grade::Note, format!("{text}; {cleared}")));
    }
    if !wiring::has_sessions(&data) && wiring::holds_uploads(blobs.as_ref()).await? {
        return Err(ServerError::SessionsLost { path: data.path().to_owned() });
    }
    let sessions = super::open(&data.sessions(), settings)?;
    let limits = translate::engine(settings).limits;
    let surgery =
        Surgery { sessions: sessions.as_ref(), blobs: blobs.as_ref(), limits: &limits, depth };
    let outcome = surgery.operate(&mut done).await;
    sessions.close().await?;
    outcome?;
    Ok(done)
}

struct Surgery<'a> {
    sessions: &'a dyn SessionStore,
    blobs: &'a dyn BlobCare,
    limits: &'a Limits,
    depth: Depth,
}

impl Surgery<'_> {
    async fn operate(&self, done: &mut Vec<Finding>) -> Result<(), ServerError> {
        let mut after = None;
        loop {
            let ids = self.sessions.ids(after, PAGE)?;
            after = ids.last().copied();
            if after.is_none() {
                break;
            }
            for id in ids {
                self.mend(id, done).await?;
            }
        }
        let mut strays = Vec::new();
        each_stray(self.sessions, self.blobs, &mut |id| strays.push(id)).await?;
        for id in strays {
            self.mend(id, done).await?;
        }
        // Last, because it goes by the records.
        let mut told = Vec::new();
        self.sessions.compare_lists(Mend::Yes, &mut |id, fault| {
            told.push(Finding::new(Grade::Note, format!("{id}: {fault}; set right")));
        })?;
        done.append(&mut told);
        Ok(())
    }

    /// Mends one upload, fault by fault.
    async fn mend(&self, id: UploadId, done: &mut Vec<Finding>) -> Result<(), ServerError> {
        for _ in 0..ROUNDS {
            let fault = match self.sessions.get(id) {
                Ok(None) => of_stray(self.blobs, id).await,
                Ok(Some(_)) | Err(_) => of_record(self.sessions, self.blobs, id, self.depth).await,
            };
            let Some(Fault { what, remedy, .. }) = fault else { return Ok(()) };
            match self.apply(id, remedy).await {
                Ok(Some(did)) => {
                    done.push(Finding::new(Grade::Note, format!("{id}: {what}; {did}")));
                }
                Ok(None) => return Ok(()),
                Err(error) => {
                    let why = super::chain(&error);
                    let text = format!("{id}: {what}; could not be mended: {why}");
                    done.push(Finding::new(Grade::Wrong, text));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Applies a remedy; says what was done, or `None` if there was nothing to do.
    async fn apply(&self, id: UploadId, remedy: Remedy) -> Result<Option<String>, EngineError> {
        Ok(Some(match remedy {
            Remedy::None => return Ok(None),
            Remedy::Relabel => {
                if let Some(stored) = self.sessions.get(id)? {
                    self.label(&stored.session).await?;
                }
                "its label was written from its record".to_owned()
            }
            Remedy::Restore(session) => {
                put_record(self.sessions, &session).await?;
                "its record was made from its label".to_owned()
            }
            Remedy::CutBack => {
                let Some(stored) = self.sessions.get(id)? else { return Ok(None) };
                format!("cut back to {}", self.cut_back(stored).await?)
            }
            Remedy::CutTail => {
                let Some(stored) = self.sessions.get(id)? else { return Ok(None) };
                let aside = self.blobs.cut_published(id, stored.session.offset()).await?;
                format!("what was too much is in {}", aside.display())
            }
            Remedy::Publish => {
                self.blobs.publish(id).await?;
                "published".to_owned()
            }
            Remedy::SetAside => format!("set aside in {}", places(&self.set_aside(id).await?)),
            Remedy::FinishDeletion => {
                self.blobs.delete(id).await?;
                "they were removed".to_owned()
            }
        }))
    }

    /// Cuts a running upload back to what is still what arrived; returns where it stands then.
    async fn cut_back(&self, stored: Stored) -> Result<UploadOffset, EngineError> {
        let Stored { mut session, revision } = stored;
        let (id, boot) = (session.id(), session.boot().clone());
        let there = match self.blobs.state(id).await {
            Ok(there) => there,
            // Its mark is unreadable: everything before the committed offset is proven.
            Err(StorageError::Damaged { .. }) => {
                drop(self.blobs.begin(id, session.offset(), Tail::Keep).await?);
                self.blobs.state(id).await?
            }
            Err(error) => return Err(error.into()),
        };
        if there.is_none() {
            session.cut_back(UploadOffset::ZERO, Sums::default(), &[], boot);
        } else {
            let reader: Arc<dyn BlobReader> = Arc::from(self.blobs.open_unpublished(id).await?);
            let ahead = session.chunks().map_or_else(Vec::new, Chunks::sums_ahead);
            let sound = sound_ahead(Arc::clone(&reader), ahead).await?;
            let end = UploadOffset::new(reader.length()).unwrap_or_default();
            let sums = session.sums().clone();
            let (front, kept) = sound_prefix(reader, sums.clone(), end).await?;
            // Bytes that have no sum, because chunks came in disorder, are believed where all that have
            // one are right.
            let all = kept == sums && end >= session.offset();
            let front = if all { session.offset() } else { front };
            if session.chunks().is_none() {
                drop(self.blobs.begin(id, front, Tail::Keep).await?);
            }
            session.cut_back(front, kept, &sound, boot);
        }
        self.sessions.commit(&session, revision).await?;
        self.label(&session).await?;
        Ok(session.offset())
    }

    /// Moves everything of an upload into the quarantine, its record in the form of a label.
    async fn set_aside(&self, id: UploadId) -> Result<Vec<PathBuf>, EngineError> {
        let stored = match self.sessions.get(id) {
            Ok(stored) => stored,
            Err(StorageError::Record { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(Stored { session, .. }) = &stored {
            self.label(session).await?;
        }
        let places = self.blobs.set_aside(id).await?;
        match stored {
            Some(Stored { session, .. }) if matches!(session.phase(), Phase::Gone(_)) => {}
            Some(Stored { mut session, revision }) => {
                session.depart(Departure::Terminated, self.limits, SystemClock.now());
                self.sessions.commit(&session, revision).await?;
            }
            None => self.sessions.delete(id).await?,
        }
        Ok(places)
    }

    async fn label(&self, session: &Session) -> Result<(), EngineError> {
        label(self.blobs, session).await.map_err(EngineError::from)
    }
}

async fn label(blobs: &dyn BlobStore, session: &Session) -> Result<(), StorageError> {
    let id = session.id();
    let label = record::encode(session).map_err(|source| StorageError::Record { id, source })?;
    blobs.label(id, Bytes::from(label)).await
}

/// Makes `session` the record, whatever there is now.
pub(super) async fn put_record(
    sessions: &dyn SessionStore,
    session: &Session,
) -> Result<(), StorageError> {
    match sessions.get(session.id()) {
        Ok(Some(stored)) => {
            sessions.commit(session, stored.revision).await?;
        }
        Ok(None) => {
            sessions.create(session).await?;
        }
        Err(StorageError::Record { .. }) => {
            // Killed in between, it is an upload without a record, which its label brings back.
            sessions.delete(session.id()).await?;
            sessions.create(session).await?;
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn places(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    if paths.is_empty() { "nothing, because nothing was left".to_owned() } else { paths.join(", ") }
}
