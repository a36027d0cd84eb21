//! Chunk headers: numbered chunks of one upload, in any order and in parallel.
//!
//! Requirement ids are those of `protocol-spec/chunked-upload.md`.
//!
//! | file | holds |
//! |---|---|
//! | `address` | the URLs of the protocol, and which session a URL means |
//! | `name` | session ids, and the upload that an id means |
//! | `fields` | the fields that are numbers |
//! | `content_range` | `Content-Range` of a request |
//! | `file` | `X-Filename` and `Content-Type`, as metadata |
//! | `terms` | chunk sizes: what is asked for, offered and bounded |
//! | `begin`, `chunk`, `inspect`, `terminate` | one request each: head to command, outcome to head |
//! | `standing` | what every answer tells about a session |
//! | `status` | the status of every problem, and the head of a refusal |

pub mod address;
pub mod begin;
pub mod chunk;
pub mod content_range;
pub mod fields;
pub mod file;
pub mod inspect;
pub mod name;
pub mod standing;
pub mod status;
pub mod terminate;
pub mod terms;

pub use name::{NameKey, SessionName};
pub use standing::Called;
pub use status::refused;
pub use terms::Terms;

use serde::Serialize;

use super::head::ResponseHead;

/// `head` with `content` as its JSON body.
fn json(head: ResponseHead, content: &impl Serialize) -> ResponseHead {
    // Nothing that is written here can fail to be JSON: no map with other keys than texts, no
    // number that is none.
    let mut text = serde_json::to_string(content).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    let mut head = head.with("Content-Type", "application/json");
    head.body = Some(text);
    head
}
