//! What is said of a statement about a chunk that does not fit.

use crate::upload::geometry::{Against, Contradiction, Statement};

/// The stable name of a statement that does not fit, for programs.
pub(super) const fn code_of(against: Against) -> &'static str {
    match against {
        Against::Request => "chunk-contradicts-itself",
        Against::Session => "chunk-contradicts-session",
    }
}

/// Which statement does not fit, and what would.
pub(super) fn contradiction(contradiction: Contradiction) -> String {
    let Contradiction { statement, against, expected } = contradiction;
    let against = match against {
        Against::Request => "the rest of the request",
        Against::Session => "what the session was begun with",
    };
    let (what, right) = match statement {
        Statement::ChunkNumber => ("X-Chunk-Number", "a number below"),
        Statement::TotalChunks => ("X-Total-Chunks", "send"),
        Statement::TotalSize => ("X-Total-Size", "send"),
        Statement::ChunkSize => ("X-Chunk-Size", "send"),
        Statement::RangeStart => ("the first byte of Content-Range", "begin at"),
        Statement::RangeEnd => ("the last byte of Content-Range", "this chunk ends with"),
        Statement::RangeLength => ("the complete length in Content-Range", "send"),
        Statement::BodyLength => ("the length of the body", "expected are"),
    };
    format!("{what} does not agree with {against}; {right} {expected}")
}
