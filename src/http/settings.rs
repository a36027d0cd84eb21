//! What the HTTP side is told at start.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::protocol::chunked::NameKey;
use crate::protocol::xep0363::{Scheme, SlotKey, Tenant, Verified};
use crate::slots::Keeping;
use crate::tuning::LotKey;
use crate::upload::{NewSession, Quota, Timestamp, UploadLength};

use super::outflow::Patience;
use super::tuner::TuningSettings;

/// How the upload endpoint behaves.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Path of the upload endpoint, without a trailing slash: `/files`.
    pub base_path: String,
    /// Path that takes HTML forms, without a trailing slash; `None` takes none.
    pub form_path: Option<String>,
    /// Scheme, host and prefix under which clients reach us; makes `Location` absolute.
    pub public_url: Option<String>,
    /// Peers whose `Forwarded` and `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins allowed by CORS.
    pub cors: CorsSettings,
    /// Whether a finished upload may be downloaded by whoever knows its URL.
    pub public_downloads: bool,
    /// Which tus extensions are on.
    pub extensions: ExtensionSettings,
    /// How chunk headers are offered; `None` if they are not.
    pub chunks: Option<ChunkSettings>,
    /// Whose slots are served.
    pub slots: SlotSettings,
    /// What each named owner may have; `None` leaves it unbounded.
    pub quota: Option<Quota>,
    /// A body that brings nothing for this long is ended; what arrived is kept (T-36).
    pub read_timeout: Duration,
    /// A response that cannot be written for this long ends the connection.
    pub write_timeout: Duration,
    /// An idle keep-alive connection is closed after this long; also the time for a request head.
    pub idle_timeout: Duration,
    /// Optional bound on a whole request; `None` by default, slow is fine.
    pub upload_timeout: Option<Duration>,
    /// A body slower than this many bytes a second over a `read_timeout` is ended, and an answer that
    /// is taken more slowly over a `write_timeout`; 0 switches it off.
    pub min_rate_bytes_per_second: u64,
    /// Which transfers are fitted to their clients.
    pub tuning: TuningSettings,
    /// Whether clients are told which chunk size suits them, as far as that is known.
    pub tells_chunk_size: bool,
    /// Draws the sessions that are fitted.
    pub lots: LotKey,
    /// Bytes of one batch from the socket to the disk, of an upload that is not fitted.
    pub batch_bytes: usize,
    /// Bytes read from disk at a time for a download that is not fitted.
    pub read_buffer_bytes: usize,
    /// Memory for bodies on their way, all of them together; half for each direction.
    pub memory_bytes: usize,
    /// After an early refusal the connection is read on for at most this long …
    pub linger: Duration,
    /// … and this many bytes, so that a browser gets to see the answer.
    pub linger_bytes: u64,
    /// Requests at once on one HTTP/2 connection.
    pub max_streams: u32,
    /// Uploads of which it is remembered by which way they came.
    pub remembered_paths: usize,
    /// Whether an upload that was cut can be continued.
    pub resumption: bool,
}

/// How chunk headers are offered.
#[derive(Clone, Debug)]
pub struct ChunkSettings {
    /// Bytes of a chunk, where the client does not ask for another size.
    pub chunk_bytes: NonZeroU64,
    /// Leads ids that clients chose to uploads.
    pub names: NameKey,
}

/// Whose slots are served.
#[derive(Clone, Debug)]
pub struct SlotSettings {
    /// Their issuers; with none, no slot is served. No base path lies within another one, save the root.
    pub tenants: Vec<SlotTenant>,
    /// Leads slots to uploads.
    pub ids: SlotKey,
}

/// One issuer of slots, and what it may have.
#[derive(Clone, Debug)]
pub struct SlotTenant {
    /// The issuer.
    pub tenant: Tenant,
    /// Longest file.
    pub max_length: Option<UploadLength>,
    /// How long files are kept.
    pub keeping: Keeping,
    /// What each uploader may have, as far as tokens name them.
    pub quota: Option<Quota>,
}

impl SlotTenant {
    /// An upload that begins with a token, with everything that its tenant sets.
    #[must_use]
    pub fn opened(&self, new: NewSession, verified: &Verified, now: Timestamp) -> NewSession {
        NewSession {
            keep_until: self.keeping.until(verified.file_expires_at, now),
            retention: self.keeping.retention(),
            memory: self.tenant.scheme.memory(),
            quota: self.quota.filter(|_| verified.owner.is_some()),
            ..new
        }
    }

    /// Whether its tokens can delete.
    #[must_use]
    pub const fn deletes(&self) -> bool {
        matches!(self.tenant.scheme, Scheme::Metronome { delete_secret: Some(_) })
    }
}

/// What browsers on other origins may do.
#[derive(Clone, Debug)]
pub struct CorsSettings {
    /// Whether CORS fields are sent at all.
    pub enabled: bool,
    /// Allowed origins; empty allows any.
    pub origins: Vec<String>,
    /// Whether credentials may be sent (the origin is then echoed, never `*`).
    pub credentials: bool,
    /// How long a preflight may be cached.
    pub max_age: Duration,
}

/// Which tus extensions are offered; what the stores cannot do stays off regardless.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one switch of the [tus] section")]
pub struct ExtensionSettings {
    /// creation
    pub creation: bool,
    /// creation-with-upload
    pub creation_with_upload: bool,
    /// creation-defer-length
    pub creation_defer_length: bool,
    /// expiration
    pub expiration: bool,
    /// checksum
    pub checksum: bool,
    /// termination
    pub termination: bool,
    /// concatenation and concatenation-unfinished
    pub concatenation: bool,
}

/// Where to listen.
#[derive(Clone, Debug)]
pub enum ListenAddress {
    /// TCP, e.g. `127.0.0.1:8080`; port 0 asks the system for one.
    Tcp(std::net::SocketAddr),
    /// A Unix socket at this path (`unix:/run/tidegate.sock`).
    Unix(PathBuf),
}

/// One listener of the upload side.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// Where.
    pub address: ListenAddress,
    /// Certificate chain and key in PEM, if the listener speaks TLS (HTTP/2 by ALPN).
    pub tls: Option<TlsSettings>,
    /// Whether HTTP/2 without TLS (prior knowledge) is taken too.
    pub h2c: bool,
}

/// A certificate and its key; both files are watched and reloaded when they change.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
    /// How often the files are looked at.
    pub reload_interval: Duration,
    /// Bound on a handshake.
    pub handshake_timeout: Duration,
}

/// How connections are taken, held and let go.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Threads that serve connections; each has its own event loop.
    pub workers: usize,
    /// A worker with this many connections takes no more; further clients wait in the backlog.
    pub max_connections_per_worker: usize,
    /// Connections of one address at once, and requests at once of a client behind a trusted proxy;
    /// `None` is no bound.
    pub max_connections_per_address: Option<usize>,
    /// Whose connections are not counted: they carry those of many clients.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections that may wait to be accepted, per listener.
    pub backlog: u32,
    /// TCP keep-alive: after this long without traffic, and then that often, the peer is asked
    /// whether it is still there; `None` leaves it off.
    pub keep_alive_interval: Option<Duration>,
    /// TCP: a peer that acknowledges nothing for this long is gone; `None` leaves that to the system.
    pub user_timeout: Option<Duration>,
    /// After a stop, requests in progress get this long. Whole seconds count.
    pub stop_timeout: Duration,
    /// Bytes one HTTP/2 stream may send ahead of what was read from it.
    pub h2_stream_window_bytes: u32,
    /// Bytes all streams of an HTTP/2 connection together may send ahead.
    pub h2_connection_window_bytes: u32,
    /// Bounds on every connection.
    pub bounds: ConnectionBounds,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            max_connections_per_worker: 4096,
            max_connections_per_address: None,
            trusted_proxies: Vec::new(),
            backlog: 1024,
            keep_alive_interval: Some(Duration::from_secs(30)),
            user_timeout: None,
            stop_timeout: Duration::from_secs(30),
            h2_stream_window_bytes: 1024 * 1024,
            h2_connection_window_bytes: 2 * 1024 * 1024,
            bounds: ConnectionBounds::default(),
        }
    }
}

/// Bounds on every connection, whatever is said on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionBounds {
    /// What cannot be written for this long ends the connection.
    pub write_timeout: Duration,
    /// A connection without a request is closed after this long; also the time for a request head.
    pub idle_timeout: Duration,
    /// After an early refusal the rest of the body is read and dropped for at most this long …
    pub linger: Duration,
    /// … and this many bytes. Fewer than 1 MiB count as 1 MiB.
    pub linger_bytes: u64,
    /// An answer that is taken more slowly over a write timeout ends the connection; 0 switches it off.
    pub min_rate_bytes_per_second: u64,
    /// Requests at once on one HTTP/2 connection, as its client is told. Four times as many end it.
    pub max_streams: u32,
}

impl ConnectionBounds {
    /// How slowly answers may be taken.
    pub(super) const fn patience(&self) -> Patience {
        Patience {
            write_timeout: self.write_timeout,
            min_rate_bytes_per_second: self.min_rate_bytes_per_second,
        }
    }
}

impl Default for ConnectionBounds {
    fn default() -> Self {
        Self {
            write_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            linger: Duration::from_secs(10),
            linger_bytes: 64 * 1024 * 1024,
            min_rate_bytes_per_second: 0,
            max_streams: 128,
        }
    }
}

impl HttpSettings {
    /// The part that holds for a connection as such.
    #[must_use]
    pub const fn connection_bounds(&self) -> ConnectionBounds {
        ConnectionBounds {
            write_timeout: self.write_timeout,
            idle_timeout: self.idle_timeout,
            linger: self.linger,
            linger_bytes: self.linger_bytes,
            min_rate_bytes_per_second: self.min_rate_bytes_per_second,
            max_streams: self.max_streams,
        }
    }
}
