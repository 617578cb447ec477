//! Bodies of messages, as their framing delimits them.

use std::io::{self, BufRead, Read};

use super::stream::Breaker;
use super::wire::Wire;

/// Most bytes of a line that gives the size of a chunk, extensions included.
const MOST_SIZE_BYTES: usize = 4096;

/// Most bytes of the fields after the last chunk.
const MOST_TRAILER_BYTES: usize = 64 * 1024;

/// How much of a body is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    /// In chunks: so many bytes of the current one, and whether one was begun before.
    Chunked { left: u64, is_first: bool },
    /// Until the other end closes the connection.
    UntilClose,
    /// Nothing more.
    Done,
}

impl Framing {
    pub(super) fn chunked() -> Framing {
        Framing::Chunked { left: 0, is_first: true }
    }

    /// Whether the body has been read to its end.
    pub(super) fn is_done(self) -> bool {
        matches!(self, Framing::Done | Framing::Length(0))
    }

    /// Reads some bytes of the body; zero means that it has ended.
    pub(super) fn read(&mut self, wire: &mut Wire, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if let Framing::Chunked { left: 0, is_first } = *self {
            *self = next_chunk(wire, is_first)?;
        }
        let left = match self {
            Framing::Done | Framing::Length(0) => return Ok(0),
            Framing::UntilClose => u64::MAX,
            Framing::Length(left) | Framing::Chunked { left, .. } => *left,
        };
        let most = out.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = wire.read(&mut out[..most])?;
        match self {
            Framing::UntilClose if count == 0 => *self = Framing::Done,
            Framing::UntilClose | Framing::Done => {}
            _ if count == 0 => return Err(cut()),
            Framing::Length(left) | Framing::Chunked { left, .. } => *left -= count as u64,
        }
        Ok(count)
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected EOF")
}

fn malformed(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}

/// Reads up to the next chunk's first byte, or to the end of the body.
fn next_chunk(wire: &mut Wire, is_first: bool) -> io::Result<Framing> {
    if !is_first && !read_line(wire, MOST_SIZE_BYTES)?.is_empty() {
        return Err(malformed("malformed chunked encoding"));
    }
    let line = read_line(wire, MOST_SIZE_BYTES)?;
    let size = line.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let size = std::str::from_utf8(size)
        .ok()
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| malformed("invalid byte in chunk length"))?;
    if size > 0 {
        return Ok(Framing::Chunked { left: size, is_first: false });
    }
    let mut room = MOST_TRAILER_BYTES;
    loop {
        let line = read_line(wire, room)?;
        if line.is_empty() {
            return Ok(Framing::Done);
        }
        room = room.saturating_sub(line.len() + 2);
    }
}

/// Reads a line without its end.
fn read_line(wire: &mut Wire, most_bytes: usize) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        let available = wire.fill_buf()?;
        if available.is_empty() {
            return Err(cut());
        }
        let end = memchr::memchr(b'\n', available);
        let count = end.map_or(available.len(), |at| at + 1);
        line.extend_from_slice(&available[..count]);
        wire.consume(count);
        if end.is_some() {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(line);
        }
        if line.len() > most_bytes {
            return Err(malformed("header line too long"));
        }
    }
}

/// The body of a response, read as it comes.
///
/// Once it has been read to its end the connection goes back to the client for the next request;
/// dropped before, the connection is closed.
pub struct Body {
    wire: Option<Wire>,
    framing: Framing,
    give_back: Option<Box<dyn FnOnce(Wire) + Send>>,
}

impl Body {
    pub(super) fn new(
        wire: Wire,
        framing: Framing,
        give_back: Option<Box<dyn FnOnce(Wire) + Send>>,
    ) -> Body {
        let mut body = Body { wire: Some(wire), framing, give_back };
        body.end_if_done();
        body
    }

    /// Lets each wait for more take as long as it takes, for answers that go on and on.
    pub fn lift_deadline(&mut self) {
        if let Some(wire) = &mut self.wire {
            wire.set_deadline(None);
        }
    }

    /// A handle with which another thread can end the answer; none once it has been read.
    ///
    /// # Errors
    /// If the system has no room for one.
    pub fn breaker(&self) -> io::Result<Option<Breaker>> {
        self.wire.as_ref().map(|wire| wire.stream().breaker()).transpose()
    }

    fn end_if_done(&mut self) {
        if self.framing.is_done()
            && let Some(wire) = self.wire.take()
            && let Some(give_back) = self.give_back.take()
        {
            give_back(wire);
        }
    }
}

impl Read for Body {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(wire) = &mut self.wire else { return Ok(0) };
        let read = self.framing.read(wire, out);
        if read.is_err() {
            self.wire = None;
        }
        self.end_if_done();
        read
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("framing", &self.framing).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    use super::*;
    use crate::http::stream::Stream;
    use crate::system::RealClock;

    /// What a body comes to that is sent in pieces of so many bytes.
    fn read(framing: Framing, sent: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let sent = sent.to_vec();
        let sender = std::thread::spawn(move || {
            // The reader may have read enough.
            let _ = sent.chunks(piece).try_for_each(|piece| theirs.write_all(piece));
        });
        let wire = Wire::new(Stream::Unix(ours), Arc::new(RealClock::new()));
        let mut body = Body::new(wire, framing, None);
        let mut out = Vec::new();
        let read = body.read_to_end(&mut out);
        sender.join().unwrap();
        read.map(|_| out)
    }

    #[test]
    fn chunks_are_put_together_however_they_are_sent() {
        let sent = b"4\r\nWiki\r\n5;x=\"y\"\r\npedia\r\n0\r\nTrailer: 1\r\n\r\nnext";
        for piece in [1, 2, 3, 7, 100] {
            assert_eq!(read(Framing::chunked(), sent, piece).unwrap(), b"Wikipedia");
        }
        assert_eq!(read(Framing::Length(4), b"Wikipedia", 2).unwrap(), b"Wiki");
        assert_eq!(read(Framing::UntilClose, b"Wikipedia", 4).unwrap(), b"Wikipedia");
    }

    #[test]
    fn a_body_that_is_cut_or_malformed_is_an_error() {
        for (framing, sent) in [
            (Framing::Length(5), &b"Wiki"[..]),
            (Framing::chunked(), b"4\r\nWik"),
            (Framing::chunked(), b"4\r\nWiki\r\n"),
            (Framing::chunked(), b"4\r\nWikipedia\r\n0\r\n\r\n"),
            (Framing::chunked(), b"-4\r\nWiki\r\n0\r\n\r\n"),
            (Framing::chunked(), b"fffffffffffffffff\r\nWiki\r\n0\r\n\r\n"),
            (Framing::chunked(), b"\r\n"),
        ] {
            assert!(read(framing, sent, 100).is_err(), "{framing:?} {sent:?}");
        }
    }
}
