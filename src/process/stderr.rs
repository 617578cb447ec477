//! What programs write to their standard error, as lines of the log.

use std::io::{self, Read};

use super::for_each_line;
use crate::plugin::{PluginLog, Quoted};

/// A longer line is logged in pieces.
const MOST_LINE_BYTES: usize = 64 << 10;

/// Logs each line at the level that it begins with: `E! `, `W! `, `I! `, `D! ` or `T! `; others
/// are errors.
///
/// # Errors
/// If the stream cannot be read.
pub fn log_by_level(stderr: &mut dyn Read, log: &PluginLog) -> io::Result<()> {
    for_each_line(stderr, MOST_LINE_BYTES, |line| {
        let text = String::from_utf8_lossy(line);
        match text.split_at_checked(3) {
            Some(("E! ", message)) => log.error(message),
            Some(("W! ", message)) => log.warn(message),
            Some(("I! ", message)) => log.info(message),
            Some(("D! " | "T! ", message)) => log.debug(message),
            _ => log.error(format_args!("stderr: {}", Quoted::new(line))),
        }
    })
}
