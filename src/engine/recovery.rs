//! What a crash left behind.
//!
//! Three questions per unfinished session, answered from the blob's own state:
//!
//! - **The same boot still runs** (`kill -9`): the kernel kept every byte that was written, so the
//!   blob tells how far it got. Bytes behind the committed offset are kept, unless they wait for
//!   a checksum.
//! - **Another boot** (power cut): bytes behind the committed offset are not believed. Bytes
//!   before it are, if they were synced; otherwise they are compared with their CRCs and cut back
//!   to the last stretch that is right.
//! - **Published, but not committed as complete**: it was whole, and is finished now.
//!
//! `sweep` asks them for every session after the start; until it is through, they are asked for a
//! session before it is used, and after that for those that are `unsettled`: the sweep failed on them, or
//! a commit was refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::storage::{BlobReader, BlobState, Revision, StorageError, Stored, Tail};
use crate::upload::transition::Progress;
use crate::upload::{
    Chunks, Phase, Received, Refusal, Session, Sums, UploadId, UploadLength, UploadOffset,
};

use super::Shared;
use super::error::EngineError;
use super::events::Event;
use super::lease::Claim;
use super::ledger::blocking;
use super::read::lost;
use super::sound::{read_on, sound_ahead, sound_prefix};

impl Shared {
    pub(super) async fn sweep_one(self: &Arc<Self>, id: UploadId) -> Result<(), EngineError> {
        let Some(stored) = self.sessions.get(id)? else { return Ok(()) };
        match stored.session.phase() {
            Phase::Receiving => self.recovered(stored).await.map(drop),
            Phase::Assembling => {
                self.expect_parts(&stored.session);
                Ok(())
            }
            // Complete ones are checked when they are read, if at all; reading them all would
            // keep the disk busy for hours.
            Phase::Complete | Phase::Gone(_) => Ok(()),
        }
    }

    /// The session after recovery, if it still needs one and nobody is writing it.
    pub(super) async fn recovered(&self, stored: Stored) -> Result<Stored, EngineError> {
        if !self.needs_recovery(&stored.session) {
            return Ok(stored);
        }
        let id = stored.session.id();
        // Whoever recovers it right now is waited for: the sweep must not be through before it has
        // looked whether that is needed. Whoever writes it has recovered it before.
        let patience = self.settings.takeover_timeout;
        let Ok(_lease) = self.leases.claim(id, Claim::Recover, patience).await else {
            return Ok(self.sessions.get(id)?.unwrap_or(stored));
        };
        let stored = self.sessions.get(id)?.ok_or(EngineError::NotFound)?;
        self.recover_under_lease(stored).await
    }

    /// A commit of `session` failed after its bytes were made durable.
    ///
    /// From now on its record may be behind its blob, which may even be published. If there is no
    /// record for sure, nobody will ever ask for the blob, and it goes.
    pub(super) async fn left_behind(
        &self,
        session: &Session,
        seen: Option<Revision>,
        why: &StorageError,
    ) {
        let id = session.id();
        if seen.is_some() {
            self.unsettled.note(id);
        } else if matches!(why, StorageError::NoRoom)
            && let Err(error) = self.blobs.delete(id).await
        {
            tracing::warn!(upload = %id, %error, "the bytes of {id}, which has no record, stay");
        }
    }

    fn needs_recovery(&self, session: &Session) -> bool {
        match session.phase() {
            Phase::Receiving => {
                *session.boot() != self.boot
                    || !self.recovered.load(Ordering::Acquire)
                    || self.unsettled.has(session.id())
            }
            Phase::Complete => !session.synced() && *session.boot() != self.boot,
            Phase::Assembling | Phase::Gone(_) => false,
        }
    }

    /// The session for somebody who only looks. While the device is too full to write down what
    /// recovery found, the record is told: older, but as true, unless it was never synced.
    pub(super) async fn recovered_to_look(&self, stored: Stored) -> Result<Session, EngineError> {
        let recorded = stored.session.clone();
        let recovered = self.recovered(stored).await;
        self.as_far_as_recorded(recorded, recovered)
    }

    /// As [`Shared::recovered_to_look`], for a caller who holds the lease.
    pub(super) async fn recovered_under_lease_to_look(
        &self,
        stored: Stored,
    ) -> Result<Session, EngineError> {
        let recorded = stored.session.clone();
        let recovered = self.recover_under_lease(stored).await;
        self.as_far_as_recorded(recorded, recovered)
    }

    fn as_far_as_recorded(
        &self,
        recorded: Session,
        recovered: Result<Stored, EngineError>,
    ) -> Result<Session, EngineError> {
        let sound = recorded.synced() || *recorded.boot() == self.boot;
        match recovered {
            Err(EngineError::NoRoom { .. }) if sound && !recorded.is_complete() => Ok(recorded),
            recovered => Ok(recovered?.session),
        }
    }

    /// Brings record and blob to agree. The caller holds the lease.
    pub(super) async fn recover_under_lease(&self, stored: Stored) -> Result<Stored, EngineError> {
        if self.needs_recovery(&stored.session) { self.settle(stored).await } else { Ok(stored) }
    }

    /// What to tell somebody who cannot go on because bytes are missing that were there: from where they
    /// can, if that can be made of what is left. The caller holds the lease.
    pub(super) async fn cut_to_what_is_there(
        &self,
        stored: Stored,
        damaged: EngineError,
    ) -> EngineError {
        let before = stored.session.offset();
        match self.settle(stored).await {
            Ok(Stored { session, .. }) if session.offset() != before => {
                Refusal::OffsetMismatch { expected: session.offset() }.into()
            }
            Ok(_) => damaged,
            Err(error) => error,
        }
    }

    /// Brings record and blob to agree, whether or not there was a crash. The caller holds the lease.
    pub(super) async fn settle(&self, stored: Stored) -> Result<Stored, EngineError> {
        let id = stored.session.id();
        let recovered = self.brought_to_agree(stored).await?;
        self.unsettled.forget(id);
        Ok(recovered)
    }

    async fn brought_to_agree(&self, stored: Stored) -> Result<Stored, EngineError> {
        let id = stored.session.id();
        let blob = match self.blobs.state(id).await {
            // Nobody can tell any more which bytes of its tail were proven: those that count were.
            Err(StorageError::Damaged { .. }) if stored.session.phase() == Phase::Receiving => {
                drop(self.blobs.begin(id, stored.session.offset(), Tail::Keep).await?);
                self.blobs.state(id).await?
            }
            blob => blob?,
        };
        let Some(blob) = blob else { return self.without_blob(stored).await };
        let session = match stored.session.phase() {
            Phase::Complete => self.verify_complete(&stored.session, blob).await?,
            Phase::Receiving if blob.published => {
                self.finish_published(&stored.session, blob).await?
            }
            Phase::Receiving if stored.session.chunks().is_some() => {
                self.settle_chunks(&stored.session, blob).await?
            }
            Phase::Receiving => self.settle_tail(&stored.session, blob).await?,
            Phase::Assembling | Phase::Gone(_) => return Ok(stored),
        };
        self.store_recovered(stored, session).await
    }

    async fn store_recovered(
        &self,
        stored: Stored,
        session: Session,
    ) -> Result<Stored, EngineError> {
        if session == stored.session {
            return Ok(stored);
        }
        let (id, before) = (session.id(), stored.session.offset());
        if let Some(bytes) = session.offset().since(before).filter(|bytes| *bytes > 0) {
            self.observer.observe(Event::Recovered { bytes });
            tracing::info!(upload = %id, bytes, "{bytes} bytes of {id} were found again");
        } else if session.offset() < before {
            self.observer.observe(Event::Damaged);
            tracing::error!(upload = %id, from = %before, to = %session.offset(),
                "{id} was cut back from {before} to {}: the rest is damaged", session.offset());
        }
        let revision = match self.sessions.commit(&session, stored.revision).await {
            Ok(revision) => revision,
            Err(error) => {
                self.left_behind(&session, Some(stored.revision), &error).await;
                return Err(error.into());
            }
        };
        self.scribe.note(&session).await;
        Ok(Stored { session, revision })
    }

    /// Nothing was written yet, or the blob is lost.
    async fn without_blob(&self, stored: Stored) -> Result<Stored, EngineError> {
        if stored.session.is_complete() {
            return Err(lost(stored.session.id()).into());
        }
        let mut session = stored.session.clone();
        if session.received().bytes() == 0 {
            session.adopt(self.boot.clone());
        } else {
            session.cut_back(UploadOffset::ZERO, Sums::default(), &[], self.boot.clone());
        }
        self.store_recovered(stored, session).await
    }

    /// Published before its record said so: it was whole and synced. Only that its name is on the
    /// device is not sure, if it was a process that ended and not the machine: it is published again.
    async fn finish_published(
        &self,
        session: &Session,
        blob: BlobState,
    ) -> Result<Session, EngineError> {
        let id = session.id();
        if session.length().map(UploadLength::end) != Some(blob.offset) {
            let what = format!("{} bytes were published, which is not all of it", blob.offset);
            return Err(StorageError::Damaged { id, what }.into());
        }
        self.blobs.publish(id).await?;
        let sums = read_on(self.blobs.open(id).await?, session.sums().clone(), blob.offset).await?;
        let mut session = session.clone();
        let (limits, now) = (&self.settings.limits, self.clock.now());
        session.receive(self.progress(blob.offset, sums), limits, now);
        session.complete(limits, now);
        Ok(session)
    }

    async fn settle_tail(&self, old: &Session, blob: BlobState) -> Result<Session, EngineError> {
        let mut session = old.clone();
        let same_boot = *old.boot() == self.boot;
        if blob.offset < old.offset() || !(same_boot || old.synced()) {
            self.cut_to_sound(&mut session, blob.offset).await?;
        }
        if same_boot && session.offset() < old.offset() {
            // Nobody can tell what lies behind the last sound stretch; the next start must not take it
            // for bytes that arrived.
            drop(self.blobs.begin(session.id(), session.offset(), Tail::Keep).await?);
        }
        if same_boot && blob.offset > old.offset() {
            let end = old.length().map_or(blob.offset, |length| length.end().min(blob.offset));
            self.keep_tail(&mut session, end).await?;
        } else if !same_boot {
            // Before the record names this boot, what this boot must not believe is cut off.
            drop(self.blobs.begin(session.id(), session.offset(), Tail::Keep).await?);
            session.adopt(self.boot.clone());
        }
        if session.is_whole() && session.phase() == Phase::Receiving {
            self.finish(&mut session).await?;
        }
        Ok(session)
    }

    /// With chunks the record alone tells what is there. It is believed, unless it was not synced
    /// and another boot has passed, or the blob is too short for it.
    async fn settle_chunks(&self, old: &Session, blob: BlobState) -> Result<Session, EngineError> {
        let mut session = old.clone();
        let same_boot = *old.boot() == self.boot;
        if blob.offset.get() < old.received().reach() || !(same_boot || old.synced()) {
            let reader: Arc<dyn BlobReader> =
                Arc::from(self.blobs.open_unpublished(session.id()).await?);
            let ahead = session.chunks().map_or_else(Vec::new, Chunks::sums_ahead);
            let sound = sound_ahead(Arc::clone(&reader), ahead).await?;
            let sums = session.sums().clone();
            let (front, sums) = sound_prefix(reader, sums, blob.offset).await?;
            session.cut_back(front, sums, &sound, self.boot.clone());
        }
        session.adopt(self.boot.clone());
        if session.is_whole() {
            self.finish(&mut session).await?;
        }
        Ok(session)
    }

    /// Keeps the bytes that were written before a `kill -9` but not committed.
    async fn keep_tail(&self, session: &mut Session, end: UploadOffset) -> Result<(), EngineError> {
        let reader = self.blobs.open_unpublished(session.id()).await?;
        let sums = read_on(reader, session.sums().clone(), end).await?;
        // Opening at its end cuts nothing that counts, and gives the handle that can sync it.
        let writer = self.blobs.begin(session.id(), end, Tail::Keep).await?;
        let before = session.offset();
        blocking(move || {
            writer.renew(before, end)?;
            writer.sync()
        })
        .await?;
        let now = self.clock.now();
        session.receive(self.progress(end, sums), &self.settings.limits, now);
        Ok(())
    }

    /// Cuts a session back to the last stretch whose CRC is right.
    async fn cut_to_sound(
        &self,
        session: &mut Session,
        there: UploadOffset,
    ) -> Result<(), EngineError> {
        let reader = Arc::from(self.blobs.open_unpublished(session.id()).await?);
        let (sound, sums) = sound_prefix(reader, session.sums().clone(), there).await?;
        if sound < session.offset() {
            session.cut_back(sound, sums, &[], self.boot.clone());
        }
        Ok(())
    }

    /// A complete upload that was never synced, after another boot: whole or damaged, not served
    /// half.
    async fn verify_complete(
        &self,
        session: &Session,
        blob: BlobState,
    ) -> Result<Session, EngineError> {
        let id = session.id();
        let reader = Arc::from(self.blobs.open(id).await?);
        let (sound, _) = sound_prefix(reader, session.sums().clone(), blob.offset).await?;
        if sound != session.offset() {
            let what = format!("only {sound} of {} bytes are right", session.offset());
            return Err(StorageError::Damaged { id, what }.into());
        }
        let mut session = session.clone();
        session.adopt(self.boot.clone());
        Ok(session)
    }

    fn progress(&self, offset: UploadOffset, sums: Sums) -> Progress {
        let synced = self.settings.durability.is_synced();
        let received = Received::front(offset, sums);
        Progress { received, boot: self.boot.clone(), synced }
    }
}
