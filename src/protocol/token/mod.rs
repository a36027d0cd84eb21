//! What credentials say: JSON Web Tokens and signed links, as plain data.
//!
//! Requirement ids are those of `protocol-spec/authorisation.md`. Time is an argument; keys come as
//! bytes. Where keys lie and which scheme is tried when is the business of `auth`.
//!
//! | file | holds |
//! |---|---|
//! | `verb` | what somebody may do |
//! | `owner` | names of owners |
//! | `link` | signed links |
//! | `jws` | a JSON Web Token, taken apart |
//! | `key` | keys that verify it: secrets, PEM, JWK sets |
//! | `claims` | what it claims, judged |

pub mod claims;
#[cfg(test)]
pub(crate) mod examples;
pub mod jws;
pub mod key;
pub mod link;
mod owner;
mod verb;

pub use owner::{MAX_OWNER_BYTES, owner};
pub use verb::{Verb, Verbs};
