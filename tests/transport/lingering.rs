//! An early refusal reaches a client that is still sending, within bounds.

use std::time::{Duration, Instant};

use tidegate::http::listener::{Expect, Hooks};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::support::{
    GET_WHERE, Identity, answer, exchange, in_time, plain, settings, start, try_start,
};

const MIB: usize = 1024 * 1024;

/// Writes a body of 64 MiB to the end before it reads a byte.
async fn writes_all_then_reads(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    chunked: bool,
) -> String {
    let framing = if chunked {
        "Transfer-Encoding: chunked".to_owned()
    } else {
        format!("Content-Length: {}", 64 * MIB)
    };
    let request = format!("POST /refuse HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let piece = vec![0; MIB];
    for _ in 0..64 {
        if chunked {
            stream.write_all(format!("{MIB:x}\r\n").as_bytes()).await.unwrap();
        }
        in_time(stream.write_all(&piece)).await.unwrap();
        if chunked {
            stream.write_all(b"\r\n").await.unwrap();
        }
    }
    if chunked {
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    }
    stream.flush().await.unwrap();
    answer(&mut stream).await
}

fn patient() -> tidegate::http::settings::ServerSettings {
    let mut settings = settings();
    settings.bounds.linger_bytes = 128 * 1024 * 1024;
    // As long as a busy machine needs for all that.
    settings.bounds.linger = Duration::from_secs(120);
    settings
}

#[tokio::test]
async fn a_client_that_writes_64_mib_before_it_reads_gets_its_refusal() {
    let server = start(&[plain()], &patient());
    for chunked in [false, true] {
        let answer = writes_all_then_reads(server.connect().await, chunked).await;
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with("too much"), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_writes_64_mib_before_it_reads_gets_its_refusal_by_tls() {
    let identity = Identity::new();
    let server = start(&[identity.listener()], &patient());
    for chunked in [false, true] {
        let stream = identity.connect(&server, "http/1.1").await.unwrap();
        let answer = writes_all_then_reads(stream, chunked).await;
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with("too much"), "{answer}");
    }
    server.stop().await;
}

/// Sends a body without end, as fast as it goes or a little now and then; gives the bytes sent
/// until the connection broke.
async fn never_stops(stream: impl AsyncWrite + Unpin, chunked: bool, piece: usize) -> usize {
    never_stops_at("/refuse", stream, chunked, piece).await
}

async fn never_stops_at(
    path: &str,
    mut stream: impl AsyncWrite + Unpin,
    chunked: bool,
    piece: usize,
) -> usize {
    let framing =
        if chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 1000000000000" };
    let request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut sent = 0;
    in_time(async {
        let chunk = match chunked {
            true => [format!("{piece:x}\r\n").as_bytes(), &vec![b'x'; piece], b"\r\n"].concat(),
            false => vec![b'x'; piece],
        };
        while stream.write_all(&chunk).await.is_ok() {
            sent += piece;
            if piece < MIB {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    })
    .await;
    sent
}

#[tokio::test]
async fn a_client_that_never_stops_is_cut_after_the_linger_bytes() {
    let mut settings = settings();
    settings.bounds.linger_bytes = 4 * 1024 * 1024;
    let server = start(&[plain()], &settings);
    for chunked in [false, true] {
        let sent = never_stops(server.connect().await, chunked, MIB).await;
        // What the kernel holds in both directions comes on top.
        assert!((4 * MIB..64 * MIB).contains(&sent), "chunked {chunked}: {sent}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_on_slowly_is_cut_after_the_linger_time() {
    let mut settings = settings();
    settings.bounds.linger = Duration::from_millis(600);
    let server = start(&[plain()], &settings);
    for chunked in [false, true] {
        let start = Instant::now();
        never_stops(server.connect().await, chunked, 16 * 1024).await;
        let took = start.elapsed();
        assert!(
            (settings.bounds.linger..5 * settings.bounds.linger).contains(&took),
            "chunked {chunked}: {took:?}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_on_after_a_conflict_is_cut_after_a_tenth_of_the_linger_time() {
    let mut settings = settings();
    settings.bounds.linger = Duration::from_secs(8);
    settings.bounds.linger_bytes = 1024 * 1024 * 1024;
    let server = start(&[plain()], &settings);
    for chunked in [false, true] {
        let start = Instant::now();
        never_stops_at("/conflict", server.connect().await, chunked, 64 * 1024).await;
        let took = start.elapsed();
        let tenth = settings.bounds.linger / 10;
        assert!((tenth..5 * tenth).contains(&took), "chunked {chunked}: {took:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_falls_silent_in_a_refused_body_is_cut_after_the_idle_timeout() {
    let mut settings = settings();
    settings.bounds.linger = Duration::from_millis(100);
    settings.bounds.idle_timeout = Duration::from_millis(500);
    let server = start(&[plain()], &settings);
    for framing in ["Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "Content-Length: 1000\r\n\r\nhel"]
    {
        for path in ["/refuse", "/late"] {
            let mut stream = server.connect().await;
            let request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{framing}");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            let ended = in_time(stream.read_to_string(&mut answer)).await;
            assert!(
                ended.is_ok() && answer.starts_with("HTTP/1.1 4"),
                "{path} {framing}: {answer}"
            );
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_refused_chunked_body_that_ends_leaves_the_connection_usable() {
    let server = start(&[plain()], &settings());
    let mut stream = server.connect().await;
    let body = "5\r\nhello\r\n0\r\n\r\n";
    let head = "POST /refuse HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let refused = exchange(&mut stream, &format!("{head}{body}")).await;
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
    let next = exchange(&mut stream, GET_WHERE).await;
    assert!(next.starts_with("HTTP/1.1 200 "), "{next}");
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_is_taken_has_no_bound_of_its_own() {
    let mut settings = settings();
    settings.bounds.linger = Duration::from_millis(50);
    settings.bounds.linger_bytes = 1;
    let server = start(&[plain()], &settings);
    let mut stream = server.connect().await;
    let request =
        format!("POST /sink HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", 32 * MIB);
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        for _ in 0..32 {
            in_time(stream.write_all(&vec![0; MIB])).await.unwrap();
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        let answer = answer(&mut stream).await;
        assert!(answer.ends_with(&(32 * MIB).to_string()), "{answer}");
    }
    server.stop().await;
}

fn asking(path: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    )
}

#[tokio::test]
async fn a_body_is_invited_only_if_the_hook_agrees() {
    let expect: Expect = std::sync::Arc::new(|request| {
        Box::pin(async move {
            // A verdict may take a while.
            tokio::task::yield_now().await;
            if request.path() == "/sink" {
                return Ok(request);
            }
            let no = actix_http::Response::build(actix_http::StatusCode::CONFLICT).body("no");
            Err(no.map_into_boxed_body())
        })
    });
    let hooks = Hooks { expect, ..Hooks::default() };
    let server = try_start(&[plain()], &settings(), &hooks).unwrap();
    let mut stream = server.connect().await;
    let invitation = exchange(&mut stream, &asking("/sink")).await;
    assert_eq!(invitation, "HTTP/1.1 100 Continue\r\n\r\n");
    let taken = exchange(&mut stream, "hello").await;
    assert!(taken.ends_with("\r\n\r\n5"), "{taken}");
    let refused = exchange(&mut stream, &asking("/refuse")).await;
    assert!(refused.starts_with("HTTP/1.1 409 ") && refused.ends_with("no"), "{refused}");
    // Nobody knows whether the body follows: the connection is not used again.
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    in_time(stream.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
    server.stop().await;
}
