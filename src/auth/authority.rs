//! The schemes and their order.

use crate::protocol::bearer;
use crate::upload::Owner;

use super::denied::Denied;
use super::grant::Grant;
use super::question::Question;
use super::tokens::Tokens;

/// What an authority is made of; what is left out is off.
#[derive(Debug, Default)]
pub struct Parts {
    /// Static bearer tokens.
    pub tokens: Tokens,
    /// Whether a request needs a credential even if nothing above could know one.
    pub required: bool,
}

/// Decides who may do what. One per process.
#[derive(Debug)]
pub struct Authority {
    tokens: Tokens,
    open: bool,
}

impl Authority {
    /// Puts the schemes together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let open = !parts.required && parts.tokens.is_empty();
        Self { tokens: parts.tokens, open }
    }

    /// Whether nothing authenticates: everybody is nobody in particular.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// What the request may do, if it may do what it wants.
    ///
    /// # Errors
    ///
    /// [`Denied`], by meaning. Nothing of it depends on whether an upload exists.
    pub async fn grant(&self, question: &Question<'_>) -> Result<Grant, Denied> {
        self.judged(question).await?.for_verb(question.verb)
    }

    /// The order of the schemes.
    async fn judged(&self, question: &Question<'_>) -> Result<Grant, Denied> {
        let bearer = bearer::token(question.head);
        if let Some(given) = bearer
            && let Some(grant) = self.tokens.grant(given)
        {
            return Ok(grant);
        }
        if self.open {
            return Ok(Grant::open());
        }
        Err(if bearer.is_some() { Denied::Unknown } else { Denied::Missing })
    }

    /// Whether what `owner` has finished may be downloaded by whoever knows its address.
    #[must_use]
    pub fn opens_downloads_of(&self, owner: &Owner) -> bool {
        self.tokens.open_downloads_of(owner)
    }

    /// Whether there is any owner whose downloads are open.
    #[must_use]
    pub fn opens_any_downloads(&self) -> bool {
        self.tokens.open_any_downloads()
    }
}
