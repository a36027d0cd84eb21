//! What is offered for which purpose. Pure.

use crate::protocol::xep0363::slot::{Purpose, PurposeLimits, SlotLimits};
use crate::upload::UploadLength;

use super::keeping::Keeping;

/// What is offered for one purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Largest file; `None` for no bound.
    pub max_size: Option<UploadLength>,
    /// How long files are kept.
    pub keeping: Keeping,
}

/// What is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// For messages: always.
    pub message: Offer,
    /// For avatars and the like.
    pub profile: Option<Offer>,
    /// For what has to vanish.
    pub ephemeral: Option<Offer>,
    /// For what has to stay.
    pub permanent: Option<Offer>,
    /// Media types, as in [`SlotLimits::media_types`].
    pub media_types: Vec<String>,
}

impl Offers {
    /// What orders are judged by, and what clients are told.
    #[must_use]
    pub fn limits(&self) -> SlotLimits {
        let limits = |offer: Offer| PurposeLimits {
            max_size: offer.max_size,
            retention: offer.keeping.span(),
        };
        SlotLimits {
            message: limits(self.message),
            profile: self.profile.map(limits),
            ephemeral: self.ephemeral.map(limits),
            permanent: self.permanent.map(limits),
            media_types: self.media_types.clone(),
        }
    }

    /// How long a file of this purpose is kept; one that is not offered is a message.
    #[must_use]
    pub fn keeping(&self, purpose: Purpose) -> Keeping {
        let offer = match purpose {
            Purpose::Message => None,
            Purpose::Profile => self.profile,
            Purpose::Ephemeral { .. } => self.ephemeral,
            Purpose::Permanent => self.permanent,
        };
        offer.unwrap_or(self.message).keeping
    }
}
