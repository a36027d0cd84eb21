//! Bodies that are silent, slow, or never end; and a stop that does not wait for ever.

use std::io::Write;
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::gateway::{Gateway, offset, upload};
use crate::support::{
    begin_patch, connect, create, descriptors, head_of_answer, pause, serves, until,
};

const READ_TIMEOUT: &str = "TIDEGATE__TIMEOUTS__READTIMEOUT";

/// Sends a byte each 20 ms until it is answered or `most` were sent; the answer and how many arrived.
fn drip(gateway: &Gateway, path: &str, most: usize) -> (String, Duration) {
    let start = Instant::now();
    let mut patch = connect(gateway);
    begin_patch(&mut patch, path, most, "");
    patch.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    for _ in 0..most {
        patch.write_all(b"x").unwrap();
        // Waits for an answer as long as the next byte is to wait.
        if patch.peek(&mut [0]).is_ok() {
            break;
        }
    }
    patch.set_read_timeout(Some(crate::gateway::DEADLINE)).unwrap();
    (head_of_answer(&mut patch), start.elapsed())
}

#[test]
fn a_body_that_falls_silent_is_ended_in_time_and_what_arrived_is_kept() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start_with(folder.path(), &[], &[(READ_TIMEOUT, "500ms")]);
    let path = create(&gateway, 10);
    serves(&gateway);
    let before = descriptors(gateway.pid());
    let mut patch = connect(&gateway);
    begin_patch(&mut patch, &path, 10, "");
    patch.write_all(b"half").unwrap();
    let answer = head_of_answer(&mut patch);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(offset(gateway.upload_address(), &path), 4);
    drop(patch);
    until("nothing of it is left open", || descriptors(gateway.pid()) <= before);
}

#[test]
fn a_body_that_drips_goes_on_unless_there_is_a_minimum_rate() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start_with(folder.path(), &[], &[(READ_TIMEOUT, "500ms")]);
    let path = create(&gateway, 60);
    let (answer, took) = drip(&gateway, &path, 60);
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert!(took > Duration::from_millis(500), "it was too quick to tell: {took:?}");
}

#[test]
fn a_body_below_the_minimum_rate_is_ended_and_what_arrived_is_kept() {
    let folder = tempdir().unwrap();
    let variables = [(READ_TIMEOUT, "500ms"), ("TIDEGATE__NETWORK__MIN_RATE", "1KB")];
    let gateway = Gateway::start_with(folder.path(), &[], &variables);
    let path = create(&gateway, 1000);
    let (answer, _) = drip(&gateway, &path, 1000);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let kept = offset(gateway.upload_address(), &path);
    assert!((1..1000).contains(&kept), "{kept}");
}

#[test]
fn a_request_that_takes_longer_than_it_may_is_ended_and_what_arrived_is_kept() {
    let folder = tempdir().unwrap();
    let variables = [("TIDEGATE__TIMEOUTS__UPLOADTIMEOUT", "500ms")];
    let gateway = Gateway::start_with(folder.path(), &[], &variables);
    let path = create(&gateway, 1000);
    let (answer, took) = drip(&gateway, &path, 1000);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert!(offset(gateway.upload_address(), &path) > 0);
}

#[test]
fn a_stop_waits_no_longer_than_it_may_for_a_client_that_does_not_read() {
    let folder = tempdir().unwrap();
    let variables = [("TIDEGATE__TIMEOUTS__SHUTDOWN", "1s")];
    let gateway = Gateway::start_with(folder.path(), &[], &variables);
    let path = upload(gateway.upload_address(), &"x".repeat(16 << 20));
    let mut reader = connect(&gateway);
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    reader.write_all(head.as_bytes()).unwrap();
    assert!(head_of_answer(&mut reader).starts_with("HTTP/1.1 200"));
    let start = Instant::now();
    assert!(gateway.stop().success());
    assert!(start.elapsed() < Duration::from_secs(10), "after {:?}", start.elapsed());
}

/// Sends what nobody wants until the connection ends; how long that took and how much was sent.
fn goes_on(gateway: &Gateway, piece: &[u8], rest: Duration) -> (Duration, usize) {
    let path = create(gateway, 10);
    let mut patch = connect(gateway);
    begin_patch(&mut patch, &path, 1 << 40, "");
    let refusal = head_of_answer(&mut patch);
    assert!(refusal.starts_with("HTTP/1.1 4"), "{refusal}");
    let (start, mut sent) = (Instant::now(), 0);
    while patch.write_all(piece).is_ok() {
        sent += piece.len();
        assert!(start.elapsed() < crate::gateway::DEADLINE, "it is read on for ever");
        pause(rest);
    }
    (start.elapsed(), sent)
}

#[test]
fn a_refused_body_that_goes_on_slowly_is_cut_after_the_linger_time() {
    let folder = tempdir().unwrap();
    let gateway =
        Gateway::start_with(folder.path(), &[], &[("TIDEGATE__TIMEOUTS__LINGER", "500ms")]);
    let (took, _) = goes_on(&gateway, b"x", Duration::from_millis(20));
    assert!(took > Duration::from_millis(400) && took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn a_refused_body_that_goes_on_fast_is_cut_after_the_linger_bytes() {
    let folder = tempdir().unwrap();
    let variables =
        [("TIDEGATE__NETWORK__LINGER_SIZE", "1MiB"), ("TIDEGATE__TIMEOUTS__LINGER", "20s")];
    let gateway = Gateway::start_with(folder.path(), &[], &variables);
    let (_, sent) = goes_on(&gateway, &[0; 64 * 1024], Duration::ZERO);
    // What the kernels of both sides hold comes to it; without the setting it would be 64 MiB.
    assert!((1 << 20..32 << 20).contains(&sent), "{sent}");
}
