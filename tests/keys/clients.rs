//! `[performance]`: what is told of the clients that are remembered.

use tempfile::tempdir;

use crate::gateway::{Gateway, exchange};
use crate::support::{metric, until};

/// An upload that is too short to be measured, by a client that says how it is connected.
fn introduce(gateway: &Gateway) {
    let head = "POST /files HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 3\r\nECT: 3g\r\n\
                Content-Type: application/offset+octet-stream";
    let answer = exchange(gateway.upload_address(), head, "abc");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

fn remembered(gateway: &Gateway, connection: &str) -> u64 {
    metric(gateway, &format!("tidegate_profiles{{connection=\"{connection}\"}}"))
}

#[test]
fn it_is_told_how_clients_are_connected_unless_that_is_switched_off() {
    for (detection, shown) in [("true", "slow"), ("false", "unknown")] {
        let folder = tempdir().unwrap();
        let key = ("TIDEGATE__PERFORMANCE__CONNECTION_TYPE_DETECTION", detection);
        let gateway = Gateway::start_with(folder.path(), &[], &[key]);
        introduce(&gateway);
        until("the client is remembered", || {
            ["wired", "broadband", "mobile", "slow", "unknown"]
                .iter()
                .any(|connection| remembered(&gateway, connection) > 0)
        });
        assert_eq!(remembered(&gateway, shown), 1, "with {detection}, as {shown}");
    }
}

#[test]
fn nobody_is_remembered_once_that_is_switched_off() {
    let folder = tempdir().unwrap();
    let key = ("TIDEGATE__PERFORMANCE__CLIENT_PROFILING", "false");
    let gateway = Gateway::start_with(folder.path(), &[], &[key]);
    introduce(&gateway);
    // What is remembered is so before the answer goes out.
    assert_eq!(remembered(&gateway, "slow") + remembered(&gateway, "unknown"), 0);
}
