//! Sockets to listen on.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use super::settings::ListenAddress;

/// Whoever is in the group of the gateway may connect to its Unix socket; a proxy usually is.
const SOCKET_MODE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP).union(Mode::WGRP);

/// Why a socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system refuses.
    #[error("cannot listen on {address}")]
    Refused {
        /// Where.
        address: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Another process accepts connections on the Unix socket.
    #[error("another process is listening on {}", path.display())]
    Alive {
        /// Where.
        path: PathBuf,
    },
    /// There is something else where the Unix socket should be; it is left alone.
    #[error("{} exists and is not a socket", path.display())]
    NotASocket {
        /// Where.
        path: PathBuf,
    },
}

/// A socket that is listening.
pub(super) enum Bound {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, SocketFile),
}

/// The name of a Unix socket in the file system; removed when dropped, if it still is that socket.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Listens on `address`, with up to `backlog` connections waiting.
///
/// A Unix socket left behind by a dead process is replaced, one that is alive is not.
///
/// # Errors
///
/// [`BindError`], naming the address.
pub(super) fn bind(address: &ListenAddress, backlog: u32) -> Result<Bound, BindError> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    match address {
        ListenAddress::Tcp(address) => bind_tcp(*address, backlog)
            .map_err(|source| BindError::Refused { address: address.to_string(), source }),
        ListenAddress::Unix(path) => {
            make_way(path)?;
            bind_unix(path, backlog).map_err(|source| BindError::Refused {
                address: path.display().to_string(),
                source,
            })
        }
    }
}

fn bind_tcp(address: SocketAddr, backlog: i32) -> io::Result<Bound> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // Connections of an earlier run that linger in the kernel must not keep us from starting.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, backlog)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok(Bound::Tcp(listener, address))
}

/// Nobody can connect before the mode is set: that takes `listen`, which comes last.
fn bind_unix(path: &Path, backlog: i32) -> io::Result<Bound> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    let file = SocketFile { path: path.to_owned(), identity: identity(path) };
    rustix::fs::chmod(path, SOCKET_MODE)?;
    rustix::net::listen(&socket, backlog)?;
    Ok(Bound::Unix(UnixListener::from(socket), file))
}

/// Removes the socket of a dead process.
fn make_way(path: &Path) -> Result<(), BindError> {
    let refused = |source| BindError::Refused { address: path.display().to_string(), source };
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(refused)?,
    };
    if !found.file_type().is_socket() {
        return Err(BindError::NotASocket { path: path.to_owned() });
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(BindError::Alive { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(refused)
        }
        // A full backlog, or one we may not write to: somebody is there.
        Err(_) => Err(BindError::Alive { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn unix(path: &Path) -> Result<Bound, BindError> {
        bind(&ListenAddress::Unix(path.to_owned()), 16)
    }

    #[test]
    fn port_0_is_answered_with_the_port_that_was_chosen() {
        let any = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
        let Ok(Bound::Tcp(_listener, address)) = bind(&any, 16) else { panic!("not bound") };
        assert_ne!(address.port(), 0);
    }

    #[test]
    fn a_port_that_is_taken_is_refused_by_name() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let Err(error) = bind(&ListenAddress::Tcp(address), 16) else { panic!("bound twice") };
        assert_eq!(error.to_string(), format!("cannot listen on {address}"));
    }

    #[test]
    fn the_socket_of_a_dead_process_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        assert!(unix(&path).is_ok());
    }

    #[test]
    fn the_socket_of_a_living_process_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.sock");
        let first = unix(&path).unwrap_or_else(|error| panic!("{error}"));
        assert!(matches!(unix(&path), Err(BindError::Alive { .. })));
        assert!(UnixStream::connect(&path).is_ok());
        drop(first);
    }

    #[test]
    fn a_file_in_the_place_of_the_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        fs::write(&path, "data").unwrap();
        assert!(matches!(unix(&path), Err(BindError::NotASocket { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"data");
    }

    #[test]
    fn a_unix_socket_is_for_owner_and_group_and_is_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.sock");
        let bound = unix(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_that_somebody_else_made_in_the_meantime_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.sock");
        let bound = unix(&path).unwrap_or_else(|error| panic!("{error}"));
        // Kept under another name, so that its inode is not used again.
        fs::hard_link(&path, folder.path().join("old")).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(bound);
        assert!(path.exists());
    }
}
