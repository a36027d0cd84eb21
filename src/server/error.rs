//! Why the gateway does not run.

use std::io;
use std::path::PathBuf;

use crate::engine::EngineError;
use crate::http::GatewayError;
use crate::http::listener::{BindError, CertificateError, ListenError};
use crate::storage::StorageError;

/// A failure to start or to run, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// `RUST_LOG` is not a filter.
    #[error("RUST_LOG is not a filter; write for instance RUST_LOG=tidegate=debug")]
    LogFilter(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The data directory cannot be used.
    #[error(
        "the data directory {} cannot be {doing}; give its user the right to, or name another one \
         with server.data_dir (--data-dir)", path.display()
    )]
    DataDir {
        /// Which directory.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Another process works on the data directory.
    #[error(
        "another tidegate works on the data directory {}; stop it first, or name another directory \
         with server.data_dir (--data-dir)", path.display()
    )]
    Locked {
        /// Which directory.
        path: PathBuf,
    },
    /// There are uploads, but no record of them.
    #[error(
        "there are uploads in {}, but no session store beside them; run `tidegate doctor --rebuild` \
         to make it anew from the uploads, with the same --data-dir", path.display()
    )]
    SessionsLost {
        /// The data directory.
        path: PathBuf,
    },
    /// The device is full, so that the session store does not open.
    #[error(
        "the device of the session store in {} is full: make some room there (10 MB will do) and \
         start again; nothing is lost", path.display()
    )]
    Full {
        /// Directory of the session store.
        path: PathBuf,
    },
    /// The session store does not open.
    #[error(
        "the session store in {} does not open; `tidegate doctor` says more, and `tidegate doctor \
         --rebuild` makes it anew from the uploads", path.display()
    )]
    Sessions {
        /// The data directory.
        path: PathBuf,
        /// The store's answer.
        #[source]
        source: StorageError,
    },
    /// The blob store does not open.
    #[error("the uploads in {} cannot be used", path.display())]
    Blobs {
        /// The data directory.
        path: PathBuf,
        /// The store's answer.
        #[source]
        source: StorageError,
    },
    /// A store failed while it was being looked at.
    #[error("the stores failed")]
    Storage(#[from] StorageError),
    /// The engine does not start.
    #[error("the engine does not start")]
    Engine(#[from] EngineError),
    /// An address cannot be listened on.
    #[error("{setting} = {address} cannot be listened on: {}", hint(source, setting))]
    Address {
        /// The setting that names the address.
        setting: &'static str,
        /// The address.
        address: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A listener cannot be used for another reason.
    #[error("{setting} cannot be used")]
    Listener {
        /// The setting that names the listener.
        setting: &'static str,
        /// Why.
        #[source]
        source: Box<ListenError>,
    },
    /// The certificate or its key cannot be used.
    #[error("tls.certificate and tls.key cannot be used")]
    Certificate(#[source] Box<CertificateError>),
    /// The settings make no gateway.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// A token cannot be used.
    #[error("the token {name:?} cannot be used")]
    Token {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: crate::config::token::TokenError,
    },
    /// An issuer of slots cannot be used.
    #[error("the tenant {base_path:?} of xep0363.tenants cannot be used")]
    Tenant {
        /// Where its slots live.
        base_path: String,
        /// Why.
        #[source]
        source: crate::config::tenant::TenantError,
    },
    /// A file with keys for JSON Web Tokens cannot be used.
    #[error("a key file of auth.jwt cannot be used")]
    KeyFile(#[from] crate::auth::KeyFileError),
    /// The application cannot be asked about credentials.
    #[error("auth.forward cannot be used")]
    Forward(#[from] crate::auth::ClientError),
    /// A secret cannot be read or made.
    #[error("the secret {} cannot be used; is that where your gateway has its own?", path.display())]
    Secret {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A link cannot be made as wanted.
    #[error("{0}")]
    Link(&'static str),
    /// The system failed while the gateway was running.
    #[error("{doing} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl ServerError {
    /// Names the setting that a listener comes from.
    pub fn listen(setting: &'static str) -> impl FnOnce(ListenError) -> Self {
        move |error| match error {
            ListenError::Bind(BindError::Refused { address, source }) => {
                Self::Address { setting, address, source }
            }
            ListenError::Certificate(error) => Self::Certificate(Box::new(error)),
            ListenError::Bind(BindError::Alive { .. } | BindError::NotASocket { .. })
            | ListenError::TlsOverUnix(_)
            | ListenError::Settings(_)
            | ListenError::Setup(_) => Self::Listener { setting, source: Box::new(error) },
        }
    }
}

/// What somebody can do about an address that is not to be had.
fn hint(source: &io::Error, setting: &str) -> String {
    let kind = source.kind();
    if kind == io::ErrorKind::AddrInUse {
        format!(
            "another program listens there; stop it or choose another port with {setting} (port 0 \
             takes a free one)"
        )
    } else if kind == io::ErrorKind::PermissionDenied {
        format!("the system does not allow it ({source}); ports below 1024 need a right")
    } else if kind == io::ErrorKind::AddrNotAvailable {
        "this machine has no such address; 127.0.0.1 or 0.0.0.0 always exist".to_owned()
    } else {
        source.to_string()
    }
}
