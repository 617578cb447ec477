//! Sockets between a virtual machine and its host.
//!
//! # References
//! vsock(7).

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::plugin::Quoted;

/// A machine and one of its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VsockAddress {
    /// The machine: 0 is the hypervisor, 1 is this one, 2 its host, and 4294967295 any.
    pub machine: u32,
    /// The port.
    pub port: u32,
}

/// A text that is no address of a machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VsockError {
    /// One of the two numbers is not there.
    #[error(
        "port and/or CID number missing in {}; a vsock address is vsock://CID:PORT",
        Quoted::new(.0)
    )]
    Missing(String),
    /// The number of the machine is none.
    #[error("failed to parse CID {}: not a number from 0 to 4294967295", Quoted::new(.0))]
    Machine(String),
    /// The port is none.
    #[error("failed to parse port number {}: not a number from 0 to 4294967295", Quoted::new(.0))]
    Port(String),
}

impl VsockAddress {
    /// Reads an address such as `3:8094`.
    ///
    /// # Errors
    /// If it is not two numbers.
    pub fn parse(text: &str) -> Result<VsockAddress, VsockError> {
        let (machine, port) =
            text.split_once(':').ok_or_else(|| VsockError::Missing(text.to_owned()))?;
        Ok(VsockAddress {
            machine: number(machine).ok_or_else(|| VsockError::Machine(machine.to_owned()))?,
            port: number(port).ok_or_else(|| VsockError::Port(port.to_owned()))?,
        })
    }

    /// Connects to it.
    ///
    /// # Errors
    /// If nobody listens there, or the kernel has no such sockets.
    pub fn connect(self) -> io::Result<UnixStream> {
        let socket = Socket::new(Domain::VSOCK, Type::STREAM, None)?;
        socket.connect(&self.of_the_kernel())?;
        Ok(stream(socket))
    }

    /// Listens at it.
    ///
    /// # Errors
    /// If it is taken, or not of this machine.
    pub(super) fn listen(self, backlog: i32) -> io::Result<Socket> {
        let socket = Socket::new(Domain::VSOCK, Type::STREAM, None)?;
        socket.bind(&self.of_the_kernel())?;
        socket.listen(backlog)?;
        Ok(socket)
    }

    fn of_the_kernel(self) -> SockAddr {
        SockAddr::vsock(self.machine, self.port)
    }
}

/// Takes a connection.
///
/// # Errors
/// Whatever the kernel says.
pub(super) fn accept(listener: &Socket) -> io::Result<UnixStream> {
    listener.accept().map(|(socket, _)| stream(socket))
}

/// The connection as one of a path: reading, writing and ending it are the same calls.
fn stream(socket: Socket) -> UnixStream {
    UnixStream::from(OwnedFd::from(socket))
}

/// The number in decimal digits, and nothing else.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for VsockAddress {
    /// Shows it as Telegraf does: `host(2):8094`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.machine {
            0 => "hypervisor",
            1 => "local",
            2 => "host",
            _ => "vm",
        };
        write!(f, "{kind}({}):{}", self.machine, self.port)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn an_address_is_two_numbers() {
        for (text, machine, port, shown) in [
            ("0:1", 0, 1, "hypervisor(0):1"),
            ("1:8094", 1, 8094, "local(1):8094"),
            ("2:0", 2, 0, "host(2):0"),
            ("4294967295:4294967295", u32::MAX, u32::MAX, "vm(4294967295):4294967295"),
        ] {
            let address = VsockAddress::parse(text).unwrap();
            assert_eq!(address, VsockAddress { machine, port });
            assert_eq!(address.to_string(), shown);
        }
        for (text, words) in [
            ("3", "port and/or CID number missing in \"3\"; a vsock address is vsock://CID:PORT"),
            ("cid:80", "failed to parse CID \"cid\": not a number from 0 to 4294967295"),
            (":80", "failed to parse CID \"\": not a number from 0 to 4294967295"),
            ("+3:80", "failed to parse CID \"+3\": not a number from 0 to 4294967295"),
            (
                "3:4294967296",
                "failed to parse port number \"4294967296\": not a number from 0 to 4294967295",
            ),
            ("3:80:1", "failed to parse port number \"80:1\": not a number from 0 to 4294967295"),
        ] {
            assert_eq!(VsockAddress::parse(text).unwrap_err().to_string(), words);
        }
    }

    #[test]
    fn a_machine_talks_to_itself_where_the_kernel_lets_it() {
        const LOCAL: u32 = 1;
        // Port 0 of a listener would be taken as it is, so it is one that hardly anybody takes.
        let address = VsockAddress { machine: LOCAL, port: 0x7e57_0000 | std::process::id() };
        let listener = match address.listen(1) {
            Ok(listener) => listener,
            // Without the loopback of vsock, or any vsock at all, there is an error for people.
            Err(error) => {
                assert!(error.raw_os_error().is_some(), "{error}");
                let error = address.connect().unwrap_err();
                assert!(error.raw_os_error().is_some(), "{error}");
                return;
            }
        };
        let mut here = address.connect().unwrap();
        let mut there = accept(&listener).unwrap();
        here.write_all(b"cpu v=1\n").unwrap();
        drop(here);
        let mut text = String::new();
        there.read_to_string(&mut text).unwrap();
        assert_eq!(text, "cpu v=1\n");
    }
}
