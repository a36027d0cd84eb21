//! Signed links.

use crate::protocol::token::link::{Link, LinkError, LinkKey, PREFIX};
use crate::upload::Timestamp;

use super::denied::Denied;
use super::grant::{Grant, Scheme};

/// Knows the links of this gateway.
#[derive(Clone, Debug)]
pub struct Links {
    key: LinkKey,
}

impl Links {
    /// Knows the links that were signed with `key`.
    #[must_use]
    pub const fn new(key: LinkKey) -> Self {
        Self { key }
    }

    /// Whether a bearer token says to be a link.
    pub(super) fn is_one(token: &[u8]) -> bool {
        token.starts_with(PREFIX.as_bytes())
    }

    /// What a link is worth.
    pub(super) fn grant(&self, link: &[u8], now: Timestamp) -> Result<Grant, Denied> {
        let link = Link::read(link, &self.key, now).map_err(|error| match error {
            LinkError::Forged => Denied::Unknown,
            LinkError::Expired => Denied::Expired,
        })?;
        Ok(Grant {
            owner: link.owner,
            max_length: link.max_length,
            verbs: link.verbs,
            expires_at: Some(link.expires_at),
            scheme: Scheme::Link,
        })
    }
}
