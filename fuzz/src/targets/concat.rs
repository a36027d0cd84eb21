//! `Upload-Concat`: what is taken names only uploads under our own path, and echoes.

use tidegate::protocol::location::{Outside, Place};
use tidegate::protocol::tus::upload_concat::{self, UploadConcat};
use tidegate::protocol::{BodyLength, RequestHead};

pub(crate) fn run(line: &[u8]) {
    let outside = Outside::from_public_url("https://up.example.org/in").unwrap_or_default();
    let place = Place { base_path: "/files".to_owned(), outside, link: None };
    let fields = vec![("Upload-Concat", line)];
    let head = RequestHead { method: "POST", path: "/", fields, body: BodyLength::Empty };
    if let Ok(Some(UploadConcat::Final { parts, as_received })) =
        upload_concat::read(&head, &place, 8)
    {
        assert!((1..=8).contains(&parts.len()));
        // What is left out of the echo is links, which are credentials.
        assert!(as_received.as_bytes() == line || line.windows(6).any(|six| six == b"?link="));
        assert!(!as_received.contains("?link="));
        assert!(parts.iter().all(|part| as_received.contains(&format!("/files/{part}"))));
    }
}
