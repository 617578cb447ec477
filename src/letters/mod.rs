//! Dead letters: what could not be brought on, kept with the reason until somebody sends it again.
//!
//! A file of them holds an object of JSON in each line, and is appended to in groups of whole
//! lines. What a letter holds is for those to say who write it: metric-sink keeps records, the agent
//! metrics. Bytes stand as text where they are UTF-8, and otherwise as `{"base64": "…"}`.

mod bytes;
mod reading;

use serde::Serialize;

pub use bytes::Bytes;
pub use reading::{Letters, LettersError, Numbered};

/// What the name of a file of dead letters ends in, behind that of who writes it.
pub const FILE_SUFFIX: &str = ".dead-letters.jsonl";

/// Appends a letter as one line.
pub fn push_line(letter: &impl Serialize, out: &mut Vec<u8>) {
    // Nothing in it is a map with keys that are no text, and memory takes whatever comes.
    let written = serde_json::to_writer(&mut *out, letter);
    debug_assert!(written.is_ok());
    out.push(b'\n');
}
