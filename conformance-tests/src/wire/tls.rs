//! TLS to the server under test: whom to believe, and over what bytes travel.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Why no TLS can be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// What was given is no certificate in PEM.
    #[error("this is no certificate in PEM: {0}")]
    Pem(rustls::pki_types::pem::Error),
    /// What was given holds no certificate.
    #[error("there is no certificate in PEM in it")]
    NoCertificate,
    /// A certificate cannot be a root.
    #[error("this certificate cannot be trusted: {0}")]
    Root(rustls::Error),
    /// The host is no name that a certificate could have.
    #[error("{0:?} is no name for a certificate")]
    Name(String),
    /// The library refuses its settings.
    #[error("TLS: {0}")]
    Settings(rustls::Error),
}

/// How to speak TLS to one server.
#[derive(Clone, Debug)]
pub struct Tls {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// Speaks to `host`, believing the authorities of this system, and those in `pem` besides.
    ///
    /// # Errors
    ///
    /// [`TlsError`] when `pem` or `host` is of no use.
    pub fn to(host: &str, pem: Option<&[u8]>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let system = roots.len();
        for certificate in pem.into_iter().flat_map(CertificateDer::pem_slice_iter) {
            roots.add(certificate.map_err(TlsError::Pem)?).map_err(TlsError::Root)?;
        }
        if pem.is_some() && roots.len() == system {
            return Err(TlsError::NoCertificate);
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_| TlsError::Name(host.to_owned()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Settings)?;
        let mut config = versions.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut http2 = config.clone();
        http2.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { http1: Arc::new(config), http2: Arc::new(http2), name })
    }

    /// The settings that ask for HTTP/2, and the name the server has to prove.
    pub(super) fn for_http2(&self) -> (Arc<ClientConfig>, ServerName<'static>) {
        (Arc::clone(&self.http2), self.name.clone())
    }

    /// Shakes hands over `socket`, within the timeouts that are set on it.
    pub(super) fn handshake(&self, mut socket: TcpStream) -> io::Result<Stream> {
        let mut session = ClientConnection::new(Arc::clone(&self.http1), self.name.clone())
            .map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(Stream::Tls(Box::new(StreamOwned::new(session, socket))))
    }
}

/// What bytes travel over.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// The socket below.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    /// Writes everything.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// Reads what there is; 0 is the end, however the server puts it.
    pub(super) fn receive(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(bytes),
            Self::Tls(stream) => match stream.read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            },
        }
    }

    /// Says that nothing more will be sent.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        self.socket().shutdown(std::net::Shutdown::Write)
    }
}
