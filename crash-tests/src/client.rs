//! A client of the gateway: one request, one connection, bytes as they are.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Nothing takes longer on a gateway that lives.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes read at a time.
const PIECE: usize = 64 * 1024;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    fields: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A field, by its name in small letters.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A field that is a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.parse().ok()
    }
}

/// Speaks to one gateway.
#[derive(Clone, Debug)]
pub struct Client {
    /// Host and port.
    pub address: String,
}

impl Client {
    /// Sends a request with its whole body, and reads the answer.
    ///
    /// # Errors
    ///
    /// If there is no whole answer.
    pub fn send(&self, head: &str, fields: &str, body: &[u8]) -> io::Result<Answer> {
        self.send_part(head, fields, body, body.len())
    }

    /// Sends a request with the first `sent` bytes of its body; without the rest it hangs up.
    ///
    /// # Errors
    ///
    /// If there is no whole answer: always, if the body is not sent whole.
    pub fn send_part(
        &self,
        head: &str,
        fields: &str,
        body: &[u8],
        sent: usize,
    ) -> io::Result<Answer> {
        let mut stream = self.begin(head, fields, body.len())?;
        // An answer that comes before the body is taken is read all the same.
        let written = stream.write_all(body.get(..sent).unwrap_or(body));
        if sent < body.len() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let answer = Self::answer(&mut stream, head)?;
        written.map(|()| answer)
    }

    /// Sends the head of a request whose body has `length` bytes.
    ///
    /// # Errors
    ///
    /// If nobody listens, or the connection ends.
    pub fn begin(&self, head: &str, fields: &str, length: usize) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let lines = format!(
            "{head} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nTus-Resumable: 1.0.0\r\n{fields}\
             Content-Length: {length}\r\n\r\n",
            self.address
        );
        stream.write_all(lines.as_bytes())?;
        Ok(stream)
    }

    /// Reads the answer to a request with `head`: as much as it says it has, or all there is.
    ///
    /// Who waited for the end of the connection besides would wait for a gateway that first waits
    /// for its client, after a refusal in the middle of a body.
    ///
    /// # Errors
    ///
    /// If there is no whole answer.
    pub fn answer(stream: &mut TcpStream, head: &str) -> io::Result<Answer> {
        let (no_body, mut answer) = (head.starts_with("HEAD "), Vec::new());
        let (mut piece, mut end) = (vec![0; PIECE], None);
        while end.is_none_or(|end| answer.len() < end) {
            let taken = stream.read(&mut piece)?;
            if taken == 0 {
                break;
            }
            answer.extend_from_slice(piece.get(..taken).unwrap_or_default());
            end = end.or_else(|| end_of(&answer, no_body));
        }
        parsed(&answer, no_body)
    }
}

/// Where an answer ends, once its head is there and if it tells.
fn end_of(bytes: &[u8], no_body: bool) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let length = parsed(bytes.get(..head)?, true).ok()?.number("content-length")?;
    head.checked_add(if no_body { 0 } else { usize::try_from(length).ok()? })
}

/// Takes an answer apart; one to HEAD tells a length and has no body.
fn parsed(bytes: &[u8], no_body: bool) -> io::Result<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = end.and_then(|end| bytes.split_at_checked(end + 4)).ok_or_else(cut_off)?;
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let fields = lines.filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let status = status.ok_or_else(cut_off)?;
    let answer = Answer { status, fields: fields.collect(), body: body.to_owned() };
    let length = answer.field("content-length").and_then(|length| length.parse().ok());
    if !no_body && length.is_some_and(|length: usize| length > body.len()) {
        return Err(cut_off());
    }
    Ok(answer)
}

fn cut_off() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = parsed(b"HTTP/1.1 200 OK\r\nUpload-Offset: 12\r\n\r\nbody", false).unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.number("upload-offset"), Some(12));
        assert_eq!(answer.body, b"body");
    }

    #[test]
    fn an_answer_ends_where_it_says() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";
        assert_eq!(end_of(answer, false), Some(answer.len()));
        assert_eq!(end_of(answer, true), Some(answer.len() - 4));
        assert_eq!(end_of(b"HTTP/1.1 200 OK\r\nContent-Le", false), None);
    }

    #[test]
    fn an_answer_that_is_cut_off_is_none() {
        assert!(parsed(b"HTTP/1.1 200 OK\r\nUpload-Off", false).is_err());
        for body in ["body", ""] {
            let cut = format!("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{body}");
            assert!(parsed(cut.as_bytes(), false).is_err());
        }
        assert!(parsed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true).is_ok());
    }
}
