//! One slot of an XMPP server, and what its issuer would sign for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use crate::case::{Stop, Verdict};
use crate::client::{Client, Upload};
use crate::content::length;
use crate::exchange::Exchange;
use crate::wire::{Connection, Request};

/// Where slots live, and what their issuer knows.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The path below which they live, without a slash at its end.
    pub base: String,
    /// What tokens are signed with.
    pub secret: String,
    /// What a `DELETE` signs besides, where the issuer is Metronome; it then writes `token` in place
    /// of Prosody's `v2`.
    pub delete_secret: Option<String>,
}

/// A slot for one file.
#[derive(Clone, Debug)]
pub struct Slot {
    issuer: Issuer,
    /// The path below the base path, decoded: what is signed.
    name: String,
    media_type: String,
    bytes: Vec<u8>,
}

impl Slot {
    /// A slot that nobody used before, for a file of this name.
    ///
    /// # Errors
    ///
    /// [`Stop::NotApplicable`] if no issuer was named.
    pub fn new(client: &Client<'_>, file: &str, bytes: &[u8]) -> Result<Self, Stop> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let issuer = client.parameters().slots.clone();
        let missing = || Stop::not_applicable("no path of slots was named (--slots)");
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:x}-{number}/{file}", since.as_nanos());
        let media_type = "image/png".to_owned();
        Ok(Self { issuer: issuer.ok_or_else(missing)?, name, media_type, bytes: bytes.to_vec() })
    }

    /// The same slot for a file of another type.
    #[must_use]
    pub fn of_type(self, media_type: &str) -> Self {
        Self { media_type: media_type.to_owned(), ..self }
    }

    /// The path of its URL, every byte escaped that may be.
    pub fn path(&self) -> String {
        let mut path = format!("{}/", self.issuer.base);
        for byte in self.name.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                path.push(char::from(byte));
            } else {
                path.push_str(&format!("%{byte:02X}"));
            }
        }
        path
    }

    /// Its file as an upload, for the cases that look at what is stored.
    pub fn upload(&self) -> Upload {
        Upload { path: self.path() }
    }

    /// The token for its file.
    pub fn token(&self) -> String {
        let signed = format!("{}\0{}\0{}", self.name, length(&self.bytes), self.media_type);
        self.signed(&signed)
    }

    /// The path with a token.
    pub fn url(&self, token: &str) -> String {
        let name = if self.issuer.delete_secret.is_some() { "token" } else { "v2" };
        format!("{}?{name}={token}", self.path())
    }

    fn signed(&self, text: &str) -> String {
        hmac_sha256(self.issuer.secret.as_bytes(), text.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The head of a `PUT` with the slot's own token.
    pub fn head(&self) -> Request {
        Request::new("PUT", &self.url(&self.token())).with("Content-Type", &self.media_type)
    }

    /// The whole file.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when no answer comes.
    pub fn put(&self, client: &Client<'_>) -> Result<Exchange, Stop> {
        client.send(self.head().body(self.bytes.clone()))
    }

    /// The bytes `from` to before `to`, with `Content-Range`.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when no answer comes.
    pub fn put_range(&self, client: &Client<'_>, from: usize, to: usize) -> Result<Exchange, Stop> {
        let range = format!("bytes {from}-{}/{}", to.saturating_sub(1), self.bytes.len());
        let bytes = self.bytes.get(from..to).unwrap_or_default();
        client.send(self.head().with("Content-Range", range).body(bytes))
    }

    /// A chunk of `chunk_bytes` bytes.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when no answer comes.
    pub fn put_chunk(
        &self,
        client: &Client<'_>,
        number: usize,
        chunk_bytes: usize,
    ) -> Result<Exchange, Stop> {
        let from = number.saturating_mul(chunk_bytes);
        let to = from.saturating_add(chunk_bytes).min(self.bytes.len());
        let bytes = self.bytes.get(from..to).unwrap_or_default();
        let request = self
            .head()
            .with("X-Chunk-Number", number.to_string())
            .with("X-Chunk-Size", chunk_bytes.to_string())
            .with("X-Total-Size", self.bytes.len().to_string());
        client.send(request.body(bytes))
    }

    /// Where the slot stands, asked as tus clients do.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when no answer comes.
    pub fn stand(&self, client: &Client<'_>) -> Result<Exchange, Stop> {
        client.send(Request::tus("HEAD", &self.url(&self.token())))
    }

    /// The bytes from `from` on by tus.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when no answer comes.
    pub fn patch(&self, client: &Client<'_>, from: usize) -> Result<Exchange, Stop> {
        let upload = Upload { path: self.url(&self.token()) };
        let bytes = self.bytes.get(from..).unwrap_or_default();
        client.patch(&upload, u64::try_from(from).unwrap_or(u64::MAX), bytes)
    }

    /// A `DELETE` of Metronome's.
    ///
    /// # Errors
    ///
    /// [`Stop::NotApplicable`] if the issuer is another one.
    pub fn deletion(&self) -> Result<Request, Stop> {
        let Some(word) = &self.issuer.delete_secret else {
            return Err(Stop::not_applicable("no secret of deletions was named"));
        };
        let token = self.signed(&format!("{}\0{word}", self.name));
        Ok(Request::new("DELETE", &self.url(&token)))
    }

    /// Sends a whole `PUT`'s head, and its first `count` bytes.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when they cannot be sent.
    pub fn begin(&self, client: &Client<'_>, count: usize) -> Result<(Request, Connection), Stop> {
        let request = self.head().with("Content-Length", self.bytes.len().to_string());
        let mut connection = client.begin(&request)?;
        connection.send(self.bytes.get(..count).unwrap_or_default())?;
        Ok((request, connection))
    }

    /// The slot has its file, byte for byte.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it has not.
    pub fn is_whole(&self, client: &Client<'_>) -> Verdict {
        let exchange = client.send(Request::new("GET", &self.path()).anonymous())?;
        let same = exchange.is(200)?.body() == self.bytes;
        exchange.check(same, || "the file is not what was put".to_owned()).map(drop)
    }
}

/// HMAC with SHA-256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    let key = if key.len() > block.len() { Sha256::digest(key).to_vec() } else { key.to_vec() };
    block.iter_mut().zip(key).for_each(|(to, from)| *to = from);
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::hmac_sha256;

    #[test]
    fn a_code_is_that_of_rfc_4231() {
        let code = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(code[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        let code =
            hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(code[..4], [0x60, 0xe4, 0x31, 0x59]);
    }
}
