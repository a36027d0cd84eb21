//! TLS and HTTP/2, against a gateway of our own and against what speaks neither.

#![expect(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

#[path = "support/gateway.rs"]
mod gateway;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use gateway::Gateway;

/// A certificate for loopback and its key, in a directory that is removed when dropped.
struct Identity(PathBuf);

impl Identity {
    fn new(name: &str) -> Self {
        let own = format!("identity-{name}-{}", std::process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(own);
        fs::create_dir_all(&directory).unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        fs::write(directory.join("certificate.pem"), made.cert.pem()).unwrap();
        fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Self(directory)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn judge(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_tidegate-conformance");
    Command::new(program).args(arguments).output().unwrap()
}

/// What is said about a target that cannot be judged.
fn refusal(arguments: &[&str]) -> String {
    let output = judge(arguments);
    assert_eq!(output.status.code(), Some(3), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The last line of a run in which nothing failed.
fn passes(arguments: &[&str]) -> String {
    let output = judge(arguments);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}");
    shown.lines().last().unwrap().to_owned()
}

#[test]
fn a_gateway_is_judged_by_tls_with_http1_and_with_http2() {
    let identity = Identity::new("own");
    let (certificate, key) = (identity.path("certificate.pem"), identity.path("key.pem"));
    let settings = [
        ("TIDEGATE__TLS__CERTIFICATE", certificate.as_str()),
        ("TIDEGATE__TLS__KEY", key.as_str()),
    ];
    let gateway = Gateway::start("tls", &settings);
    let url = format!("https://{}/files", gateway.address());
    let known = ["--target", &url, "--ca", &certificate];
    let chosen = ["--case", "head", "--case", "cuts", "--case", "content"];

    let by_http1 = passes(&[&known[..], &chosen].concat());
    assert!(!by_http1.starts_with("0 passed"), "{by_http1}");
    // What is written by hand falls away.
    let by_http2 = passes(&[&known[..], &chosen, &["--http2"]].concat());
    assert!(!by_http2.starts_with("0 passed"), "{by_http2}");
    assert_ne!(by_http1, by_http2);

    assert!(refusal(&["--target", &url]).contains("certificate"));
    let other = Identity::new("other");
    let believed = other.path("certificate.pem");
    assert!(refusal(&["--target", &url, "--ca", &believed]).contains("certificate"));
    let bare = url.replace("https", "http");
    assert!(refusal(&["--target", &bare]).contains("write https://"));
}

#[test]
fn a_gateway_is_judged_by_http2_without_tls_where_it_takes_that() {
    let gateway = Gateway::start("h2c", &[("TIDEGATE__SERVER__H2C", "true")]);
    let url = format!("http://{}/files", gateway.address());
    let totals = passes(&["--target", &url, "--http2", "--case", "head", "--case", "patch"]);
    assert!(!totals.starts_with("0 passed"), "{totals}");
}

#[test]
fn a_server_of_http1_is_no_target_for_http2_or_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let said = refusal(&["--target", &format!("http://{address}/files"), "--http2"]);
    assert!(said.contains("HTTP/2"), "{said}");
    let said = refusal(&["--target", &format!("https://{address}/files")]);
    assert!(said.contains("shaking hands"), "{said}");
}

#[test]
fn a_silent_server_is_given_up_in_both_ways() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    thread::scope(|scope| {
        for (scheme, more) in [("http", "--http2"), ("https", "--http2"), ("https", "--threads=1")]
        {
            scope.spawn(move || {
                let said = refusal(&["--target", &format!("{scheme}://{address}/files"), more]);
                assert!(said.contains("timed out"), "{scheme} {more}: {said}");
            });
        }
    });
}

#[test]
fn what_is_no_certificate_is_a_mistake_on_the_command_line() {
    let identity = Identity::new("broken");
    for file in [identity.path("nothing.pem"), identity.path("key.pem"), identity.path("")] {
        let output = judge(&["--target", "https://localhost/files", "--ca", &file]);
        assert_eq!(output.status.code(), Some(2), "{file}");
    }
}
