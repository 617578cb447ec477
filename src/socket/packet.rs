//! Taking packets.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use rustix::net::sockopt;

use super::bind::{BindError, bind_udp};
use super::{ListenError, ListenSettings, Network, Packing, Ready, Receiver, wait};
use crate::plugin::PluginLog;

/// As much as a packet over IP can hold.
const MOST_PACKET_BYTES: usize = 64 << 10;

/// A socket that packets come to.
pub(super) struct Packets {
    socket: Socket,
    settings: Arc<ListenSettings>,
    receiver: Arc<dyn Receiver>,
    log: PluginLog,
}

enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Packets {
    pub(super) fn open(
        settings: Arc<ListenSettings>,
        receiver: Arc<dyn Receiver>,
        log: PluginLog,
    ) -> Result<Packets, ListenError> {
        let ListenSettings { address, .. } = &*settings;
        let socket = match address.network {
            Network::Udp(family) => {
                let socket = bind_udp(
                    family,
                    &address.place,
                    &address.interface,
                    settings.multicast_source,
                )?;
                if let Some(bytes) = settings.read_buffer_bytes
                    && let Err(error) = sockopt::set_socket_recv_buffer_size(&socket, bytes)
                {
                    let scheme = address.network.scheme();
                    log.warn(format_args!(
                        "Setting read buffer on {scheme} socket failed: {error}"
                    ));
                }
                Socket::Udp(socket)
            }
            _ => Socket::Unix(bind_path(&settings)?),
        };
        let nonblocking = match &socket {
            Socket::Udp(socket) => socket.set_nonblocking(true),
            Socket::Unix(socket) => socket.set_nonblocking(true),
        };
        nonblocking
            .map_err(|source| ListenError::Other { what: "setting up the socket", source })?;
        Ok(Packets { socket, settings, receiver, log })
    }

    pub(super) fn local(&self) -> String {
        match &self.socket {
            Socket::Udp(socket) => {
                socket.local_addr().map_or_else(|_| String::new(), |address| address.to_string())
            }
            Socket::Unix(_) => self.settings.address.place.clone(),
        }
    }

    /// Takes packets until the other end of `woken` is closed.
    pub(super) fn run(&self, woken: &OwnedFd) {
        let bytes = match &self.socket {
            Socket::Udp(_) => MOST_PACKET_BYTES,
            Socket::Unix(_) => self.settings.read_buffer_bytes.unwrap_or(MOST_PACKET_BYTES),
        };
        let mut buffer = vec![0; bytes];
        loop {
            match self.receive(&mut buffer) {
                Ok((count, source)) => self.take(&buffer[..count], source),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let ready = match &self.socket {
                        Socket::Udp(socket) => wait(socket, woken),
                        Socket::Unix(socket) => wait(socket, woken),
                    };
                    match ready {
                        Ok(Ready::Input) => {}
                        Ok(Ready::Woken) => return,
                        Err(error) => return self.receiver.report(error.into()),
                    }
                }
                Err(error) => return self.receiver.report(error.into()),
            }
        }
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<SocketAddr>)> {
        match &self.socket {
            Socket::Udp(socket) => {
                socket.recv_from(buffer).map(|(count, source)| (count, Some(source)))
            }
            Socket::Unix(socket) => socket.recv(buffer).map(|count| (count, None)),
        }
    }

    fn take(&self, packet: &[u8], source: Option<SocketAddr>) {
        let source = source.map(|source| source.ip().to_canonical());
        match self.is_allowed(source) {
            Some(true) => {}
            Some(false) => {
                self.log.debug(format_args!(
                    "Received message from blocked IP: {}",
                    source.map_or_else(String::new, |source| source.to_string())
                ));
                return;
            }
            None => {
                return self
                    .receiver
                    .report("source address \"\" (*net.UnixAddr) has no IP".into());
            }
        }
        if self.settings.packing == Packing::None {
            return self.receiver.take(packet, source);
        }
        match self.settings.packing.unpack(packet, self.settings.max_decompression_bytes) {
            Ok(message) => self.receiver.take(&message, source),
            Err(error) => {
                self.receiver.report(format!("unable to decode incoming packet: {error}").into())
            }
        }
    }

    /// Whether the sender may send; nothing if it cannot be told who that is.
    fn is_allowed(&self, source: Option<IpAddr>) -> Option<bool> {
        let allowed = &self.settings.allowed_sources;
        if allowed.is_empty() {
            return Some(true);
        }
        source.map(|source| allowed.contains(&source))
    }
}

/// Listens at a path; whatever is there is removed before.
fn bind_path(settings: &ListenSettings) -> Result<UnixDatagram, ListenError> {
    let path = settings.address.path().unwrap_or_default();
    remove(&path)?;
    let socket = UnixDatagram::bind(&path)
        .map_err(|error| BindError::new("unixgram", &settings.address.place, &error))?;
    set_mode(settings, &path)?;
    Ok(socket)
}

pub(super) fn remove(path: &std::path::Path) -> Result<(), ListenError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ListenError::Other { what: "removing socket", source })
        }
        _ => Ok(()),
    }
}

pub(super) fn set_mode(
    settings: &ListenSettings,
    path: &std::path::Path,
) -> Result<(), ListenError> {
    let Some(mode) = settings.socket_mode else { return Ok(()) };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|source| ListenError::Other { what: "changing socket permissions", source })
}
