//! Connections of any kind: TCP, sockets of files, and either of them encrypted.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use openssl::ssl::SslStream;

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// Over the network.
    Tcp(TcpStream),
    /// To a program on the same machine.
    Unix(UnixStream),
    /// Either, encrypted.
    Tls(Box<SslStream<Stream>>),
}

impl Stream {
    /// Bounds every single read; nothing means for ever.
    pub(super) fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_read_timeout(limit),
            Stream::Unix(stream) => stream.set_read_timeout(limit),
            Stream::Tls(stream) => stream.get_ref().set_read_timeout(limit),
        }
    }

    /// Bounds every single write; nothing means for ever.
    pub(super) fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_write_timeout(limit),
            Stream::Unix(stream) => stream.set_write_timeout(limit),
            Stream::Tls(stream) => stream.get_ref().set_write_timeout(limit),
        }
    }

    /// The other end, where it has an address.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        match self {
            Stream::Tcp(stream) => stream.peer_addr().ok(),
            Stream::Unix(_) => None,
            Stream::Tls(stream) => stream.get_ref().peer_address(),
        }
    }

    /// A handle with which another thread can end the connection.
    pub(super) fn breaker(&self) -> io::Result<Breaker> {
        match self {
            Stream::Tcp(stream) => stream.try_clone().map(Breaker::Tcp),
            Stream::Unix(stream) => stream.try_clone().map(Breaker::Unix),
            Stream::Tls(stream) => stream.get_ref().breaker(),
        }
    }

    /// Tells the other end that nothing more will come.
    pub(super) fn end_of_writing(&self) {
        // It may be gone already.
        let _ = match self {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
            Stream::Tls(stream) => return stream.get_ref().end_of_writing(),
        };
    }

    /// Says goodbye where encryption has a word for it.
    pub(super) fn say_goodbye(&mut self) {
        if let Stream::Tls(stream) = self {
            // Whether the other end still listens does not matter.
            let _ = stream.shutdown();
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
            Stream::Tls(stream) => stream.get_ref().as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.flush(),
            Stream::Unix(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

/// Ends a connection from another thread.
#[derive(Debug)]
pub enum Breaker {
    /// Of the network.
    Tcp(TcpStream),
    /// Of this machine.
    Unix(UnixStream),
}

impl Breaker {
    /// Ends the connection; whoever reads or writes it returns at once.
    pub fn end(&self) {
        // It may have ended already.
        let _ = match self {
            Breaker::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Breaker::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}
