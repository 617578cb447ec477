//! Metrics that a program writes, as soon as they are there.

use std::io::{self, Read};

use crate::metric::Metric;
use crate::plugin::{NotEnoughData, Parser, PluginError};

/// The smallest buffer that options can ask for.
const LEAST_BUFFER_BYTES: usize = 16;

/// How long a piece may be. A program that writes on and on without a line end must not take all
/// memory.
const MOST_PIECE_BYTES: usize = 16 << 20;

/// A piece of a stream has no end.
#[derive(Debug, thiserror::Error)]
#[error("more than {} MiB without a line end; they are left out", MOST_PIECE_BYTES >> 20)]
struct NoEnd;

/// What came of a stretch of a stream.
#[derive(Debug)]
pub enum Parsed {
    /// All metrics of what has been read so far.
    Metrics(Vec<Metric>),
    /// A piece that the parser made nothing of.
    Nothing,
    /// A piece that the parser does not understand; the others are not touched by it.
    Error(PluginError),
}

/// Parses a stream piece by piece; what is left at its end is a last piece.
///
/// # Errors
/// If the stream cannot be read.
pub fn for_each_piece(
    input: &mut dyn Read,
    parser: &mut dyn Parser,
    buffer_bytes: usize,
    mut take: impl FnMut(Parsed),
) -> io::Result<()> {
    let mut chunk = vec![0; buffer_bytes.max(LEAST_BUFFER_BYTES)];
    let mut held = Vec::new();
    let mut metrics = Vec::new();
    // Whether what is read belongs to a piece that was given up.
    let mut skips = false;
    loop {
        let count = input.read(&mut chunk)?;
        let mut read = &chunk[..count];
        if skips && count > 0 {
            let Some(end) = memchr::memchr(b'\n', read) else { continue };
            read = &read[end + 1..];
            skips = false;
        }
        held.extend_from_slice(read);
        let mut done = 0;
        while let Some(length) = piece(parser, &held[done..], count == 0) {
            match parser.parse(&held[done..done + length]) {
                Ok(parsed) if parsed.is_empty() => take(Parsed::Nothing),
                Ok(mut parsed) => metrics.append(&mut parsed),
                // The parser wants more pieces first.
                Err(error) if error.is::<NotEnoughData>() => {}
                Err(error) => take(Parsed::Error(error)),
            }
            done += length;
        }
        held.drain(..done);
        if held.len() > MOST_PIECE_BYTES {
            held = Vec::new();
            skips = true;
            take(Parsed::Error(NoEnd.into()));
        }
        if !metrics.is_empty() {
            take(Parsed::Metrics(std::mem::take(&mut metrics)));
        }
        if count == 0 {
            return Ok(());
        }
    }
}

fn piece(parser: &dyn Parser, stream: &[u8], is_end: bool) -> Option<usize> {
    let rest = (is_end && !stream.is_empty()).then_some(stream.len());
    parser.piece_of_stream(stream).or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::parsers::influx;
    use crate::plugins::tests::{lines, parser};

    #[test]
    fn a_line_without_an_end_is_given_up_and_the_next_one_is_read() {
        let endless = io::repeat(b'x').take(3 * MOST_PIECE_BYTES as u64);
        let mut stream = (&b"a v=1 1\n"[..]).chain(endless).chain(&b"\nb v=2 2\n"[..]);
        let (mut metrics, mut errors) = (Vec::new(), Vec::new());
        let mut influx = parser(&influx::PLUGIN, "").unwrap();
        for_each_piece(&mut stream, &mut *influx, 64 << 10, |parsed| match parsed {
            Parsed::Metrics(mut more) => metrics.append(&mut more),
            Parsed::Nothing => {}
            Parsed::Error(error) => errors.push(error.to_string()),
        })
        .unwrap();
        assert_eq!(lines(&metrics), ["a v=1 1", "b v=2 2"]);
        assert_eq!(errors, ["more than 16 MiB without a line end; they are left out"]);
    }
}
