//! One connection from outside: TCP, or TLS over it, blocking and bounded in time.
//!
//! Every byte of a request is decided here, which no client library allows: the halves of a body are
//! sent when it suits, and an answer that comes too early is still read.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper_rustls::ConfigBuilderExt as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};

use super::address::Address;

/// No file of certificates is longer.
const MAX_CA_BYTES: u64 = 4 * 1024 * 1024;

/// Why the certificates that others are believed by cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the certificates{} cannot be used", named(path.as_deref()))]
pub struct CertificatesError {
    /// Which file; `None` for the system's.
    path: Option<PathBuf>,
    /// Why.
    #[source]
    source: io::Error,
}

fn named(path: Option<&Path>) -> String {
    path.map_or_else(|| " of the system".to_owned(), |path| format!(" in {}", path.display()))
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name has no address.
    #[error("the host has no address; is its name right?")]
    Name(#[source] io::Error),
    /// Nobody listens, or nobody answers.
    #[error("nothing can be connected to")]
    Tcp(#[source] io::Error),
    /// The handshake fails. The reason is the library's: an unknown issuer, a wrong name, an expired one.
    #[error(
        "TLS fails; clients will not upload either, unless they know the certificate (then give --ca)"
    )]
    Tls(#[source] io::Error),
}

/// Whom a connection believes.
#[derive(Clone, Debug)]
pub(super) struct Trust(Option<ClientConfig>);

impl Trust {
    /// The certificates in `ca`, or those of the system; nobody where `secure` says it is not used.
    pub(super) fn new(secure: bool, ca: Option<&Path>) -> Result<Self, CertificatesError> {
        if !secure {
            return Ok(Self(None));
        }
        let failed = |source| CertificatesError { path: ca.map(Path::to_owned), source };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(io::Error::other(error)))?;
        let builder = match ca {
            Some(path) => builder.with_root_certificates(roots(path).map_err(failed)?),
            None => builder.with_native_roots().map_err(failed)?,
        };
        Ok(Self(Some(builder.with_no_client_auth())))
    }
}

fn roots(path: &Path) -> io::Result<RootCertStore> {
    let mut pem = Vec::new();
    File::open(path)?.take(MAX_CA_BYTES).read_to_end(&mut pem)?;
    let unusable = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| unusable("it is not PEM"))?;
        roots.add(certificate).map_err(|_| unusable("one of them is damaged"))?;
    }
    if roots.is_empty() { Err(unusable("there are none in it")) } else { Ok(roots) }
}

/// A TCP connection of which everything that is read has to have come by a moment.
pub(super) struct Timed {
    tcp: TcpStream,
    deadline: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.tcp.set_read_timeout(Some(left))?;
        self.tcp.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// A connection.
pub(super) enum Wire {
    /// TCP alone.
    Plain(Timed),
    /// TLS.
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Wire {
    /// Connects to the host of `to`, trying each of its addresses. `protocol` is what is spoken over TLS.
    ///
    /// Each attempt, each write, and all reads together until [`Wire::wait_at_most`] are bounded by
    /// `patience`; looking up the name is, by the system's resolver.
    pub(super) fn open(
        to: &Address,
        trust: &Trust,
        protocol: &[u8],
        patience: Duration,
    ) -> Result<Self, ConnectError> {
        let tcp = connect(to, patience)?;
        let Some(config) = trust.0.as_ref().filter(|_| to.secure) else {
            return Ok(Self::Plain(tcp));
        };
        let mut config = config.clone();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from(to.host.clone())
            .map_err(|error| ConnectError::Tls(io::Error::other(error)))?;
        let connection = ClientConnection::new(Arc::new(config), name)
            .map_err(|error| ConnectError::Tls(io::Error::other(error)))?;
        let mut stream = StreamOwned::new(connection, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(ConnectError::Tls)?;
        }
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Whether the other side agreed to speak `protocol` over TLS.
    pub(super) fn speaks(&self, protocol: &[u8]) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.conn.alpn_protocol() == Some(protocol),
        }
    }

    /// What is read from now on has to have come within `patience`.
    pub(super) fn wait_at_most(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        match self {
            Self::Plain(timed) => timed.deadline = deadline,
            Self::Tls(stream) => stream.sock.deadline = deadline,
        }
    }
}

fn connect(to: &Address, patience: Duration) -> Result<Timed, ConnectError> {
    let addresses = (to.host.as_str(), to.port).to_socket_addrs().map_err(ConnectError::Name)?;
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        let connected = TcpStream::connect_timeout(&address, patience).and_then(|tcp| {
            tcp.set_nodelay(true)?;
            tcp.set_write_timeout(Some(patience))?;
            Ok(Timed { tcp, deadline: Instant::now() + patience })
        });
        match connected {
            Ok(timed) => return Ok(timed),
            Err(error) => failed = error,
        }
    }
    Err(ConnectError::Tcp(failed))
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
