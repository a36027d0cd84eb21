//! A blocking HTTP/1.1 client that sends exactly what a case asks for, and a leg of HTTP/2.
//!
//! [`connection`] owns the socket and its deadlines, [`request`] what is sent, [`response`] what
//! comes back. Ordinary clients repair mistakes; this one must be able to make them.

pub mod connection;
pub mod http2;
pub mod request;
pub mod response;
pub mod tls;

pub use connection::{Connection, Limits};
pub use request::{Body, Request};
pub use response::{Answer, Head, Headers, Response};
pub use tls::{Tls, TlsError};

use std::io;

/// Why an exchange could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// No TCP connection could be opened.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Host and port that were tried.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The time for this step, or for the whole case, is over.
    #[error("timed out while {doing}")]
    TimedOut {
        /// The step that did not end in time.
        doing: &'static str,
    },
    /// The server closed the connection in an orderly way, but too early.
    #[error("the server closed the connection while we were {doing}")]
    Closed {
        /// The step that needed the connection.
        doing: &'static str,
    },
    /// The connection broke.
    #[error("the connection broke while {doing}: {source}")]
    Broken {
        /// The step that was interrupted.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// HTTP/2 cannot carry what the case sends.
    #[error("HTTP/2 cannot carry {what}")]
    NotForHttp2 {
        /// What it cannot carry.
        what: String,
    },
    /// HTTP/2 is not spoken, or broke.
    #[error("HTTP/2: {0}")]
    Http2(String),
    /// The bytes that came back are not an HTTP/1.x response.
    #[error("the answer is not HTTP/1.x; it begins with {beginning:?}")]
    NotHttp {
        /// The first bytes of the answer.
        beginning: String,
    },
    /// The answer began like HTTP but breaks its grammar, or is larger than we accept.
    #[error("the answer is malformed: {0}")]
    Malformed(String),
}

impl WireError {
    /// Names what `source` means for the step `doing`.
    pub(crate) fn from_io(source: io::Error, doing: &'static str) -> Self {
        let kind = source.kind();
        if kind == io::ErrorKind::WouldBlock || kind == io::ErrorKind::TimedOut {
            Self::TimedOut { doing }
        } else {
            Self::Broken { doing, source }
        }
    }

    /// Whether the server ended the connection, in whichever way.
    pub fn is_disconnect(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::Broken { .. })
    }
}
