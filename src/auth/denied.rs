//! Why a request may not do what it wants.

use std::time::Duration;

/// A refusal, by meaning. Clients learn less: what would help a guesser stays in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no credential, or more than one where one may be.
    #[error("no credential")]
    Missing,
    /// No scheme knows the credential: never issued, forged or damaged.
    #[error("an unknown credential")]
    Unknown,
    /// The credential was good once.
    #[error("an expired credential")]
    Expired,
    /// The credential is not good yet.
    #[error("a credential from the future")]
    TooEarly,
    /// The credential was made for somebody else, or by somebody else.
    #[error("a credential for another audience or of another issuer")]
    NotForUs,
    /// The signature is right, but what was signed is not usable.
    #[error("a credential without a usable owner, or with claims that cannot be read")]
    Unusable,
    /// The credential is good, but not for this.
    #[error("a credential that does not allow this")]
    Verb,
    /// The application knows the credential and says no.
    #[error("refused by the application")]
    Forbidden,
    /// Who could say is not to be reached, so nobody gets in.
    #[error("the application cannot be asked")]
    Unavailable {
        /// When to ask again.
        retry_after: Duration,
    },
}
