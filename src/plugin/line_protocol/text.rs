//! Names, keys and strings as they are meant: without the backslashes that kept them together.

use compact_str::CompactString;

/// Where a text stands, which decides what a backslash may stand before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A measurement.
    Name,
    /// A tag's key or value, or a field's key.
    Key,
    /// The value of a string field.
    String,
}

impl Place {
    /// Characters whose backslash is taken away.
    fn escaped(self) -> &'static [u8] {
        match self {
            Place::Name => b", ",
            Place::Key => b",\" =",
            Place::String => b"\"\\",
        }
    }

    /// Without any of these in the text every backslash stays, even one before a quote.
    fn triggers(self) -> &'static [u8] {
        match self {
            Place::Name => b", ",
            Place::Key => b", =",
            Place::String => b"\"\\",
        }
    }
}

/// The text that `raw` stands for; bytes that are not UTF-8 become U+FFFD.
pub(super) fn unescape(raw: &[u8], place: Place) -> CompactString {
    let Some(first) = memchr::memchr(b'\\', raw) else { return lossy(raw) };
    if !raw.iter().any(|byte| place.triggers().contains(byte)) {
        return lossy(raw);
    }
    let mut text = Vec::with_capacity(raw.len());
    let (plain, mut rest) = raw.split_at(first);
    text.extend_from_slice(plain);
    while let [byte, tail @ ..] = rest {
        match tail {
            [next, after @ ..] if *byte == b'\\' && place.escaped().contains(next) => {
                text.push(*next);
                rest = after;
            }
            _ => {
                text.push(*byte);
                rest = tail;
            }
        }
    }
    lossy(&text)
}

fn lossy(bytes: &[u8]) -> CompactString {
    match std::str::from_utf8(bytes) {
        Ok(text) => CompactString::new(text),
        Err(_) => CompactString::from_utf8_lossy(bytes),
    }
}
