//! `Upload-Checksum`: what is taken has the length of its algorithm.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate::protocol::{BodyLength, RequestHead, tus::upload_checksum};

fuzz_target!(|line: &[u8]| {
    let fields = vec![("Upload-Checksum", line)];
    let head = RequestHead { method: "PATCH", path: "/", fields, body: BodyLength::Empty };
    if let Ok(Some(digest)) = upload_checksum::read(&head) {
        assert_eq!(digest.bytes().len(), digest.algorithm().digest_bytes());
    }
});
