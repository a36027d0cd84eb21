//! Every section and key, with its built-in default.
//!
//! `config/default.toml` says the same for people, and is tested to. A key exists only if it does
//! something. Keys whose name comes from the deployments that Tidegate replaces keep that name,
//! hence `readtimeout` beside `max_connections`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::absent;
use super::address::Listen;
use super::duration::Span;
use super::quota::Count;
use super::size::Size;

mod auth;
mod defaults;
mod streaming;
mod xep0363;

pub use super::quota::QuotaSettings;
pub use auth::{Auth, ForwardAuth, JwtAuth, KeyAlgorithm, KeySettings, LinkAuth};
pub use streaming::Streaming;
pub use xep0363::Xep0363;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where it listens and keeps its data.
    pub server: Server,
    /// HTTPS on the TCP listeners.
    pub tls: Tls,
    /// Who may do anything.
    pub auth: Auth,
    /// What browsers on other origins may do.
    pub cors: Cors,
    /// The tus protocol.
    pub tus: Tus,
    /// How long uploads are kept.
    pub uploads: Uploads,
    /// What one owner may have.
    pub quota: QuotaSettings,
    /// Slots of XMPP servers.
    pub xep0363: Xep0363,
    /// How long connections may take.
    pub timeouts: Timeouts,
    /// What connections may cost.
    pub network: Network,
    /// What is promised, and where the room for it comes from.
    pub storage: Storage,
    /// Threads and buffers.
    pub performance: Performance,
    /// How bodies are streamed, and what is measured for it.
    pub streaming: Streaming,
    /// What is written to standard error.
    pub log: Log,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where clients connect.
    pub listen: Listen,
    /// Where operators connect: health, metrics, sessions. Loopback only.
    pub admin_listen: SocketAddr,
    /// Everything that is kept lives here.
    pub data_dir: PathBuf,
    /// Path of the upload endpoint, without a trailing slash.
    pub base_path: String,
    /// Scheme, host and prefix under which clients reach the gateway; makes `Location` absolute.
    #[serde(with = "absent::none")]
    pub public_url: Option<String>,
    /// Peers whose `Forwarded` and `X-Forwarded-*` are believed.
    #[serde(serialize_with = "written", deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Whether to listen beyond loopback although nothing authenticates.
    pub allow_public_without_auth: bool,
    /// HTTP worker threads; `auto` is one per processor.
    #[serde(with = "absent::auto")]
    pub workers: Option<NonZeroUsize>,
    /// Connections at once, over all listeners.
    pub max_connections: usize,
    /// Connections of one address, or requests in progress of one client behind a trusted proxy.
    #[serde(with = "absent::none")]
    pub max_connections_per_address: Option<Count>,
    /// Requests at once on one HTTP/2 connection.
    pub max_streams: u32,
    /// HTTP/2 without TLS, for clients and proxies that know it in advance.
    pub h2c: bool,
}

/// `[tls]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate chain; turns TLS on for every TCP address.
    #[serde(with = "absent::none")]
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key.
    #[serde(with = "absent::none")]
    pub key: Option<PathBuf>,
    /// How often the two files are looked at for a change.
    pub reload_interval: Span,
    /// Bound on a handshake.
    pub handshake_timeout: Span,
}

/// `[cors]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Whether CORS fields are sent.
    pub enabled: bool,
    /// Allowed origins; empty allows any.
    #[serde(deserialize_with = "texts")]
    pub origins: Vec<String>,
    /// Whether cookies and the like may be sent along.
    pub credentials: bool,
    /// How long a browser may remember a preflight.
    pub max_age: Span,
}

/// `[tus]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is the switch of one tus extension")]
pub struct Tus {
    /// Longest upload.
    #[serde(with = "absent::none")]
    pub max_size: Option<Size>,
    /// Longest `Upload-Metadata`.
    pub max_metadata_size: Size,
    /// Most partial uploads that one final upload may join.
    pub max_parts: usize,
    /// Extension creation.
    pub creation: bool,
    /// Extension creation-with-upload.
    pub creation_with_upload: bool,
    /// Extension creation-defer-length.
    pub creation_defer_length: bool,
    /// Extension expiration.
    pub expiration: bool,
    /// Extension checksum.
    pub checksum: bool,
    /// Extension termination.
    pub termination: bool,
    /// Extensions concatenation and concatenation-unfinished.
    pub concatenation: bool,
}

/// `[uploads]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uploads {
    /// An unfinished upload expires after this long without activity.
    pub sessiontimeout: Span,
    /// A finished upload is removed after this long.
    #[serde(with = "absent::none")]
    pub retention: Option<Span>,
    /// How long an expired or deleted upload is remembered as gone.
    pub tombstone_retention: Span,
    /// Whether chunk headers are taken.
    pub chunkeduploadsenabled: bool,
    /// Bytes of a chunk, where the client does not ask for another size.
    pub chunksize: Size,
    /// Most chunks of an upload.
    pub max_chunks: u32,
    /// Whether an upload that was cut can be continued.
    pub resumableuploadsenabled: bool,
    /// How often an operation of the device that failed in passing is tried again.
    pub maxretries: u32,
    /// Path that takes HTML forms, without a trailing slash.
    #[serde(with = "absent::none")]
    pub form_path: Option<String>,
}

/// `[timeouts]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// A body that brings nothing for this long is ended; what arrived is kept.
    pub readtimeout: Span,
    /// A response that cannot be written for this long ends the connection.
    pub writetimeout: Span,
    /// An idle connection is closed after this long; also the time for a request head.
    pub idletimeout: Span,
    /// Bound on a whole request.
    #[serde(with = "absent::none")]
    pub uploadtimeout: Option<Span>,
    /// After an early refusal the connection is read on for at most this long.
    pub linger: Span,
    /// How long a shutdown may take until writers are cut.
    pub shutdown: Span,
}

/// `[network]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// How often TCP asks a silent peer whether it is still there.
    pub keepaliveinterval: Span,
    /// A peer that acknowledges nothing for this long is gone; `auto` is twice the longer one of
    /// `timeouts.writetimeout` and `keepaliveinterval`.
    #[serde(with = "absent::auto")]
    pub usertimeout: Option<Span>,
    /// Whether changes of the addresses of this machine are noticed.
    pub networkchangedetection: bool,
    /// Whether uploads that go on after such a change pause first.
    pub uploadpauseonchange: bool,
    /// For how long.
    pub reconnectdelay: Span,
    /// A body slower than this many bytes a second over a `readtimeout` is ended, and an answer that is
    /// taken more slowly over a `writetimeout`; 0 switches it off.
    pub min_rate: Size,
    /// After an early refusal at most this much is read on.
    pub linger_size: Size,
    /// Uploads of which it is remembered by which way they came.
    pub remembered_paths: usize,
}

/// `[storage]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// What an acknowledgement is worth.
    pub durability: Durability,
    /// Kept free on the device.
    pub reserve: Size,
    /// Memory for the session store's cache.
    pub session_cache: Size,
    /// A running transfer is committed after this many new bytes …
    pub checkpoint_bytes: Size,
    /// … or after this long, whichever comes first.
    pub checkpoint_interval: Span,
    /// A writer that has received nothing for this long is silent: a look takes the upload over.
    pub silent_after: Span,
    /// A newcomer waits at most this long for the older writer to let go.
    pub takeover_timeout: Span,
    /// A write that takes longer than this moves the transfer to blocking threads.
    pub slow_write: Span,
    /// How often expired uploads are looked for.
    pub reap_interval: Span,
    /// Unpublished blobs without a session are removed at this age.
    pub orphan_age: Span,
    /// A final upload is answered after at most this long, joined or not.
    pub assemble_wait: Span,
}

/// What an acknowledgement is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Survives a power cut.
    Fsync,
    /// Survives `kill -9`, not a power cut.
    Os,
}

/// `[performance]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Performance {
    /// Whether buffers are fitted to each transfer.
    pub adaptive_buffers: bool,
    /// Sessions of a hundred whose transfers are fitted; the others show what it brings.
    pub rollout: u8,
    /// Smallest fitted buffer.
    pub min_buffer_size: Size,
    /// Largest fitted buffer.
    pub max_buffer_size: Size,
    /// Over how long fitted transfers are compared with fixed ones.
    pub rollback_window: Span,
    /// By how many percent they may be slower or costlier before fitting is switched off.
    pub rollback_margin: u8,
    /// Transfers of each kind before anything is said of them.
    pub rollback_transfers: u32,
    /// Whether anything is remembered of clients between their transfers.
    pub client_profiling: bool,
    /// Whether it is told how they are connected.
    pub connection_type_detection: bool,
    /// Most clients that are remembered.
    pub max_profiles: usize,
    /// A client that was not seen for this long is forgotten.
    pub profile_lifetime: Span,
    /// Largest chunk that is recommended.
    pub max_chunk_size: Size,
    /// Most bytes of one batch from a socket to the disk, where that is not fitted.
    pub batch_size: Size,
    /// Bytes read from disk at a time for a download, where that is not fitted.
    pub read_buffer: Size,
    /// Memory for bodies on their way, half for each direction; who finds none free waits.
    pub memory_budget: Size,
    /// Threads of the engine: syncs and commits.
    pub engine_threads: usize,
    /// Most threads that wait for the disk at once.
    pub blocking_threads: usize,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// From which importance on; `RUST_LOG` says it finer.
    pub level: LogLevel,
}

/// For whom the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// From which importance on something is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Failures that need somebody.
    Error,
    /// And what looks wrong.
    Warn,
    /// And what happens at all.
    Info,
    /// And every request.
    Debug,
    /// And everything else.
    Trace,
}

/// A list of texts, or one text with commas, as an environment variable has it.
pub(super) fn texts<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a list of texts, or one text with commas")]
    enum Written {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::Several(texts) => texts,
        Written::One(text) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        }
    })
}

/// A list of networks; a plain address is a network of one.
pub(super) fn networks<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: &String| {
        let network = text.parse::<IpNet>();
        network.or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from)).map_err(|_| {
            serde::de::Error::custom(format_args!(
                "{text:?} is not a network; write for instance \"10.0.0.0/8\" or \"192.0.2.1\""
            ))
        })
    };
    texts(deserializer)?.iter().map(network).collect()
}

pub(super) fn written<S: serde::Serializer>(
    networks: &[IpNet],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(networks.iter().map(ToString::to_string))
}
