//! What credentials say: JSON Web Tokens and signed links, as plain data.
//!
//! Requirement ids are those of `protocol-spec/authorisation.md`. Time is an argument; keys come as
//! bytes. Where keys lie and which scheme is tried when is the business of `auth`.
//!
//! | file | holds |
//! |---|---|
//! | `verb` | what somebody may do |
//! | `owner` | names of owners |

mod owner;
mod verb;

pub use owner::{MAX_OWNER_BYTES, owner};
pub use verb::{Verb, Verbs};
