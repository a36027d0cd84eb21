//! Who may do what.
//!
//! A request comes with a credential, or without; [`Authority::grant`] says in whose name it acts
//! and within which bounds. Schemes are tried in one order, and the first one that knows the
//! credential decides alone.
//!
//! | file | holds |
//! |---|---|
//! | `authority` | the schemes and their order |
//! | `question` | what is asked: a request, its verb, where it comes from |
//! | `grant` | the answer yes |
//! | `denied` | the answers no, by meaning |
//! | `tokens` | static bearer tokens |
//! | `links` | signed links |
//! | `jwt` | JSON Web Tokens |
//! | `key_files` | the files with their keys, followed while they change |
//! | `forward/` | asking the application |

mod authority;
mod denied;
mod forward;
mod grant;
mod jwt;
mod key_files;
mod links;
mod question;
mod tokens;

pub use crate::protocol::token::{Verb, Verbs};
pub use authority::{Authority, Parts};
pub use denied::Denied;
pub use forward::{ClientError, Forward, ForwardSettings};
pub use grant::{Grant, Scheme};
pub use jwt::Jwt;
pub use key_files::{Holds, KeyFile, KeyFileError, KeyFiles};
pub use links::Links;
pub use question::Question;
pub use tokens::{StaticToken, Tokens};
