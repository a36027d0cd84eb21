//! Conditions of a download, with its range: what is sent lies within the file, and the client that has
//! the file by our own tag is told so.

use tidegate::protocol::download::conditional::{Validators, Verdict, judge, range_counts};
use tidegate::protocol::{BodyLength, RequestHead};

use super::structured;

const NAMES: [&str; 5] =
    ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"];
const ETAG: &str = "\"0123456789abcdef\"";

pub(crate) fn run(data: &[u8]) {
    type Input<'a> = (u64, Vec<(u8, &'a [u8])>);
    let Some((modified, lines)) = structured::<Input<'_>>(data) else { return };
    let name = |index: u8| NAMES[usize::from(index) % NAMES.len()];
    let mut fields: Vec<_> = lines.into_iter().map(|(index, line)| (name(index), line)).collect();
    let now = Validators { etag: ETAG, modified_unix_seconds: modified };
    let head = |fields| RequestHead { method: "GET", path: "/", fields, body: BodyLength::Empty };
    let verdict = judge(&head(fields.clone()), now);
    let _ = range_counts(&head(fields.clone()), now);
    let has = |name: &str| fields.iter().any(|(known, _)| *known == name);
    if !NAMES.iter().take(4).any(|name| has(name)) {
        assert_eq!(verdict, Verdict::Proceed);
    }
    fields.push(("If-None-Match", ETAG.as_bytes()));
    assert_ne!(judge(&head(fields), now), Verdict::Proceed);
}
