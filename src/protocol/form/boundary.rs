//! Whether a request is a form, and what separates its parts (RFC 2046, section 5.1.1).

use crate::protocol::field;
use crate::protocol::head::RequestHead;
use crate::protocol::problem::Problem;

use super::parameters;

const CONTENT_TYPE: &str = "Content-Type";
const EXPECTED: &str = "one boundary of 1 to 70 characters";

/// Longest boundary (RFC 2046).
pub const MAX_BOUNDARY_BYTES: usize = 70;

/// What separates the parts of a form; 1 to [`MAX_BOUNDARY_BYTES`] characters that need no escape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// Takes `boundary = 0*69bchars bcharsnospace` (F-3).
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
        let taken = !text.is_empty()
            && text.len() <= MAX_BOUNDARY_BYTES
            && !text.ends_with(' ')
            && text.bytes().all(plain);
        taken.then(|| Self(text.to_owned()))
    }

    /// Its characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads `Content-Type: multipart/form-data; boundary=...` (F-2, F-3).
///
/// # Errors
///
/// [`Problem::FormExpected`] for another type or none, [`Problem::RepeatedField`], and
/// [`Problem::MalformedField`] if the boundary is missing, doubled or none.
pub fn read(head: &RequestHead<'_>) -> Result<Boundary, Problem> {
    let line = field::single(head, CONTENT_TYPE)?.ok_or(Problem::FormExpected)?;
    let text = std::str::from_utf8(line).map_err(|_| Problem::FormExpected)?;
    let (essence, rest) = text.split_at(text.find(';').unwrap_or(text.len()));
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(Problem::FormExpected);
    }
    let malformed = Problem::MalformedField { field: CONTENT_TYPE, expected: EXPECTED };
    let Some(mut parameters) = parameters::read(rest) else { return Err(malformed) };
    parameters.retain(|(name, _)| name == "boundary");
    match parameters.as_slice() {
        [(_, value)] => Boundary::new(value).ok_or(malformed),
        [] | [_, _, ..] => Err(malformed),
    }
}
