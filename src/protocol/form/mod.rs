//! HTML forms: `multipart/form-data` with one file (`protocol-spec/html-form.md`).
//!
//! Bytes go in as they arrive, the file's bytes come out as slices of them, nothing is copied. What
//! is not the file is bounded, so a form costs no more memory than a body without one.
//!
//! | file | holds |
//! |---|---|
//! | `boundary` | the head of the request: is it a form, and what separates its parts |
//! | `splitter` | bytes become the heads and contents of parts |
//! | `part` | the head of a part: its name, its file name, its type |
//! | `parameters` | `; name="value"`, as in the heads of requests and parts |
//! | `reader` | parts become the one file and the metadata |
//! | `answer` | response heads |

pub mod answer;
pub mod boundary;
mod parameters;
pub mod part;
pub mod reader;
pub mod splitter;

pub use answer::{METHODS, offered, refused, stored};
pub use boundary::Boundary;
pub use reader::{Event, Reader};

use super::head::RequestHead;
use super::problem::Problem;
use super::tus::Profile;

/// The field that holds the file (F-10).
pub const FILE: &str = "file";

/// Most bytes of a form that are neither its file nor the values of its fields: boundaries, heads
/// of parts, what stands before the first and behind the last (F-33).
pub const MAX_FRAME_BYTES: usize = 64 * 1024;

/// What separates the parts of a form, if the request is one that can be taken.
///
/// # Errors
///
/// [`Problem::FormExpected`] and its kin (F-2, F-3); [`Problem::TooLarge`] if even with the longest
/// frame its file would pass the maximum (F-31).
pub fn read(head: &RequestHead<'_>, profile: &Profile) -> Result<Boundary, Problem> {
    let boundary = boundary::read(head)?;
    let frame = MAX_FRAME_BYTES.saturating_add(profile.max_metadata_bytes);
    let frame = u64::try_from(frame).unwrap_or(u64::MAX);
    profile.admit(head.body.bytes().unwrap_or(0).saturating_sub(frame))?;
    Ok(boundary)
}

#[cfg(test)]
mod tests;
