//! How much does HTTP/2 let a client send before it has to hear from the other side again?
//!
//! The windows of a connection and of its first stream are read off the frames that come when an upload
//! begins (RFC 9113, 5.2). A few bytes of it are sent, since HAProxy widens the connection only then. A window
//! is used up once per round trip, however fast the lines are.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use super::address::Address;
use super::proxy::Trouble;
use super::visit::Visit;
use super::wire::Wire;

/// What HTTP/2 is called in a TLS handshake.
const HTTP_2: &[u8] = b"h2";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Windows before anybody changes them.
const DEFAULT_BYTES: i64 = 65_535;
/// A smaller one is worth a word.
const ENOUGH_BYTES: i64 = 256 * 1024;
/// How long windows may still grow after the head of an upload was sent.
const SETTLED_WITHIN: Duration = Duration::from_millis(500);
/// Longest frame that is read; ours announces no more.
const MAX_FRAME_BYTES: usize = 16 * 1024;
/// Bytes of the upload that is begun.
const BYTES: u64 = 8 * 1024 * 1024;

/// Bytes that are sent of it.
const SENT: [u8; 1024] = [b'.'; 1024];

/// Types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
/// Their flags.
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// The setting that holds the window of new streams.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// Looks at it, where HTTP/2 is spoken.
pub(super) fn look(visit: &mut Visit<'_>) {
    let site = visit.site;
    if !site.endpoint.secure {
        return;
    }
    let wire = Wire::open(&site.endpoint, &site.trust, HTTP_2, site.patience);
    let Some(wire) = wire.ok().filter(|wire| wire.speaks(HTTP_2)) else { return };
    let Some(upload) = visit.upload(BYTES) else { return };
    let Ok(window) = measured(wire, &upload, &site.lines) else {
        return visit.note("the windows of HTTP/2 were not seen: the connection broke");
    };
    let shown = bytesize::ByteSize(u64::try_from(window).unwrap_or(0));
    if window < ENOUGH_BYTES {
        // A byte in 50 ms makes 20 a second.
        let rate = bytesize::ByteSize(u64::try_from(window).unwrap_or(0).saturating_mul(20));
        let text = format!(
            "over HTTP/2 a client may send {shown} per round trip: from 50 ms away, {rate} a second at most"
        );
        visit.slows(Trouble::Window, text);
    } else {
        visit.sound(format!("over HTTP/2 a client may send {shown} per round trip"));
    }
}

/// The smaller of the two windows, once an upload has begun.
fn measured(mut wire: Wire, upload: &Address, lines: &[(String, String)]) -> io::Result<i64> {
    let mut begin = PREFACE.to_vec();
    begin.extend(frame(SETTINGS, 0, 0, &[]));
    begin.extend(frame(HEADERS, END_HEADERS, 1, &head(upload, lines)));
    begin.extend(frame(DATA, 0, 1, &SENT));
    wire.write_all(&begin)?;
    wire.flush()?;
    let mut windows = Windows::default();
    let mut bytes = Vec::new();
    let mut deadline = Instant::now() + SETTLED_WITHIN.saturating_mul(10);
    loop {
        while let Some(frame) = taken(&mut bytes)? {
            if windows.heard(&frame) {
                wire.write_all(&self::frame(SETTINGS, ACK, 0, &[]))?;
                wire.flush()?;
                deadline = Instant::now() + SETTLED_WITHIN;
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        wire.wait_at_most(left);
        let mut piece = [0; 4096];
        match wire.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => bytes.extend_from_slice(piece.get(..read).unwrap_or_default()),
            Err(error) if is_late(&error) => break,
            Err(error) => return Err(error),
        }
    }
    windows.seen().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// What a client may send.
#[derive(Debug, Default)]
struct Windows {
    /// Of new streams; `None` before the settings have come.
    initial: Option<i64>,
    /// What was added for the connection, and for the first stream.
    added: [i64; 2],
}

impl Windows {
    /// Takes note of a frame; whether it is to be acknowledged.
    fn heard(&mut self, frame: &Frame) -> bool {
        match (frame.kind, frame.stream) {
            (SETTINGS, 0) if frame.flags & ACK == 0 => {
                let mut initial = self.initial.unwrap_or(DEFAULT_BYTES);
                for setting in frame.payload.chunks_exact(6) {
                    if let [high, low, value @ ..] = setting
                        && u16::from_be_bytes([*high, *low]) == INITIAL_WINDOW_SIZE
                    {
                        initial = number(value);
                    }
                }
                self.initial = Some(initial);
                true
            }
            (WINDOW_UPDATE, stream) => {
                let added = usize::try_from(stream).ok().and_then(|at| self.added.get_mut(at));
                if let Some(added) = added {
                    *added = added.saturating_add(number(&frame.payload));
                }
                false
            }
            _ => false,
        }
    }

    fn seen(&self) -> Option<i64> {
        let [connection, stream] = self.added;
        let stream = self.initial?.saturating_add(stream);
        Some(stream.min(DEFAULT_BYTES.saturating_add(connection)))
    }
}

/// A number of 31 bits.
fn number(bytes: &[u8]) -> i64 {
    let bytes = <[u8; 4]>::try_from(bytes).unwrap_or_default();
    i64::from(u32::from_be_bytes(bytes) & 0x7fff_ffff)
}

/// A frame as it is read.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// Takes the first whole frame off `bytes`.
fn taken(bytes: &mut Vec<u8>) -> io::Result<Option<Frame>> {
    let Some(&[a, b, c, kind, flags, s, t, u, v]) = bytes.first_chunk::<9>() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
    if length > MAX_FRAME_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let Some(payload) = bytes.get(9..length.saturating_add(9)).map(<[u8]>::to_vec) else {
        return Ok(None);
    };
    bytes.drain(..length.saturating_add(9));
    let stream = u32::from_be_bytes([s, t, u, v]) & 0x7fff_ffff;
    Ok(Some(Frame { kind, flags, stream, payload }))
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let mut frame = length.get(1..).unwrap_or_default().to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The head of an append, every field written out (RFC 7541, 6.2.2).
fn head(upload: &Address, lines: &[(String, String)]) -> Vec<u8> {
    let fields = [
        (":method", "PATCH".to_owned()),
        (":scheme", upload.scheme().to_owned()),
        (":authority", upload.authority()),
        (":path", upload.target()),
        ("tus-resumable", "1.0.0".to_owned()),
        ("upload-offset", "0".to_owned()),
        ("content-type", "application/offset+octet-stream".to_owned()),
        ("content-length", BYTES.to_string()),
    ];
    let mut block = Vec::new();
    for (name, value) in &fields {
        literal(&mut block, name, value);
    }
    for (name, value) in lines {
        literal(&mut block, &name.to_ascii_lowercase(), value);
    }
    block
}

fn literal(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    for text in [name, value] {
        length(block, text.len());
        block.extend_from_slice(text.as_bytes());
    }
}

/// A length in seven bits, and as many more bytes as it needs (RFC 7541, 5.1).
fn length(block: &mut Vec<u8>, bytes: usize) {
    let Some(mut rest) = bytes.checked_sub(127) else {
        block.push(u8::try_from(bytes).unwrap_or(0));
        return;
    };
    block.push(127);
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap_or(0) | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_window_counts_with_what_was_added() {
        let mut windows = Windows::default();
        assert_eq!(windows.seen(), None);
        let mut bytes = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100, 0, 4, 0, 16, 0, 0]);
        bytes.extend(frame(WINDOW_UPDATE, 0, 0, &[0, 1, 0, 0]));
        bytes.extend(frame(SETTINGS, ACK, 0, &[]));
        let mut acknowledged = 0;
        while let Some(frame) = taken(&mut bytes).unwrap() {
            acknowledged += u8::from(windows.heard(&frame));
        }
        assert_eq!((acknowledged, bytes.len()), (1, 0));
        assert_eq!(windows.seen(), Some(65_535 + 65_536));
    }

    #[test]
    fn half_a_frame_waits_and_an_endless_one_is_refused() {
        let whole = frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
        for end in 0..whole.len() {
            assert!(taken(&mut whole[..end].to_vec()).unwrap().is_none());
        }
        assert!(taken(&mut vec![255; 9]).is_err());
    }

    #[test]
    fn long_lines_are_written_with_their_whole_length() {
        let mut block = Vec::new();
        // The example of RFC 7541, C.1.2, shifted from five bits to seven.
        length(&mut block, 1337);
        assert_eq!(block, [127, 0b1011_1010, 9]);
        block.clear();
        length(&mut block, 126);
        assert_eq!(block, [126]);
    }
}
