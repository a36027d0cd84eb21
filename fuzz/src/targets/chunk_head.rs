//! Heads of chunk headers: every reader, on the same fields.

use std::num::NonZeroU64;

use tidegate::protocol::chunked::address::{session_at, session_in};
use tidegate::protocol::chunked::{NameKey, SessionName, Terms, begin, chunk, name, refused};
use tidegate::protocol::location::{Outside, Place};
use tidegate::protocol::{BodyLength, RequestHead};
use tidegate::upload::geometry::Against;
use tidegate::upload::{Limits, Owner};

use super::structured;

const NAMES: [&str; 10] = [
    "X-Upload-Session-ID",
    "X-Chunk-Number",
    "X-Total-Chunks",
    "X-Total-Size",
    "X-Chunk-Size",
    "Content-Range",
    "X-Filename",
    "Content-Type",
    "Content-Digest",
    "Repr-Digest",
];

pub(crate) fn run(data: &[u8]) {
    let Some((lines, length, text)) = structured::<(Vec<(u8, Vec<u8>)>, Option<u64>, String)>(data)
    else {
        return;
    };
    let name_of = |index: u8| NAMES[usize::from(index) % NAMES.len()];
    let fields = lines.iter().map(|(index, value)| (name_of(*index), value.as_slice())).collect();
    let body = length.map_or(BodyLength::Unknown, BodyLength::Known);
    let head = RequestHead { method: "PUT", path: "/chunked-upload", fields, body };
    let limits = Limits::default();
    let terms = Terms::new(NonZeroU64::new(5_000_000).unwrap(), &limits, true);
    let place = Place { base_path: "/files".to_owned(), outside: Outside::default(), link: None };
    match chunk::read(&head, &terms) {
        Ok(chunk) => {
            // What agrees with itself, and says enough, has its place in its own geometry.
            if let Ok(geometry) = chunk.claim.infer(None, limits.max_chunks) {
                let placed = chunk.claim.place(&geometry, Against::Request).unwrap();
                assert!(placed.span.end <= geometry.length().get());
                assert!(placed.span.start <= placed.from && placed.from <= placed.span.end);
            }
        }
        Err(problem) => {
            let answer = refused(&problem);
            assert!((400..500).contains(&answer.status));
            for (_, value) in &answer.fields {
                assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            }
        }
    }
    let _ = begin::read(&head, &terms);
    if let Ok(Some(name::Named::Session(name))) = name::read(&head, &place) {
        let _ = NameKey::new([7; 32]).upload(&Owner::anonymous(), &name);
        assert!(name.as_str().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'));
    }
    let _ = session_in(&text);
    if let Some(Ok(name)) = session_at(&format!("/chunked-upload/{text}")) {
        assert_eq!(SessionName::parse(name.as_str().as_bytes()), Some(name));
    }
}
