//! `PUT` or `POST` with `X-Chunk-Number`: one chunk (C-30 to C-63).

use serde::Serialize;

use crate::protocol::digest_field::{self, CONTENT_DIGEST, REPR_DIGEST};
use crate::protocol::head::{RequestHead, ResponseHead};
use crate::protocol::location::Place;
use crate::protocol::problem::Problem;
use crate::upload::geometry::{Against, Contradiction, Statement};
use crate::upload::{ChunkClaim, Digest, Metadata};

use super::standing::{Called, duration};
use super::terms::Terms;
use super::{content_range, fields, file, json};

/// What a client says of the chunk it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Which it is, and how the upload is cut.
    pub claim: ChunkClaim,
    /// The digest that the body has to have (C-70).
    pub digest: Option<Digest>,
    /// What counts only if this chunk begins its session (C-15).
    pub opening: Opening,
}

/// What a first chunk says of its upload besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What it says of its file.
    pub metadata: Metadata,
    /// The digest that the whole upload has to have (C-74).
    pub expects: Option<Digest>,
}

/// Reads a chunk's head.
///
/// # Errors
///
/// The [`Problem`] that the client is told; the session stays as it is.
pub fn read(head: &RequestHead<'_>, terms: &Terms) -> Result<Chunk, Problem> {
    let missing = Problem::MissingField {
        field: fields::X_CHUNK_NUMBER,
        expected: fields::CHUNK_NUMBER_EXPECTED,
    };
    let claim = ChunkClaim {
        chunk: fields::chunk_number(head)?.ok_or(missing)?,
        total_chunks: fields::total_chunks(head)?,
        length: fields::total_size(head)?,
        chunk_bytes: fields::chunk_size(head)?.map(Into::into),
        range: content_range::read(head)?,
        body_bytes: head.body.bytes(),
    };
    agrees_with_itself(&claim)?;
    let length = claim.length.or_else(|| claim.range.map(|range| range.complete));
    terms.admit(length.unwrap_or(0))?;
    terms.admit(claim.body_bytes.unwrap_or(0))?;
    let digest = digest_field::read(head, CONTENT_DIGEST)?;
    let metadata = file::read(head, terms.max_metadata_bytes)?;
    let expects = digest_field::read(head, REPR_DIGEST)?;
    Ok(Chunk { claim, digest, opening: Opening { metadata, expects } })
}

/// What a request says has to agree, whatever the session says (C-50, C-55): no look at the session
/// is needed to refuse it.
fn agrees_with_itself(claim: &ChunkClaim) -> Result<(), Problem> {
    let length = claim.length.or_else(|| claim.range.map(|range| range.complete));
    let total = length.zip(claim.chunk_bytes).and_then(|(all, each)| {
        // Clients count an empty upload as no chunk or as one.
        let chunks = if all == 0 { claim.total_chunks.min(Some(1))? } else { all.div_ceil(each) };
        Some(chunks)
    });
    let brings = claim.range.and_then(|range| {
        range.last.checked_sub(range.first).and_then(|bytes| bytes.checked_add(1))
    });
    for (statement, said, expected) in [
        (Statement::RangeLength, claim.range.map(|range| range.complete), claim.length),
        (Statement::BodyLength, claim.body_bytes, brings),
        (Statement::TotalChunks, claim.total_chunks, total),
    ] {
        if let (Some(said), Some(expected)) = (said, expected)
            && said != expected
        {
            return Err(contradicts(statement, expected));
        }
    }
    // Chunk 0 of an empty upload is empty.
    let behind = |total: &u64| claim.chunk >= (*total).max(1);
    match claim.total_chunks.or(total).filter(behind) {
        Some(total) => Err(contradicts(Statement::ChunkNumber, total)),
        None => Ok(()),
    }
}

const fn contradicts(statement: Statement, expected: u64) -> Problem {
    Problem::ChunkContradicts(Contradiction { statement, against: Against::Request, expected })
}

/// Whether the chunk was stored by this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Its bytes came with this request.
    Now,
    /// It was there already (C-33).
    Before,
}

/// The body of the answer to a chunk that leaves some missing.
#[derive(Serialize)]
struct Stored {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    chunk: u64,
    uploaded_bytes: u64,
    total_size: Option<u64>,
    progress: f64,
    completed: bool,
}

/// The body of the answer when the upload is whole.
#[derive(Serialize)]
struct Completed {
    success: bool,
    filename: Option<String>,
    size: Option<u64>,
    duration: String,
    completed: bool,
    url: String,
}

/// `200`: the chunk is there, and perhaps the upload is whole (C-30, C-33 to C-35).
#[must_use]
pub fn stored(
    called: &Called<'_>,
    chunk: u64,
    arrival: Arrival,
    place: &Place,
    terms: &Terms,
) -> ResponseHead {
    let head = called.told_in(ResponseHead::new(200), terms);
    let session = called.session;
    if let Some(completed_at) = session.completed_at() {
        let content = Completed {
            success: true,
            filename: called.filename(),
            size: called.total_bytes(),
            duration: duration(completed_at.since(session.created_at())),
            completed: true,
            url: place.of(session.id()),
        };
        return json(head, &content);
    }
    let content = Stored {
        success: true,
        message: match arrival {
            Arrival::Now => None,
            Arrival::Before => Some("Chunk already uploaded"),
        },
        chunk,
        uploaded_bytes: called.received_bytes(),
        total_size: called.total_bytes(),
        progress: called.progress(),
        completed: false,
    };
    json(head, &content)
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;
