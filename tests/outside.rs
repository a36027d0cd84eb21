//! `tidegate doctor --url`: what it says of a gateway without anything in front, and where there is none.
//!
//! Proxies in front are the business of `tests/clients/doctor.test.mjs`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "a test that cannot go on fails; the helpers are those of tests/running.rs"
)]

#[path = "running/gateway.rs"]
mod gateway;

use gateway::{Gateway, exchange, run, text};
use tempfile::tempdir;

#[test]
fn nothing_is_found_in_a_gateway_by_itself_and_nothing_is_left_behind() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    let output = run(&["doctor", "--url", gateway.printed("upload endpoint")]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(
        said.lines().count() >= 6 && said.lines().all(|line| line.starts_with("ok ")),
        "{said}"
    );
    let sessions = exchange(gateway.admin_address(), "GET /sessions HTTP/1.1", "");
    assert!(!sessions.contains("receiving") && !sessions.contains("complete\""), "{sessions}");
}

#[test]
fn an_endpoint_that_is_none_is_said_in_words() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    let said = |words: &[&str]| {
        let output = run(&[&["doctor", "--url"], words].concat());
        (output.status.code(), text(&output.stderr))
    };
    let (code, error) = said(&[&format!("http://{}/elsewhere", gateway.upload_address())]);
    assert_eq!(code, Some(1));
    assert!(
        error.contains("takes no uploads by tus") && error.contains("is the path right?"),
        "{error}"
    );
    let (code, error) = said(&["up.example.org/files"]);
    assert!(
        code == Some(1) && error.contains("write the upload endpoint as clients do"),
        "{error}"
    );
    let (code, error) = said(&["http://127.0.0.1/files", "--rebuild"]);
    assert!(code == Some(2) && error.contains("--rebuild"), "{error}");
}
