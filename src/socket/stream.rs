//! Taking connections.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::bind::{BindError, bind_tcp};
use super::packet::{remove, set_mode};
use super::{
    ListenError, ListenSettings, Network, Packing, Ready, Receiver, StreamEnd, vsock, wait,
};
use crate::http::Stream;
use crate::plugin::{PluginError, PluginLog};
use crate::system::ErrorWords;
use crate::system::thread::{Thread, spawn};

/// How long a message may be unless a larger buffer is asked for.
const MOST_MESSAGE_BYTES: usize = 64 << 10;
/// How much is read at a time.
const CHUNK_BYTES: usize = 16 << 10;
/// How many connections may wait at a path, or for a machine.
const BACKLOG: i32 = 4096;

/// A socket that connections come to.
pub(super) struct Acceptor {
    listener: Listener,
    shared: Arc<Shared>,
}

/// What the threads of all connections share.
struct Shared {
    settings: Arc<ListenSettings>,
    receiver: Arc<dyn Receiver>,
    log: PluginLog,
    /// The open connections by number, for ending them.
    open: Mutex<HashMap<u64, Socket>>,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
    Vsock(socket2::Socket),
}

/// A connection as it came, before any encryption.
enum Socket {
    Tcp(TcpStream),
    /// Through a path or from another machine: neither has an address of IP.
    Unix(UnixStream),
}

impl Socket {
    fn try_clone(&self) -> io::Result<Socket> {
        match self {
            Socket::Tcp(stream) => stream.try_clone().map(Socket::Tcp),
            Socket::Unix(stream) => stream.try_clone().map(Socket::Unix),
        }
    }

    fn end(&self) {
        // It may have ended already.
        let _ = match self {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Socket::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.set_read_timeout(limit),
            Socket::Unix(stream) => stream.set_read_timeout(limit),
        }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Unix(stream) => stream.as_fd(),
        }
    }

    fn source(&self) -> Option<IpAddr> {
        match self {
            Socket::Tcp(stream) => stream.peer_addr().ok().map(|peer| peer.ip().to_canonical()),
            Socket::Unix(_) => None,
        }
    }

    fn name(&self) -> String {
        match self {
            Socket::Tcp(stream) => {
                stream.peer_addr().map_or_else(|_| String::new(), |peer| peer.to_string())
            }
            Socket::Unix(_) => String::new(),
        }
    }

    fn into_stream(self) -> Stream {
        match self {
            Socket::Tcp(stream) => Stream::Tcp(stream),
            Socket::Unix(stream) => Stream::Unix(stream),
        }
    }
}

impl Acceptor {
    pub(super) fn open(
        settings: Arc<ListenSettings>,
        receiver: Arc<dyn Receiver>,
        log: PluginLog,
    ) -> Result<Acceptor, ListenError> {
        let listener = match settings.address.network {
            Network::Tcp(family) => Listener::Tcp(bind_tcp(family, &settings.address.place)?),
            Network::Vsock(address) => {
                let listener = address.listen(BACKLOG);
                let network = settings.address.network.name();
                Listener::Vsock(
                    listener
                        .map_err(|error| BindError::new(network, &address.to_string(), &error))?,
                )
            }
            network => Listener::Unix(bind_path(&settings, network)?),
        };
        let nonblocking = match &listener {
            Listener::Tcp(listener) => listener.set_nonblocking(true),
            Listener::Unix(listener) => listener.set_nonblocking(true),
            Listener::Vsock(listener) => listener.set_nonblocking(true),
        };
        nonblocking
            .map_err(|source| ListenError::Other { what: "setting up the socket", source })?;
        let open = Mutex::default();
        Ok(Acceptor { listener, shared: Arc::new(Shared { settings, receiver, log, open }) })
    }

    pub(super) fn local(&self) -> String {
        match &self.listener {
            Listener::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| String::new(), |address| address.to_string())
            }
            Listener::Unix(_) | Listener::Vsock(_) => self.shared.settings.address.place.clone(),
        }
    }

    /// Takes connections until the other end of `woken` is closed, and ends them all then.
    pub(super) fn run(&self, woken: &OwnedFd) {
        let mut threads: HashMap<u64, Thread> = HashMap::new();
        let mut number = 0;
        loop {
            let ready = match &self.listener {
                Listener::Tcp(listener) => wait(listener, woken),
                Listener::Unix(listener) => wait(listener, woken),
                Listener::Vsock(listener) => wait(listener, woken),
            };
            match ready {
                Ok(Ready::Input) => {}
                Ok(Ready::Woken) => break,
                Err(error) => {
                    self.shared.receiver.report(error.into());
                    break;
                }
            }
            let accepted = match &self.listener {
                Listener::Tcp(listener) => listener.accept().map(|(peer, _)| Socket::Tcp(peer)),
                Listener::Unix(listener) => listener.accept().map(|(peer, _)| Socket::Unix(peer)),
                Listener::Vsock(listener) => vsock::accept(listener).map(Socket::Unix),
            };
            match accepted.map_err(PluginError::from).and_then(|socket| self.admit(socket, number))
            {
                Ok(Some(thread)) => {
                    // Those that have ended leave their threads here.
                    let open = self.shared.open();
                    threads.retain(|number, _| open.contains_key(number));
                    drop(open);
                    threads.insert(number, thread);
                    number += 1;
                }
                Ok(None) => {}
                Err(error) if is_momentary(&error) => {}
                Err(error) => self.shared.receiver.report(error),
            }
        }
        self.shared.open().values().for_each(Socket::end);
    }

    /// Starts a thread for a connection, unless it is not let in.
    fn admit(&self, socket: Socket, number: u64) -> Result<Option<Thread>, PluginError> {
        let Shared { settings, log, .. } = &*self.shared;
        if !settings.allowed_sources.is_empty() {
            let Some(source) = socket.source() else {
                return Err("source address \"\" (*net.UnixAddr) has no IP".into());
            };
            if !settings.allowed_sources.contains(&source) {
                log.debug(format_args!("Received message from blocked IP: {}", socket.name()));
                return Ok(None);
            }
        }
        let count = self.shared.open().len();
        if settings.max_connections.is_some_and(|most| count >= most) {
            self.shared.receiver.refused(&socket.name());
            return Ok(None);
        }
        self.set_up(&socket);
        self.shared.open().insert(number, socket.try_clone()?);
        self.shared.receiver.opened();
        let shared = self.shared.clone();
        let thread = spawn("connection", move || {
            if let Err(error) = shared.read(socket) {
                shared.receiver.report(error);
            }
            shared.open().remove(&number);
            shared.receiver.closed();
        });
        match thread {
            Ok(thread) => Ok(Some(thread)),
            Err(error) => {
                self.shared.open().remove(&number);
                self.shared.receiver.closed();
                Err(error.into())
            }
        }
    }

    fn set_up(&self, socket: &Socket) {
        let Shared { settings, log, .. } = &*self.shared;
        if let Some(bytes) = settings.read_buffer_bytes
            && let Err(error) = sockopt::set_socket_recv_buffer_size(socket.as_fd(), bytes)
        {
            log.warn(format_args!("Setting read buffer on socket failed: {error}"));
        }
        if let Some(period) = settings.keep_alive {
            match socket {
                Socket::Tcp(stream) => {
                    if let Err(error) = set_keep_alive(stream, period) {
                        log.warn(format_args!(
                            "Cannot set keep-alive period: {}",
                            ErrorWords(&error)
                        ));
                    }
                }
                Socket::Unix(_) => log.warn("connection not a TCP connection (*net.UnixConn)"),
            }
        }
    }
}

/// Whether an accept failed only because the other end has given up meanwhile.
fn is_momentary(error: &PluginError) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(
        kind,
        Some(
            io::ErrorKind::WouldBlock
                | io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionAborted
        )
    )
}

/// Sets the time between probes whether the other end is still there; zero is none.
fn set_keep_alive(stream: &TcpStream, period: Duration) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, !period.is_zero())?;
    if !period.is_zero() {
        // The kernel counts whole seconds, and takes no less than one.
        let period = Duration::from_secs(period.as_secs_f64().ceil() as u64);
        sockopt::set_tcp_keepidle(stream, period)?;
        sockopt::set_tcp_keepintvl(stream, period)?;
    }
    Ok(())
}

impl Shared {
    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Socket>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads messages until the connection ends.
    fn read(&self, socket: Socket) -> Result<(), PluginError> {
        let settings = &*self.settings;
        let source = socket.source();
        socket.set_read_timeout(settings.read_timeout)?;
        let mut stream = socket.into_stream();
        if let Some(tls) = &settings.tls {
            stream = tls.accept(stream)?;
        }
        let mut input = settings
            .packing
            .unpack_stream(stream)
            .map_err(|error| format!("creating decoder failed: {error}"))?;
        let most_bytes = settings.read_buffer_bytes.unwrap_or(0).max(MOST_MESSAGE_BYTES);
        let mut held: Vec<u8> = Vec::with_capacity(CHUNK_BYTES);
        loop {
            let read = read_more(&mut *input, &mut held);
            let end = match read {
                Ok(1..) => StreamEnd::Open,
                // Whatever has ended it, what has come counts.
                Ok(0) | Err(_) => StreamEnd::Reached,
            };
            let mut done = 0;
            while let Some(message) = settings.splitter.first(&held[done..], end) {
                let bytes = done + message.bytes.start..done + message.bytes.end;
                self.receiver.take(&held[bytes], source);
                done += message.taken;
            }
            held.drain(..done);
            if let Err(error) = read {
                return self.unless_expected(error);
            }
            if end == StreamEnd::Reached {
                return Ok(());
            }
            if held.len() >= most_bytes {
                return Err("bufio.Scanner: token too long".into());
            }
        }
    }

    /// The ways in which connections end that nobody needs to hear of.
    fn unless_expected(&self, error: io::Error) -> Result<(), PluginError> {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                self.log.debug("Connection closed: nothing came in time");
                Ok(())
            }
            io::ErrorKind::ConnectionReset => Ok(()),
            io::ErrorKind::InvalidInput if self.settings.packing == Packing::Gzip => {
                Err("creating decoder failed: gzip: invalid header".into())
            }
            _ => Err(error.into()),
        }
    }
}

fn read_more(input: &mut dyn Read, held: &mut Vec<u8>) -> io::Result<usize> {
    let start = held.len();
    held.resize(start + CHUNK_BYTES, 0);
    loop {
        match input.read(&mut held[start..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => {
                held.truncate(start + result.as_ref().map_or(0, |count| *count));
                return result;
            }
        }
    }
}

fn bind_path(settings: &ListenSettings, network: Network) -> Result<UnixListener, ListenError> {
    let path = settings.address.path().unwrap_or_default();
    remove(&path)?;
    let bound = match network {
        Network::UnixPacket => bind_packets(&path),
        _ => UnixListener::bind(&path),
    };
    let listener =
        bound.map_err(|error| BindError::new(network.name(), &settings.address.place, &error))?;
    set_mode(settings, &path)?;
    Ok(listener)
}

/// A listener whose connections keep packets apart; reading takes one of them at a time.
fn bind_packets(path: &std::path::Path) -> io::Result<UnixListener> {
    let kind = SocketType::SEQPACKET;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &rustix::net::SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}
