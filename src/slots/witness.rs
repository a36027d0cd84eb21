//! Who is told what became of orders: whoever counts them.

use crate::protocol::xep0363::slot::SlotRefusal;

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// There is a slot.
    Granted,
    /// It was no order.
    BadRequest,
    /// The file is too large.
    TooLarge,
    /// Such files are not taken.
    MediaType,
    /// The purpose is not offered.
    Purpose,
    /// Whoever asked may not.
    NotAllowed,
    /// Whoever asked has used up what is allowed.
    Quota,
    /// We could not.
    Unavailable,
}

impl Decision {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Granted,
        Self::BadRequest,
        Self::TooLarge,
        Self::MediaType,
        Self::Purpose,
        Self::NotAllowed,
        Self::Quota,
        Self::Unavailable,
    ];

    /// What a refusal counts as.
    #[must_use]
    pub const fn of(refusal: &SlotRefusal) -> Self {
        match refusal {
            SlotRefusal::BadRequest(_) => Self::BadRequest,
            SlotRefusal::TooLarge { .. } => Self::TooLarge,
            SlotRefusal::MediaTypeNotAllowed => Self::MediaType,
            SlotRefusal::PurposeNotOffered => Self::Purpose,
            SlotRefusal::NotAllowed => Self::NotAllowed,
            SlotRefusal::QuotaReached { .. } => Self::Quota,
            SlotRefusal::Unavailable => Self::Unavailable,
        }
    }
}

/// Is told what became of orders. Quick, and never fails.
pub trait Witness: Send + Sync + 'static {
    /// One more order was decided upon.
    fn decided(&self, decision: Decision);
}

/// Takes no note of anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwitnessed;

impl Witness for Unwitnessed {
    fn decided(&self, _: Decision) {}
}
