//! HTTP/2: by ALPN, by prior knowledge, early refusals and stopping.

use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{Request, StatusCode};
use tidegate::http::settings::ListenerSettings;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use crate::support::{GET_WHERE, Identity, exchange, in_time, plain, settings, start};

/// An HTTP/2 connection; the task ends with it.
struct Client {
    requests: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    async fn new(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (requests, connection) = in_time(h2::client::handshake(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        Self { requests, connection }
    }

    fn send(&mut self, method: &str, path: &str, end: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let request = Request::builder().method(method).uri(format!("https://localhost{path}"));
        self.requests.send_request(request.body(()).unwrap(), end).unwrap()
    }

    async fn get(&mut self, path: &str) -> String {
        let (response, _) = self.send("GET", path, true);
        let response = in_time(response).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        text(response.into_body()).await
    }
}

async fn text(mut body: RecvStream) -> String {
    let mut text = Vec::new();
    while let Some(chunk) = in_time(body.data()).await {
        let chunk = match chunk {
            // RFC 9113, section 8.1: the answer is whole, the rest of the request is not wanted.
            Err(error) if error.reason() == Some(h2::Reason::NO_ERROR) => break,
            chunk => chunk.unwrap(),
        };
        body.flow_control().release_capacity(chunk.len()).unwrap();
        text.extend_from_slice(&chunk);
    }
    String::from_utf8(text).unwrap()
}

fn h2c() -> ListenerSettings {
    ListenerSettings { h2c: true, ..plain() }
}

#[tokio::test]
async fn http2_is_spoken_by_alpn_and_a_handler_reaches_its_connection() {
    let identity = Identity::new();
    let server = start(&[identity.listener()], &settings());
    let mut client = Client::new(identity.connect(&server, "h2").await.unwrap()).await;
    assert!(client.get("/where").await.starts_with("tls Some(127.0.0.1:"));
    server.stop().await;
}

#[tokio::test]
async fn http2_by_prior_knowledge_and_http1_share_a_port() {
    let server = start(&[h2c()], &settings());
    let mut client = Client::new(server.connect().await).await;
    assert!(client.get("/where").await.starts_with("tcp Some(127.0.0.1:"));
    // Begins like the preface of HTTP/2, but is not.
    for request in [GET_WHERE.to_owned(), GET_WHERE.replace("GET", "PROPFIND")] {
        let answer = exchange(&mut server.connect().await, &request).await;
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn http2_without_tls_is_not_spoken_unless_it_is_switched_on() {
    let server = start(&[plain()], &settings());
    let (requests, connection) =
        in_time(h2::client::handshake(server.connect().await)).await.unwrap();
    let outcome = in_time(connection).await;
    assert!(outcome.is_err());
    drop::<SendRequest<Bytes>>(requests);
    server.stop().await;
}

/// Sends up to `bytes`, as fast as flow control lets it; gives what went out, and why not more.
async fn pour(stream: &mut SendStream<Bytes>, bytes: usize) -> (usize, Option<h2::Error>) {
    let piece = Bytes::from(vec![0; 16 * 1024]);
    let mut sent = 0;
    while sent < bytes {
        stream.reserve_capacity(piece.len());
        match std::future::poll_fn(|context| stream.poll_capacity(context)).await {
            Some(Ok(capacity)) => {
                let piece = piece.slice(..capacity.min(piece.len()));
                sent += piece.len();
                if let Err(error) = stream.send_data(piece, false) {
                    return (sent, Some(error));
                }
            }
            Some(Err(error)) => return (sent, Some(error)),
            None => return (sent, None),
        }
    }
    (sent, None)
}

#[tokio::test]
async fn an_early_refusal_reaches_an_http2_client_that_is_still_sending() {
    let server = start(&[h2c()], &settings());
    let mut client = Client::new(server.connect().await).await;
    for _ in 0..4 {
        let (response, mut body) = client.send("POST", "/refuse", false);
        in_time(pour(&mut body, 64 * 1024 * 1024)).await;
        let response = in_time(response).await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(text(response.into_body()).await, "too much");
    }
    // The connection is still good, and its window was given back.
    let (response, mut body) = client.send("POST", "/sink", false);
    let (sent, error) = in_time(pour(&mut body, 8 * 1024 * 1024)).await;
    assert_eq!(sent, 8 * 1024 * 1024, "{error:?}");
    body.send_data(Bytes::new(), true).unwrap();
    let response = in_time(response).await.unwrap();
    assert_eq!(text(response.into_body()).await, (8 * 1024 * 1024).to_string());
    server.stop().await;
}

#[tokio::test]
async fn an_http2_client_that_nobody_reads_from_may_send_no_more_than_its_window() {
    let mut settings = settings();
    settings.h2_stream_window_bytes = 256 * 1024;
    let server = start(&[h2c()], &settings);
    let mut client = Client::new(server.connect().await).await;
    let (_response, mut body) = client.send("GET", "/hold", false);
    in_time(server.held.arrived.notified()).await;
    let poured = tokio::time::timeout(Duration::from_millis(500), async {
        let mut sent = 0;
        loop {
            body.reserve_capacity(1024);
            std::future::poll_fn(|context| body.poll_capacity(context)).await.unwrap().unwrap();
            body.send_data(Bytes::from(vec![0; 1024]), false).unwrap();
            sent += 1024;
            assert!(sent <= 256 * 1024, "{sent}");
        }
    });
    assert!(poured.await.is_err(), "it was never held back");
    server.stop().await;
}

#[tokio::test]
async fn a_stop_ends_idle_http2_connections_and_lets_running_requests_end() {
    let server = start(&[h2c()], &settings());
    let (mut busy, mut idle) =
        (Client::new(server.connect().await).await, Client::new(server.connect().await).await);
    idle.get("/where").await;
    let (response, _) = busy.send("GET", "/hold", true);
    in_time(server.held.arrived.notified()).await;
    server.stopper.stop();
    let _ = in_time(idle.connection).await.unwrap();
    server.held.released.notify_one();
    let response = in_time(response).await.unwrap();
    assert_eq!(text(response.into_body()).await, "released");
    let _ = in_time(busy.connection).await.unwrap();
    in_time(server.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_http2_connection_without_requests_is_closed_after_the_idle_timeout() {
    let mut settings = settings();
    settings.bounds.idle_timeout = Duration::from_millis(300);
    let server = start(&[h2c()], &settings);
    let mut client = Client::new(server.connect().await).await;
    client.get("/where").await;
    // Answers every ping, and is closed all the same.
    let _ = in_time(client.connection).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn an_http2_client_that_takes_nothing_of_its_answer_loses_the_connection() {
    let mut settings = settings();
    settings.bounds.write_timeout = Duration::from_millis(200);
    let server = start(&[h2c()], &settings);
    let mut client = Client::new(server.connect().await).await;
    let (response, _) = client.send("GET", "/big", true);
    // Pings are answered, frames are read; only the window stays shut.
    let response = in_time(response).await.unwrap();
    let _ = in_time(client.connection).await.unwrap();
    drop(response);
    server.stop().await;
}

#[tokio::test]
async fn an_http2_client_that_takes_its_answer_slowly_keeps_the_connection() {
    tokio::join!(takes_slowly("/pieces"), takes_slowly("/piece"));
}

async fn takes_slowly(path: &str) {
    let mut settings = settings();
    settings.bounds.write_timeout = Duration::from_millis(1500);
    let server = start(&[h2c()], &settings);
    let mut client = Client::new(server.connect().await).await;
    let (response, _) = client.send("GET", path, true);
    let mut body = in_time(response).await.unwrap().into_body();
    let mut taken = 0;
    while let Some(chunk) = in_time(body.data()).await {
        let chunk = chunk.unwrap();
        taken += chunk.len();
        tokio::time::sleep(Duration::from_millis(80)).await;
        body.flow_control().release_capacity(chunk.len()).unwrap();
    }
    assert_eq!(taken, crate::support::PIECES * crate::support::PIECE);
    server.stop().await;
}
