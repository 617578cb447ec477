//! Lines of a stream, as soon as they are there.

use std::io::{self, Read};

/// How much is read at a time.
const CHUNK_BYTES: usize = 4096;

/// Calls `take` for each line, without its end; one that is longer than `most_bytes` comes in
/// pieces.
///
/// # Errors
/// If the stream cannot be read.
pub fn for_each_line(
    input: &mut dyn Read,
    most_bytes: usize,
    mut take: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut held = Vec::new();
    let mut chunk = [0; CHUNK_BYTES];
    loop {
        let count = input.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        let mut rest = &chunk[..count];
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            if held.is_empty() {
                take(without_return(line));
            } else {
                held.extend_from_slice(line);
                take(without_return(&held));
                held.clear();
            }
        }
        held.extend_from_slice(rest);
        if held.len() >= most_bytes {
            take(&held);
            held.clear();
        }
    }
    if !held.is_empty() {
        take(without_return(&held));
    }
    Ok(())
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
