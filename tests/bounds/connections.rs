//! What one address may have.

use std::io::Write;

use tempfile::tempdir;

use crate::gateway::Gateway;
use crate::support::{
    be_in_patch, connect, connect_from, create, head_of_answer, is_ended, metric, options, until,
};

const PER_ADDRESS: &str = "TIDEGATE__SERVER__MAX_CONNECTIONS_PER_ADDRESS";

#[test]
fn an_address_with_its_share_of_connections_gets_no_more_and_others_get_theirs() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start_with(folder.path(), &[], &[(PER_ADDRESS, "3")]);
    let mut held: Vec<_> = (0..3).map(|_| connect(&gateway)).collect();
    for stream in &mut held {
        assert!(options(stream).starts_with("HTTP/1.1 2"));
    }
    assert!(is_ended(&mut connect(&gateway)), "the fourth");
    assert!(options(&mut connect_from(&gateway, "127.0.0.2")).starts_with("HTTP/1.1 2"));
    assert_eq!(metric(&gateway, "tidegate_connections_refused_total"), 1);
    for stream in &mut held {
        assert!(options(stream).starts_with("HTTP/1.1 2"), "whoever was there stays");
    }
    drop(held.pop());
    until("a connection that ended makes room", || {
        let mut stream = connect(&gateway);
        stream.write_all(b"OPTIONS /files HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        !is_ended_at_once(&mut stream)
    });
}

/// Whether it is ended instead of answered.
fn is_ended_at_once(stream: &mut std::net::TcpStream) -> bool {
    std::io::Read::read(stream, &mut [0]).map_or(true, |bytes| bytes == 0)
}

#[test]
fn behind_a_trusted_proxy_requests_of_each_client_are_counted_and_connections_are_not() {
    let folder = tempdir().unwrap();
    let proxy = ("TIDEGATE__SERVER__TRUSTED_PROXIES", "127.0.0.0/8");
    let gateway = Gateway::start_with(folder.path(), &[], &[(PER_ADDRESS, "1"), proxy]);
    let path = create(&gateway, 4);
    let ask = |client: &str| {
        let mut stream = connect(&gateway);
        let head = format!(
            "OPTIONS /files HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        head_of_answer(&mut stream)
    };
    let mut patch = connect(&gateway);
    be_in_patch(&mut patch, &path, 4, "X-Forwarded-For: 192.0.2.1\r\n");
    let refusal = ask("192.0.2.1").to_lowercase();
    assert!(refusal.starts_with("http/1.1 429") && refusal.contains("retry-after: 1"), "{refusal}");
    assert!(ask("192.0.2.2").starts_with("HTTP/1.1 2"));
    patch.write_all(b"kept").unwrap();
    assert!(head_of_answer(&mut patch).starts_with("HTTP/1.1 204"), "nothing was disturbed");
    until("a request that ended makes room", || ask("192.0.2.1").starts_with("HTTP/1.1 2"));
}

#[test]
fn a_connection_past_the_most_waits_until_one_ends() {
    let folder = tempdir().unwrap();
    let variables =
        [("TIDEGATE__SERVER__MAX_CONNECTIONS", "2"), ("TIDEGATE__SERVER__WORKERS", "1")];
    let gateway = Gateway::start_with(folder.path(), &[], &variables);
    let mut held: Vec<_> = (0..2).map(|_| connect(&gateway)).collect();
    for stream in &mut held {
        assert!(options(stream).starts_with("HTTP/1.1 2"));
    }
    let mut third = connect(&gateway);
    third.write_all(b"OPTIONS /files HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    third.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    assert!(third.peek(&mut [0]).is_err(), "it was answered beside two others");
    third.set_read_timeout(Some(crate::gateway::DEADLINE)).unwrap();
    drop(held.pop());
    assert!(head_of_answer(&mut third).starts_with("HTTP/1.1 2"));
}

#[test]
#[cfg(target_os = "linux")]
fn round_trips_are_measured_unless_nobody_wants_to_know() {
    const ROUND_TRIPS: &str = "tidegate_path_rtt_seconds_count";
    const RETRANSMITS: &str = "tidegate_path_retransmits_count";
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let off = [("TIDEGATE__STREAMING__NETWORK_CONDITION_MONITORING", "false")];
    let does_not = Gateway::start_with(other.path(), &[], &off);
    let asks = Gateway::start(folder.path());
    let mut held = [connect(&does_not), connect(&asks)];
    // Both would look once a second at what carries something, and not at the same moment: after two looks of one, the
    // other has had its time.
    until("the connection was looked at", || {
        assert!(held.iter_mut().all(|stream| options(stream).starts_with("HTTP/1.1 2")));
        metric(&asks, ROUND_TRIPS) > 1
    });
    assert_eq!(metric(&does_not, ROUND_TRIPS), 0);
    drop(held);
    until("the connection ended", || metric(&asks, RETRANSMITS) > 0);
    assert_eq!(metric(&does_not, RETRANSMITS), 0);
}
