//! Sockets of this machine with their queues, as the kernel tells them through sock_diag.
//!
//! # References
//! sock_diag(7); `linux/inet_diag.h`, `linux/unix_diag.h` and `linux/tcp.h` for the layout.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

/// The kernel fills at most this much into one answer.
const ANSWER_BYTES: usize = 32 * 1024;

const HEADER_BYTES: usize = 16;
const INET_REQUEST_BYTES: usize = 56;
const INET_SOCKET_BYTES: usize = 72;
const UNIX_REQUEST_BYTES: usize = 24;
const UNIX_SOCKET_BYTES: usize = 16;

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET_DIAG_INFO: u16 = 2;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_RQLEN: u16 = 4;

/// The states of TCP up to the one of half-open connections.
const ALL_INET_STATES: u32 = 0xfff;
/// Name, peer and lengths of queues.
const UNIX_SHOW: u32 = 0x1 | 0x4 | 0x10;

const AF_UNIX: u8 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// A transport protocol on top of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP
    Tcp = 6,
    /// UDP
    Udp = 17,
}

/// A version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

/// A socket of TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InetSocket {
    /// The number that `/proc/PID/fd` shows.
    pub inode: u32,
    /// The state as the kernel numbers it.
    pub state: u8,
    /// Its own address and port.
    pub source: (IpAddr, u16),
    /// The address and port of the other side.
    pub destination: (IpAddr, u16),
    /// Bytes received and not read yet.
    pub receive_queue: u32,
    /// Bytes sent and not acknowledged yet.
    pub send_queue: u32,
    /// What only TCP knows.
    pub tcp: TcpNumbers,
}

/// What TCP counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpNumbers {
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Segments that are taken for lost.
    pub lost: u32,
    /// Retransmissions of the oldest segment.
    pub retransmits: u8,
}

/// A socket of the UNIX domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnixSocket {
    /// The number that `/proc/PID/fd` shows.
    pub inode: u32,
    /// The state as the kernel numbers it.
    pub state: u8,
    /// The number of the other side.
    pub peer: Option<u32>,
    /// What waits to be read.
    pub receive_queue: u32,
    /// What waits to be taken.
    pub send_queue: u32,
}

/// Asks the kernel for all sockets of TCP or UDP.
///
/// # Errors
/// Whatever the kernel refuses, or an answer that is cut off.
pub fn inet_sockets(transport: Transport, version: IpVersion) -> io::Result<Vec<InetSocket>> {
    let mut request = [0; INET_REQUEST_BYTES];
    request[0] = match version {
        IpVersion::V4 => AF_INET,
        IpVersion::V6 => AF_INET6,
    };
    request[1] = transport as u8;
    request[2] = 1 << (INET_DIAG_INFO - 1);
    request[4..8].copy_from_slice(&ALL_INET_STATES.to_ne_bytes());
    let mut sockets = Vec::new();
    dump(&request, |message| {
        sockets.extend(read_inet(message));
    })?;
    Ok(sockets)
}

/// Asks the kernel for all sockets of the UNIX domain.
///
/// # Errors
/// Whatever the kernel refuses, or an answer that is cut off.
pub fn unix_sockets() -> io::Result<Vec<UnixSocket>> {
    let mut request = [0; UNIX_REQUEST_BYTES];
    request[0] = AF_UNIX;
    request[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
    request[12..16].copy_from_slice(&UNIX_SHOW.to_ne_bytes());
    let mut sockets = Vec::new();
    dump(&request, |message| {
        sockets.extend(read_unix(message));
    })?;
    Ok(sockets)
}

fn dump(request: &[u8], mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(SOCK_DIAG))?;
    let mut message = vec![0; HEADER_BYTES];
    message[..4].copy_from_slice(&((HEADER_BYTES + request.len()) as u32).to_ne_bytes());
    message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    message.extend_from_slice(request);
    sendto(&socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut buffer = vec![0; ANSWER_BYTES];
    loop {
        let (length, _) = match recv(&socket, buffer.as_mut_slice(), RecvFlags::empty()) {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        if length == 0 {
            return Err(cut_off());
        }
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let length = u32_at(rest, 0).ok_or_else(cut_off)? as usize;
            let message = rest.get(HEADER_BYTES..length).ok_or_else(cut_off)?;
            match u16_at(rest, 4) {
                Some(NLMSG_DONE) => return Ok(()),
                Some(NLMSG_ERROR) => {
                    let number = u32_at(message, 0).ok_or_else(cut_off)?.cast_signed();
                    return Err(io::Error::from_raw_os_error(number.wrapping_neg()));
                }
                Some(SOCK_DIAG_BY_FAMILY) => take(message),
                _ => {}
            }
            rest = after(rest, length);
        }
    }
}

fn read_inet(message: &[u8]) -> Option<InetSocket> {
    let family = *message.first()?;
    let address = |at: usize| match family {
        AF_INET => Some(IpAddr::from(Ipv4Addr::from(array_at::<4>(message, at)?))),
        AF_INET6 => Some(IpAddr::from(Ipv6Addr::from(array_at::<16>(message, at)?))),
        _ => None,
    };
    let port = |at: usize| array_at(message, at).map(u16::from_be_bytes);
    let mut tcp = TcpNumbers::default();
    for (kind, value) in attributes(message.get(INET_SOCKET_BYTES..)?) {
        if kind == INET_DIAG_INFO {
            tcp = read_tcp(value);
        }
    }
    Some(InetSocket {
        inode: u32_at(message, 68)?,
        state: *message.get(1)?,
        source: (address(8)?, port(4)?),
        destination: (address(24)?, port(6)?),
        receive_queue: u32_at(message, 56)?,
        send_queue: u32_at(message, 60)?,
        tcp,
    })
}

/// Reads `struct tcp_info`, which older kernels end earlier.
fn read_tcp(info: &[u8]) -> TcpNumbers {
    let u64_at = |at: usize| array_at(info, at).map_or(0, u64::from_ne_bytes);
    TcpNumbers {
        retransmits: info.get(2).copied().unwrap_or(0),
        lost: u32_at(info, 32).unwrap_or(0),
        bytes_received: u64_at(128),
        bytes_sent: u64_at(200),
    }
}

fn read_unix(message: &[u8]) -> Option<UnixSocket> {
    if *message.first()? != AF_UNIX {
        return None;
    }
    let mut socket = UnixSocket {
        inode: u32_at(message, 4)?,
        state: *message.get(2)?,
        peer: None,
        receive_queue: 0,
        send_queue: 0,
    };
    for (kind, value) in attributes(message.get(UNIX_SOCKET_BYTES..)?) {
        match kind {
            UNIX_DIAG_PEER => socket.peer = u32_at(value, 0),
            UNIX_DIAG_RQLEN => {
                socket.receive_queue = u32_at(value, 0)?;
                socket.send_queue = u32_at(value, 4)?;
            }
            _ => {}
        }
    }
    Some(socket)
}

/// The attributes behind a message, by kind; what is cut off ends them.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let attribute = (u16_at(rest, 2)?, rest.get(4..length)?);
        rest = after(rest, length);
        Some(attribute)
    })
}

/// What follows a message or attribute of `length` bytes; each begins at a multiple of four.
fn after(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(length.next_multiple_of(4)..).unwrap_or_default()
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_ne_bytes)
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the kernel's answer about sockets is cut off")
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_sockets_of_a_connection_are_found_with_what_waits_in_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap().0;
        io::Write::write_all(&mut client, b"12345").unwrap();
        let find = |local: std::net::SocketAddr, state: u8| {
            let all = inet_sockets(Transport::Tcp, IpVersion::V4).unwrap();
            let is_it = |socket: &InetSocket| {
                socket.source == (local.ip(), local.port()) && socket.state == state
            };
            all.into_iter().find(is_it).unwrap()
        };
        let (established, listening) = (1, 10);
        let mut accepted = find(server.local_addr().unwrap(), established);
        while accepted.receive_queue == 0 {
            accepted = find(server.local_addr().unwrap(), established);
        }
        assert_eq!((accepted.receive_queue, accepted.tcp.bytes_received), (5, 5));
        let sent = find(client.local_addr().unwrap(), established);
        assert_eq!(sent.destination.1, listener.local_addr().unwrap().port());
        assert_eq!(find(listener.local_addr().unwrap(), listening).destination.1, 0);
    }

    #[test]
    fn sockets_of_udp_over_ipv6_and_of_the_unix_domain_are_found() {
        if let Ok(udp) = UdpSocket::bind("[::1]:0") {
            let port = udp.local_addr().unwrap().port();
            let all = inet_sockets(Transport::Udp, IpVersion::V6).unwrap();
            assert!(all.iter().any(|socket| socket.source.1 == port), "{all:?}");
        }
        let (one, other) = UnixStream::pair().unwrap();
        let inode = |stream: &UnixStream| rustix::fs::fstat(stream).unwrap().st_ino as u32;
        let all = unix_sockets().unwrap();
        let found = all.iter().find(|socket| socket.inode == inode(&one)).unwrap();
        assert_eq!((found.state, found.peer), (1, Some(inode(&other))));
    }

    #[test]
    fn messages_that_are_cut_off_are_none() {
        for length in 0..INET_SOCKET_BYTES {
            assert_eq!(read_inet(&vec![AF_INET; length]), None);
        }
        assert_eq!(read_unix(&[AF_UNIX; 15]), None);
        assert_eq!(attributes(&[8, 0, 1, 0, 5]).count(), 0);
    }
}
