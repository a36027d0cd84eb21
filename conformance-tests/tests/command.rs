//! The command line: what it says, how it ends, and that it ends.

#![expect(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

/// The longest time a hopeless target may take.
const BOUND: Duration = Duration::from_secs(20);

fn judge(arguments: &[&str]) -> Output {
    let began = Instant::now();
    let program = env!("CARGO_BIN_EXE_tidegate-conformance");
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(began.elapsed() < BOUND, "it took {:?}", began.elapsed());
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A server that says `answer` to whatever head arrives. Its thread ends with the test process.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/files", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn a_target_that_is_down_is_named() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = judge(&["--target", &format!("http://{closed}/files")]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains(&closed.to_string()), "{}", text(&output.stderr));
}

#[test]
fn a_target_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}/files", silent.local_addr().unwrap());
    let output = judge(&["--target", &target]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("timed out"), "{}", text(&output.stderr));
}

/// What is said on standard error about a target that cannot be judged.
fn refusal(answer: &'static str) -> String {
    let output = judge(&["--target", &server(answer)]);
    assert_eq!(output.status.code(), Some(3), "{answer:?}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    text(&output.stderr)
}

#[test]
fn a_target_that_cannot_be_judged_is_told_why() {
    for (answer, wanted) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
        ("\u{15}\u{3}\u{3}\0\u{2}\u{2}P", "write https://"),
        ("", "closed the connection"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "malformed"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", "closed the connection"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "not a tus 1.0 endpoint"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "not a tus 1.0 endpoint"),
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "--header"),
        ("HTTP/1.1 204 No Content\r\nTus-Version: 0.2.2\r\n\r\n", "speaks tus \"0.2.2\""),
        (
            "HTTP/1.1 301 Moved\r\nLocation: https://elsewhere/files\r\nContent-Length: 0\r\n\r\n",
            "redirects (301) to \"https://elsewhere/files\"",
        ),
    ] {
        let said = refusal(answer);
        assert!(said.contains(wanted), "{wanted:?} is not in {said:?}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_head_that_never_ends_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}/files", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        while stream.write_all(b"HTTP/1.1 200 OK\r\nTus-Version: 1.0.0\r\nX: y\r\n").is_ok() {}
    });
    let output = judge(&["--target", &target]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("malformed"), "{}", text(&output.stderr));
}

#[test]
fn a_target_that_goes_down_ends_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}/files", listener.local_addr().unwrap());
    // Lives as long as the two questions of the beginning; then its port is closed.
    let served = thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            stream.write_all(LAX.as_bytes()).unwrap();
        }
    });
    let output = judge(&["--target", &target, "--suite", "tus", "--threads", "1"]);
    served.join().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let shown = text(&output.stdout);
    assert!(shown.contains("given up: no HTTP server answers"), "{shown}");
    assert!(shown.contains("0 passed, 1 failed, 0 not applicable, "), "{shown}");
    assert!(shown.contains(" not run; "), "{shown}");
}

#[test]
fn a_wrong_command_line_is_told_from_a_failed_case() {
    for arguments in [
        &["--target", "ftp://localhost/files"][..],
        &["--target", "http://localhost/files", "--header", "nonsense"],
        &["--list", "--case", "no case has this in its name"],
        &["--list", "--suite", "tus", "--suite", "tsu"],
        &["--list", "--report", "pdf"],
        &[],
    ] {
        assert_eq!(judge(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

/// Answers everything with 200, where 204 is our profile.
const LAX: &str = "HTTP/1.1 200 OK\r\nTus-Version: 1.0.0\r\nTus-Extension: creation\r\n\
                   Content-Length: 0\r\nConnection: close\r\n\r\n";

#[test]
fn a_failed_case_shows_its_exchange_and_a_curl_line() {
    let target = server(LAX);
    let output = judge(&["--target", &target, "--case", "answered with 204 and no body"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    for wanted in [
        "FAIL  tus/options: options is answered with 204 and no body [T-50]",
        "expected status 204, got 200",
        "> OPTIONS /files",
        "< HTTP/1.1 200 OK",
        &format!("curl -i --path-as-is -X 'OPTIONS' '{target}'"),
        "0 passed, 1 failed, 0 not applicable; 1 of 1 requirement ids judged",
    ] {
        assert!(shown.contains(wanted), "{wanted:?} is not in\n{shown}");
    }
}

#[test]
fn credentials_are_sent_but_never_shown() {
    let arguments = ["--header", "Authorization: Bearer 5ecret", "--case", "T-50"];
    let target = server(LAX);
    let output = judge(&[&["--target", target.as_str()][..], &arguments].concat());
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.contains("> Authorization: (as given)"), "{shown}");
    assert!(!shown.contains("5ecret"), "{shown}");
}

#[test]
fn a_report_in_json_says_how_every_case_ended() {
    let target = server(LAX);
    let output = judge(&["--target", &target, "--suite", "tus", "--report", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let cases = report["cases"].as_array().unwrap();
    let outcome = |name: &str| {
        let case = cases.iter().find(|case| case["name"] == name).unwrap();
        case["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(outcome("the versions are a list that starts with 1.0.0"), "passed");
    assert_eq!(outcome("options is answered with 204 and no body"), "failed");
    assert_eq!(outcome("a cut patch with a checksum leaves nothing"), "not applicable");
    let count = |key: &str| report[key].as_u64().unwrap();
    let total = count("passed") + count("failed") + count("not_applicable");
    assert_eq!(total, u64::try_from(cases.len()).unwrap());
}

#[test]
fn a_report_for_build_servers_and_one_for_pages_say_the_same() {
    let target = server(LAX);
    let arguments = |report| ["--target", &target, "--case", "options", "--report", report];
    let junit = judge(&arguments("junit"));
    let markdown = judge(&arguments("markdown"));
    assert_eq!((junit.status.code(), markdown.status.code()), (Some(1), Some(1)));
    let (junit, markdown) = (text(&junit.stdout), text(&markdown.stdout));
    for wanted in [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        "<failure message=\"expected status 204, got 200\">",
        "<testcase name=\"options is answered with 204 and no body [T-50]\" classname=\"tus/options\"",
        "&lt; HTTP/1.1 200 OK",
    ] {
        assert!(junit.contains(wanted), "{wanted:?} is not in\n{junit}");
    }
    for wanted in [
        "### tus/options: options is answered with 204 and no body \\[T-50\\]",
        "\nexpected status 204, got 200\n",
        "    < HTTP/1.1 200 OK",
        &format!("    curl -i --path-as-is -X 'OPTIONS' '{target}'"),
    ] {
        assert!(markdown.contains(wanted), "{wanted:?} is not in\n{markdown}");
    }
    assert!(markdown.contains(&format!("{} failed", junit.matches("<failure").count())));
}

#[test]
fn progress_is_shown_where_it_is_wanted_and_wiped_in_the_end() {
    let target = server(LAX);
    let arguments = ["--target", &target, "--case", "T-50", "--progress"];
    let shown = judge(&[&arguments[..], &["always"]].concat());
    let shown = text(&shown.stderr);
    assert!(shown.contains("3/3, 2 failed  tus/options: "), "{shown:?}");
    assert!(shown.ends_with("\r\u{1b}[K"), "{shown:?}");
    // Standard error is no terminal here.
    for quiet in ["auto", "never"] {
        assert!(judge(&[&arguments[..], &[quiet]].concat()).stderr.is_empty(), "{quiet}");
    }
}

#[test]
fn the_list_names_every_case_with_its_ids() {
    let output = judge(&["--list", "--case", "T-45"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stdout),
        "resume/takeovers: of two patches at one offset exactly one wins [T-45 W-5]\n"
    );
}
