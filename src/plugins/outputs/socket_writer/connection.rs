//! The socket that is written to.

use std::fmt;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::http::Stream;
use crate::http::tls::{ClientTls, TlsError};
use crate::socket::{Family, VsockAddress, VsockError};
use crate::system::ErrorWords;

/// Where to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    kind: Kind,
    scheme: String,
    place: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tcp(Family),
    Udp(Family),
    Unix,
    UnixGram,
    UnixPacket,
    Vsock(VsockAddress),
}

/// An address that nothing can be written to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It has not the form of one.
    #[error("invalid address: {0}")]
    Form(String),
    /// A machine and its port are not numbers.
    #[error(transparent)]
    Vsock(#[from] VsockError),
    /// The kind of socket is none.
    #[error("dial {0}: unknown network {0}")]
    Scheme(String),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The other end is not there.
    #[error(
        "dial {scheme} {place}: {}{}",
        if source.raw_os_error().is_some() { "connect: " } else { "" },
        ErrorWords(source)
    )]
    Dial {
        /// The kind of socket.
        scheme: String,
        /// Host and port, or path.
        place: String,
        /// What the system says.
        source: io::Error,
    },
    /// The two did not come to an agreement.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.place)
    }
}

impl Target {
    pub(super) fn parse(address: &str) -> Result<Target, TargetError> {
        let (scheme, place) =
            address.split_once("://").ok_or_else(|| TargetError::Form(address.to_owned()))?;
        let kind = match scheme {
            "tcp" => Kind::Tcp(Family::Any),
            "tcp4" => Kind::Tcp(Family::V4),
            "tcp6" => Kind::Tcp(Family::V6),
            "udp" => Kind::Udp(Family::Any),
            "udp4" => Kind::Udp(Family::V4),
            "udp6" => Kind::Udp(Family::V6),
            "unix" => Kind::Unix,
            "unixgram" => Kind::UnixGram,
            "unixpacket" => Kind::UnixPacket,
            "vsock" => Kind::Vsock(VsockAddress::parse(place)?),
            other => return Err(TargetError::Scheme(other.to_owned())),
        };
        let place = match kind {
            Kind::Vsock(address) => address.to_string(),
            _ => place.to_owned(),
        };
        Ok(Target { kind, scheme: scheme.to_owned(), place })
    }

    fn host(&self) -> &str {
        let host = self.place.rsplit_once(':').map_or(self.place.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The addresses of the other end; without a host it is this machine.
    fn addresses(&self, family: Family) -> io::Result<Vec<SocketAddr>> {
        let place = match self.place.strip_prefix(':') {
            Some(port) => format!("localhost:{port}"),
            None => self.place.clone(),
        };
        let mut addresses: Vec<_> = place.to_socket_addrs()?.collect();
        match family {
            Family::Any => {}
            Family::V4 => addresses.retain(SocketAddr::is_ipv4),
            Family::V6 => addresses.retain(SocketAddr::is_ipv6),
        }
        match addresses.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::NotFound, "no suitable address found")),
            false => Ok(addresses),
        }
    }
}

/// An open socket.
pub(super) enum Connection {
    /// Messages follow each other without an end between them.
    Stream(Stream),
    /// Each message is a packet.
    Udp(UdpSocket),
    /// Each message is a packet.
    UnixGram(UnixDatagram),
    /// Each message is a packet.
    UnixPacket(UnixStream),
}

impl Connection {
    pub(super) fn open(
        target: &Target,
        tls: Option<&ClientTls>,
    ) -> Result<Connection, SocketError> {
        let connection = Connection::dial(target).map_err(|source| SocketError::Dial {
            scheme: target.scheme.clone(),
            place: target.place.clone(),
            source,
        })?;
        match (connection, tls) {
            (Connection::Stream(stream), Some(tls)) => {
                Ok(Connection::Stream(tls.connect(stream, target.host())?))
            }
            (connection, _) => Ok(connection),
        }
    }

    fn dial(target: &Target) -> io::Result<Connection> {
        match target.kind {
            Kind::Tcp(family) => {
                let stream = TcpStream::connect(&target.addresses(family)?[..])?;
                stream.set_nodelay(true)?;
                Ok(Connection::Stream(Stream::Tcp(stream)))
            }
            Kind::Udp(family) => {
                let address = target.addresses(family)?[0];
                let any: SocketAddr = match address {
                    SocketAddr::V4(_) => ([0_u8; 4], 0).into(),
                    SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
                };
                let socket = UdpSocket::bind(any)?;
                socket.connect(address)?;
                Ok(Connection::Udp(socket))
            }
            Kind::Unix => {
                UnixStream::connect(&target.place).map(|s| Connection::Stream(Stream::Unix(s)))
            }
            Kind::UnixGram => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(&target.place)?;
                Ok(Connection::UnixGram(socket))
            }
            Kind::UnixPacket => {
                let kind = SocketType::SEQPACKET;
                let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
                let socket = rustix::net::socket_with(family, kind, flags, None)?;
                rustix::net::connect(&socket, &SocketAddrUnix::new(target.place.as_str())?)?;
                Ok(Connection::UnixPacket(UnixStream::from(socket)))
            }
            Kind::Vsock(address) => address.connect().map(|s| Connection::Stream(Stream::Unix(s))),
        }
    }

    /// Sets the time between probes whether the other end is still there; zero is none.
    pub(super) fn set_keep_alive(&self, period: Duration) -> io::Result<()> {
        let Connection::Stream(stream @ (Stream::Tcp(_) | Stream::Tls(_))) = self else {
            return Err(io::Error::other("cannot set keep alive on a socket of this kind"));
        };
        let socket = stream.as_fd();
        sockopt::set_socket_keepalive(socket, !period.is_zero())?;
        if !period.is_zero() {
            // The kernel counts whole seconds, and takes no less than one.
            let period = Duration::from_secs(period.as_secs_f64().ceil() as u64);
            sockopt::set_tcp_keepidle(socket, period)?;
            sockopt::set_tcp_keepintvl(socket, period)?;
        }
        Ok(())
    }

    /// Writes messages that end in `bytes` at `ends`.
    pub(super) fn write(&mut self, bytes: &[u8], ends: &[usize]) -> io::Result<()> {
        let mut start = 0;
        let packets = ends.iter().map(|end| {
            let packet = &bytes[start..*end];
            start = *end;
            packet
        });
        match self {
            Connection::Stream(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
            Connection::Udp(socket) => each(packets, |packet| socket.send(packet)),
            Connection::UnixGram(socket) => each(packets, |packet| socket.send(packet)),
            Connection::UnixPacket(socket) => each(packets, |packet| socket.write(packet)),
        }
    }

    /// Ends the connection, with a word to the other end where encryption has one.
    pub(super) fn close(self) {
        if let Connection::Stream(Stream::Tls(mut stream)) = self {
            // Whether the other end still listens does not matter.
            let _ = stream.shutdown();
        }
    }
}

fn each<'p>(
    packets: impl Iterator<Item = &'p [u8]>,
    mut send: impl FnMut(&[u8]) -> io::Result<usize>,
) -> io::Result<()> {
    for packet in packets {
        while let Err(error) = send(packet) {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
    Ok(())
}
