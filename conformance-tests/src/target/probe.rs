//! The first exchange with a target: whether it can be judged, and what it offers.

use std::time::{Duration, Instant};

use super::Target;
use crate::wire::{Limits, Request, Response, WireError};

/// Longest wait for one step of the first exchange with a target.
const PROBE_STEP: Duration = Duration::from_secs(5);

/// How a server answers that was waiting for TLS: an alert (RFC 8446, section 6).
const TLS_ALERT: &str = "\u{15}\u{3}";

/// What a group needs whose cases send chunk headers; beside the extensions of tus.
pub const CHUNK_HEADERS: &str = "chunk-headers";

/// Why no case was run.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nothing answers there, or not with HTTP.
    #[error("no HTTP server answers at {address}: {source}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What went wrong.
        source: WireError,
    },
    /// The server waits for TLS.
    #[error("{url} speaks TLS: write https://")]
    SpeaksTls {
        /// The whole target URL.
        url: String,
    },
    /// The server sends us elsewhere, which may be another machine.
    #[error(
        "{url} redirects ({status}) to {location:?}, which is not followed; \
         give the address of the upload endpoint itself"
    )]
    Redirects {
        /// The whole target URL.
        url: String,
        /// The status of the answer.
        status: u16,
        /// Where it leads.
        location: String,
    },
    /// The server wants credentials, even for OPTIONS.
    #[error(
        "{url} answers OPTIONS with {status}: give credentials with --header 'Authorization: …', \
         if they are missing or wrong"
    )]
    Forbidden {
        /// The whole target URL.
        url: String,
        /// The status of the answer.
        status: u16,
    },
    /// An HTTP server answers, but not as a tus 1.0 endpoint does.
    #[error(
        "{url} is not a tus 1.0 endpoint: OPTIONS was answered with {status} and without \
         Tus-Version; give the URL that uploads are created at"
    )]
    NotTus {
        /// The whole target URL.
        url: String,
        /// The status of the answer.
        status: u16,
    },
    /// An endpoint of tus, but not of the version judged here.
    #[error("{url} speaks tus {versions:?}; this suite judges 1.0.0")]
    OtherVersion {
        /// The whole target URL.
        url: String,
        /// `Tus-Version` as it was sent.
        versions: String,
    },
}

/// What the server advertises in its answer to OPTIONS.
#[derive(Clone, Debug, Default)]
pub struct Offers {
    extensions: Vec<String>,
    algorithms: Vec<String>,
    max_size: Option<u64>,
    chunks: bool,
    took: Duration,
}

impl Target {
    /// Asks the target what it can do. Takes 20 s at most.
    ///
    /// # Errors
    ///
    /// [`ProbeError`] when it is down, silent, not HTTP or not tus.
    pub fn probe(&self) -> Result<Offers, ProbeError> {
        let began = Instant::now();
        let response = self.tus_options()?;
        let took = began.elapsed();
        // Whoever has no endpoint for chunks may answer there in any way, or not at all.
        let chunks = self.options(self.chunked()).is_ok_and(|response| takes_chunks(&response));
        Ok(Offers { chunks, took, ..Offers::of(&response) })
    }

    /// Asks whether the target still answers as an endpoint of tus.
    ///
    /// # Errors
    ///
    /// [`ProbeError`] when it does not.
    pub fn still_answers(&self) -> Result<(), ProbeError> {
        self.tus_options().map(drop)
    }

    fn tus_options(&self) -> Result<Response, ProbeError> {
        let response = self.options(self.path()).map_err(|source| self.unreachable(source))?;
        let (url, status) = (self.url(self.path()), response.head.status);
        let headers = &response.head.headers;
        if let (300..400, Some(location)) = (status, headers.get("Location")) {
            return Err(ProbeError::Redirects { url, status, location: location.to_owned() });
        }
        match headers.get("Tus-Version") {
            None if matches!(status, 401 | 403) => Err(ProbeError::Forbidden { url, status }),
            None => Err(ProbeError::NotTus { url, status }),
            Some(versions) if !versions.split(',').any(|version| version.trim() == "1.0.0") => {
                Err(ProbeError::OtherVersion { url, versions: versions.to_owned() })
            }
            Some(_) => Ok(response),
        }
    }

    fn unreachable(&self, source: WireError) -> ProbeError {
        if let WireError::NotHttp { beginning } = &source
            && beginning.starts_with(TLS_ALERT)
        {
            return ProbeError::SpeaksTls { url: self.url(self.path()) };
        }
        ProbeError::Unreachable { address: self.address().to_owned(), source }
    }

    fn options(&self, path: &str) -> Result<Response, WireError> {
        let until = Instant::now().checked_add(PROBE_STEP.saturating_mul(2));
        let limits = Limits { step: PROBE_STEP, until: until.unwrap_or_else(Instant::now) };
        let request = Request::new("OPTIONS", path);
        if self.speaks_http2() {
            return Ok(self.exchange_by_http2(limits, &request)?.response);
        }
        let mut connection = self.connect(limits)?;
        connection.send_request(&request, self.host(), self.fields())?;
        Ok(connection.answer("OPTIONS")?.response)
    }
}

/// Whether an answer to OPTIONS is that of an endpoint for chunks.
fn takes_chunks(response: &Response) -> bool {
    let allowed = response.head.headers.list("Allow");
    matches!(response.head.status, 200 | 204) && allowed.iter().any(|method| method == "PUT")
}

impl Offers {
    fn of(response: &Response) -> Self {
        let headers = &response.head.headers;
        Self {
            extensions: headers.list("Tus-Extension"),
            algorithms: headers.list("Tus-Checksum-Algorithm"),
            max_size: headers.get("Tus-Max-Size").and_then(|value| value.parse().ok()),
            chunks: false,
            took: Duration::ZERO,
        }
    }

    /// Whether `extension` is listed in `Tus-Extension`; for [`CHUNK_HEADERS`], whether there is an
    /// endpoint for them.
    pub fn has(&self, extension: &str) -> bool {
        if extension == CHUNK_HEADERS {
            return self.chunks;
        }
        self.extensions.iter().any(|listed| listed == extension)
    }

    /// The extensions as listed.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The checksum algorithms as listed.
    pub fn algorithms(&self) -> &[String] {
        &self.algorithms
    }

    /// The advertised maximum size of an upload in bytes.
    pub fn max_size(&self) -> Option<u64> {
        self.max_size
    }

    /// How long the server took for this answer, the way there and back included.
    pub fn took(&self) -> Duration {
        self.took
    }
}
