//! Whole request heads: every reader of tus and of downloads, on the same fields.

use tidegate::protocol::cors::{CorsPolicy, Origins};
use tidegate::protocol::location::{Outside, Place};
use tidegate::protocol::tus::{Extension, Profile, append, create, inspect, terminate};
use tidegate::protocol::{BodyLength, Method, RequestHead, bearer, forwarded};
use tidegate::upload::{Limits, Owner};

use super::structured;

const NAMES: [&str; 16] = [
    "Tus-Resumable",
    "Upload-Length",
    "Upload-Defer-Length",
    "Upload-Offset",
    "Upload-Metadata",
    "Upload-Concat",
    "Upload-Checksum",
    "Content-Type",
    "X-HTTP-Method-Override",
    "Authorization",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Prefix",
    "Origin",
];

pub(crate) fn run(data: &[u8]) {
    let Some((lines, length)) = structured::<(Vec<(u8, Vec<u8>)>, Option<u64>)>(data) else {
        return;
    };
    let name = |index: u8| NAMES[usize::from(index) % NAMES.len()];
    // The version is there, so that the readers get past it.
    let mut fields = vec![("Tus-Resumable", &b"1.0.0"[..])];
    fields.extend(lines.iter().map(|(index, value)| (name(*index), value.as_slice())));
    let body = length.map_or(BodyLength::Unknown, BodyLength::Known);
    let head = RequestHead { method: "POST", path: "/files", fields, body };
    let profile = Profile::new(Extension::ALL, &Limits::default());
    let place = Place { base_path: "/files".to_owned(), outside: Outside::default(), link: None };
    let _ = Method::effective(&head);
    let _ = create::read(&head, &profile, &place, Owner::anonymous());
    let _ = append::read(&head, &profile);
    let _ = inspect::read(&head);
    let _ = terminate::read(&head, &profile);
    let _ = bearer::token(&head);
    let said = forwarded::read(&head, |address| address.is_loopback());
    let origin = said.outside.origin.unwrap_or_default();
    assert!(origin.bytes().all(|byte| byte.is_ascii_graphic()));
    let policy =
        CorsPolicy { origins: Origins::Any, credentials: true, max_age: Default::default() };
    for (_, value) in policy.fields(&head, false) {
        assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
    }
}
