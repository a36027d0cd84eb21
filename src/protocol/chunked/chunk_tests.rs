//! What a chunk may say of itself, and what is answered.

use super::*;
use crate::protocol::chunked::SessionName;
use crate::protocol::chunked::terms::tests::terms;
use crate::protocol::head::BodyLength;
use crate::protocol::tus::examples::{ID, head, place, session};
use crate::upload::geometry::ClaimedRange;
use crate::upload::{NewSession, Owner, UploadLength};
use proptest::prelude::*;

fn ask(fields: &[(&str, &str)], body: u64) -> Result<Chunk, Problem> {
    let body = if body == 0 { BodyLength::Empty } else { BodyLength::Known(body) };
    read(&head("PUT", fields, body), &terms())
}

/// What the seed's uploader sends.
fn usual(number: &'static str, range: &'static str) -> [(&'static str, &'static str); 3] {
    [("X-Chunk-Number", number), ("X-Total-Chunks", "3"), ("Content-Range", range)]
}

#[test]
fn a_chunk_says_which_it_is_and_how_the_upload_is_cut() {
    let chunk = ask(&usual("1", "bytes 1000-1999/2500"), 1000).unwrap();
    let range = ClaimedRange { first: 1000, last: 1999, complete: 2500 };
    let claim = ChunkClaim {
        chunk: 1,
        total_chunks: Some(3),
        length: None,
        chunk_bytes: None,
        range: Some(range),
        body_bytes: Some(1000),
    };
    assert_eq!(chunk.claim, claim);
    assert_eq!(chunk.digest, None);
    assert!(chunk.opening.metadata.is_empty());
}

#[test]
fn a_chunk_that_is_cut_may_be_continued() {
    assert!(ask(&usual("1", "bytes 1400-1999/2500"), 600).is_ok());
}

#[test]
fn a_chunk_has_a_number() {
    assert!(matches!(ask(&[], 5), Err(Problem::MissingField { field: "X-Chunk-Number", .. })));
    for bad in ["-1", "+1", "0x10", "1e9", "", "1 2"] {
        let refusal = ask(&[("X-Chunk-Number", bad)], 5);
        assert!(matches!(refusal, Err(Problem::MalformedField { .. })), "{bad:?}");
    }
}

#[test]
fn statements_that_do_not_agree_are_refused_with_the_right_number() {
    use Statement as S;
    let number = |value| ("X-Chunk-Number", value);
    let size = ("X-Total-Size", "2500");
    for (fields, body, statement, expected) in [
        (&usual("1", "bytes 1000-1999/2500")[..], 999, S::BodyLength, 1000),
        (&[number("0"), size, ("Content-Range", "bytes 0-999/2501")], 1000, S::RangeLength, 2500),
        (&usual("3", "bytes 1000-1999/2500"), 1000, S::ChunkNumber, 3),
        (&usual("1000000000", "bytes 1000-1999/2500"), 1000, S::ChunkNumber, 3),
        (&[number("3"), size, ("X-Chunk-Size", "1000")], 1000, S::ChunkNumber, 3),
        (
            &[number("0"), size, ("X-Chunk-Size", "1000"), ("X-Total-Chunks", "4")],
            1000,
            S::TotalChunks,
            3,
        ),
        (&[number("1"), ("X-Total-Size", "0"), ("X-Total-Chunks", "0")], 0, S::ChunkNumber, 0),
    ] {
        let against = Against::Request;
        let refusal = Problem::ChunkContradicts(Contradiction { statement, against, expected });
        assert_eq!(ask(fields, body).unwrap_err(), refusal, "{fields:?}");
    }
}

#[test]
fn an_empty_upload_has_one_empty_chunk_or_none() {
    for total in ["0", "1"] {
        let size = ("X-Total-Size", "0");
        let fields = [("X-Chunk-Number", "0"), ("X-Total-Chunks", total), size];
        assert!(ask(&fields, 0).is_ok(), "{total}");
    }
}

#[test]
fn a_chunk_of_too_long_an_upload_is_refused_before_its_body() {
    let number = ("X-Chunk-Number", "0");
    for fields in [
        &[number, ("X-Total-Size", "1000001")][..],
        &[number, ("Content-Range", "bytes 0-4/1000001")],
    ] {
        assert!(matches!(ask(fields, 5), Err(Problem::TooLarge { .. })), "{fields:?}");
    }
    assert!(matches!(ask(&[number], 1_000_001), Err(Problem::TooLarge { .. })));
}

#[test]
fn the_answer_to_a_chunk_tells_where_the_session_stands() {
    let length = UploadLength::new(2500);
    let session = session(NewSession::of(Owner::anonymous(), length, Metadata::default()));
    let name = SessionName::of(ID.parse().unwrap());
    let called = Called { name: &name, session: &session };
    let answer = stored(&called, 2, Arrival::Now, &place(), &terms());
    assert_eq!(answer.status, 200);
    for (field, value) in [
        ("X-Upload-Session-ID", ID),
        ("Upload-Offset", "0"),
        ("Upload-Length", "2500"),
        ("X-Recommended-Chunk-Size", "1000"),
    ] {
        assert_eq!(answer.get(field), Some(value));
    }
    assert!(answer.get("Upload-Expires").is_some());
    let body: serde_json::Value = serde_json::from_str(&answer.body.unwrap()).unwrap();
    let expected = serde_json::json!({
        "success": true, "chunk": 2, "uploaded_bytes": 0, "total_size": 2500, "progress": 0.0,
        "completed": false,
    });
    assert_eq!(body, expected);
    let again = stored(&called, 2, Arrival::Before, &place(), &terms());
    assert!(again.body.unwrap().contains("\"message\":\"Chunk already uploaded\""));
}

proptest! {
    #[test]
    fn no_fields_make_the_reader_panic(values in prop::collection::vec(".{0,24}", 8), body: Option<u64>) {
        let names = [
            "X-Chunk-Number", "X-Total-Chunks", "X-Total-Size", "X-Chunk-Size", "Content-Range",
            "Content-Digest", "X-Filename", "Repr-Digest",
        ];
        let fields: Vec<_> = names.into_iter().zip(values.iter().map(String::as_str)).collect();
        let body = body.map_or(BodyLength::Unknown, BodyLength::Known);
        let _ = read(&head("PUT", &fields, body), &terms());
    }

    #[test]
    fn every_chunk_of_every_geometry_agrees_with_itself(
        length in 1..100_000_u64, each in 1..100_000_u64, pick: prop::sample::Index, skip in 0..5_u64,
    ) {
        let total = length.div_ceil(each);
        let chunk = pick.index(usize::try_from(total).unwrap()) as u64;
        let (start, end) = (chunk * each, ((chunk + 1) * each).min(length));
        let first = (start + skip).min(end - 1);
        let claim = ChunkClaim {
            chunk,
            total_chunks: Some(total),
            length: Some(length),
            chunk_bytes: Some(each),
            range: Some(ClaimedRange { first, last: end - 1, complete: length }),
            body_bytes: Some(end - first),
        };
        prop_assert_eq!(agrees_with_itself(&claim), Ok(()));
    }
}
