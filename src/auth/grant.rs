//! What a credential is worth.

use crate::protocol::token::{Verb, Verbs};
use crate::upload::{Owner, Timestamp, UploadLength};

use super::denied::Denied;

/// In whose name a request acts, and within which bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// To whom uploads belong.
    pub owner: Owner,
    /// Longest upload that may be created with it.
    pub max_length: Option<UploadLength>,
    /// What it allows.
    pub verbs: Verbs,
    /// When it ends. Judged when a request begins: what has begun may end later.
    pub expires_at: Option<Timestamp>,
    /// What it was proved by.
    pub scheme: Scheme,
}

/// How somebody proves who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Nothing authenticates.
    Open,
    /// A static bearer token.
    Token,
    /// A JSON Web Token.
    Jwt,
    /// A signed link.
    Link,
    /// The application was asked.
    Forward,
}

impl Grant {
    /// Everything, in nobody's name: nothing authenticates.
    #[must_use]
    pub const fn open() -> Self {
        Self {
            owner: Owner::anonymous(),
            max_length: None,
            verbs: Verbs::ALL,
            expires_at: None,
            scheme: Scheme::Open,
        }
    }

    /// This grant, if it allows `verb`.
    ///
    /// # Errors
    ///
    /// [`Denied::Verb`].
    pub(super) fn for_verb(self, verb: Verb) -> Result<Self, Denied> {
        if self.verbs.contains(verb) { Ok(self) } else { Err(Denied::Verb) }
    }
}
