//! One upload in chunks, as a client of chunk headers sees it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::case::{Stop, Verdict};
use crate::client::{Client, Upload};
use crate::content::letters;
use crate::exchange::Exchange;
use crate::wire::Request;

/// Tells the names of one run apart.
static NAMES: AtomicU64 = AtomicU64::new(0);

/// A session id that nobody has used before.
pub fn fresh_name() -> String {
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos());
    let number = NAMES.fetch_add(1, Ordering::Relaxed);
    format!("case-{nanoseconds:x}-{number}")
}

/// An upload that is sent in chunks.
#[derive(Clone, Debug)]
pub struct Chunked {
    /// Its session id.
    pub name: String,
    /// What is to arrive.
    pub bytes: Vec<u8>,
    /// Bytes of every chunk but the last.
    pub chunk: usize,
}

impl Chunked {
    /// An upload of `length` bytes in chunks of `chunk`, under a name of its own. Nothing is sent.
    pub fn new(client: &Client<'_>, seed: u64, length: usize, chunk: usize) -> Self {
        let session = Self { name: fresh_name(), bytes: letters(seed, length), chunk };
        client.created_at(&session.path(client));
        session
    }

    /// The same upload under the name that a beginning or a tus creation gave.
    #[must_use]
    pub fn called(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The path of its session.
    pub fn path(&self, client: &Client<'_>) -> String {
        format!("{}/{}", client.target().chunked(), self.name)
    }

    /// How many chunks it has.
    pub fn total(&self) -> usize {
        self.bytes.len().div_ceil(self.chunk)
    }

    /// Where chunk `number` begins and ends.
    pub fn span(&self, number: usize) -> (usize, usize) {
        let start = number.saturating_mul(self.chunk);
        (start, start.saturating_add(self.chunk).min(self.bytes.len()))
    }

    /// The bytes of chunk `number`.
    pub fn piece(&self, number: usize) -> &[u8] {
        let (start, end) = self.span(number);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// The head of a chunk that begins `skip` bytes into it, with every field that the usual client
    /// sends.
    pub fn head_from(&self, client: &Client<'_>, number: usize, skip: usize) -> Request {
        let (start, end) = self.span(number);
        let (first, last) = (start.saturating_add(skip), end.saturating_sub(1));
        self.bare(client, number)
            .with("X-Total-Chunks", self.total().to_string())
            .with("Content-Range", format!("bytes {first}-{last}/{}", self.bytes.len()))
    }

    /// The head of a chunk, with every field that the usual client sends.
    pub fn head(&self, client: &Client<'_>, number: usize) -> Request {
        self.head_from(client, number, 0)
    }

    /// The head of a chunk with its number alone.
    pub fn bare(&self, client: &Client<'_>, number: usize) -> Request {
        Request::new("PUT", client.target().chunked())
            .with("X-Upload-Session-ID", &self.name)
            .with("X-Chunk-Number", number.to_string())
    }

    /// Sends a chunk.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when no answer comes.
    pub fn put(&self, client: &Client<'_>, number: usize) -> Result<Exchange, Stop> {
        client.send(self.head(client, number).body(self.piece(number)))
    }

    /// Sends these chunks, each of which has to be taken.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when one is not.
    pub fn put_all(
        &self,
        client: &Client<'_>,
        numbers: impl IntoIterator<Item = usize>,
    ) -> Verdict {
        numbers.into_iter().try_for_each(|number| self.put(client, number)?.is(200).map(drop))
    }

    /// Asks where the session stands.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when no answer comes.
    pub fn status(&self, client: &Client<'_>) -> Result<Exchange, Stop> {
        client.send(Request::new("GET", &self.path(client)))
    }

    /// The status says this.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it says something else.
    pub fn stands(&self, client: &Client<'_>, members: &Value) -> Verdict {
        self.status(client)?.is(200)?.says(members).map(drop)
    }

    /// The upload behind the session.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when the status does not name it.
    pub fn upload(&self, client: &Client<'_>) -> Result<Upload, Stop> {
        let status = self.status(client)?;
        let body = status.is(200)?.json()?;
        let url = body.get("upload_url").and_then(Value::as_str);
        let url = url.ok_or_else(|| status.fails("the status names no upload_url"))?;
        Ok(Upload { path: client.target().resolve(url) })
    }

    /// The upload is complete and holds exactly its bytes.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it is not.
    pub fn is_whole(&self, client: &Client<'_>) -> Verdict {
        let members = serde_json::json!({
            "completed": true, "missing": [], "uploaded_bytes": self.bytes.len(),
        });
        self.stands(client, &members)?;
        client.content_is(&self.upload(client)?, &self.bytes)
    }
}
