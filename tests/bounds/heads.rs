//! Heads: at their bounds, past them, without end, and a byte at a time.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::gateway::Gateway;
use crate::support::{
    connect, descriptors, head_of_answer, is_ended, options, resident_bytes, serves, until,
};

const MIB: u64 = 1024 * 1024;

/// A head with so many fields and so many bytes in all.
fn head(fields: usize, bytes: usize) -> Vec<u8> {
    let mut head = b"OPTIONS /files HTTP/1.1\r\nHost: localhost\r\n".to_vec();
    for number in 2..fields {
        head.extend_from_slice(format!("X-{number}: x\r\n").as_bytes());
    }
    head.extend_from_slice(b"X-Fill: ");
    head.resize(bytes.saturating_sub(4).max(head.len() + 1), b'x');
    head.extend_from_slice(b"\r\n\r\n");
    head
}

/// The first line of the answer to a head; empty if the connection ends without one.
fn answered(gateway: &Gateway, head: &[u8]) -> String {
    let mut stream = connect(gateway);
    // What is refused may be refused before all of it was sent.
    let _ = stream.write_all(head);
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        match std::io::Read::read(&mut stream, &mut byte) {
            Ok(1) => line.push(byte[0]),
            Ok(_) | Err(_) => return String::new(),
        }
    }
    String::from_utf8(line).unwrap()
}

#[test]
fn a_head_of_96_fields_passes_and_one_of_97_is_refused() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    assert!(answered(&gateway, &head(96, 0)).starts_with("HTTP/1.1 2"));
    let line = answered(&gateway, &head(97, 0));
    assert!(line.starts_with("HTTP/1.1 4"), "{line:?}");
    serves(&gateway);
}

#[test]
fn a_head_of_100_kib_passes_and_one_past_128_kib_is_refused() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    assert!(answered(&gateway, &head(4, 100 * 1024)).starts_with("HTTP/1.1 2"));
    let line = answered(&gateway, &head(4, 200 * 1024));
    assert!(line.is_empty() || line.starts_with("HTTP/1.1 4"), "{line:?}");
    serves(&gateway);
}

#[test]
fn a_field_without_end_is_cut_off_and_fills_no_memory() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    let before = resident_bytes(gateway.pid());
    let mut streams: Vec<_> = (0..50).map(|_| connect(&gateway)).collect();
    let piece = vec![b'x'; 64 * 1024];
    for stream in &mut streams {
        stream.write_all(b"OPTIONS /files HTTP/1.1\r\nX-Endless: ").unwrap();
        // Until it is refused.
        let sent = (0..64).take_while(|_| stream.write_all(&piece).is_ok()).count();
        assert!(sent < 64 || is_ended(stream), "it went on reading");
    }
    let grown = resident_bytes(gateway.pid()).saturating_sub(before);
    assert!(grown < 32 * MIB, "{grown} bytes more");
    drop(streams);
    serves(&gateway);
}

#[test]
fn a_thousand_heads_that_drip_in_are_closed_in_time_and_hold_nobody_up() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start_with(
        folder.path(),
        &[],
        &[
            ("TIDEGATE__TIMEOUTS__IDLETIMEOUT", "3s"),
            ("TIDEGATE__SERVER__MAX_CONNECTIONS_PER_ADDRESS", "none"),
        ],
    );
    // Its threads open theirs as they begin to work.
    serves(&gateway);
    let (fresh, empty) = (resident_bytes(gateway.pid()), descriptors(gateway.pid()));
    let mut streams: Vec<TcpStream> = (0..1000).map(|_| connect(&gateway)).collect();
    let head = head(20, 2000);
    let mut slowest = Duration::ZERO;
    let start = Instant::now();
    // A byte in each round on each of them, for longer than a head may take.
    for byte in head.iter().take(40) {
        for stream in &mut streams {
            let _ = stream.write_all(std::slice::from_ref(byte));
        }
        let asked = Instant::now();
        assert!(options(&mut connect(&gateway)).starts_with("HTTP/1.1 2"));
        slowest = slowest.max(asked.elapsed());
        crate::support::pause(Duration::from_millis(100));
    }
    let grown = resident_bytes(gateway.pid()).saturating_sub(fresh);
    assert!(start.elapsed() > Duration::from_secs(3));
    until("each of them is closed", || descriptors(gateway.pid()) <= empty + 8);
    assert!(slowest < Duration::from_secs(1), "another one waited for {slowest:?}");
    assert!(grown < 64 * MIB, "{grown} bytes more");
    serves(&gateway);
}

#[test]
fn a_second_head_that_drips_in_has_no_more_time_than_the_first() {
    let folder = tempdir().unwrap();
    let variables = [("TIDEGATE__TIMEOUTS__IDLETIMEOUT", "1s")];
    let gateway = Gateway::start_with(folder.path(), &[], &variables);
    let mut stream = connect(&gateway);
    stream.write_all(b"OPTIONS /files HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(head_of_answer(&mut stream).starts_with("HTTP/1.1 2"));
    let start = Instant::now();
    let head = head(20, 2000);
    let sent = head.iter().take_while(|byte| {
        crate::support::pause(Duration::from_millis(20));
        stream.write_all(std::slice::from_ref(*byte)).is_ok()
    });
    assert!(sent.count() < head.len(), "it was read to its end");
    assert!(start.elapsed() < Duration::from_secs(10));
}
