use super::*;
use proptest::prelude::*;

fn claim(chunk: u64) -> ChunkClaim {
    ChunkClaim {
        chunk,
        total_chunks: None,
        length: None,
        chunk_bytes: None,
        range: None,
        body_bytes: None,
    }
}

fn range(first: u64, last: u64, complete: u64) -> Option<ClaimedRange> {
    Some(ClaimedRange { first, last, complete })
}

fn geometry(length: u64, chunk_bytes: u64) -> Geometry {
    Geometry::new(UploadLength::new(length).unwrap(), NonZeroU64::new(chunk_bytes).unwrap())
        .unwrap()
}

/// Fifteen bytes in chunks of four, in every way in which clients say so.
#[test]
fn a_first_chunk_that_says_enough_gives_the_geometry() {
    for claim in [
        ChunkClaim { length: Some(15), chunk_bytes: Some(4), ..claim(2) },
        ChunkClaim { range: range(0, 3, 15), ..claim(0) },
        ChunkClaim { range: range(8, 11, 15), ..claim(2) },
        ChunkClaim { range: range(12, 14, 15), ..claim(3) },
        ChunkClaim { range: range(12, 14, 15), total_chunks: Some(4), ..claim(3) },
        ChunkClaim { length: Some(15), body_bytes: Some(4), ..claim(0) },
        ChunkClaim { length: Some(15), body_bytes: Some(4), total_chunks: Some(4), ..claim(1) },
        ChunkClaim { length: Some(15), body_bytes: Some(3), total_chunks: Some(4), ..claim(3) },
    ] {
        assert_eq!(claim.infer(None, 100), Ok(geometry(15, 4)), "{claim:?}");
    }
}

#[test]
fn a_first_chunk_that_leaves_the_geometry_open_is_refused() {
    for claim in [
        claim(0),
        ChunkClaim { length: Some(15), ..claim(0) },
        ChunkClaim { body_bytes: Some(4), ..claim(0) },
        // Second of three, or the last of two?
        ChunkClaim { length: Some(15), body_bytes: Some(5), ..claim(1) },
        ChunkClaim { length: Some(15), total_chunks: Some(4), ..claim(1) },
        ChunkClaim { length: Some(15), chunk_bytes: Some(0), ..claim(1) },
        ChunkClaim { range: range(7, 9, 15), ..claim(2) },
    ] {
        assert_eq!(claim.infer(None, 100), Err(Refusal::GeometryUnknown), "{claim:?}");
    }
}

#[test]
fn statements_that_do_not_fit_each_other_are_refused_with_what_would_fit() {
    let base = ChunkClaim { length: Some(15), chunk_bytes: Some(4), ..claim(1) };
    for (claim, statement, expected) in [
        (ChunkClaim { total_chunks: Some(3), ..base }, Statement::TotalChunks, 4),
        (ChunkClaim { range: range(4, 7, 16), ..base }, Statement::RangeLength, 15),
        (ChunkClaim { range: range(3, 7, 15), ..base }, Statement::RangeStart, 4),
        (ChunkClaim { range: range(8, 11, 15), ..base }, Statement::RangeStart, 4),
        (ChunkClaim { range: range(4, 6, 15), ..base }, Statement::RangeEnd, 7),
        (ChunkClaim { range: range(4, 11, 15), ..base }, Statement::RangeEnd, 7),
        (ChunkClaim { body_bytes: Some(5), ..base }, Statement::BodyLength, 4),
        (
            ChunkClaim { range: range(6, 7, 15), body_bytes: Some(3), ..base },
            Statement::BodyLength,
            2,
        ),
        (ChunkClaim { chunk: 4, ..base }, Statement::ChunkNumber, 4),
        (ChunkClaim { chunk: u64::MAX, ..base }, Statement::ChunkNumber, 4),
    ] {
        let against = Against::Request;
        let refusal = Refusal::ChunkContradicts(Contradiction { statement, against, expected });
        assert_eq!(claim.infer(None, 100), Err(refusal), "{claim:?}");
    }
}

#[test]
fn a_chunk_of_another_geometry_contradicts_the_session() {
    let claim = ChunkClaim { length: Some(15), chunk_bytes: Some(5), ..claim(1) };
    let refusal = Refusal::ChunkContradicts(Contradiction {
        statement: Statement::ChunkSize,
        against: Against::Session,
        expected: 4,
    });
    assert_eq!(claim.place(&geometry(15, 4), Against::Session), Err(refusal));
}

#[test]
fn more_chunks_than_are_taken_are_refused() {
    let claim = ChunkClaim { length: Some(1 << 62), chunk_bytes: Some(1), ..claim(0) };
    assert_eq!(claim.infer(None, 100), Err(Refusal::TooManyChunks { max: 100 }));
}

#[test]
fn an_empty_upload_is_one_empty_chunk_or_none() {
    for total_chunks in [None, Some(0), Some(1)] {
        let claim = ChunkClaim { length: Some(0), total_chunks, body_bytes: Some(0), ..claim(0) };
        let geometry = claim.infer(None, 100).unwrap();
        assert_eq!(geometry.total_chunks(), 0);
        assert_eq!(geometry.span(0), Some(Span { start: 0, end: 0 }));
        assert_eq!(geometry.span(1), None);
    }
}

proptest! {
    #[test]
    fn chunks_cover_an_upload_without_gap_or_overlap(length in 1_u64..2000, chunk_bytes in 1_u64..300) {
        let geometry = geometry(length, chunk_bytes);
        let mut at = 0;
        for chunk in 0..geometry.total_chunks() {
            let span = geometry.span(chunk).unwrap();
            prop_assert_eq!(span.start, at);
            prop_assert!(span.bytes() > 0 && span.bytes() <= chunk_bytes);
            prop_assert_eq!(geometry.chunk_at(span.start), chunk);
            prop_assert_eq!(geometry.chunk_at(span.end - 1), chunk);
            at = span.end;
        }
        prop_assert_eq!(at, length);
        prop_assert_eq!(geometry.chunk_at(length), geometry.total_chunks());
    }

    #[test]
    fn whatever_a_client_says_is_judged_without_a_panic(
        chunk: u64, total_chunks: Option<u64>, length: Option<u64>, chunk_bytes: Option<u64>,
        first: u64, last: u64, complete: u64, ranged: bool, body_bytes: Option<u64>,
    ) {
        let range = ranged.then_some(ClaimedRange { first, last, complete });
        let claim = ChunkClaim { chunk, total_chunks, length, chunk_bytes, range, body_bytes };
        if let Ok(geometry) = claim.infer(None, u32::MAX) {
            let placed = claim.place(&geometry, Against::Session).unwrap();
            prop_assert!(placed.span.start <= placed.from && placed.from <= placed.span.end);
        }
    }

    #[test]
    fn every_chunk_of_the_wished_client_tells_the_same_geometry(
        length in 1_u64..100_000, chunk_bytes in 1_u64..5000,
    ) {
        let geometry = geometry(length, chunk_bytes);
        let total = geometry.total_chunks();
        for chunk in [0, total / 2, total - 1] {
            let span = geometry.span(chunk).unwrap();
            let claim = ChunkClaim {
                total_chunks: Some(u64::from(total)),
                range: range(span.start, span.end - 1, length),
                body_bytes: Some(span.bytes()),
                ..claim(u64::from(chunk))
            };
            let inferred = claim.infer(None, u32::MAX).unwrap();
            prop_assert_eq!(inferred.span(chunk), Some(span));
            prop_assert_eq!(inferred.total_chunks(), total);
            // With a single chunk its nominal size cannot be told, and does not matter.
            prop_assert!(total == 1 || inferred == geometry);
        }
    }
}
