//! Metrics that a program writes, as soon as they are there.

use std::io::{self, Read};

use crate::metric::Metric;
use crate::plugin::{NotEnoughData, Parser, PluginError};

/// The smallest buffer that options can ask for.
const LEAST_BUFFER_BYTES: usize = 16;

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
    loop {
        let count = input.read(&mut chunk)?;
        held.extend_from_slice(&chunk[..count]);
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
