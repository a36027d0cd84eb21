//! What a handler can know about its connection, and do to it.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::{
    GET_WHERE, INTERIM, Identity, answer, exchange, head, in_time, plain, settings, start, unix,
};

#[tokio::test]
async fn a_handler_reaches_its_connection_on_plain_tcp() {
    let server = start(&[plain()], &settings());
    let mut stream = server.connect().await;
    let (peer, local) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
    let answer = exchange(&mut stream, GET_WHERE).await;
    let expected = format!("tcp Some({peer}) Some({local}) ({}, 0)", GET_WHERE.len());
    assert!(answer.ends_with(&expected), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_handler_reaches_its_connection_on_tls() {
    let identity = Identity::new();
    let server = start(&[identity.listener()], &settings());
    let mut stream = identity.connect(&server, "http/1.1").await.unwrap();
    let peer = stream.get_ref().0.local_addr().unwrap();
    let answer = exchange(&mut stream, GET_WHERE).await;
    let expected =
        format!("tls Some({peer}) Some(127.0.0.1:{}) ({}, 0)", server.port(), GET_WHERE.len());
    assert!(answer.ends_with(&expected), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_handler_reaches_its_connection_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    let server = start(&[unix(&path)], &settings());
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let answer = exchange(&mut stream, GET_WHERE).await;
    let expected = format!("unix None None ({}, 0)", GET_WHERE.len());
    assert!(answer.ends_with(&expected), "{answer}");
    server.stop().await;
    assert!(!path.exists(), "the socket is removed at stop");
}

#[tokio::test]
async fn bytes_are_counted_over_the_whole_connection() {
    let server = start(&[plain()], &settings());
    let mut stream = server.connect().await;
    let first = exchange(&mut stream, GET_WHERE).await;
    let second = exchange(&mut stream, GET_WHERE).await;
    let expected = format!("({}, {})", 2 * GET_WHERE.len(), first.len());
    assert!(second.ends_with(&expected), "{second}");
    server.stop().await;
}

#[tokio::test]
async fn a_closed_connection_ends_even_in_the_middle_of_a_request() {
    let server = start(&[plain()], &settings());
    let mut stream = server.connect().await;
    stream.write_all(b"GET /close HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = in_time(stream.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    server.stop().await;
}

async fn takes_an_interim_answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let request = "POST /interim HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n";
    // Behind an earlier answer on the same connection, and in the middle of a body.
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.write_all(b"first").await.unwrap();
        assert_eq!(head(&mut stream).await.as_bytes(), INTERIM);
        stream.write_all(b"again").await.unwrap();
        let answer = answer(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n5"),
            "{answer}"
        );
    }
    let answer = exchange(&mut stream, GET_WHERE).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn an_interim_answer_reaches_the_client_while_its_body_is_arriving_on_plain_tcp() {
    let server = start(&[plain()], &settings());
    takes_an_interim_answer(server.connect().await).await;
    server.stop().await;
}

#[tokio::test]
async fn an_interim_answer_reaches_the_client_while_its_body_is_arriving_on_tls() {
    let identity = Identity::new();
    let server = start(&[identity.listener()], &settings());
    takes_an_interim_answer(identity.connect(&server, "http/1.1").await.unwrap()).await;
    server.stop().await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_answer_loses_the_connection_after_the_write_timeout() {
    let mut settings = settings();
    settings.bounds.write_timeout = Duration::from_millis(200);
    let server = start(&[plain()], &settings);
    let mut stream = server.connect().await;
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    // Not a byte is read until the server has given up: the connection breaks for writing too.
    in_time(async {
        while stream.write_all(b"GET /where HTTP/1.1\r\n\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_second_head_that_drips_in_has_the_idle_timeout() {
    let mut settings = settings();
    settings.bounds.idle_timeout = Duration::from_millis(300);
    let server = start(&[plain()], &settings);
    let mut stream = server.connect().await;
    exchange(&mut stream, GET_WHERE).await;
    in_time(async {
        while stream.write_all(b"G").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn the_idle_timeout_counts_from_the_answer_on_a_connection_that_was_idle_before() {
    let mut settings = settings();
    settings.bounds.idle_timeout = Duration::from_secs(4);
    let server = start(&[plain()], &settings);
    let mut stream = server.connect().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    exchange(&mut stream, GET_WHERE).await;
    let answered = std::time::Instant::now();
    in_time(stream.read_to_end(&mut Vec::new())).await.unwrap();
    let closed = answered.elapsed();
    assert!(closed >= Duration::from_secs(3), "{closed:?}");
    // It would be seven, were it waited for from the beginning and once more.
    assert!(closed < Duration::from_secs(6), "{closed:?}");
    server.stop().await;
}
