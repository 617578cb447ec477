//! Making connections: to hosts, to sockets of files, and through proxies.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

use super::error::{Failure, Stage};
use super::head::read_response;
use super::headers::basic_credentials;
use super::stream::Stream;
use super::tls::ClientTls;
use super::url::Url;
use super::wire::Wire;
use crate::system::Clock;

/// An address of this machine to connect from; port 0 means any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress(SocketAddr);

/// A text that names no address of this machine.
#[derive(Debug, thiserror::Error)]
#[error("cannot resolve local address {address:?}: {reason}")]
pub struct LocalAddressError {
    address: String,
    reason: String,
}

impl LocalAddress {
    /// Reads an address, or a name that has one, with or without a port.
    ///
    /// # Errors
    /// If there is no such address.
    pub fn parse(text: &str) -> Result<LocalAddress, LocalAddressError> {
        let wrong = |reason: String| LocalAddressError { address: text.to_owned(), reason };
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(LocalAddress(SocketAddr::new(address, 0)));
        }
        let with_port = if text.contains(':') { text.to_owned() } else { format!("{text}:0") };
        let mut found = with_port.to_socket_addrs().map_err(|error| wrong(error.to_string()))?;
        found.next().map(LocalAddress).ok_or_else(|| wrong("no such host".to_owned()))
    }
}

impl LocalAddress {
    /// Address and port.
    pub fn socket_address(self) -> SocketAddr {
        self.0
    }
}

/// Connects to the first address of a host that answers.
pub(super) fn dial_tcp(
    url: &Url,
    local: Option<LocalAddress>,
    limit: Option<Duration>,
) -> Result<Stream, Failure> {
    dial_host(&url.host, url.port_or_default(), local, limit)
}

/// Connects to a port of a host for a protocol other than HTTP, and encrypts the connection if
/// `tls` says how. All of it has to be done within `limit`.
///
/// # Errors
/// If nobody answers there, or there is no agreement about encryption.
pub fn dial(
    host: &str,
    port: u16,
    tls: Option<&ClientTls>,
    limit: Duration,
    clock: &Arc<dyn Clock>,
) -> Result<Wire, Failure> {
    let began = clock.elapsed();
    let mut stream = dial_host(host, port, None, Some(limit))?;
    if let Some(tls) = tls {
        let took = clock.elapsed().saturating_sub(began);
        let left = Some(limit.saturating_sub(took).max(Duration::from_millis(1)));
        let set = stream.set_read_timeout(left).and_then(|()| stream.set_write_timeout(left));
        set.map_err(Failure::Io)?;
        stream = tls.connect(stream, host)?;
    }
    Ok(Wire::new(stream, clock.clone()))
}

fn dial_host(
    host: &str,
    port: u16,
    local: Option<LocalAddress>,
    limit: Option<Duration>,
) -> Result<Stream, Failure> {
    if host.is_empty() {
        return Err(Failure::NoHost);
    }
    let lookup = |reason: String| Failure::Lookup { host: host.to_owned(), reason };
    let addresses: Vec<_> = (host, port)
        .to_socket_addrs()
        .map_err(|error| lookup(resolver_words(&error)))?
        .filter(|address| local.is_none_or(|local| local.0.is_ipv4() == address.is_ipv4()))
        .collect();
    let mut last = lookup("no suitable address".to_owned());
    for address in addresses {
        let connected = match (local, limit) {
            (Some(local), _) => connect_from(local.0, address, limit),
            (None, Some(limit)) => TcpStream::connect_timeout(&address, limit),
            (None, None) => TcpStream::connect(address),
        };
        match connected {
            Ok(stream) => {
                // Requests are written as a whole; waiting for more to send helps nobody.
                let _ = stream.set_nodelay(true);
                return Ok(Stream::Tcp(stream));
            }
            Err(source) => last = dial_failure("tcp", address.to_string(), source),
        }
    }
    Err(last)
}

fn resolver_words(error: &io::Error) -> String {
    // The C library's words differ from system to system; what they mean does not.
    let text = error.to_string();
    match text.contains("not known") || text.contains("No address associated") {
        true => "no such host".to_owned(),
        false => text,
    }
}

fn dial_failure(network: &'static str, address: String, source: io::Error) -> Failure {
    match source.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            let source = io::Error::new(io::ErrorKind::TimedOut, "i/o timeout");
            Failure::Dial { network, address, source }
        }
        _ => Failure::Dial { network, address, source },
    }
}

fn connect_from(
    local: SocketAddr,
    remote: SocketAddr,
    limit: Option<Duration>,
) -> io::Result<TcpStream> {
    let family = if remote.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &local)?;
    // Linux bounds the wait of `connect` by the time-out of writes.
    set_socket_timeout(&socket, Timeout::Send, limit)?;
    connect(&socket, &remote)?;
    Ok(TcpStream::from(socket))
}

/// Connects to a socket of a file.
pub(super) fn dial_unix(path: &str) -> Result<Stream, Failure> {
    UnixStream::connect(path)
        .map(Stream::Unix)
        .map_err(|source| dial_failure("unix", path.to_owned(), source))
}

/// Asks an HTTP proxy for a way through to `target`; what is behind it talks on the same wire.
pub(super) fn tunnel(wire: &mut Wire, proxy: &Url, target: &Url) -> Result<(), Failure> {
    let address = target.address();
    let mut request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n");
    if let Some(credentials) = proxy_credentials(proxy) {
        request.push_str(&format!("Proxy-Authorization: {credentials}\r\n"));
    }
    request.push_str("\r\n");
    wire.write_all(request.as_bytes()).map_err(|error| Failure::from_io(error, Stage::Headers))?;
    let head = read_response(wire).map_err(Failure::from_head)?;
    if head.status != 200 {
        return Err(Failure::Proxy(head.reason));
    }
    Ok(())
}

/// The value of `Proxy-Authorization`, if the proxy's URL holds a name.
pub(super) fn proxy_credentials(proxy: &Url) -> Option<String> {
    let (name, password) = proxy.user.as_ref()?;
    Some(basic_credentials(name, password.expose()))
}

/// Asks a SOCKS proxy for a way through to `target`.
///
/// # References
/// RFC 1928 and RFC 1929.
pub(super) fn socks(wire: &mut Wire, proxy: &Url, target: &Url) -> Result<(), Failure> {
    let reply = |error: io::Error| Failure::Proxy(format!("socks connect: {error}"));
    let refused = |text: &str| Failure::Proxy(format!("socks connect: {text}"));
    // Whether with a name or without one, the proxy chooses among what it is offered.
    let offer: &[u8] = if proxy.user.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
    wire.write_all(offer).map_err(reply)?;
    let mut answer = [0; 2];
    wire.read_exact(&mut answer).map_err(reply)?;
    match (answer, &proxy.user) {
        ([5, 0], _) => {}
        ([5, 2], Some((name, password))) => {
            let mut login = vec![1];
            push_short(&mut login, name.as_bytes()).ok_or_else(|| refused("invalid username"))?;
            push_short(&mut login, password.expose().as_bytes())
                .ok_or_else(|| refused("invalid password"))?;
            wire.write_all(&login).map_err(reply)?;
            wire.read_exact(&mut answer).map_err(reply)?;
            if answer[1] != 0 {
                return Err(refused("username/password authentication failed"));
            }
        }
        ([5, _], _) => return Err(refused("no acceptable authentication methods")),
        _ => return Err(refused("unexpected protocol version")),
    }
    let mut request = vec![5, 1, 0];
    match target.host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend_from_slice(&address.octets());
        }
        Err(_) => {
            request.push(3);
            push_short(&mut request, target.host.as_bytes())
                .ok_or_else(|| refused("FQDN too long"))?;
        }
    }
    request.extend_from_slice(&target.port_or_default().to_be_bytes());
    wire.write_all(&request).map_err(reply)?;
    let mut head = [0; 4];
    wire.read_exact(&mut head).map_err(reply)?;
    if head[1] != 0 {
        return Err(refused(socks_reason(head[1])));
    }
    let rest = match head[3] {
        1 => 4 + 2,
        4 => 16 + 2,
        3 => {
            let mut length = [0];
            wire.read_exact(&mut length).map_err(reply)?;
            usize::from(length[0]) + 2
        }
        _ => return Err(refused("unknown address type")),
    };
    let mut bound = [0; 257];
    wire.read_exact(&mut bound[..rest]).map_err(reply)
}

fn push_short(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.push(u8::try_from(bytes.len()).ok().filter(|length| *length > 0)?);
    out.extend_from_slice(bytes);
    Some(())
}

fn socks_reason(code: u8) -> &'static str {
    match code {
        1 => "general SOCKS server failure",
        2 => "connection not allowed by ruleset",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "unknown code",
    }
}
