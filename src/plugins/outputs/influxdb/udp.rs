//! A server that metrics are thrown at, one datagram a line.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};

use super::Failure;
use crate::http::{LocalAddress, Url};
use crate::metric::Metric;
use crate::plugin::http_options::local_address as local_address_of;
use crate::plugin::{BuildError, PluginLog, Serializer};
use crate::system::ErrorWords;

/// A server that is reached by datagrams; whether they arrive nobody knows.
pub(super) struct UdpClient {
    url: Url,
    local_address: Option<SocketAddr>,
    /// Cuts lines to what fits into a datagram.
    serializer: Box<dyn Serializer>,
    socket: Option<UdpSocket>,
    lines: Vec<u8>,
}

impl UdpClient {
    pub(super) fn new(
        url: Url,
        local_address: &str,
        serializer: Box<dyn Serializer>,
    ) -> Result<UdpClient, BuildError> {
        let local_address = local_address_of(local_address)?.map(LocalAddress::socket_address);
        Ok(UdpClient { url, local_address, serializer, socket: None, lines: Vec::new() })
    }

    /// Sends metrics; those that have no form that fits are logged and left out.
    pub(super) fn write<'m>(
        &mut self,
        metrics: impl Iterator<Item = &'m Metric>,
        log: &PluginLog,
    ) -> Result<(), Failure> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => self.open().map_err(|error| {
                Failure::Retry(
                    format!("error dialing address [{}]: {}", self.url, ErrorWords(&error)).into(),
                )
            })?,
        };
        for metric in metrics {
            self.lines.clear();
            if let Err(error) = self.serializer.serialize(metric, &mut self.lines) {
                log.error(format_args!(
                    "When writing to [{}] could not serialize metric: {error}",
                    self.url
                ));
                continue;
            }
            for line in self.lines.split_inclusive(|byte| *byte == b'\n') {
                socket.send(line).map_err(|error| {
                    let address = self.url.address();
                    let words = ErrorWords(&error);
                    Failure::Retry(format!("write udp {address}: write: {words}").into())
                })?;
            }
        }
        self.socket = Some(socket);
        Ok(())
    }

    fn open(&self) -> io::Result<UdpSocket> {
        let mut last = io::Error::other("no suitable address");
        for address in (self.url.host.as_str(), self.url.port_or_default()).to_socket_addrs()? {
            let is_meant = match self.url.scheme.as_str() {
                "udp4" => address.is_ipv4(),
                "udp6" => address.is_ipv6(),
                _ => true,
            };
            let local = self.local_address.unwrap_or(match address.is_ipv4() {
                true => SocketAddr::from(([0_u8; 4], 0)),
                false => SocketAddr::from(([0_u16; 8], 0)),
            });
            if !is_meant || local.is_ipv4() != address.is_ipv4() {
                continue;
            }
            match UdpSocket::bind(local).and_then(|s| s.connect(address).map(|()| s)) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl fmt::Display for UdpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}
