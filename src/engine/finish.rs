//! The last byte is there: the upload becomes visible.

use std::sync::Arc;

use crate::storage::{BlobReader, StorageError, Stored};
use crate::upload::{
    Digest, DigestAlgorithm, DigestHasher, Relation, Session, UploadId, UploadOffset,
};

use super::Shared;
use super::error::EngineError;
use super::events::Event;
use super::lease::Claim;
use super::ledger::blocking;
use super::sound::read_on;

impl Shared {
    /// Makes an upload that is whole visible, if it has the digest that all of it must have.
    ///
    /// # Errors
    ///
    /// [`EngineError::ChecksumMismatch`] if it has not.
    pub(super) async fn finish(&self, session: &mut Session) -> Result<(), EngineError> {
        let id = session.id();
        if let Some(expected) = session.expects().cloned() {
            let reader = self.blobs.open_unpublished(id).await?;
            let found = blocking(move || digest_of(reader.as_ref(), expected.algorithm())).await?;
            if Some(&found) != session.expects() {
                return Err(EngineError::ChecksumMismatch { offset: None });
            }
        }
        self.blobs.publish(id).await?;
        session.complete(&self.settings.limits, self.clock.now());
        Ok(())
    }

    /// Tells everybody that an upload became complete.
    pub(super) fn completed(self: &Arc<Self>, session: &Session) {
        self.observer.observe(Event::Completed { bytes: session.offset().get() });
        match session.relation() {
            Relation::Partial => self.part_completed(session.id()),
            Relation::Whole | Relation::Final { .. } => {}
        }
        if session.sums().covered() < session.offset().get() {
            let (shared, id) = (Arc::clone(self), session.id());
            self.runtime.spawn(async move {
                if let Err(error) = shared.sum_up(id).await {
                    tracing::error!(upload = %id, %error, "{id} was not summed up");
                }
            });
        }
    }

    /// Chunks that came in great disorder have no sums. They are read once more, behind the answer,
    /// so that after a power cut the upload can be told from a torn one.
    async fn sum_up(&self, id: UploadId) -> Result<(), EngineError> {
        let patience = self.settings.takeover_timeout;
        let Ok(_lease) = self.leases.claim(id, Claim::Inspect, patience).await else {
            return Ok(());
        };
        let Some(Stored { mut session, revision }) = self.sessions.get(id)? else { return Ok(()) };
        if !session.is_complete() {
            return Ok(());
        }
        let reader = self.blobs.open(id).await?;
        let sums = read_on(reader, session.sums().clone(), session.offset()).await?;
        session.sum_up(sums);
        self.sessions.commit(&session, revision).await?;
        self.scribe.note(&session).await;
        Ok(())
    }
}

/// Bytes read at a time for the digest of a whole upload.
const READ_BYTES: usize = 256 * 1024;

/// The digest of a whole blob. Blocking, for as long as reading it takes.
fn digest_of(reader: &dyn BlobReader, algorithm: DigestAlgorithm) -> Result<Digest, StorageError> {
    let mut hasher = DigestHasher::new(algorithm);
    let mut at = UploadOffset::ZERO;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let filled = reader.read_at(at, &mut buffer)?;
        let bytes = buffer.get(..filled).unwrap_or_default();
        hasher.update(bytes);
        match at.advance(u64::try_from(filled).unwrap_or(u64::MAX)) {
            Some(next) if filled > 0 => at = next,
            Some(_) | None => return Ok(hasher.finish()),
        }
    }
}
