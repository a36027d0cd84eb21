//! Parts become the one file and the metadata.

use bytes::Bytes;

use crate::protocol::problem::Problem;
use crate::upload::{Metadata, MetadataError};

use super::part::PartHead;
use super::splitter::{Piece, Splitter};
use super::{Boundary, FILE, MAX_FRAME_BYTES};

/// Something of a form that matters outside of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The file begins.
    File,
    /// More bytes of the file: a slice of what came in.
    Bytes(Bytes),
}

/// Reads a form as it arrives.
///
/// # Guarantees
///
/// - **Bounded.** It holds at most one part's head and the values of the fields, and refuses a form
///   whose parts around the file are longer than that allows (F-32, F-33).
/// - [`Event::File`] comes at most once, and before every [`Event::Bytes`].
#[derive(Debug)]
pub struct Reader {
    splitter: Splitter,
    within: Within,
    file: Option<FilePart>,
    fields: Fields,
    /// Bytes that came in and are not the file's.
    frame_bytes: u64,
}

/// Which part the next content belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Within {
    Nothing,
    File,
    Field { name: String, value: Vec<u8> },
}

/// What is known about the file.
#[derive(Clone, Copy, Debug)]
struct FilePart {
    /// The form has a place for a file, but none was chosen (F-11).
    unchosen: bool,
    is_empty: bool,
}

impl Reader {
    /// Reads a form whose parts are separated by `boundary`, and of whose fields at most
    /// `max_metadata_bytes` are kept (F-30).
    #[must_use]
    pub fn new(boundary: &Boundary, max_metadata_bytes: usize) -> Self {
        Self {
            splitter: Splitter::new(boundary),
            within: Within::Nothing,
            file: None,
            fields: Fields { pairs: Vec::new(), written_bytes: 0, max_bytes: max_metadata_bytes },
            frame_bytes: 0,
        }
    }

    /// Takes the next event out of `input`; `None` when `input` is used up.
    ///
    /// # Errors
    ///
    /// The [`Problem`] that the client is told; the form is of no use then.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Event>, Problem> {
        while !input.is_empty() {
            let before = input.len();
            let piece = self.splitter.next(input)?;
            self.count(before.saturating_sub(input.len()), piece.as_ref())?;
            let Some(piece) = piece else { break };
            if let Some(event) = self.take(piece)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// The body is over: what its fields said about the file.
    ///
    /// # Errors
    ///
    /// [`Problem::MalformedForm`] if the form is not (F-5), [`Problem::OneFile`] if it had no file.
    pub fn finish(&mut self) -> Result<Metadata, Problem> {
        if !self.splitter.is_whole() {
            let reason = "the body ends before the last boundary, `--boundary--`";
            return Err(Problem::MalformedForm { reason });
        }
        match self.file {
            None | Some(FilePart { unchosen: true, is_empty: true }) => {
                Err(Problem::OneFile { found: "none" })
            }
            Some(FilePart { .. }) => self.fields.metadata(),
        }
    }

    /// Counts what is not the file's; a little of the file may be counted for a while.
    fn count(&mut self, taken: usize, piece: Option<&Piece>) -> Result<(), Problem> {
        let taken = u64::try_from(taken).unwrap_or(u64::MAX);
        self.frame_bytes = self.frame_bytes.saturating_add(taken);
        if let (Within::File | Within::Field { .. }, Some(Piece::Content(bytes))) =
            (&self.within, piece)
        {
            let content = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            self.frame_bytes = self.frame_bytes.saturating_sub(content);
        }
        if self.frame_bytes > u64::try_from(MAX_FRAME_BYTES).unwrap_or(u64::MAX) {
            let what = "a form besides its file and its fields";
            return Err(Problem::FormTooLong { what, limit: MAX_FRAME_BYTES });
        }
        Ok(())
    }

    fn take(&mut self, piece: Piece) -> Result<Option<Event>, Problem> {
        match piece {
            Piece::Head(head) => self.begin(&PartHead::read(&head)?),
            Piece::Content(bytes) => match &mut self.within {
                Within::File => {
                    if let Some(file) = &mut self.file {
                        file.is_empty = false;
                    }
                    Ok(Some(Event::Bytes(bytes)))
                }
                Within::Field { name, value } => {
                    let grown = value.len().saturating_add(bytes.len());
                    self.fields.has_room_for(name, grown)?;
                    value.extend_from_slice(&bytes);
                    Ok(None)
                }
                Within::Nothing => Ok(None),
            },
            Piece::End => match std::mem::replace(&mut self.within, Within::Nothing) {
                Within::Field { name, value } => self.fields.add(&name, &value).map(|()| None),
                Within::File | Within::Nothing => Ok(None),
            },
        }
    }

    fn begin(&mut self, head: &PartHead) -> Result<Option<Event>, Problem> {
        let chosen = head.filename.as_deref().is_some_and(|name| !name.is_empty());
        if head.name != FILE {
            if chosen {
                return Err(Problem::OneFile { found: "one in another field" });
            }
            self.fields.has_room_for(&head.name, 0)?;
            self.within = Within::Field { name: head.name.clone(), value: Vec::new() };
            return Ok(None);
        }
        if self.file.is_some() {
            return Err(Problem::OneFile { found: "more than one" });
        }
        self.file = Some(FilePart { unchosen: head.filename.is_some() && !chosen, is_empty: true });
        if let Some(name) = head.base_name() {
            self.fields.add("filename", name.as_bytes())?;
        }
        if let Some(media_type) = &head.media_type {
            self.fields.add("filetype", media_type.as_bytes())?;
        }
        self.within = Within::File;
        Ok(Some(Event::File))
    }
}

/// What the fields say, as user metadata (F-24, F-30).
#[derive(Debug)]
struct Fields {
    pairs: Vec<(String, Vec<u8>)>,
    /// Bytes of the pairs in their written form.
    written_bytes: usize,
    max_bytes: usize,
}

impl Fields {
    /// Refuses a pair that would not fit, before its value is there.
    fn has_room_for(&self, key: &str, value_bytes: usize) -> Result<usize, Problem> {
        let written = Metadata::written_bytes(key, value_bytes).saturating_add(1);
        let grown = self.written_bytes.saturating_add(written);
        if grown > self.max_bytes.saturating_add(1) {
            let what = "the file's name, its type and the other fields (as base64)";
            return Err(Problem::FormTooLong { what, limit: self.max_bytes });
        }
        Ok(grown)
    }

    /// Adds a pair, if it can be one.
    fn add(&mut self, key: &str, value: &[u8]) -> Result<(), Problem> {
        self.written_bytes = self.has_room_for(key, value.len())?;
        if self.pairs.iter().any(|(known, _)| known == key) {
            return Err(Problem::InvalidMetadata(MetadataError::DuplicateKey(key.to_owned())));
        }
        Metadata::of([(key, value)]).map_err(Problem::InvalidMetadata)?;
        self.pairs.push((key.to_owned(), value.to_vec()));
        Ok(())
    }

    fn metadata(&self) -> Result<Metadata, Problem> {
        let pairs = self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        Metadata::of(pairs).map_err(Problem::InvalidMetadata)
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
