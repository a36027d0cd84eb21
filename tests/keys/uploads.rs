//! `[uploads]`: what may be continued, in which pieces, and for how long.

use tempfile::tempdir;

use crate::gateway::{Gateway, exchange, field};
use crate::support::{create, until};

/// Begins a session of a million bytes by chunk headers, without asking for a chunk size.
fn begin(gateway: &Gateway) -> String {
    let head = "POST /chunked-upload HTTP/1.1\r\nX-Filename: a\r\nX-Total-Size: 1000000";
    exchange(gateway.upload_address(), head, "")
}

#[test]
fn an_upload_cannot_be_continued_once_that_is_switched_off() {
    for (resumable, answered) in [("true", "HTTP/1.1 201"), ("false", "HTTP/1.1 405")] {
        let folder = tempdir().unwrap();
        let key = ("TIDEGATE__UPLOADS__RESUMABLEUPLOADSENABLED", resumable);
        let gateway = Gateway::start_with(folder.path(), &[], &[key]);
        let head = "POST /files HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 10";
        let answer = exchange(gateway.upload_address(), head, "");
        assert!(answer.starts_with(answered), "{resumable}: {answer}");
    }
}

#[test]
fn chunk_headers_are_taken_unless_that_is_switched_off() {
    for (enabled, answered) in [("true", "HTTP/1.1 201"), ("false", "HTTP/1.1 404")] {
        let folder = tempdir().unwrap();
        let key = ("TIDEGATE__UPLOADS__CHUNKEDUPLOADSENABLED", enabled);
        let answer = begin(&Gateway::start_with(folder.path(), &[], &[key]));
        assert!(answer.starts_with(answered), "{enabled}: {answer}");
    }
}

#[test]
fn a_chunk_has_the_size_that_is_set_and_lies_where_that_says() {
    let folder = tempdir().unwrap();
    let key = ("TIDEGATE__UPLOADS__CHUNKSIZE", "300KB");
    let gateway = Gateway::start_with(folder.path(), &[], &[key]);
    let begun = begin(&gateway);
    assert!(begun.contains("\"chunk_size\":300000,\"total_chunks\":4"), "{begun}");
    let session = field(&begun, "location").unwrap();
    // The last one: what is left behind three others.
    let head = format!("PUT {session} HTTP/1.1\r\nX-Chunk-Number: 3");
    let answer = exchange(gateway.upload_address(), &head, &"x".repeat(100_000));
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
}

#[test]
fn an_upload_that_nobody_continues_is_gone_after_the_session_timeout() {
    let folder = tempdir().unwrap();
    let keys = [
        ("TIDEGATE__UPLOADS__SESSIONTIMEOUT", "1s"),
        ("TIDEGATE__STORAGE__REAP_INTERVAL", "100ms"),
    ];
    let gateway = Gateway::start_with(folder.path(), &[], &keys);
    let path = create(&gateway, 10);
    until("the upload is gone", || {
        let head = format!("HEAD {path} HTTP/1.1\r\nTus-Resumable: 1.0.0");
        exchange(gateway.upload_address(), &head, "").starts_with("HTTP/1.1 410")
    });
}
