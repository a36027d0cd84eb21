//! [`SlotDesk`]: an order becomes a slot, and an upload that waits for its bytes.

use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::engine::{Clock, Engine, EngineError};
use crate::protocol::xep0363::slot::{
    Allowed, Carrier, Issuer, Slot, SlotLimits, SlotOrder, SlotRefusal,
};
use crate::protocol::xep0363::{BasePath, OwnerHint, SlotKey, name};
use crate::upload::{Memory, Metadata, NewSession, Quota, Refusal};

use super::offers::Offers;
use super::promise::{Pending, Slots};
use super::witness::{Decision, Witness};

/// What a desk works with.
pub struct DeskParts {
    /// Where the uploads are.
    pub engine: Engine,
    /// Signs slots; its tenant has [`crate::protocol::xep0363::Scheme::Own`].
    pub issuer: Issuer,
    /// Leads slots to uploads: the same that the front of the files has.
    pub ids: SlotKey,
    /// Where the tenant's slots live.
    pub base: BasePath,
    /// What is offered.
    pub offers: Offers,
    /// How long a slot waits for its first byte; the same that the issuer has.
    pub lifetime: Duration,
    /// What each uploader may have.
    pub quota: Option<Quota>,
    /// The time of day, as the engine has it.
    pub clock: Arc<dyn Clock>,
    /// Who is told what became of orders.
    pub witness: Arc<dyn Witness>,
}

/// Makes the slots of one tenant. Whoever asks has been asked whether they may.
pub struct SlotDesk {
    parts: DeskParts,
    limits: SlotLimits,
    random: SystemRandom,
}

impl SlotDesk {
    /// A desk.
    #[must_use]
    pub fn new(parts: DeskParts) -> Self {
        Self { limits: parts.offers.limits(), parts, random: SystemRandom::new() }
    }

    /// What orders are judged by.
    #[must_use]
    pub const fn limits(&self) -> &SlotLimits {
        &self.limits
    }

    /// Makes a slot. Its upload is there as soon as this returns, belongs to whoever asked, counts
    /// for their quota, and expires with the slot if nothing is put into it.
    ///
    /// # Errors
    ///
    /// [`SlotRefusal`], by what is wrong. Nothing was made then.
    pub async fn grant(&self, order: SlotOrder, carrier: Carrier) -> Result<Slot, SlotRefusal> {
        let made = self.make(order, carrier).await;
        let decision = made.as_ref().map_or_else(Decision::of, |_| Decision::Granted);
        self.parts.witness.decided(decision);
        made
    }

    async fn make(&self, order: SlotOrder, carrier: Carrier) -> Result<Slot, SlotRefusal> {
        let (parts, now) = (&self.parts, self.parts.clock.now());
        let retention = parts.offers.keeping(order.purpose).retention();
        let allowed = self.limits.judge(order, now)?;
        let slot = parts.issuer.issue(&allowed, self.random()?, carrier, now)?;
        let owner = name::owner(&parts.base, Some(&OwnerHint::Jid(allowed.uploader.clone())));
        let new = NewSession {
            keep_until: allowed.file_expires_at,
            retention,
            begin_by: Some(now.after(parts.lifetime)),
            memory: Memory::ForAWhile,
            quota: parts.quota,
            ..NewSession::of(owner, Some(allowed.length), metadata(&allowed)?)
        };
        let id = parts.ids.upload(&parts.base, &slot.path);
        parts.engine.create_as(id, new).await.map_err(|error| refusal(&error))?;
        tracing::debug!(upload = %id, "a slot waits for its file");
        Ok(slot)
    }

    fn random(&self) -> Result<[u8; 18], SlotRefusal> {
        let mut random = [0; 18];
        self.random.fill(&mut random).map_err(|_| {
            tracing::error!("the system has no random numbers");
            SlotRefusal::Unavailable
        })?;
        Ok(random)
    }
}

impl Slots for SlotDesk {
    fn request(&self, order: SlotOrder) -> Pending<'_> {
        Box::pin(self.grant(order, Carrier::Header))
    }

    fn note_refused(&self, refusal: &SlotRefusal) {
        self.parts.witness.decided(Decision::of(refusal));
    }
}

impl std::fmt::Debug for SlotDesk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SlotDesk").field("base", &self.parts.base).finish_non_exhaustive()
    }
}

/// What is remembered of the file: its name as the client knows it, whatever the URL has, and its
/// type.
fn metadata(allowed: &Allowed) -> Result<Metadata, SlotRefusal> {
    let pairs =
        [("filename", allowed.file_name.as_bytes()), ("filetype", allowed.media_type.as_bytes())];
    Metadata::of(pairs).map_err(|_| SlotRefusal::BadRequest("filename is too long"))
}

/// What the engine says, in the words of slots. Whatever is not the asker's affair is logged.
fn refusal(error: &EngineError) -> SlotRefusal {
    match error {
        EngineError::Refused(Refusal::QuotaReached { retry_at }) => {
            SlotRefusal::QuotaReached { retry_at: *retry_at }
        }
        EngineError::Refused(Refusal::TooLarge { max }) => SlotRefusal::TooLarge { max: *max },
        EngineError::ShuttingDown => SlotRefusal::Unavailable,
        EngineError::Overloaded => {
            tracing::warn!("a slot was refused: no descriptor is left for its file");
            SlotRefusal::Unavailable
        }
        EngineError::NoRoom { .. } => {
            tracing::warn!("a slot was refused: there is no room for its file");
            SlotRefusal::Unavailable
        }
        EngineError::Refused(_)
        | EngineError::NotFound
        | EngineError::ChecksumMismatch { .. }
        | EngineError::TakenOver { .. }
        | EngineError::Busy
        | EngineError::Storage(_) => {
            let error: &dyn std::error::Error = error;
            tracing::error!(error, "a slot could not be made");
            SlotRefusal::Unavailable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::{Timestamp, UploadLength};

    #[test]
    fn what_the_engine_says_is_said_in_the_words_of_slots() {
        let max = UploadLength::new(7).unwrap();
        let retry_at = Some(Timestamp::from_unix_milliseconds(5));
        for (error, expected) in [
            (Refusal::QuotaReached { retry_at }.into(), SlotRefusal::QuotaReached { retry_at }),
            (Refusal::TooLarge { max }.into(), SlotRefusal::TooLarge { max }),
            (EngineError::ShuttingDown, SlotRefusal::Unavailable),
            (EngineError::NoRoom { offset: None }, SlotRefusal::Unavailable),
            (EngineError::Busy, SlotRefusal::Unavailable),
        ] {
            assert_eq!(refusal(&error), expected);
        }
    }
}
