//! The text of a file, read and decoded part by part.

use std::fs::File;
use std::io::{self, Read};

use crate::plugin::CharacterEncoding;

/// A file that is read on and on, and as much of its text as nobody has used yet.
pub(super) struct Text {
    file: File,
    encoding: CharacterEncoding,
    /// Bytes that stand for nothing until more of them have come.
    undecoded: Vec<u8>,
    unused: Vec<u8>,
    /// Whether something has been decoded, so that a byte order mark can come no more.
    has_begun: bool,
    has_ended: bool,
}

impl Text {
    /// Begins at the beginning of the file.
    pub(super) fn new(file: File, encoding: CharacterEncoding) -> Text {
        Text {
            file,
            encoding,
            undecoded: Vec::new(),
            unused: Vec::new(),
            has_begun: false,
            has_ended: false,
        }
    }

    /// Reads and decodes so many more bytes, or what is left of the file.
    pub(super) fn read(&mut self, n_bytes: usize) -> io::Result<()> {
        let n_read = (&mut self.file).take(n_bytes as u64).read_to_end(&mut self.undecoded)?;
        self.has_ended = n_read < n_bytes;
        let ready = match self.has_ended {
            true => self.undecoded.len(),
            false => self.encoding.decodable(&self.undecoded),
        };
        let already_there = self.unused.len();
        self.encoding.decode(&self.undecoded[..ready], &mut self.unused);
        self.undecoded.drain(..ready);
        if !self.has_begun && self.unused.len() > already_there {
            self.has_begun = true;
            CharacterEncoding::take_byte_order_mark(&mut self.unused);
        }
        Ok(())
    }

    /// Whether there is no more to read.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// What was read and not used.
    pub(super) fn unused(&self) -> &[u8] {
        &self.unused
    }

    /// Takes so many of the unused bytes for used.
    pub(super) fn mark_used(&mut self, n_bytes: usize) {
        self.unused.drain(..n_bytes);
    }
}
