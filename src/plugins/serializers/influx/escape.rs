//! The backslashes that line protocol wants.

/// Appends a measurement.
pub(super) fn push_name(out: &mut Vec<u8>, name: &str) {
    push_escaped(out, name, |byte| matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ' | b','));
}

/// Appends a key, or the value of a tag.
pub(super) fn push_key(out: &mut Vec<u8>, key: &str) {
    let escaped = |byte| matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ' | b',' | b'=');
    push_escaped(out, key, escaped);
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

fn push_escaped(out: &mut Vec<u8>, text: &str, escaped: impl Fn(u8) -> bool) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| escaped(*byte)) {
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
