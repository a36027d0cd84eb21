//! Static bearer tokens.

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::protocol::token::Verbs;
use crate::upload::{Owner, UploadLength};

use super::grant::{Grant, Scheme};

/// One token: kept as its SHA-256, compared in constant time, never printed.
#[derive(Clone)]
pub struct StaticToken {
    /// The owner of what is uploaded with it.
    pub name: String,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
    /// Longest upload that may be created with it.
    pub max_length: Option<UploadLength>,
    /// Whether finished uploads of this owner may be downloaded by whoever knows their address.
    pub public_downloads: bool,
}

impl std::fmt::Debug for StaticToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StaticToken").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Every static token.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Vec<StaticToken>);

impl Tokens {
    /// These tokens.
    #[must_use]
    pub const fn new(tokens: Vec<StaticToken>) -> Self {
        Self(tokens)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the token `given` is worth; `None` if it is none of these.
    ///
    /// Digests are compared, and every known token is looked at: neither the content nor the
    /// position of a token shows in the time it takes.
    pub(super) fn grant(&self, given: &[u8]) -> Option<Grant> {
        let given: [u8; 32] = Sha256::digest(given).into();
        let mut found = Choice::from(0);
        let mut position = 0_u64;
        for (index, token) in (0_u64..).zip(&self.0) {
            let equal = token.sha256.ct_eq(&given);
            position.conditional_assign(&index, equal);
            found |= equal;
        }
        let (_, token) = (0_u64..).zip(&self.0).find(|(index, _)| *index == position)?;
        bool::from(found).then(|| Grant {
            owner: Owner::named(token.name.clone()),
            max_length: token.max_length,
            verbs: Verbs::ALL,
            expires_at: None,
            scheme: Scheme::Token,
        })
    }

    /// Whether what `owner` has finished is open to whoever knows its address.
    pub(super) fn open_downloads_of(&self, owner: &Owner) -> bool {
        let mut open = self.0.iter().filter(|token| token.public_downloads);
        open.any(|token| owner.name() == Some(token.name.as_str()))
    }

    /// Whether the finished uploads of any owner are.
    pub(super) fn open_any_downloads(&self) -> bool {
        self.0.iter().any(|token| token.public_downloads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, secret: &str) -> StaticToken {
        StaticToken {
            name: name.to_owned(),
            sha256: Sha256::digest(secret.as_bytes()).into(),
            max_length: UploadLength::new(10),
            public_downloads: name == "ann",
        }
    }

    fn owner(tokens: &Tokens, given: &str) -> Option<String> {
        tokens.grant(given.as_bytes())?.owner.name().map(str::to_owned)
    }

    #[test]
    fn a_known_token_speaks_for_its_name_within_its_bound() {
        let tokens = Tokens::new(vec![token("ann", "one"), token("bob", "two")]);
        assert_eq!(owner(&tokens, "one").as_deref(), Some("ann"));
        assert_eq!(owner(&tokens, "two").as_deref(), Some("bob"));
        assert_eq!(tokens.grant(b"two").unwrap().max_length, UploadLength::new(10));
    }

    #[test]
    fn what_is_no_token_is_worth_nothing() {
        let tokens = Tokens::new(vec![token("ann", "one")]);
        for given in ["", "on", "onee", "two"] {
            assert_eq!(owner(&tokens, given), None, "{given:?}");
        }
        assert_eq!(owner(&Tokens::default(), "one"), None);
    }

    #[test]
    fn downloads_are_open_for_the_owners_who_say_so() {
        let tokens = Tokens::new(vec![token("ann", "one"), token("bob", "two")]);
        let named = |name: &str| Owner::named(name.to_owned());
        assert!(tokens.open_downloads_of(&named("ann")));
        assert!(!tokens.open_downloads_of(&named("bob")));
        assert!(!tokens.open_downloads_of(&Owner::anonymous()));
    }
}
