//! [`Answer`]: what came back, read with as much patience and memory as was agreed on.

use std::io::{self, Read};

/// Longest head of an answer that is read.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Only the beginning of a body is looked at.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// The beginning of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status code.
    pub(super) status: u16,
    /// Names in lower case, and values.
    fields: Vec<(String, String)>,
    /// The first bytes of the body, as they came.
    body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It did not come in time.
    #[error("no answer came in time")]
    Late,
    /// The connection ended first.
    #[error("the connection was closed without an answer")]
    Closed,
    /// It is not HTTP.
    #[error("what answered does not speak HTTP/1.1")]
    Strange,
}

impl Answer {
    /// Reads the next answer, interim ones too; its body if `bodied`, and only its beginning. How long
    /// that takes is bounded by the stream.
    pub(super) fn read(from: &mut impl Read, bodied: bool) -> Result<Self, NoAnswer> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end.saturating_add(4);
            }
            if bytes.len() > MAX_HEAD_BYTES {
                return Err(NoAnswer::Strange);
            }
            if more(from, &mut bytes)? == 0 {
                return Err(if bytes.is_empty() { NoAnswer::Closed } else { NoAnswer::Strange });
            }
        };
        let body = bytes.split_off(end);
        let mut answer = parse(&bytes).ok_or(NoAnswer::Strange)?;
        answer.body = body;
        let bodyless = answer.status < 200 || answer.status == 204 || answer.status == 304;
        if bodied && !bodyless {
            answer.read_body(from);
        }
        Ok(answer)
    }

    /// A body that breaks off is as good as one that ends: it is only looked at for words.
    fn read_body(&mut self, from: &mut impl Read) {
        let announced = self.field("content-length").and_then(|length| length.parse().ok());
        let wanted = announced.unwrap_or(MAX_BODY_BYTES).min(MAX_BODY_BYTES);
        while self.body.len() < wanted {
            match more(from, &mut self.body) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
    }

    /// The first line of a field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.lines(name).next()
    }

    /// Every line of a field.
    pub(super) fn lines(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_field =
            move |(known, _): &&(String, String)| known.as_str() == name.to_ascii_lowercase();
        self.fields.iter().filter(of_field).map(|(_, value)| value.as_str())
    }

    /// Whether a field that is a list names `item`, or everything.
    pub(super) fn lists(&self, name: &str, item: &str) -> bool {
        self.lines(name)
            .flat_map(|line| line.split(','))
            .any(|listed| listed.trim().eq_ignore_ascii_case(item) || listed.trim() == "*")
    }

    /// The beginning of the body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn more(from: &mut impl Read, bytes: &mut Vec<u8>) -> Result<usize, NoAnswer> {
    let mut piece = [0; 4096];
    match from.read(&mut piece) {
        Ok(read) => {
            bytes.extend_from_slice(piece.get(..read).unwrap_or_default());
            Ok(read)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => more(from, bytes),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
        {
            Err(NoAnswer::Late)
        }
        // TLS that ends without saying so is an end as well.
        Err(_) => Ok(0),
    }
}

fn parse(head: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    let status: u16 = status.parse().ok().filter(|status| (100..600).contains(status))?;
    let fields = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Some(Answer { status, fields: fields.collect(), body: Vec::new() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Answer, NoAnswer> {
        Answer::read(&mut &*bytes, true)
    }

    #[test]
    fn an_answer_is_taken_apart() {
        let answer =
            read(b"HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: b, C\r\nContent-Length: 3\r\n\r\nyes")
                .unwrap();
        assert_eq!((answer.status, answer.field("X-A")), (201, Some("1")));
        assert_eq!(answer.lines("x-a").count(), 2);
        assert!(answer.lists("X-A", "c") && !answer.lists("X-A", "d"));
        assert_eq!(answer.text(), "yes");
    }

    #[test]
    fn interim_answers_come_one_by_one() {
        let mut bytes = &b"HTTP/1.1 100 Continue\r\n\r\n"[..];
        assert_eq!(Answer::read(&mut bytes, true).unwrap().status, 100);
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        assert!(matches!(read(b""), Err(NoAnswer::Closed)));
        for strange in [&b"SSH-2.0-x\r\n\r\n"[..], b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 20"] {
            assert!(matches!(read(strange), Err(NoAnswer::Strange)));
        }
        assert!(matches!(read(&vec![b'x'; 2 * MAX_HEAD_BYTES]), Err(NoAnswer::Strange)));
    }

    proptest! {
        #[test]
        fn whatever_answers_is_read_or_refused_and_stays_within_its_bounds(
            head in "(HTTP/1\\.1 [0-9]{0,4} \\PC{0,3}\r\n)?(\\PC{0,8}:\\PC{0,8}\r\n){0,3}(\r\n)?",
            body: Vec<u8>,
        ) {
            if let Ok(answer) = read(&[head.as_bytes(), &body].concat()) {
                prop_assert!((100..600).contains(&answer.status));
                prop_assert!(answer.body.len() <= body.len());
            }
        }
    }
}
