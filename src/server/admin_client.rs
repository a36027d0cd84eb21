//! Asks the admin listener of a running gateway: one small request per connection, blocking.
//!
//! For the command line only, which has nothing else to do meanwhile. Plain HTTP over loopback
//! needs no more than this.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Nobody waits longer for a process on the same machine.
const TIMEOUT: Duration = Duration::from_secs(10);
/// No answer is longer.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// A gateway that cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nothing listens there.
    #[error("no gateway answers on {address}")]
    NotRunning {
        /// The address asked.
        address: SocketAddr,
    },
    /// The connection failed.
    #[error("the gateway on {address} could not be asked")]
    Broken {
        /// The address asked.
        address: SocketAddr,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// What answers is not a gateway.
    #[error("what listens on {address} is not an admin listener of tidegate")]
    Strange {
        /// The address asked.
        address: SocketAddr,
    },
}

/// Sends a request without a body and reads the whole answer.
///
/// # Errors
///
/// [`AdminError`], by what the caller can do about it.
pub fn ask(address: SocketAddr, method: &str, path: &str) -> Result<Answer, AdminError> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(|source| {
        if source.kind() == io::ErrorKind::ConnectionRefused {
            AdminError::NotRunning { address }
        } else {
            AdminError::Broken { address, source }
        }
    })?;
    let bytes = exchange(stream, address, method, path);
    let bytes = bytes.map_err(|source| AdminError::Broken { address, source })?;
    parse(&bytes).ok_or(AdminError::Strange { address })
}

fn exchange(
    mut stream: TcpStream,
    address: SocketAddr,
    method: &str,
    path: &str,
) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // HTTP/1.0: the body then ends with the connection, and nothing is sent in chunks.
    let request =
        format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status_line = head.lines().next()?;
    let (version, rest) = status_line.split_once(' ')?;
    if !version.starts_with("HTTP/1.") {
        return None;
    }
    let status = rest.split(' ').next()?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn answered_with(answer: &'static str) -> Result<Answer, AdminError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let answer = ask(address, "GET", "/sessions");
        assert!(server.join().unwrap().starts_with("GET /sessions HTTP/1.0\r\n"));
        answer
    }

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = answered_with("HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\n[1,\r\n\r\n2]");
        let expected = Answer { status: 200, body: "[1,\r\n\r\n2]".to_owned() };
        assert_eq!(answer.unwrap(), expected);
    }

    #[test]
    fn what_is_not_http_is_strange() {
        assert!(matches!(answered_with("SSH-2.0-x\r\n"), Err(AdminError::Strange { .. })));
        assert!(matches!(answered_with(""), Err(AdminError::Strange { .. })));
    }

    #[test]
    fn where_nothing_listens_no_gateway_runs() {
        let address = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        assert!(matches!(ask(address, "GET", "/"), Err(AdminError::NotRunning { .. })));
    }
}
