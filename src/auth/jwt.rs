//! JSON Web Tokens.

use std::sync::Arc;

use crate::protocol::token::claims::{self, ClaimError, ClaimRules, Claims};
use crate::protocol::token::jws::Jws;
use crate::upload::Timestamp;

use super::denied::Denied;
use super::grant::{Grant, Scheme};
use super::key_files::KeyFiles;

/// Knows the tokens that were signed with one of its keys.
#[derive(Debug)]
pub struct Jwt {
    /// The keys, as their files have them now.
    pub keys: Arc<KeyFiles>,
    /// What is asked of claims.
    pub rules: ClaimRules,
    /// Longest token that is looked at.
    pub max_bytes: usize,
}

impl Jwt {
    /// What a token is worth; `None` if none of our keys signed it: then it is not ours to judge
    ///
    pub(super) fn judge(&self, token: &[u8], now: Timestamp) -> Option<Result<Grant, Denied>> {
        let jws = Jws::parse(token, self.max_bytes).ok()?;
        let keys = self.keys.current();
        let signed = keys.iter().find_map(|key| jws.claims_signed_by(key))?;
        Some(claims::judge(signed, &self.rules, now).map(granted).map_err(|error| match error {
            ClaimError::Expired => Denied::Expired,
            ClaimError::TooEarly => Denied::TooEarly,
            ClaimError::Issuer | ClaimError::Audience => Denied::NotForUs,
            ClaimError::Unreadable | ClaimError::NoExpiry | ClaimError::Owner => Denied::Unusable,
        }))
    }
}

fn granted(claims: Claims) -> Grant {
    let Claims { owner, expires_at, max_length, verbs } = claims;
    Grant { owner, max_length, verbs, expires_at, scheme: Scheme::Jwt }
}
