//! The ends of the pipes to a program: none of them waits for ever.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::process::ChildStdin;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

/// How long a write may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Until the program reads, or ends.
    Endless,
    /// So long.
    AtMost(Duration),
}

/// Why nothing more could be written to a program; in the words of Go's pipes.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It does not run.
    #[error("write |1: file already closed")]
    Closed,
    /// It has closed its input.
    #[error("write |1: broken pipe")]
    BrokenPipe,
    /// It does not read.
    #[error("write |1: i/o timeout")]
    TimedOut,
    /// The system would not.
    #[error("write |1: {}", crate::system::ErrorWords(.0))]
    System(io::Error),
}

/// The program's input.
pub(super) struct Stdin {
    file: File,
}

impl Stdin {
    pub(super) fn new(stdin: ChildStdin) -> io::Result<Stdin> {
        let fd = OwnedFd::from(stdin);
        // The program's own end is another description, and stays as it was.
        let flags = rustix::fs::fcntl_getfl(&fd)?;
        rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?;
        Ok(Stdin { file: File::from(fd) })
    }

    pub(super) fn write_all(&self, mut bytes: &[u8], patience: Patience) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            match (&self.file).write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => self.wait_until_writable(patience)?,
                    io::ErrorKind::BrokenPipe => return Err(WriteError::BrokenPipe),
                    _ => return Err(WriteError::System(error)),
                },
            }
        }
        Ok(())
    }

    fn wait_until_writable(&self, patience: Patience) -> Result<(), WriteError> {
        let timeout = match patience {
            Patience::Endless => None,
            Patience::AtMost(span) => Some(
                Timespec::try_from(span)
                    .map_err(|_| WriteError::System(io::ErrorKind::InvalidInput.into()))?,
            ),
        };
        let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => Err(WriteError::TimedOut),
            // Whatever it is, the next write tells.
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(WriteError::System(error.into())),
        }
    }
}

/// One of the program's outputs.
///
/// It ends when the program has closed it, or has ended and nothing more is in the pipe: what the
/// program started and left behind may hold it open for ever.
pub(super) struct OutputPipe<'e> {
    file: File,
    end: &'e OwnedFd,
}

/// Two ends: when the first is dropped, the second tells the readers of outputs that the program
/// has ended.
pub(super) fn end_signal() -> io::Result<(OwnedFd, OwnedFd)> {
    let (end, ending) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((ending, end))
}

impl<'e> OutputPipe<'e> {
    pub(super) fn new(pipe: OwnedFd, end: &'e OwnedFd) -> OutputPipe<'e> {
        OutputPipe { file: File::from(pipe), end }
    }
}

impl Read for OutputPipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut fds = [
                PollFd::new(&self.file, PollFlags::IN),
                PollFd::from_borrowed_fd(std::os::fd::AsFd::as_fd(self.end), PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let (output, end) = (fds[0].revents(), fds[1].revents());
            if !output.is_empty() {
                match self.file.read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return result,
                }
            } else if !end.is_empty() {
                return Ok(0);
            }
        }
    }
}
