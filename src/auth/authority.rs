//! The schemes and their order.

use crate::protocol::bearer;
use crate::protocol::token::link::{self, InQuery};
use crate::upload::{Owner, Timestamp};

use super::denied::Denied;
use super::forward::Forward;
use super::grant::Grant;
use super::jwt::Jwt;
use super::links::Links;
use super::question::Question;
use super::tokens::Tokens;

/// What an authority is made of; what is left out is off.
#[derive(Debug, Default)]
pub struct Parts {
    /// Static bearer tokens.
    pub tokens: Tokens,
    /// JSON Web Tokens.
    pub jwt: Option<Jwt>,
    /// Signed links.
    pub links: Option<Links>,
    /// The application that is asked about everything else.
    pub forward: Option<Forward>,
    /// Whether a request needs a credential even if nothing above could know one.
    pub required: bool,
}

/// Decides who may do what. One per process.
#[derive(Debug)]
pub struct Authority {
    tokens: Tokens,
    jwt: Option<Jwt>,
    links: Option<Links>,
    forward: Option<Forward>,
    open: bool,
}

impl Authority {
    /// Puts the schemes together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { tokens, jwt, links, forward, required } = parts;
        // Links alone lock nobody out: without anything else they only give uploads an owner.
        let open = !required && tokens.is_empty() && jwt.is_none() && forward.is_none();
        Self { tokens, jwt, links, forward, open }
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
        if let Some(judged) = self.by_link(question) {
            return judged;
        }
        let bearer = bearer::token(question.head);
        if let Some(judged) = bearer.and_then(|token| self.by_bearer(token, question.now)) {
            return judged;
        }
        if let Some(forward) = &self.forward {
            return forward.grant(question).await;
        }
        if self.open {
            return Ok(Grant::open());
        }
        Err(if bearer.is_some() { Denied::Unknown } else { Denied::Missing })
    }

    /// The link by which a request came, for the address of what it creates; `None` if it
    /// came by none, or links are off. It need not be a good one.
    #[must_use]
    pub fn link_in<'a>(&self, query: Option<&'a str>) -> Option<&'a str> {
        self.links.as_ref()?;
        match link::in_query(query?) {
            InQuery::One(text) if text.bytes().all(link::is_written_with) => Some(text),
            InQuery::One(_) | InQuery::Absent | InQuery::Several => None,
        }
    }

    /// By the link in the URL; whoever sends one means it.
    fn by_link(&self, question: &Question<'_>) -> Option<Result<Grant, Denied>> {
        let links = self.links.as_ref()?;
        match link::in_query(question.query?) {
            InQuery::Absent => None,
            InQuery::One(link) => Some(links.grant(link.as_bytes(), question.now)),
            InQuery::Several => Some(Err(Denied::Missing)),
        }
    }

    /// By what stands in `Authorization`.
    fn by_bearer(&self, token: &[u8], now: Timestamp) -> Option<Result<Grant, Denied>> {
        if let Some(grant) = self.tokens.grant(token) {
            return Some(Ok(grant));
        }
        match &self.links {
            Some(links) if Links::is_one(token) => Some(links.grant(token, now)),
            Some(_) | None => self.jwt.as_ref()?.judge(token, now),
        }
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

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
