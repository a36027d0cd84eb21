//! Listeners: several of them, certificates that change, and stopping.

use std::time::Duration;

use tidegate::http::listener::{Hooks, ListenError};
use tidegate::http::settings::{ListenAddress, ListenerSettings, TlsSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::support::{
    GET_WHERE, Identity, answer, exchange, in_time, plain, settings, start, try_start, unix,
};

const GET_HOLD: &str = "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn several_listeners_serve_the_same_application() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    let server = start(&[plain(), plain(), unix(&path)], &settings());
    for address in &server.addresses {
        let answer = match address {
            ListenAddress::Tcp(address) => {
                exchange(&mut TcpStream::connect(address).await.unwrap(), GET_WHERE).await
            }
            ListenAddress::Unix(path) => {
                exchange(&mut UnixStream::connect(path).await.unwrap(), GET_WHERE).await
            }
        };
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn tls_is_not_spoken_over_a_unix_socket() {
    let (identity, folder) = (Identity::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("gate.sock");
    let listener = ListenerSettings { tls: Some(identity.settings()), ..unix(&path) };
    let outcome = try_start(&[listener], &settings(), &Hooks::default());
    assert!(matches!(outcome, Err(ListenError::TlsOverUnix(_))));
}

#[tokio::test]
async fn a_certificate_is_reloaded_when_its_file_changes() {
    let identity = Identity::new();
    let server = start(&[identity.listener()], &settings());
    assert!(identity.connect(&server, "http/1.1").await.is_ok());
    identity.renew();
    // From here on only the new certificate is trusted.
    in_time(async {
        while identity.connect(&server, "http/1.1").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_tls_handshake_is_cut() {
    let identity = Identity::new();
    let tls = TlsSettings { handshake_timeout: Duration::from_millis(200), ..identity.settings() };
    let server = start(&[ListenerSettings { tls: Some(tls), ..plain() }], &settings());
    let mut stream = server.connect().await;
    stream.write_all(&[0x16]).await.unwrap();
    let mut rest = Vec::new();
    let _ = in_time(stream.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_resets_in_its_tls_handshake_leaves_nothing_behind() {
    let (identity, hooks) = (Identity::new(), Hooks::default());
    let server = try_start(&[identity.listener()], &settings(), &hooks).unwrap();
    for said in [&[][..], &[0x16], &[0x16, 3, 1, 0, 200, 1, 0]] {
        let mut stream = server.connect().await;
        stream.write_all(said).await.unwrap();
        in_time(until_open(&hooks, 1)).await;
        stream.set_zero_linger().unwrap();
        drop(stream);
        in_time(until_open(&hooks, 0)).await;
    }
    assert!(identity.connect(&server, "http/1.1").await.is_ok());
    server.stop().await;
}

/// Waits until this many connections are open.
async fn until_open(hooks: &Hooks, connections: usize) {
    while hooks.connections.get() != connections {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn connections_are_counted_while_they_are_open() {
    let hooks = Hooks::default();
    let server = try_start(&[plain()], &settings(), &hooks).unwrap();
    let mut stream = server.connect().await;
    exchange(&mut stream, GET_WHERE).await;
    assert_eq!(hooks.connections.get(), 1);
    drop(stream);
    in_time(async {
        while hooks.connections.get() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_stop_lets_the_running_request_end_and_closes_idle_connections() {
    let server = start(&[plain()], &settings());
    let (mut busy, mut idle) = (server.connect().await, server.connect().await);
    exchange(&mut idle, GET_WHERE).await;
    busy.write_all(GET_HOLD.as_bytes()).await.unwrap();
    in_time(server.held.arrived.notified()).await;
    server.stopper.stop();
    let mut rest = Vec::new();
    in_time(idle.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
    server.held.released.notify_one();
    let answer = answer(&mut busy).await;
    assert!(answer.ends_with("released"), "{answer}");
    in_time(server.serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port(&server.addresses))).await.is_err());
}

#[tokio::test]
async fn a_second_stop_does_not_wait_for_running_requests() {
    let server = start(&[plain()], &settings());
    let mut busy = server.connect().await;
    busy.write_all(GET_HOLD.as_bytes()).await.unwrap();
    in_time(server.held.arrived.notified()).await;
    server.stopper.stop();
    server.stopper.stop();
    in_time(server.serving).await.unwrap().unwrap();
    let mut rest = Vec::new();
    let _ = in_time(busy.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
}

fn port(addresses: &[ListenAddress]) -> u16 {
    match &addresses[0] {
        ListenAddress::Tcp(address) => address.port(),
        ListenAddress::Unix(_) => panic!("not a TCP listener"),
    }
}

#[tokio::test]
async fn a_request_id_is_believed_from_a_trusted_proxy_and_from_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    let server = start(&[plain(), unix(&path)], &settings());
    let request = GET_WHERE.replace("\r\n\r\n", "\r\nX-Request-ID: given-1\r\n\r\n");
    let from_proxy = exchange(&mut server.connect().await, &request).await;
    let from_socket = exchange(&mut UnixStream::connect(&path).await.unwrap(), &request).await;
    for answer in [from_proxy, from_socket] {
        assert!(answer.to_lowercase().contains("\r\nx-request-id: given-1\r\n"), "{answer}");
    }
    server.stop().await;
}
