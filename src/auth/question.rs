//! What is asked.

use std::net::IpAddr;

use crate::protocol::head::RequestHead;
use crate::protocol::token::Verb;
use crate::upload::{Timestamp, UploadId};

/// A request that wants to do something.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What it wants; by its effective method, not by its request line.
    pub verb: Verb,
    /// Its head.
    pub head: &'a RequestHead<'a>,
    /// The query of its target, still percent-encoded.
    pub query: Option<&'a str>,
    /// The upload it is about; `None` for a creation.
    pub upload: Option<UploadId>,
    /// Where it comes from, as far as that is known.
    pub client: Option<IpAddr>,
    /// The time of day.
    pub now: Timestamp,
}
