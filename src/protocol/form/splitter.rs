//! Bytes become the heads and contents of parts (RFC 2046, section 5.1).
//!
//! ```text
//! form      = [preamble CRLF] "--" boundary padding CRLF part
//!             *( CRLF "--" boundary padding CRLF part ) CRLF "--" boundary "--" [epilogue]
//! part      = *( line CRLF ) CRLF content
//! padding   = *( SP / HTAB )
//! ```

use bytes::{Buf as _, Bytes};
use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

use crate::protocol::problem::Problem;

use super::Boundary;

/// Longest head of a part, with its empty line (F-32).
pub const MAX_HEAD_BYTES: usize = 8 * 1024;

/// Most blanks behind a boundary.
const MAX_PADDING_BYTES: usize = 64;

/// A piece of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A part begins with this head, its empty line included.
    Head(Vec<u8>),
    /// More of the content of the part: a slice of what came in.
    Content(Bytes),
    /// The part is over.
    End,
}

/// Takes a form apart as it arrives. Holds at most one head.
#[derive(Debug)]
pub struct Splitter {
    /// `CRLF "--" boundary`.
    delimiter: Bytes,
    finder: Finder<'static>,
    place: Place,
    /// The last bytes that came in are these first bytes of the delimiter: content or not, the next
    /// bytes decide.
    held: usize,
    /// A line or a head that is not over yet.
    unfinished: Vec<u8>,
}

/// Where in the form the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Preamble,
    BehindBoundary,
    Head,
    Content,
    Epilogue,
}

/// What a look for the delimiter gave.
enum Found {
    Content(Bytes),
    Delimiter,
}

impl Splitter {
    /// A form whose parts are separated by `boundary`.
    #[must_use]
    pub fn new(boundary: &Boundary) -> Self {
        let delimiter = Bytes::from(format!("\r\n--{}", boundary.as_str()));
        Self {
            finder: Finder::new(&delimiter).into_owned(),
            delimiter,
            place: Place::Preamble,
            // The first boundary needs no line break in front.
            held: 2,
            unfinished: Vec::new(),
        }
    }

    /// Takes the next piece out of `input`; `None` when `input` is used up.
    ///
    /// # Errors
    ///
    /// [`Problem::MalformedForm`], [`Problem::FormTooLong`]; the form is of no use then.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Piece>, Problem> {
        while !input.is_empty() {
            let piece = match self.place {
                Place::Preamble => {
                    if let Some(Found::Delimiter) = self.find(input) {
                        self.place = Place::BehindBoundary;
                    }
                    None
                }
                Place::BehindBoundary => {
                    self.behind_boundary(input)?;
                    None
                }
                Place::Head => self.head(input)?,
                Place::Content => self.find(input).map(|found| match found {
                    Found::Content(bytes) => Piece::Content(bytes),
                    Found::Delimiter => {
                        self.place = Place::BehindBoundary;
                        Piece::End
                    }
                }),
                Place::Epilogue => {
                    input.clear();
                    None
                }
            };
            if piece.is_some() {
                return Ok(piece);
            }
        }
        Ok(None)
    }

    /// Whether the form is whole: the last boundary was there (F-5).
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.place == Place::Epilogue
    }

    /// Looks for the delimiter; `None` when `input` is used up without an answer.
    ///
    /// A delimiter holds one CR, its first byte. So at most one beginning of it has to be
    /// remembered, and the bytes of a false beginning are the delimiter's own.
    fn find(&mut self, input: &mut Bytes) -> Option<Found> {
        if self.held > 0 {
            return self.go_on(input);
        }
        if let Some(at) = self.finder.find(input) {
            if at > 0 {
                return Some(Found::Content(input.split_to(at)));
            }
            input.advance(self.delimiter.len());
            return Some(Found::Delimiter);
        }
        let beginning = memrchr(b'\r', input)
            .filter(|at| input.get(*at..).is_some_and(|tail| self.delimiter.starts_with(tail)));
        let content = input.split_to(beginning.unwrap_or(input.len()));
        self.held = input.len();
        input.clear();
        (!content.is_empty()).then_some(Found::Content(content))
    }

    /// Decides about the bytes that are held.
    fn go_on(&mut self, input: &mut Bytes) -> Option<Found> {
        let (begun, wanted) = self.delimiter.split_at_checked(self.held).unwrap_or_default();
        if input.starts_with(wanted) {
            input.advance(wanted.len());
            self.held = 0;
            return Some(Found::Delimiter);
        }
        if wanted.starts_with(input) {
            self.held = self.held.saturating_add(input.len());
            input.clear();
            return None;
        }
        let content = self.delimiter.slice_ref(begun);
        self.held = 0;
        Some(Found::Content(content))
    }

    /// `--` ends the form, a line break begins a part.
    fn behind_boundary(&mut self, input: &mut Bytes) -> Result<(), Problem> {
        while let Some(byte) = input.first().copied() {
            input.advance(1);
            self.unfinished.push(byte);
            let line = self.unfinished.as_slice();
            let blank = |line: &[u8]| line.iter().all(|byte| matches!(byte, b' ' | b'\t'));
            if line == b"--" {
                self.place = Place::Epilogue;
            } else if line.strip_suffix(b"\r\n").is_some_and(blank) {
                self.place = Place::Head;
            } else if line.len() <= MAX_PADDING_BYTES
                && (line == b"-" || blank(line.strip_suffix(b"\r").unwrap_or(line)))
            {
                continue;
            } else {
                let reason = "behind a boundary stands neither a line break (CR LF) nor `--`";
                return Err(Problem::MalformedForm { reason });
            }
            self.unfinished.clear();
            break;
        }
        Ok(())
    }

    /// Collects lines up to an empty one.
    fn head(&mut self, input: &mut Bytes) -> Result<Option<Piece>, Problem> {
        while !input.is_empty() {
            let end = memchr(b'\n', input).map_or(input.len(), |at| at.saturating_add(1));
            if self.unfinished.len().saturating_add(end) > MAX_HEAD_BYTES {
                let what = "the head of a part";
                return Err(Problem::FormTooLong { what, limit: MAX_HEAD_BYTES });
            }
            self.unfinished.extend_from_slice(&input.split_to(end));
            if self.unfinished.ends_with(b"\r\n\r\n") || self.unfinished == b"\r\n" {
                self.place = Place::Content;
                return Ok(Some(Piece::Head(std::mem::take(&mut self.unfinished))));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
#[path = "splitter_tests.rs"]
mod tests;
