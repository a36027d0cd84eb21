//! `Upload-Checksum`: what is taken has the length of its algorithm.

use tidegate::protocol::{BodyLength, RequestHead, tus::upload_checksum};

pub(crate) fn run(line: &[u8]) {
    let fields = vec![("Upload-Checksum", line)];
    let head = RequestHead { method: "PATCH", path: "/", fields, body: BodyLength::Empty };
    if let Ok(Some(digest)) = upload_checksum::read(&head) {
        assert_eq!(digest.bytes().len(), digest.algorithm().digest_bytes());
    }
}
