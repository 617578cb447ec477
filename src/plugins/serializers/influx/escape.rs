//! The backslashes that line protocol wants.

use crate::plugin::line_protocol::plain_length;

/// Escaped in a measurement.
const IN_NAME: u8 = 1;
/// Escaped in a key, and in the value of a tag.
const IN_KEY: u8 = 2;

/// Where each byte is escaped.
const ESCAPED: [u8; 256] = {
    let mut table = [0; 256];
    let both = b"\t\n\x0c\r ,";
    let mut at = 0;
    while at < both.len() {
        table[both[at] as usize] = IN_NAME | IN_KEY;
        at += 1;
    }
    table[b'=' as usize] = IN_KEY;
    table
};

/// Appends a measurement.
pub(super) fn push_name(out: &mut Vec<u8>, name: &str) {
    push_escaped(out, name, IN_NAME);
}

/// Appends a key, or the value of a tag.
pub(super) fn push_key(out: &mut Vec<u8>, key: &str) {
    push_escaped(out, key, IN_KEY);
}

/// Appends the inside of a string; line ends stay as they are.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(&[b'\\', rest[at]]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

fn push_escaped(out: &mut Vec<u8>, text: &str, place: u8) {
    let mut rest = text.as_bytes();
    if plain_length(rest) == rest.len() {
        out.extend_from_slice(rest);
        return;
    }
    while let Some(at) = rest.iter().position(|byte| ESCAPED[usize::from(*byte)] & place != 0) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(match rest[at] {
            b'\t' => b't',
            b'\n' => b'n',
            b'\x0c' => b'f',
            b'\r' => b'r',
            byte => byte,
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}
