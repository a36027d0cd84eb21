//! Frames that no client has reason to send.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tempfile::{TempDir, tempdir};

use crate::gateway::Gateway;
use crate::support::{connect, is_ended, resident_bytes, serves, until};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const MIB: u64 = 1024 * 1024;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(content.len()).unwrap().to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(content);
    frame
}

/// A head, each field as a literal that no table remembers (RFC 7541, section 6.2.2).
fn block(method: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let pseudo =
        [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path)];
    let mut block = Vec::new();
    for (name, value) in pseudo.iter().chain(fields) {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127);
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

fn options_frame(stream: u32) -> Vec<u8> {
    let flags = END_HEADERS | END_STREAM;
    frame(HEADERS, flags, stream, &block("OPTIONS", "/files", &[]))
}

fn start() -> (TempDir, Gateway) {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start_with(folder.path(), &[], &[("TIDEGATE__SERVER__H2C", "true")]);
    (folder, gateway)
}

/// A connection that speaks HTTP/2, with settings of its own.
fn speak(gateway: &Gateway, settings: &[u8]) -> TcpStream {
    let mut stream = connect(gateway);
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).unwrap();
    stream
}

/// The next frame: its kind, flags, stream and content.
fn next(stream: &mut TcpStream) -> (u8, u8, u32, Vec<u8>) {
    let mut header = [0; 9];
    stream.read_exact(&mut header).unwrap();
    let [a, b, c, kind, flags, rest @ ..] = header;
    let mut content = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap()];
    stream.read_exact(&mut content).unwrap();
    (kind, flags, u32::from_be_bytes(rest), content)
}

/// Sends the same again and again until the connection is ended, and no more often than `most`;
/// whether it was. What comes back is read.
fn flood(mut stream: TcpStream, most: u32, mut piece: impl FnMut(u32) -> Vec<u8>) -> bool {
    let mut answers = stream.try_clone().unwrap();
    let reader = std::thread::spawn(move || is_ended(&mut answers));
    for number in 0..most {
        if stream.write_all(&piece(number)).is_err() {
            return true;
        }
    }
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    reader.join().unwrap()
}

#[test]
fn the_first_frame_tells_how_many_requests_at_once_and_how_long_a_head_may_be() {
    let (_folder, gateway) = start();
    let mut stream = speak(&gateway, &[]);
    let (kind, flags, _, content) = next(&mut stream);
    assert_eq!((kind, flags), (SETTINGS, 0));
    let told: Vec<_> = content.chunks(6).collect();
    assert!(told.contains(&&[0, 3, 0, 0, 0, 128][..]), "{told:?}");
    assert!(told.contains(&&[0, 6, 0, 2, 0, 0][..]), "{told:?}");
    stream.write_all(&frame(SETTINGS, 1, 0, &[])).unwrap();
    stream.write_all(&options_frame(1)).unwrap();
    until("the request is answered", || next(&mut stream).0 == HEADERS);
}

#[test]
fn pings_and_settings_without_measure_end_their_connection() {
    let (_folder, gateway) = start();
    assert!(flood(speak(&gateway, &[]), 200_000, |_| frame(PING, 0, 0, &[0; 8]).repeat(10)));
    assert!(flood(speak(&gateway, &[]), 200_000, |_| frame(SETTINGS, 0, 0, &[]).repeat(10)));
    serves(&gateway);
}

#[test]
fn empty_frames_of_a_body_without_measure_end_their_connection() {
    let (_folder, gateway) = start();
    let mut stream = speak(&gateway, &[]);
    let head = block("POST", "/files", &[("tus-resumable", "1.0.0"), ("upload-length", "3")]);
    stream.write_all(&frame(HEADERS, END_HEADERS, 1, &head)).unwrap();
    assert!(flood(stream, 200_000, |_| frame(DATA, 0, 1, &[]).repeat(10)));
    serves(&gateway);
}

#[test]
fn a_head_in_pieces_without_end_is_cut_off_and_fills_no_memory() {
    let (_folder, gateway) = start();
    let before = resident_bytes(gateway.pid());
    // Kept open: what they had sent would be let go with them.
    let mut held = Vec::new();
    for _ in 0..50 {
        let mut stream = speak(&gateway, &[]);
        stream.write_all(&frame(HEADERS, 0, 1, &block("OPTIONS", "/files", &[]))).unwrap();
        held.push(stream.try_clone().unwrap());
        // A literal whose value is longer than all that follows.
        let filler = [&[0, 1, b'x', 0x7f, 0xff, 0xff, 0xff, 0x7f][..], &[b'y'; 8000]].concat();
        assert!(flood(stream, 2000, |_| frame(CONTINUATION, 0, 1, &filler)));
    }
    let grown = resident_bytes(gateway.pid()).saturating_sub(before);
    assert!(grown < 32 * MIB, "{grown} bytes more");
    serves(&gateway);
}

/// A few bytes repeat a field of the table, so that 100,000 fields fit into one frame.
#[test]
fn a_head_of_more_fields_than_over_http1_is_refused() {
    let (_folder, gateway) = start();
    let mut stream = speak(&gateway, &[]);
    // "accept: " of the static table (RFC 7541, appendix A), again and again.
    let head = [block("OPTIONS", "/files", &[]), vec![0x80 | 19; 10_000]].concat();
    stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head)).unwrap();
    until("it is answered", || {
        let (kind, _, _, content) = next(&mut stream);
        // 431 is in no table, so that it stands there as text or in Huffman's code; 200 and 204 are
        // one byte.
        if kind == HEADERS {
            assert!(![0x88, 0x89].contains(&content[0]), "it was taken");
        }
        kind == HEADERS
    });
    serves(&gateway);
}

#[test]
fn requests_that_are_taken_back_at_once_cost_their_connection_and_nobody_else() {
    let (_folder, gateway) = start();
    let before = resident_bytes(gateway.pid());
    let ended = flood(speak(&gateway, &[]), 100_000, |number| {
        let stream = 2 * number + 1;
        [options_frame(stream), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    });
    assert!(ended);
    let grown = resident_bytes(gateway.pid()).saturating_sub(before);
    assert!(grown < 64 * MIB, "{grown} bytes more");
    serves(&gateway);
}

#[test]
fn more_requests_at_once_than_were_allowed_end_their_connection() {
    let (_folder, gateway) = start();
    // Each waits for its body.
    let head = block(
        "POST",
        "/files",
        &[
            ("tus-resumable", "1.0.0"),
            ("upload-length", "3"),
            ("content-type", "application/offset+octet-stream"),
        ],
    );
    let ended = flood(speak(&gateway, &[]), 2000, |number| {
        frame(HEADERS, END_HEADERS, 2 * number + 1, &head)
    });
    assert!(ended);
    serves(&gateway);
}

#[test]
fn readers_that_open_no_window_hold_little_and_keep_nobody_waiting() {
    let (_folder, gateway) = start();
    let body = "x".repeat(4 * 1024 * 1024);
    let path = crate::gateway::upload(gateway.upload_address(), &body);
    let before = resident_bytes(gateway.pid());
    // SETTINGS_INITIAL_WINDOW_SIZE of zero: no answer may begin to be sent.
    let streams: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = speak(&gateway, &[0, 4, 0, 0, 0, 0]);
            for number in 0..100 {
                let flags = END_HEADERS | END_STREAM;
                let head = frame(HEADERS, flags, 2 * number + 1, &block("GET", &path, &[]));
                stream.write_all(&head).unwrap();
            }
            stream
        })
        .collect();
    for mut stream in &streams {
        // All of them are answered with their heads.
        let mut answered = 0;
        while answered < 100 {
            answered += usize::from(next(&mut stream.try_clone().unwrap()).0 == HEADERS);
        }
        stream.flush().unwrap();
    }
    let grown = resident_bytes(gateway.pid()).saturating_sub(before);
    // 2,000 answers: half of the budget goes to them as they come, then each gets 16 KiB.
    assert!(grown < 192 * MIB, "{grown} bytes more");
    serves(&gateway);
    drop(streams);
}

#[test]
fn a_connection_that_only_pings_is_closed_when_it_has_been_idle_for_long() {
    let folder = tempdir().unwrap();
    let variables = [("TIDEGATE__SERVER__H2C", "true"), ("TIDEGATE__TIMEOUTS__IDLETIMEOUT", "1s")];
    let gateway = Gateway::start_with(folder.path(), &[], &variables);
    let mut stream = speak(&gateway, &[]);
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    until("it is closed", || {
        let written = stream.write_all(&frame(PING, 0, 0, &[0; 8]));
        match stream.read(&mut [0; 1024]) {
            Ok(0) => true,
            Err(error) => {
                written.is_err()
                    || ![ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind())
            }
            Ok(_) => false,
        }
    });
}
