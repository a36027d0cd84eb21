//! The built-in defaults; `config/default.toml` says the same, with reasons.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::{
    Cors, Durability, ForwardAuth, JwtAuth, LinkAuth, Log, LogFormat, LogLevel, Network,
    Performance, Server, Storage, Timeouts, Tls, Tus, Uploads,
};
use crate::config::quota::Count;
use crate::config::{Listen, Size, Span};

impl Default for Server {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            listen: Listen::tcp(loopback(8080)),
            admin_listen: loopback(9090),
            data_dir: PathBuf::from("./tidegate-data"),
            base_path: "/files".to_owned(),
            public_url: None,
            trusted_proxies: Vec::new(),
            allow_public_without_auth: false,
            workers: None,
            max_connections: 10_000,
            max_connections_per_address: Some(Count(1000)),
            max_streams: 128,
            h2c: false,
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            reload_interval: Span::seconds(60),
            handshake_timeout: Span::seconds(10),
        }
    }
}

impl Default for JwtAuth {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            jwks: None,
            reload_interval: Span::seconds(60),
            issuer: None,
            audience: Vec::new(),
            require_expiry: true,
            leeway: Span::seconds(30),
            owner_claim: "sub".to_owned(),
            limit_claim: "max_size".to_owned(),
            verbs_claim: "tidegate_verbs".to_owned(),
            max_token_size: Size::kib(8),
        }
    }
}

impl Default for LinkAuth {
    fn default() -> Self {
        Self { enabled: true, secret_file: None }
    }
}

impl Default for ForwardAuth {
    fn default() -> Self {
        Self {
            url: None,
            ca: None,
            fields: vec!["Authorization".to_owned(), "Cookie".to_owned()],
            owner_field: "X-Tidegate-Owner".to_owned(),
            limit_field: "X-Tidegate-Max-Size".to_owned(),
            timeout: Span::seconds(5),
            max_requests: 32,
            cache_entries: 10_000,
            max_age: Span::seconds(60),
            refused_age: Span::seconds(2),
        }
    }
}

impl Default for Cors {
    fn default() -> Self {
        Self { enabled: true, origins: Vec::new(), credentials: false, max_age: Span::hours(24) }
    }
}

impl Default for Tus {
    fn default() -> Self {
        Self {
            max_size: None,
            max_metadata_size: Size::kib(8),
            max_parts: 1000,
            creation: true,
            creation_with_upload: true,
            creation_defer_length: true,
            expiration: true,
            checksum: true,
            termination: true,
            concatenation: true,
        }
    }
}

impl Default for Uploads {
    fn default() -> Self {
        Self {
            sessiontimeout: Span::hours(24),
            retention: None,
            tombstone_retention: Span::hours(24),
            chunkeduploadsenabled: true,
            chunksize: Size::mb(5),
            max_chunks: 1_000_000,
            resumableuploadsenabled: true,
            maxretries: 5,
            form_path: Some("/upload".to_owned()),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            readtimeout: Span::seconds(60),
            writetimeout: Span::seconds(60),
            idletimeout: Span::seconds(60),
            uploadtimeout: None,
            linger: Span::seconds(5),
            shutdown: Span::seconds(30),
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            keepaliveinterval: Span::seconds(15),
            usertimeout: None,
            networkchangedetection: true,
            uploadpauseonchange: true,
            reconnectdelay: Span::seconds(2),
            min_rate: Size::bytes(0),
            linger_size: Size::mib(64),
            remembered_paths: 10_000,
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            durability: Durability::Fsync,
            reserve: Size::mib(256),
            session_cache: Size::mib(2),
            checkpoint_bytes: Size::mib(64),
            checkpoint_interval: Span::seconds(5),
            silent_after: Span::milliseconds(30),
            takeover_timeout: Span::seconds(10),
            slow_write: Span::milliseconds(50),
            reap_interval: Span::seconds(60),
            orphan_age: Span::hours(24),
            assemble_wait: Span::seconds(20),
        }
    }
}

impl Default for Performance {
    fn default() -> Self {
        Self {
            adaptive_buffers: true,
            rollout: 90,
            min_buffer_size: Size::kib(16),
            max_buffer_size: Size::mib(1),
            rollback_window: Span::hours(1),
            rollback_margin: 10,
            rollback_transfers: 200,
            client_profiling: true,
            connection_type_detection: true,
            max_profiles: 10_000,
            profile_lifetime: Span::hours(30 * 24),
            max_chunk_size: Size::mib(16),
            batch_size: Size::kib(256),
            read_buffer: Size::kib(256),
            memory_budget: Size::mib(256),
            engine_threads: 2,
            blocking_threads: 32,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Human, level: LogLevel::Info }
    }
}
