//! All that one owner has, as operators meet it: shown, and removed to the last byte.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is the report")]

#[path = "running/gateway.rs"]
#[expect(dead_code, reason = "shared with `tests/running.rs`, which uses all of it")]
mod gateway;

use std::path::{Path, PathBuf};

use gateway::{Gateway, exchange, run, text};
use serde_json::{Value, json};
use tempfile::tempdir;

const TOKENS: &str = "[{name = \"ann\", token = \"ann-0123456789abcdef\"}, \
                      {name = \"bob\", token = \"bob-0123456789abcdef\"}]";

/// Uploads as much of `length` bytes as `body` has.
fn upload(gateway: &Gateway, who: &str, length: usize, body: &str) {
    let head = format!(
        "POST /files HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: {length}\r\n\
         Upload-Metadata: filename c2VjcmV0LnR4dA==\r\nAuthorization: Bearer {who}-0123456789abcdef\r\n\
         Content-Type: application/offset+octet-stream"
    );
    let answer = exchange(gateway.upload_address(), &head, body);
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files_below(&path)) } else { all.push(path) }
    }
    all
}

/// What a command of the program says; it has to succeed.
fn said(words: &[&str], data: &str, admin: &str) -> String {
    let output = run(&[words, &["--data-dir", data, "--admin-listen", admin]].concat());
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn everything_of_one_owner_is_removed_while_the_gateway_runs_and_while_it_does_not() {
    let folder = tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let gateway = Gateway::start_with(folder.path(), &[], &[("TIDEGATE__AUTH__TOKENS", TOKENS)]);
    let admin = gateway.admin_address().to_owned();
    upload(&gateway, "ann", 5, "whole");
    upload(&gateway, "ann", 50, "begun");
    upload(&gateway, "bob", 5, "whole");
    let shown: Value =
        serde_json::from_str(&said(&["owners", "show", "ann"], data, &admin)).unwrap();
    let expected =
        json!({"owner": "ann", "uploads": 2, "running": 1, "bytes": 55, "day_bytes": 55});
    assert_eq!(shown, expected);
    assert_eq!(
        said(&["owners", "rm", "ann"], data, &admin),
        "ann: 2 removed\n",
        "through the running gateway"
    );
    let sessions = said(&["sessions", "list", "--json"], data, &admin);
    assert!(!sessions.contains("ann"), "{sessions}");
    assert_eq!(sessions.matches("terminated").count(), 2, "only tombstones: {sessions}");
    assert!(gateway.stop().success());

    assert_eq!(said(&["owners", "rm", "bob"], data, &admin), "bob: 1 removed\n");
    let left = files_below(&folder.path().join("blobs"));
    assert_eq!(left, Vec::<PathBuf>::new());
    let sessions = said(&["sessions", "list", "--json"], data, &admin);
    assert!(!sessions.contains("bob") && !sessions.contains("\"complete\""), "{sessions}");
}
