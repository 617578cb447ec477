//! Addresses to listen at, as plugins are given them.

use std::path::PathBuf;

use super::{VsockAddress, VsockError};
use crate::plugin::Quoted;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// How.
    pub network: Network,
    /// Host and port, or the path of a socket.
    pub place: String,
    /// The network interface for multicast; empty for the system's choice.
    pub interface: String,
}

/// Kinds of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Connections over IP.
    Tcp(Family),
    /// Packets over IP.
    Udp(Family),
    /// Connections through a path.
    Unix,
    /// Packets through a path.
    UnixGram,
    /// Connections through a path that keep packets apart.
    UnixPacket,
    /// Connections between a virtual machine and its host.
    Vsock(VsockAddress),
}

/// Which versions of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Both.
    Any,
    /// Version 4.
    V4,
    /// Version 6.
    V6,
}

/// An address that nothing can listen at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The kind of socket is none.
    #[error("unknown protocol {} in {}", Quoted::new(scheme), Quoted::new(address))]
    Scheme {
        /// What stands before `://`.
        scheme: String,
        /// The whole.
        address: String,
    },
    /// The kind of socket is one of Telegraf's that this program has not.
    #[error("{0:?} sockets are not supported; use tcp, udp, unix, unixgram, unixpacket or vsock")]
    Unsupported(String),
    /// A machine and its port are not numbers.
    #[error(transparent)]
    Vsock(#[from] VsockError),
    /// An interface is named twice.
    #[error("ipv6 zone id and interface name are mutually exclusive")]
    TwoInterfaces,
    /// An interface is announced and not named.
    #[error("address {} is not valid", Quoted::new(.0))]
    NoInterface(String),
}

impl Address {
    /// Reads an address such as `tcp://:8094` or `unix:///run/metrics.sock`.
    ///
    /// # Errors
    /// If there is no such kind of socket.
    pub fn parse(address: &str) -> Result<Address, AddressError> {
        let (plain, interface) = take_interface(address)?;
        let (scheme, place) = match plain.split_once("://") {
            Some(parts) => parts,
            None => plain.split_once(':').unwrap_or(("", &plain)),
        };
        let network = match scheme {
            "tcp" => Network::Tcp(Family::Any),
            "tcp4" => Network::Tcp(Family::V4),
            "tcp6" => Network::Tcp(Family::V6),
            "udp" => Network::Udp(Family::Any),
            "udp4" => Network::Udp(Family::V4),
            "udp6" => Network::Udp(Family::V6),
            "unix" => Network::Unix,
            "unixgram" => Network::UnixGram,
            "unixpacket" => Network::UnixPacket,
            "vsock" => Network::Vsock(VsockAddress::parse(host_and_port(place))?),
            "ip" | "ip4" | "ip6" => {
                return Err(AddressError::Unsupported(scheme.to_owned()));
            }
            _ => {
                let (scheme, address) = (scheme.to_owned(), plain.clone());
                return Err(AddressError::Scheme { scheme, address });
            }
        };
        let place = match network {
            Network::Tcp(_) | Network::Udp(_) | Network::Vsock(_) => host_and_port(place),
            // What stands before the first slash would be a host.
            _ => place.find('/').map_or("", |slash| &place[slash..]),
        };
        Ok(Address { network, place: place.to_owned(), interface })
    }

    /// The path, of sockets that have one.
    pub fn path(&self) -> Option<PathBuf> {
        match self.network {
            Network::Tcp(_) | Network::Udp(_) | Network::Vsock(_) => None,
            Network::Unix | Network::UnixGram | Network::UnixPacket => Some((&self.place).into()),
        }
    }
}

impl Network {
    /// The name as Go prints it of what it listens at.
    pub fn name(self) -> &'static str {
        match self {
            Network::Tcp(_) => "tcp",
            Network::Udp(_) => "udp",
            Network::Unix => "unix",
            Network::UnixGram => "unixgram",
            Network::UnixPacket => "unixpacket",
            Network::Vsock(_) => "vsock",
        }
    }

    /// The name in settings.
    pub fn scheme(self) -> &'static str {
        match self {
            Network::Tcp(Family::V4) => "tcp4",
            Network::Tcp(Family::V6) => "tcp6",
            Network::Udp(Family::V4) => "udp4",
            Network::Udp(Family::V6) => "udp6",
            other => other.name(),
        }
    }
}

/// What stands before anything else that a URL may have.
fn host_and_port(place: &str) -> &str {
    place.split(['/', '?']).next().unwrap_or_default()
}

/// Takes the interface out of an address: `[ff02::1%eth0]:80` or `[ff02::1]:80%eth0`.
fn take_interface(address: &str) -> Result<(String, String), AddressError> {
    let mut parts = address.split('%');
    let start = parts.next().unwrap_or_default();
    let rest: Vec<_> = parts.collect();
    match rest[..] {
        [] => Ok((address.to_owned(), String::new())),
        [one] => {
            let (name, end) = match one.split_once(']') {
                Some((name, _)) => one.split_at(name.len()),
                None => (one, ""),
            };
            if name.is_empty() {
                return Err(AddressError::NoInterface(address.to_owned()));
            }
            Ok((format!("{start}{end}"), name.to_owned()))
        }
        _ => Err(AddressError::TwoInterfaces),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_the_kind_of_socket_and_its_place() {
        let machine = VsockAddress { machine: 3, port: 8094 };
        for (text, network, place, interface) in [
            ("tcp://:8094", Network::Tcp(Family::Any), ":8094", ""),
            ("tcp6://[::1]:1", Network::Tcp(Family::V6), "[::1]:1", ""),
            ("udp4://239.0.0.1:4%eth0", Network::Udp(Family::V4), "239.0.0.1:4", "eth0"),
            ("udp6://[ff02::1%eth0]:4", Network::Udp(Family::V6), "[ff02::1]:4", "eth0"),
            ("udp6://[ff02::1]:4%eth0", Network::Udp(Family::V6), "[ff02::1]:4", "eth0"),
            ("unix:///run/a", Network::Unix, "/run/a", ""),
            ("unixgram:///run/a", Network::UnixGram, "/run/a", ""),
            ("vsock://3:8094/", Network::Vsock(machine), "3:8094", ""),
        ] {
            let interface = interface.to_owned();
            let expected = Address { network, place: place.to_owned(), interface };
            assert_eq!(Address::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn addresses_that_are_none_are_refused_with_words() {
        for (text, words) in [
            ("http://:80", "unknown protocol \"http\" in \"http://:80\""),
            ("localhost:80", "unknown protocol \"localhost\" in \"localhost:80\""),
            ("", "unknown protocol \"\" in \"\""),
            ("udp://[ff02::1%a]:4%b", "ipv6 zone id and interface name are mutually exclusive"),
            ("udp://:4%", "address \"udp://:4%\" is not valid"),
        ] {
            assert_eq!(Address::parse(text).unwrap_err().to_string(), words);
        }
        let words = Address::parse("ip4://127.0.0.1").unwrap_err().to_string();
        assert!(words.starts_with("\"ip4\" sockets are not supported"), "{words}");
        let words = Address::parse("vsock://cid:80").unwrap_err().to_string();
        assert!(words.starts_with("failed to parse CID \"cid\""), "{words}");
    }
}
