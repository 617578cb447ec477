//! A connection to a bus.

use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use super::address::Address;
use super::message::{Call, Kind, Message, START_BYTES, length};
use super::wire::{Malformed, Value};
use crate::system::{Clock, ErrorWords};

/// The longest line of the bus before it knows who we are.
const MOST_LINE_BYTES: usize = 4096;

/// Why the bus gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// There is no bus.
    #[error("dial unix {path}: connect: {}", ErrorWords(source))]
    Connect {
        /// Where it should be.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The bus does not let us in.
    #[error("dbus: authentication failed")]
    Refused,
    /// The connection broke off.
    #[error("dbus: connection closed by user: {}", ErrorWords(.0))]
    Closed(#[from] io::Error),
    /// The answer took too long.
    #[error("context deadline exceeded")]
    TimedOut,
    /// The bus speaks in riddles.
    #[error("malformed D-Bus message")]
    Malformed,
    /// Whoever was asked says no.
    #[error("{0}")]
    Answer(String),
}

impl From<Malformed> for BusError {
    fn from(_: Malformed) -> BusError {
        BusError::Malformed
    }
}

impl BusError {
    /// Whether the connection is of no more use.
    pub(in super::super) fn is_fatal(&self) -> bool {
        !matches!(self, BusError::Answer(_))
    }
}

/// A connection to a bus.
pub(in super::super) struct Connection {
    stream: UnixStream,
    serial: u32,
}

/// When answers have to be there.
#[derive(Clone, Copy)]
pub(in super::super) struct Deadline<'c> {
    pub clock: &'c dyn Clock,
    /// As elapsed time.
    pub at: Duration,
}

impl Deadline<'_> {
    fn rest(&self) -> Result<Duration, BusError> {
        match self.at.saturating_sub(self.clock.elapsed()) {
            Duration::ZERO => Err(BusError::TimedOut),
            rest => Ok(rest),
        }
    }
}

impl Connection {
    /// Connects and says hello.
    ///
    /// # Errors
    /// If there is no bus, or it does not let us in.
    pub(in super::super) fn open(
        address: &Address,
        deadline: Deadline<'_>,
    ) -> Result<Connection, BusError> {
        let (stream, path) = match address {
            Address::Path(path) => (UnixStream::connect(path), path.display().to_string()),
            Address::Abstract(name) => (
                SocketAddr::from_abstract_name(name)
                    .and_then(|address| UnixStream::connect_addr(&address)),
                format!("@{}", String::from_utf8_lossy(name)),
            ),
        };
        let stream = stream.map_err(|source| BusError::Connect { path, source })?;
        let mut connection = Connection { stream, serial: 0 };
        connection.authenticate(deadline)?;
        let hello = Call {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "Hello",
            arguments: &[],
        };
        connection.call(&hello, deadline)?;
        Ok(connection)
    }

    /// Says who we are, which the bus can see anyway.
    fn authenticate(&mut self, deadline: Deadline<'_>) -> Result<(), BusError> {
        let uid = rustix::process::getuid().as_raw().to_string();
        let hex: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.stream.write_all(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes())?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.read(&mut byte, deadline)?;
            line.push(byte[0]);
            if line.len() > MOST_LINE_BYTES {
                return Err(BusError::Refused);
            }
        }
        if !line.starts_with(b"OK ") {
            return Err(BusError::Refused);
        }
        self.stream.write_all(b"BEGIN\r\n")?;
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8], deadline: Deadline<'_>) -> Result<(), BusError> {
        self.stream.set_read_timeout(Some(deadline.rest()?))?;
        self.stream.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => BusError::TimedOut,
            _ => BusError::Closed(error),
        })
    }

    /// Calls a method and returns what it answers.
    ///
    /// # Errors
    /// If it answers with an error, too late or not at all.
    pub(in super::super) fn call(
        &mut self,
        call: &Call<'_>,
        deadline: Deadline<'_>,
    ) -> Result<Vec<Value>, BusError> {
        self.serial = self.serial.wrapping_add(1).max(1);
        self.stream.write_all(&call.encode(self.serial))?;
        loop {
            let message = self.next(deadline)?;
            // Signals, and answers that came too late for an earlier call.
            if message.reply_to != Some(self.serial) {
                continue;
            }
            if message.kind == Some(Kind::Error) {
                let text = message.values.first().and_then(Value::text).map(str::to_owned);
                return Err(BusError::Answer(text.or(message.error_name).unwrap_or_default()));
            }
            return Ok(message.values);
        }
    }

    fn next(&mut self, deadline: Deadline<'_>) -> Result<Message, BusError> {
        let mut start = [0; START_BYTES];
        self.read(&mut start, deadline)?;
        let mut bytes = start.to_vec();
        bytes.resize(length(&start)?, 0);
        self.read(&mut bytes[START_BYTES..], deadline)?;
        Ok(Message::decode(&bytes)?)
    }
}
