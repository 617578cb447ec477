//! Listening at sockets: connections and packets, over IP, through paths, and between machines.
//!
//! A [`Listening`] has a thread that takes connections or packets, and one for each connection.
//! What comes is cut into messages and handed to a [`Receiver`].
//!
//! # References
//! Telegraf's `plugins/common/socket`.

mod address;
mod bind;
mod packet;
mod packing;
mod split;
mod stream;
#[cfg(test)]
mod tests;
mod vsock;

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::http::tls::ServerTls;
use crate::plugin::{PluginError, PluginLog, Quoted};
use crate::system::thread::{Thread, spawn};

pub use address::{Address, AddressError, Family, Network};
pub use bind::{BindError, bind_tcp, bind_udp};
pub use packing::{Packing, PackingError};
pub use split::{Endianness, LengthField, Message, SplitError, Splitter, StreamEnd};
pub use vsock::{VsockAddress, VsockError};

/// How to listen.
#[derive(Debug)]
pub struct ListenSettings {
    /// Where.
    pub address: Address,
    /// What ends a message in a connection; a packet is one message.
    pub splitter: Splitter,
    /// How messages are packed.
    pub packing: Packing,
    /// What a packet may come to when it is unpacked.
    pub max_decompression_bytes: u64,
    /// How many connections there may be at a time; nothing for any number.
    pub max_connections: Option<usize>,
    /// How long a connection may be silent; nothing for ever.
    pub read_timeout: Option<Duration>,
    /// The size of the kernel's buffer; nothing for its default. In a stream a message may be as
    /// long, if that is more than 64 KiB.
    pub read_buffer_bytes: Option<usize>,
    /// Time between probes whether the other end of a TCP connection is still there; zero for
    /// none, nothing for what the kernel does.
    pub keep_alive: Option<Duration>,
    /// The permissions of a path.
    pub socket_mode: Option<u32>,
    /// The senders that are listened to; none listed is all.
    pub allowed_sources: Vec<IpAddr>,
    /// The one sender of a multicast group that is listened to.
    pub multicast_source: Option<IpAddr>,
    /// Encryption of connections.
    pub tls: Option<ServerTls>,
}

/// Takes what comes in; called by many threads.
pub trait Receiver: Send + Sync {
    /// Takes a message, and who sent it where it comes over IP.
    fn take(&self, message: &[u8], source: Option<IpAddr>);

    /// Takes an error that ended a connection or spoilt a packet.
    fn report(&self, error: PluginError);

    /// Is told that a connection has been let in.
    fn opened(&self) {}

    /// Is told that a connection has ended.
    fn closed(&self) {}

    /// Is told that a connection was one too many, and from where it was.
    fn refused(&self, name: &str) {
        let name = Quoted::new(name);
        self.report(
            format!("unable to accept connection from {name}: too many connections").into(),
        );
    }
}

/// Why listening could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, forbidden, or not there.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Something about the path or the thread.
    #[error("{what} failed: {}", crate::system::ErrorWords(source))]
    Other {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Listening {
    /// Closes first, which ends the thread.
    wake: Option<OwnedFd>,
    thread: Option<Thread>,
    path: Option<PathBuf>,
    local: String,
}

impl Listening {
    /// Begins to listen.
    ///
    /// # Errors
    /// If the address cannot be listened at.
    pub fn start(
        settings: ListenSettings,
        receiver: Arc<dyn Receiver>,
        log: PluginLog,
    ) -> Result<Listening, ListenError> {
        let other = |what| move |source| ListenError::Other { what, source };
        let (woken, wake) =
            pipe_with(PipeFlags::CLOEXEC).map_err(|error| other("opening a pipe")(error.into()))?;
        let path = settings.address.path();
        let settings = Arc::new(settings);
        let (local, thread) = match settings.address.network {
            Network::Udp(_) | Network::UnixGram => {
                let packets = packet::Packets::open(settings, receiver, log)?;
                let local = packets.local();
                (local, spawn("socket", move || packets.run(&woken)))
            }
            Network::Tcp(_) | Network::Unix | Network::UnixPacket | Network::Vsock(_) => {
                let acceptor = stream::Acceptor::open(settings, receiver, log)?;
                let local = acceptor.local();
                (local, spawn("socket", move || acceptor.run(&woken)))
            }
        };
        let thread = thread.map_err(other("starting a thread"))?;
        Ok(Listening { wake: Some(wake), thread: Some(thread), path, local })
    }

    /// Where it listens: host and port, or the path, or the machine and its port.
    pub fn local(&self) -> &str {
        &self.local
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        drop(self.wake.take());
        drop(self.thread.take());
        if let Some(path) = &self.path {
            // Somebody may have removed it already.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What a wait has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    /// There is something to take.
    Input,
    /// It is time to end.
    Woken,
}

/// Waits until there is something to take, or the other end of `woken` has been closed.
fn wait(socket: impl AsFd, woken: &OwnedFd) -> io::Result<Ready> {
    loop {
        let mut fds = [PollFd::new(&socket, PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) if !fds[1].revents().is_empty() => return Ok(Ready::Woken),
            Ok(_) => return Ok(Ready::Input),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
