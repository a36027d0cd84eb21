//! `Content-Digest`, and `Content-Range` of a request: what is taken keeps its promise.

use tidegate::protocol::chunked::content_range;
use tidegate::protocol::digest_field::{self, CONTENT_DIGEST};
use tidegate::protocol::{BodyLength, RequestHead};

pub(crate) fn run(line: &[u8]) {
    let fields = vec![("Content-Digest", line)];
    let head = RequestHead { method: "PUT", path: "/", fields, body: BodyLength::Empty };
    if let Ok(Some(digest)) = digest_field::read(&head, CONTENT_DIGEST) {
        assert_eq!(digest.bytes().len(), digest.algorithm().digest_bytes());
    }
    if let Some(range) = content_range::parse(line) {
        assert!(range.first <= range.last && range.last < range.complete);
    }
}
