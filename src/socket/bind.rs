//! Sockets that are bound to an address.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, sockopt};

use super::{Family, Network};
use crate::system::ErrorWords;

/// How many connections may wait to be taken.
const BACKLOG: i32 = 4096;

/// An address that cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("listen {network} {place}: {reason}")]
pub struct BindError {
    network: &'static str,
    place: String,
    reason: String,
}

impl BindError {
    pub(super) fn new(network: &'static str, place: &str, error: &io::Error) -> BindError {
        let reason = match error.raw_os_error() {
            Some(_) => format!("bind: {}", ErrorWords(error)),
            None => error.to_string(),
        };
        BindError { network, place: place.to_owned(), reason }
    }
}

/// Listens for TCP connections at a place such as `:8094` or `localhost:8094`.
///
/// # Errors
/// If the address is taken, forbidden, or not there.
pub fn bind_tcp(family: Family, place: &str) -> Result<TcpListener, BindError> {
    let network = Network::Tcp(family).scheme();
    bind(family, place, SocketType::STREAM)
        .and_then(|socket| {
            rustix::net::listen(&socket, BACKLOG)?;
            Ok(TcpListener::from(socket))
        })
        .map_err(|error| BindError::new(network, place, &error))
}

/// Listens for UDP packets at a place such as `:8125`; one that is a group of receivers is joined.
///
/// # Errors
/// If the address is taken, forbidden, or not there.
pub fn bind_udp(
    family: Family,
    place: &str,
    interface: &str,
    source: Option<IpAddr>,
) -> Result<UdpSocket, BindError> {
    let network = Network::Udp(family).scheme();
    bind(family, place, SocketType::DGRAM)
        .map(UdpSocket::from)
        .and_then(|socket| {
            let group = socket.local_addr()?.ip();
            if group.is_multicast() {
                join(&socket, group, interface, source)?;
            }
            Ok(socket)
        })
        .map_err(|error| BindError::new(network, place, &error))
}

fn bind(family: Family, place: &str, kind: SocketType) -> io::Result<OwnedFd> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no suitable address found");
    for address in addresses(family, place)? {
        match bind_to(family, address, kind) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The addresses that a place stands for, the one to prefer first.
fn addresses(family: Family, place: &str) -> io::Result<Vec<SocketAddr>> {
    let port = |port: &str| {
        port.parse::<u16>().map_err(|_| {
            let words = format!("lookup tcp/{port}: unknown port");
            io::Error::new(io::ErrorKind::InvalidInput, words)
        })
    };
    if let Some(number) = place.strip_prefix(':') {
        let port = port(number)?;
        let (v4, v6) = (SocketAddr::from(([0; 4], port)), SocketAddr::from(([0_u16; 8], port)));
        return Ok(match family {
            // Where there is no version 6 the other has to do.
            Family::Any => vec![v6, v4],
            Family::V4 => vec![v4],
            Family::V6 => vec![v6],
        });
    }
    let mut addresses: Vec<_> = match place.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) if error.raw_os_error().is_none() && !place.contains(':') => {
            let words = format!("address {place}: missing port in address");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        Err(error) => return Err(error),
    };
    match family {
        // Go takes version 4 first.
        Family::Any => addresses.sort_by_key(SocketAddr::is_ipv6),
        Family::V4 => addresses.retain(SocketAddr::is_ipv4),
        Family::V6 => addresses.retain(SocketAddr::is_ipv6),
    }
    Ok(addresses)
}

fn bind_to(family: Family, address: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let version = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket_with(version, kind, SocketFlags::CLOEXEC, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, family == Family::V6)?;
    }
    // Without it an address stays taken a while after its last connection; packets of a group go to
    // all that listen.
    if kind == SocketType::STREAM || address.ip().is_multicast() {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

fn join(
    socket: &UdpSocket,
    group: IpAddr,
    interface: &str,
    source: Option<IpAddr>,
) -> io::Result<()> {
    let index = match interface {
        "" => 0,
        name => netdevice::name_to_index(socket.as_fd(), name)?,
    };
    match (group, source) {
        (IpAddr::V4(group), None) => {
            sockopt::set_ip_add_membership_with_ifindex(
                socket,
                &group,
                &std::net::Ipv4Addr::UNSPECIFIED,
                index,
            )?;
        }
        (IpAddr::V4(group), Some(IpAddr::V4(source))) => {
            let any = std::net::Ipv4Addr::UNSPECIFIED;
            sockopt::set_ip_add_source_membership(socket, &group, &any, &source)?;
        }
        (IpAddr::V6(group), None) => sockopt::set_ipv6_add_membership(socket, &group, index)?,
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "multicast_source works with IPv4 groups and sources only",
            ));
        }
    }
    Ok(())
}
