//! What a form says of itself: its boundary, and the heads of its parts. A name never leaves its
//! directory.

use tidegate::protocol::form::boundary::{self, MAX_BOUNDARY_BYTES};
use tidegate::protocol::form::part::PartHead;
use tidegate::protocol::{BodyLength, RequestHead};

use super::structured;

pub(crate) fn run(data: &[u8]) {
    let Some((line, part)) = structured::<(&[u8], &[u8])>(data) else { return };
    for line in [line.to_vec(), [b"multipart/form-data; boundary=", line].concat()] {
        let fields = vec![("Content-Type", line.as_slice())];
        let head = RequestHead { method: "POST", path: "/", fields, body: BodyLength::Unknown };
        if let Ok(boundary) = boundary::read(&head) {
            assert!((1..=MAX_BOUNDARY_BYTES).contains(&boundary.as_str().len()));
            assert!(boundary.as_str().bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
        }
    }
    let named = [b"Content-Disposition: form-data; name=\"file\"; filename=", part, b"\r\n\r\n"];
    for head in [part.to_vec(), named.concat()] {
        if let Ok(head) = PartHead::read(&head)
            && let Some(name) = head.base_name()
        {
            assert!(!matches!(name, "" | "." | "..") && !name.contains(['/', '\\']));
        }
    }
}
