//! What happens to a connection between `accept` and its first request.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::Protocol;
use actix_server::GracefulShutdownSignal;
use bytes::{Bytes, BytesMut};
use ipnet::IpNet;
use rustix::net::sockopt;
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::network::Lines;

use super::connection::{Carrier, Ends, Framing, OpenConnections};
use super::listener::Hooks;
use super::open_connections::OpenConnection;
use super::settings::{ConnectionBounds, ListenerSettings, ServerSettings};
use super::shares::Shares;
use super::tls::Certificates;
use super::transport::{Stream, Wire};

/// What an HTTP/2 client says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much of an answer may wait in the kernel beside what is on its way.
///
/// Without it there are up to 4 MiB, and a third of them has to leave before anybody hears of it: a
/// reader of 20 KB/s would look silent for a minute and be cut off.
const UNSENT_BYTES: u32 = 128 * 1024;

/// How a listener speaks TLS.
#[derive(Clone)]
pub(super) struct Secured {
    pub(super) config: Arc<ServerConfig>,
    pub(super) certificates: Arc<Certificates>,
    pub(super) reload_interval: Duration,
    pub(super) handshake_timeout: Duration,
}

/// A connection as it was accepted.
pub(super) enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl From<TcpStream> for Accepted {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<UnixStream> for Accepted {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

/// Receives the connections of one listener.
#[derive(Clone)]
pub(super) struct Welcome {
    secured: Option<Secured>,
    h2c: bool,
    care: Care,
    bounds: ConnectionBounds,
    connections: OpenConnections,
    lines: Lines,
    /// What each address has, and whose connections are not counted.
    shares: Shares,
    uncounted: Arc<[IpNet]>,
    signal: GracefulShutdownSignal,
}

impl Welcome {
    pub(super) fn new(
        listener: &ListenerSettings,
        settings: &ServerSettings,
        hooks: &Hooks,
        shares: Shares,
        secured: Option<Secured>,
        signal: GracefulShutdownSignal,
    ) -> Self {
        Self {
            secured,
            h2c: listener.h2c,
            care: Care {
                keep_alive_interval: settings.keep_alive_interval,
                user_timeout: settings.user_timeout,
            },
            bounds: settings.bounds,
            connections: hooks.connections.clone(),
            lines: hooks.lines.clone(),
            shares,
            uncounted: settings.trusted_proxies.as_slice().into(),
            signal,
        }
    }

    /// Counts it, sets socket options, does the TLS handshake, and finds out what is spoken.
    ///
    /// # Errors
    ///
    /// The system's, or TLS's, or that its address has as many as it may have; the connection is
    /// closed then.
    pub(super) async fn receive(
        &self,
        accepted: Accepted,
    ) -> io::Result<(Stream, Protocol, Option<SocketAddr>)> {
        let (peer, local) = match &accepted {
            Accepted::Tcp(stream) => (stream.peer_addr().ok(), stream.local_addr().ok()),
            Accepted::Unix(_) => (None, None),
        };
        let open = self.admit(peer)?;
        if let Accepted::Tcp(stream) = &accepted {
            // A peer that is gone already fails the first read; options are no reason to give up.
            if let Err(error) = set_options(stream, self.care) {
                tracing::debug!(%error, "socket options could not be set");
            }
        }
        let found = tokio::select! {
            found = self.find_out(accepted) => found,
            () = self.signal.notified() => Err(io::ErrorKind::ConnectionAborted.into()),
        };
        let (wire, carrier, framing, ahead) = found.inspect_err(|error| {
            tracing::debug!(%error, ?peer, "connection ended before its first request");
        })?;
        let signal = self.signal.clone();
        let stopping = Box::pin(async move { signal.notified().await });
        let ends = Ends { peer, local, carrier, framing };
        let stream =
            Stream::new(wire, ahead, ends, self.bounds, stopping, self.lines.clone(), open);
        let protocol = match framing {
            Framing::Http1 => Protocol::Http1,
            Framing::Http2 => Protocol::Http2,
        };
        Ok((stream, protocol, peer))
    }

    /// Counts a connection, if its address may have one more.
    fn admit(&self, peer: Option<SocketAddr>) -> io::Result<OpenConnection> {
        let counted = peer.map(|peer| peer.ip().to_canonical());
        let counted =
            counted.filter(|peer| !self.uncounted.iter().any(|network| network.contains(peer)));
        let Some(address) = counted else { return Ok(self.connections.open(None)) };
        match self.shares.take(address) {
            Some(share) => Ok(self.connections.open(Some(share))),
            None => {
                self.connections.refuse(address);
                Err(io::ErrorKind::ConnectionRefused.into())
            }
        }
    }

    async fn find_out(&self, accepted: Accepted) -> io::Result<(Wire, Carrier, Framing, Bytes)> {
        match (accepted, &self.secured) {
            (Accepted::Tcp(stream), Some(secured)) => {
                let acceptor = TlsAcceptor::from(Arc::clone(&secured.config));
                let handshake = acceptor.accept(stream);
                let stream = timeout(secured.handshake_timeout, handshake).await??;
                let framing = match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => Framing::Http2,
                    Some(_) | None => Framing::Http1,
                };
                Ok((Wire::Tls(Box::new(stream)), Carrier::Tls, framing, Bytes::new()))
            }
            (Accepted::Tcp(mut stream), None) => {
                let (framing, ahead) = self.listen_for_preface(&mut stream).await?;
                Ok((Wire::Tcp(stream), Carrier::Tcp, framing, ahead))
            }
            (Accepted::Unix(mut stream), _) => {
                let (framing, ahead) = self.listen_for_preface(&mut stream).await?;
                Ok((Wire::Unix(stream), Carrier::Unix, framing, ahead))
            }
        }
    }

    /// Reads as long as it could still be the preface of HTTP/2; what was read is handed on.
    async fn listen_for_preface(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<(Framing, Bytes)> {
        if !self.h2c {
            return Ok((Framing::Http1, Bytes::new()));
        }
        let mut heard = BytesMut::with_capacity(PREFACE.len());
        let listening = async {
            while heard.len() < PREFACE.len() && PREFACE.starts_with(&heard) {
                if stream.read_buf(&mut heard).await? == 0 {
                    break;
                }
            }
            io::Result::Ok(())
        };
        timeout(self.bounds.idle_timeout, listening).await??;
        let framing = if heard.starts_with(PREFACE) { Framing::Http2 } else { Framing::Http1 };
        Ok((framing, heard.freeze()))
    }
}

/// What the kernel does about peers that are silent.
#[derive(Clone, Copy, Debug)]
struct Care {
    keep_alive_interval: Option<Duration>,
    user_timeout: Option<Duration>,
}

/// Sets what the kernel does for a connection by itself.
fn set_options(stream: &TcpStream, care: Care) -> io::Result<()> {
    sockopt::set_tcp_nodelay(stream, true)?;
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    if let Some(timeout) = care.user_timeout {
        // In milliseconds; 0 would leave it to the system.
        let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).max(1);
        sockopt::set_tcp_user_timeout(stream, millis)?;
    }
    if let Some(interval) = care.keep_alive_interval {
        // The kernel counts in whole seconds, from 1 to 32767.
        let interval = interval.clamp(Duration::from_secs(1), Duration::from_secs(32_767));
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, interval)?;
        sockopt::set_tcp_keepintvl(stream, interval)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_asked_whether_it_lives_and_little_of_an_answer_waits_in_the_kernel() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let care = Care {
            keep_alive_interval: Some(Duration::from_secs(15)),
            user_timeout: Some(Duration::from_secs(7)),
        };
        set_options(&stream, care).unwrap();
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), 7000);
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), Duration::from_secs(15));
        assert_eq!(sockopt::tcp_keepintvl(&stream).unwrap(), Duration::from_secs(15));
        assert_eq!(SockRef::from(&stream).tcp_notsent_lowat().unwrap(), UNSENT_BYTES);
    }
}
