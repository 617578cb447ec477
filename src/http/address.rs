//! Places to listen at.

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::stream::Stream;
use crate::system::ErrorWords;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// At a port, as `host:port`; without a host at all addresses of the machine.
    Tcp(String),
    /// The same, of IPv4 only.
    Tcp4(String),
    /// The same, of IPv6 only.
    Tcp6(String),
    /// At a socket of a file, made with this mode if one is given.
    Unix(PathBuf, Option<u32>),
}

/// An address that cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("listen {address}: {reason}")]
pub struct ListenError {
    address: String,
    reason: String,
}

/// A place that is listened at.
#[derive(Debug)]
pub enum Listener {
    /// At a port.
    Tcp(TcpListener),
    /// At a socket of a file, which is removed in the end.
    Unix(UnixListener, PathBuf),
}

/// Where somebody listens, as people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// At a port.
    Tcp(SocketAddr),
    /// At a socket of a file.
    Unix(PathBuf),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Tcp(address) => address.fmt(f),
            Bound::Unix(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => write!(f, "tcp {address}"),
            ListenAddress::Tcp4(address) => write!(f, "tcp4 {address}"),
            ListenAddress::Tcp6(address) => write!(f, "tcp6 {address}"),
            ListenAddress::Unix(path, _) => write!(f, "unix {}", path.display()),
        }
    }
}

impl ListenAddress {
    /// Begins to listen.
    ///
    /// A socket of a file that nobody listens at any more is replaced.
    ///
    /// # Errors
    /// If the address is taken, or not of this machine.
    pub fn listen(&self) -> Result<Listener, ListenError> {
        let failed = |reason: String| ListenError { address: self.to_string(), reason };
        let words = |error: io::Error| match error.raw_os_error() {
            Some(_) => failed(format!("bind: {}", ErrorWords(&error))),
            None => failed(error.to_string()),
        };
        let tcp = |addresses: Vec<SocketAddr>| {
            TcpListener::bind(&addresses[..]).map(Listener::Tcp).map_err(words)
        };
        match self {
            ListenAddress::Tcp(address) => match address.strip_prefix(':') {
                Some(port) => {
                    let port = port.parse().map_err(|_| failed(format!("unknown port {port}")))?;
                    let all = SocketAddr::from(([0_u16; 8], port));
                    // Where there is no IPv6 the other addresses have to do.
                    tcp(vec![all]).or_else(|_| tcp(vec![SocketAddr::from(([0_u8; 4], port))]))
                }
                None => tcp(resolve(address).map_err(words)?),
            },
            ListenAddress::Tcp4(address) => {
                let mut addresses = resolve(&or_all(address, "0.0.0.0")).map_err(words)?;
                addresses.retain(SocketAddr::is_ipv4);
                tcp(addresses)
            }
            ListenAddress::Tcp6(address) => {
                let mut addresses = resolve(&or_all(address, "[::]")).map_err(words)?;
                addresses.retain(SocketAddr::is_ipv6);
                tcp(addresses)
            }
            ListenAddress::Unix(path, mode) => {
                let is_socket = fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
                if is_socket && std::os::unix::net::UnixStream::connect(path).is_err() {
                    fs::remove_file(path).map_err(words)?;
                }
                let listener = UnixListener::bind(path).map_err(words)?;
                if let Some(mode) = mode {
                    fs::set_permissions(path, fs::Permissions::from_mode(*mode)).map_err(words)?;
                }
                Ok(Listener::Unix(listener, path.clone()))
            }
        }
    }
}

fn or_all(address: &str, all: &str) -> String {
    if address.starts_with(':') { format!("{all}{address}") } else { address.to_owned() }
}

fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    address.to_socket_addrs().map(Iterator::collect)
}

impl Listener {
    /// Where it listens.
    ///
    /// # Errors
    /// None that is to be expected of something that listens.
    pub fn bound(&self) -> io::Result<Bound> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().map(Bound::Tcp),
            Listener::Unix(_, path) => Ok(Bound::Unix(path.clone())),
        }
    }

    /// Waits for the next connection.
    pub(super) fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Listener::Unix(listener, _) => Ok(Stream::Unix(listener.accept()?.0)),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener) => listener.as_fd(),
            Listener::Unix(listener, _) => listener.as_fd(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listener::Unix(_, path) = self {
            // Somebody may have removed it already.
            let _ = fs::remove_file(path);
        }
    }
}
