//! What is wrong with a line, and where.

use crate::plugin::Quoted;

/// How much of a long line an error shows.
const SHOWN_BYTES: usize = 1024;

/// What was wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The line does not begin with a measurement.
    #[error("expected measurement name")]
    Name,
    /// A tag is malformed, or fields are missing.
    #[error("expected tag")]
    Tag,
    /// A field is malformed.
    #[error("expected field")]
    Field,
    /// What follows the fields is no timestamp.
    #[error("expected timestamp")]
    Timestamp,
    /// Something stands where the line should end.
    #[error("parse error")]
    Line,
    /// A number only looked like one.
    #[error("invalid syntax")]
    Syntax,
    /// A number or a time does not fit.
    #[error("value out of range")]
    Range,
}

/// A reason and the byte at which it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What was wrong.
    pub reason: Reason,
    /// The place of the byte in the input.
    pub at: usize,
}

/// Why some input is no line protocol; lines and columns count from 1, columns in bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("metric parse error: {reason} at {line}:{column}: {}", Quoted::new(shown))]
pub struct ParseError {
    /// What was wrong.
    pub reason: Reason,
    /// The line in the input.
    pub line: usize,
    /// The column in that line.
    pub column: usize,
    /// The line, or of a long one the part before the fault.
    shown: Vec<u8>,
}

impl ParseError {
    /// Tells of a fault in `input`, the line shown as a whole.
    pub fn new(fault: Fault, input: &[u8]) -> ParseError {
        let before = &input[..fault.at];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let rest = &input[line_start..];
        let line = match memchr::memchr(b'\n', rest) {
            Some(end) => rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]),
            None => rest,
        };
        let shown = if line.len() > SHOWN_BYTES {
            cut_before(line, fault.at - line_start)
        } else {
            line.to_vec()
        };
        ParseError {
            reason: fault.reason,
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: fault.at - line_start + 1,
            shown,
        }
    }

    /// Tells of a fault in a part of a stream that `lines_before` lines have come before, the line
    /// shown up to the fault: the rest may not have come yet.
    pub fn in_stream(fault: Fault, part: &[u8], lines_before: usize) -> ParseError {
        let error = ParseError::new(fault, &part[..fault.at]);
        ParseError { line: error.line + lines_before, ..error }
    }
}

/// The part of a long line that ends at the fault.
fn cut_before(line: &[u8], fault: usize) -> Vec<u8> {
    let fault = fault.min(line.len());
    let start = fault.saturating_sub(SHOWN_BYTES);
    let dots: &[u8] = if fault < SHOWN_BYTES { b"" } else { b"..." };
    [dots, &line[start..fault], b"<-- here"].concat()
}
