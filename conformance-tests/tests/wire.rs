//! The client reads what servers may say, and misbehaves on the wire as it is told to.

#![expect(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use conformance_tests::wire::{Answer, Connection, Limits, Request, WireError};

/// Connects to a server that does `serve` with the one connection it accepts.
fn connect<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (Connection, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = thread::spawn(move || serve(listener.accept().unwrap().0));
    (Connection::open(&address, limits()).unwrap(), served)
}

fn limits() -> Limits {
    let until = Instant::now() + Duration::from_secs(10);
    Limits { step: Duration::from_secs(5), until }
}

fn answer_of(bytes: &'static str, method: &str) -> Result<Answer, WireError> {
    let (mut connection, served) = connect(|mut stream| stream.write_all(bytes.as_bytes()));
    let answer = connection.answer(method);
    served.join().unwrap().unwrap();
    answer
}

#[test]
fn interim_answers_are_kept_apart_from_the_final_one() {
    let answer = answer_of(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 104 Upload Resumption Supported\r\nLocation: /x\r\n\r\n\
         HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok",
        "POST",
    )
    .unwrap();
    let interim: Vec<_> = answer.interim.iter().map(|head| head.status).collect();
    assert_eq!(interim, [100, 104]);
    assert_eq!((answer.response.head.status, answer.response.body.as_slice()), (201, &b"ok"[..]));
}

#[test]
fn a_body_ends_by_length_by_chunks_or_with_the_connection() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello surplus",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello",
    ] {
        assert_eq!(answer_of(bytes, "GET").unwrap().response.body, b"hello", "{bytes:?}");
    }
}

#[test]
fn a_body_that_ends_too_early_is_no_answer() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "",
    ] {
        assert!(answer_of(bytes, "GET").is_err(), "{bytes:?}");
    }
}

#[test]
fn broken_chunks_are_malformed() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    ] {
        let error = answer_of(bytes, "GET").unwrap_err();
        assert!(matches!(error, WireError::Malformed(_)), "{error}");
    }
}

#[test]
fn answers_to_head_leave_the_connection_in_step() {
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    let (mut connection, served) = connect(|mut stream| stream.write_all(both.as_bytes()));
    assert_eq!(connection.answer("HEAD").unwrap().response.head.status, 200);
    assert_eq!(connection.answer("OPTIONS").unwrap().response.head.status, 204);
    served.join().unwrap().unwrap();
}

#[test]
fn a_chunked_body_is_framed() {
    let (mut connection, served) = connect(|mut stream| {
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text)
    });
    let request = Request::new("PATCH", "/f").chunked("hello");
    connection.send_request(&request, "h", &[]).unwrap();
    connection.half_close().unwrap();
    assert_eq!(
        served.join().unwrap().unwrap(),
        "PATCH /f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    );
}

#[test]
fn a_reset_is_seen_as_one_by_the_server() {
    let (connection, served) = connect(|mut stream| stream.read(&mut [0]).map_err(|e| e.kind()));
    connection.reset().unwrap();
    assert_eq!(served.join().unwrap(), Err(ErrorKind::ConnectionReset));
}

#[test]
fn an_answer_without_a_length_may_end_with_a_reset() {
    let (mut connection, served) = connect(|mut stream| {
        // Not before the connection stands on both sides.
        stream.read_exact(&mut [0]).unwrap();
        stream.write_all(b"HTTP/1.1 431 Too Large\r\n\r\nsorry").unwrap();
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    connection.send(b"x").unwrap();
    served.join().unwrap();
    let response = connection.answer("GET").unwrap().response;
    assert_eq!((response.head.status, response.body.as_slice()), (431, &b"sorry"[..]));
}

#[test]
fn silence_is_told_from_speech_and_from_the_end() {
    let (mut connection, served) = connect(|mut stream| {
        // Speaks only after it was spoken to, so that the silence before is certain.
        stream.read_exact(&mut [0]).unwrap();
        stream.write_all(b"H").unwrap();
    });
    assert!(!connection.hears_within(Duration::from_millis(50)).unwrap());
    connection.send(b"x").unwrap();
    assert!(connection.hears_within(Duration::from_secs(5)).unwrap());
    served.join().unwrap();
}

#[test]
fn an_answer_that_never_comes_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let limits = Limits { step: Duration::from_millis(100), ..limits() };
    let address = listener.local_addr().unwrap().to_string();
    let mut connection = Connection::open(&address, limits).unwrap();
    let error = connection.answer("GET").unwrap_err();
    assert!(matches!(error, WireError::TimedOut { .. }), "{error}");
}
