//! The fields that are numbers (C-39).

use std::num::NonZeroU64;

use crate::protocol::field::integer;
use crate::protocol::head::RequestHead;
use crate::protocol::problem::Problem;

/// Which chunk the body is.
pub const X_CHUNK_NUMBER: &str = "X-Chunk-Number";
/// How many chunks there are.
pub const X_TOTAL_CHUNKS: &str = "X-Total-Chunks";
/// Bytes of the whole upload.
pub const X_TOTAL_SIZE: &str = "X-Total-Size";
/// Bytes of every chunk but the last.
pub const X_CHUNK_SIZE: &str = "X-Chunk-Size";
/// The chunk size that suits best.
pub const X_RECOMMENDED_CHUNK_SIZE: &str = "X-Recommended-Chunk-Size";

/// What `X-Chunk-Number` holds, for refusals.
pub const CHUNK_NUMBER_EXPECTED: &str =
    "the number of the chunk in decimal, counted from 0, such as `X-Chunk-Number: 0`";
/// What `X-Total-Size` holds, for refusals.
pub const TOTAL_SIZE_EXPECTED: &str =
    "the bytes of the whole upload in decimal, such as `X-Total-Size: 1024`";
const TOTAL_CHUNKS_EXPECTED: &str = "the number of chunks in decimal, such as `X-Total-Chunks: 12`";
const CHUNK_SIZE_EXPECTED: &str =
    "the bytes of every chunk but the last in decimal, at least 1, such as `X-Chunk-Size: 5000000`";

/// Reads `X-Chunk-Number`.
///
/// # Errors
///
/// Repeated or malformed.
pub fn chunk_number(head: &RequestHead<'_>) -> Result<Option<u64>, Problem> {
    integer(head, X_CHUNK_NUMBER, CHUNK_NUMBER_EXPECTED)
}

/// Reads `X-Total-Chunks`.
///
/// # Errors
///
/// Repeated or malformed.
pub fn total_chunks(head: &RequestHead<'_>) -> Result<Option<u64>, Problem> {
    integer(head, X_TOTAL_CHUNKS, TOTAL_CHUNKS_EXPECTED)
}

/// Reads `X-Total-Size`.
///
/// # Errors
///
/// Repeated or malformed.
pub fn total_size(head: &RequestHead<'_>) -> Result<Option<u64>, Problem> {
    integer(head, X_TOTAL_SIZE, TOTAL_SIZE_EXPECTED)
}

/// Reads `X-Chunk-Size`.
///
/// # Errors
///
/// Repeated, malformed, or 0.
pub fn chunk_size(head: &RequestHead<'_>) -> Result<Option<NonZeroU64>, Problem> {
    let malformed = Problem::MalformedField { field: X_CHUNK_SIZE, expected: CHUNK_SIZE_EXPECTED };
    match integer(head, X_CHUNK_SIZE, CHUNK_SIZE_EXPECTED)? {
        None => Ok(None),
        Some(bytes) => NonZeroU64::new(bytes).map(Some).ok_or(malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::tus::examples::head;

    fn read(field: &'static str, value: &str) -> Result<Option<u64>, Problem> {
        let fields = [(field, value)];
        let head = head("PUT", &fields, BodyLength::Empty);
        match field {
            X_CHUNK_NUMBER => chunk_number(&head),
            X_TOTAL_CHUNKS => total_chunks(&head),
            X_TOTAL_SIZE => total_size(&head),
            _ => chunk_size(&head).map(|size| size.map(NonZeroU64::get)),
        }
    }

    #[test]
    fn every_number_is_plain_digits() {
        for field in [X_CHUNK_NUMBER, X_TOTAL_CHUNKS, X_TOTAL_SIZE, X_CHUNK_SIZE] {
            assert_eq!(read(field, "7"), Ok(Some(7)));
            for bad in ["-1", "+1", "0x10", "1e9", "1.0", " 1", "", "9223372036854775808"] {
                let refusal = read(field, bad);
                assert!(
                    matches!(refusal, Err(Problem::MalformedField { field: named, .. }) if named == field),
                    "{field}: {bad:?}"
                );
            }
        }
    }

    #[test]
    fn a_chunk_has_at_least_one_byte() {
        assert_eq!(read(X_TOTAL_SIZE, "0"), Ok(Some(0)));
        assert!(matches!(read(X_CHUNK_SIZE, "0"), Err(Problem::MalformedField { .. })));
    }
}
