//! Judges any resumable-upload server over the wire alone.
//!
//! Nothing here knows how a server is built: every case opens TCP connections, sends the bytes of
//! HTTP/1.1 requests and looks at the bytes that come back. The package must never depend on the
//! gateway it judges.
//!
//! | module | holds |
//! |---|---|
//! | [`wire`] | a blocking HTTP/1.1 client that can also misbehave: stop, half-close, reset |
//! | [`target`] | where the server under test is, and what to send with every request |
//! | [`exchange`] | one request with its answer, the checks on it, and how it is shown |
//! | [`case`] | a case, the groups they come in, and how a case can end |
//! | [`context`] | what a case knows before it begins |
//! | [`client`] | the verbs of an upload, for the length of one case |
//! | [`chunked`] | the same for an upload in chunks |
//! | [`slot`] | the same for a slot of an XMPP server |
//! | [`content`] | bodies, digests, metadata and dates the cases use |
//! | [`suites`] | the cases: one registry per suite |
//! | [`runner`] | runs cases side by side within a bounded time and cleans up after them |
//! | [`comparison`] | several servers side by side, each failure with its explanation |
//! | [`report`] | results as text, JSON, JUnit or Markdown |

pub mod case;
pub mod chunked;
pub mod client;
pub mod comparison;
pub mod content;
pub mod context;
pub mod exchange;
pub mod report;
pub mod runner;
pub mod slot;
pub mod suites;
pub mod target;
pub mod wire;
