//! Pure wire: a request head becomes a command, an outcome becomes a response head.
//!
//! No socket, no clock, no `await`. A protocol test is a table of heads, a fuzz target three lines.
//!
//! | folder or file | holds |
//! |---|---|
//! | `head` | request and response heads, as plain data |
//! | `problem` | every refusal a client may see: the rows of `protocol-spec/errors.md` |
//! | `field` | field grammars shared by protocols: single lines, integers |
//! | `date` | IMF-fixdate, both ways |
//! | `method` | the effective method, with its override |
//! | `location` | where an upload lives, and which upload a URL means |
//! | `forwarded` | what a believed proxy says about the client's side |
//! | `digest_field` | `Content-Digest` and `Repr-Digest` |
//! | `bearer` | the `Authorization` field |
//! | `id_key` | ids that follow from names that clients chose |
//! | `token/` | what credentials say: claims and signed links |
//! | `tus/` | tus 1.0.0 |
//! | `chunked/` | chunk headers |
//! | `form/` | HTML forms with one file |
//! | `download/` | ranges, conditions, safe names and types |
//! | `xep0363/` | slots of XMPP servers: tokens, paths, answers |
//! | `cors` | what a browser has to be told |

pub mod bearer;
pub mod chunked;
pub mod cors;
pub mod date;
pub mod digest_field;
pub mod download;
pub mod field;
pub mod form;
pub mod forwarded;
pub mod head;
pub mod id_key;
pub mod location;
pub mod method;
pub mod problem;
pub mod token;
pub mod tus;
pub mod xep0363;

pub use head::{BodyLength, RequestHead, ResponseHead};
pub use method::Method;
pub use problem::Problem;
