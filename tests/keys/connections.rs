//! `[timeouts]` and `[network]`: for how long the other side may be silent.
//!
//! Each value is one that passes within the deadline of a test; the default would not.

use std::io::Write;

use tempfile::tempdir;

use crate::gateway::{Gateway, upload};
use crate::support::{connect, is_ended, metric, options, until};

#[test]
fn a_connection_on_which_nothing_is_asked_is_closed_after_the_idle_timeout() {
    let folder = tempdir().unwrap();
    let key = ("TIDEGATE__TIMEOUTS__IDLETIMEOUT", "1s");
    let gateway = Gateway::start_with(folder.path(), &[], &[key]);
    let mut stream = connect(&gateway);
    assert!(options(&mut stream).starts_with("HTTP/1.1 2"));
    assert!(is_ended(&mut stream), "it is still open");
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_loses_the_connection_after_the_write_timeout() {
    let folder = tempdir().unwrap();
    let key = ("TIDEGATE__TIMEOUTS__WRITETIMEOUT", "1s");
    let gateway = Gateway::start_with(folder.path(), &[], &[key]);
    // More than the kernels of both sides hold.
    let path = upload(gateway.upload_address(), &"x".repeat(32 << 20));
    let mut reader = connect(&gateway);
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    reader.write_all(head.as_bytes()).unwrap();
    until("it is being answered", || metric(&gateway, OPEN) == 1);
    until("it is given up", || metric(&gateway, OPEN) == 0);
    drop(reader);
}

/// Connections to the upload side.
const OPEN: &str = "tidegate_connections_open";

#[test]
#[cfg(target_os = "linux")]
fn the_kernel_asks_a_silent_client_after_the_keep_alive_interval() {
    let folder = tempdir().unwrap();
    let key = ("TIDEGATE__NETWORK__KEEPALIVEINTERVAL", "300s");
    let gateway = Gateway::start_with(folder.path(), &[], &[key]);
    let mut stream = connect(&gateway);
    assert!(options(&mut stream).starts_with("HTTP/1.1 2"));
    let (there, here) = (stream.peer_addr().unwrap().port(), stream.local_addr().unwrap().port());
    let mut left = None;
    until("only the timer of keep-alive runs", || {
        left = keep_alive_seconds(there, here);
        left.is_some()
    });
    let left = left.unwrap();
    assert!((200..=300).contains(&left), "{left} s are left");
}

/// Seconds until the kernel asks, on the connection from port `local` to port `remote`: what the table of the
/// kernel says of its timer, if it is the one of keep-alive.
#[cfg(target_os = "linux")]
fn keep_alive_seconds(local: u16, remote: u16) -> Option<u64> {
    const KEEP_ALIVE: &str = "02";
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let (local, remote) = (format!(":{local:04X}"), format!(":{remote:04X}"));
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row[1].ends_with(&local) && row[2].ends_with(&remote))?;
    let (timer, hundredths) = row[5].split_once(':')?;
    let left = u64::from_str_radix(hundredths, 16).unwrap() / 100;
    (timer == KEEP_ALIVE).then_some(left)
}
