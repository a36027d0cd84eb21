//! `Upload-Metadata`: what is taken reads back the same and fits in a field.

use tidegate::protocol::{BodyLength, RequestHead, tus::upload_metadata};
use tidegate::upload::Metadata;

use super::structured;

pub(crate) fn run(data: &[u8]) {
    let Some(lines) = structured::<Vec<Vec<u8>>>(data) else { return };
    let fields = lines.iter().map(|line| ("Upload-Metadata", line.as_slice())).collect();
    let head = RequestHead { method: "POST", path: "/", fields, body: BodyLength::Empty };
    if let Ok(metadata) = upload_metadata::read(&head, 4096) {
        let text = metadata.as_str();
        assert!(text.len() <= 4096);
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t'));
        assert_eq!(Metadata::parse(text).as_ref(), Ok(&metadata));
        assert!(metadata.entries().all(|(key, value)| metadata.get(key) == Some(value)));
    }
}
