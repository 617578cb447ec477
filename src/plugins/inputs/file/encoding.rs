//! Turns the character encodings that files come in into UTF-8.

use serde::{Deserialize, Serialize};

/// How the bytes of a file are to be read as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
pub enum CharacterEncoding {
    /// As they are; the parser makes of them what it can.
    #[default]
    #[serde(rename = "", alias = "none")]
    None,
    /// UTF-8 with invalid bytes replaced.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, low byte first.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, high byte first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
}

impl CharacterEncoding {
    /// The text in UTF-8, invalid parts replaced by U+FFFD, without a byte order mark.
    pub(super) fn decode(self, bytes: Vec<u8>) -> Vec<u8> {
        let mut text = match self {
            CharacterEncoding::None => bytes,
            CharacterEncoding::Utf8 => match String::from_utf8_lossy(&bytes) {
                std::borrow::Cow::Borrowed(_) => bytes,
                std::borrow::Cow::Owned(text) => text.into_bytes(),
            },
            CharacterEncoding::Utf16Le => decode_utf16(&bytes, u16::from_le_bytes),
            CharacterEncoding::Utf16Be => decode_utf16(&bytes, u16::from_be_bytes),
        };
        let mark = byte_order_mark(&text);
        text.drain(..mark);
        text
    }
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text: String = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    if !odd.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text.into_bytes()
}

/// The length of the byte order mark at the start, of whatever encoding it is.
fn byte_order_mark(text: &[u8]) -> usize {
    const MARKS: [&[u8]; 5] =
        [b"\xef\xbb\xbf", b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff", b"\xff\xfe", b"\xfe\xff"];
    MARKS.iter().find(|mark| text.starts_with(mark)).map_or(0, |mark| mark.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_becomes_utf_8_without_its_mark() {
        let bytes = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(unit).collect()
        };
        let text = "żółw 😀";
        let marked = format!("\u{feff}{text}");
        for text_or_marked in [text, &marked] {
            for (encoding, bytes) in [
                (CharacterEncoding::None, text_or_marked.as_bytes().to_vec()),
                (CharacterEncoding::Utf8, text_or_marked.as_bytes().to_vec()),
                (CharacterEncoding::Utf16Le, bytes(text_or_marked, u16::to_le_bytes)),
                (CharacterEncoding::Utf16Be, bytes(text_or_marked, u16::to_be_bytes)),
            ] {
                assert_eq!(encoding.decode(bytes), text.as_bytes(), "{encoding:?}");
            }
        }
    }

    #[test]
    fn what_is_invalid_is_replaced_or_with_no_encoding_left() {
        let bytes = b"a\xe2\x82b\xff".to_vec();
        assert_eq!(CharacterEncoding::Utf8.decode(bytes.clone()), "a\u{fffd}b\u{fffd}".as_bytes());
        assert_eq!(CharacterEncoding::None.decode(bytes.clone()), bytes);
        let half_a_pair = b"\x3d\xd8a".to_vec();
        assert_eq!(CharacterEncoding::Utf16Le.decode(half_a_pair), "\u{fffd}\u{fffd}".as_bytes());
    }
}
