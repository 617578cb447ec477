//! A connection with a buffer for what is read, and a time by which everything has to be done.

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::stream::Stream;
use crate::system::Clock;

const BUFFER_BYTES: usize = 16 * 1024;

/// A buffered connection with a deadline.
///
/// A connection that is not done with by its deadline fails with
/// [`TimedOut`](io::ErrorKind::TimedOut), however often a few bytes come.
pub struct Wire {
    stream: Stream,
    clock: Arc<dyn Clock>,
    /// In the clock's elapsed time.
    deadline: Option<Duration>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Wire {
    pub(super) fn new(stream: Stream, clock: Arc<dyn Clock>) -> Wire {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Wire { stream, clock, deadline: None, buffer, start: 0, end: 0 }
    }

    /// Sets the time by which everything has to be done, from now on; nothing means for ever.
    pub fn set_limit(&mut self, limit: Option<Duration>) {
        self.deadline = limit.map(|limit| self.clock.elapsed().saturating_add(limit));
    }

    /// Sets the time by which everything has to be done, in the clock's elapsed time.
    pub fn set_deadline(&mut self, deadline: Option<Duration>) {
        self.deadline = deadline;
    }

    /// Gives the connection up; what was read and not taken is lost.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(super) fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Whether something was read that nobody has taken.
    pub(super) fn has_buffered(&self) -> bool {
        self.start < self.end
    }

    /// Whether the other end has neither closed nor sent anything, so that a request can be sent.
    pub fn is_quiet(&self) -> bool {
        let mut fds = [PollFd::new(&self.stream, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        !self.has_buffered() && matches!(poll(&mut fds, Some(&at_once)), Ok(0))
    }

    fn remaining(&self) -> io::Result<Option<Duration>> {
        let Some(deadline) = self.deadline else { return Ok(None) };
        match deadline.checked_sub(self.clock.elapsed()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(timed_out()),
        }
    }

    /// Reads into the buffer, replacing what was there.
    fn refill(&mut self) -> io::Result<()> {
        (self.start, self.end) = (0, 0);
        let remaining = self.remaining()?;
        self.stream.set_read_timeout(remaining)?;
        self.end = uninterrupted(|| self.stream.read(&mut self.buffer))?;
        Ok(())
    }
}

fn uninterrupted(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(as_time_out),
        }
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "i/o timeout")
}

/// Sockets that are not read or written in time say that they would block.
fn as_time_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { timed_out() } else { error }
}

impl Read for Wire {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if !self.has_buffered() && out.len() >= self.buffer.len() {
            let remaining = self.remaining()?;
            self.stream.set_read_timeout(remaining)?;
            return uninterrupted(|| self.stream.read(out));
        }
        let available = self.fill_buf()?;
        let count = available.len().min(out.len());
        out[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Wire {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.has_buffered() {
            self.refill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let remaining = self.remaining()?;
        self.stream.set_write_timeout(remaining)?;
        self.stream.write(bytes).map_err(as_time_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
