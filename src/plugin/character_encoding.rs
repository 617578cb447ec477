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
    /// How many of the bytes can be decoded before those that follow are known.
    pub fn decodable(self, bytes: &[u8]) -> usize {
        match self {
            CharacterEncoding::None => bytes.len(),
            // A byte of ASCII ends whatever is before it.
            CharacterEncoding::Utf8 => {
                bytes.iter().rposition(u8::is_ascii).map_or(0, |last| last + 1)
            }
            CharacterEncoding::Utf16Le => whole_utf16(bytes, u16::from_le_bytes),
            CharacterEncoding::Utf16Be => whole_utf16(bytes, u16::from_be_bytes),
        }
    }

    /// Appends the text in UTF-8, invalid parts replaced by U+FFFD.
    pub fn decode(self, bytes: &[u8], text: &mut Vec<u8>) {
        match self {
            CharacterEncoding::None => text.extend_from_slice(bytes),
            CharacterEncoding::Utf8 => {
                text.extend_from_slice(String::from_utf8_lossy(bytes).as_bytes());
            }
            CharacterEncoding::Utf16Le => decode_utf16(bytes, u16::from_le_bytes, text),
            CharacterEncoding::Utf16Be => decode_utf16(bytes, u16::from_be_bytes, text),
        }
    }

    /// Takes the byte order mark away that a text may begin with, of whatever encoding it is.
    pub fn take_byte_order_mark(text: &mut Vec<u8>) {
        text.drain(..CharacterEncoding::byte_order_mark(text));
    }

    /// The length of the byte order mark that a text begins with, of whatever encoding it is.
    pub fn byte_order_mark(text: &[u8]) -> usize {
        const MARKS: [&[u8]; 5] =
            [b"\xef\xbb\xbf", b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff", b"\xff\xfe", b"\xfe\xff"];
        MARKS.iter().find(|mark| text.starts_with(mark)).map_or(0, |mark| mark.len())
    }
}

/// How many bytes come before half a unit or half a pair at the end.
fn whole_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> usize {
    let (units, _) = bytes.as_chunks::<2>();
    let is_half = |last: &[u8; 2]| (0xd800..0xdc00).contains(&unit(*last));
    let whole = units.len() - usize::from(units.last().is_some_and(is_half));
    2 * whole
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, text: &mut Vec<u8>) {
    let (units, odd) = bytes.as_chunks::<2>();
    let mut push = |c: char| text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    char::decode_utf16(units.iter().map(|bytes| unit(*bytes)))
        .for_each(|c| push(c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    if !odd.is_empty() {
        push(char::REPLACEMENT_CHARACTER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: CharacterEncoding, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        encoding.decode(bytes, &mut text);
        CharacterEncoding::take_byte_order_mark(&mut text);
        text
    }

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
                assert_eq!(decoded(encoding, &bytes), text.as_bytes(), "{encoding:?}");
            }
        }
    }

    #[test]
    fn what_is_invalid_is_replaced_or_with_no_encoding_left() {
        let bytes = b"a\xe2\x82b\xff";
        assert_eq!(decoded(CharacterEncoding::Utf8, bytes), "a\u{fffd}b\u{fffd}".as_bytes());
        assert_eq!(decoded(CharacterEncoding::None, bytes), bytes);
        let half_a_pair = b"\x3d\xd8a";
        assert_eq!(decoded(CharacterEncoding::Utf16Le, half_a_pair), "\u{fffd}\u{fffd}".as_bytes());
    }

    #[test]
    fn a_text_that_comes_in_pieces_is_the_same_wherever_it_is_cut() {
        let text = "aż\n😀 b\n";
        let utf_16 =
            |unit: fn(u16) -> [u8; 2]| -> Vec<u8> { text.encode_utf16().flat_map(unit).collect() };
        for (encoding, mut bytes) in [
            (CharacterEncoding::None, text.as_bytes().to_vec()),
            (CharacterEncoding::Utf8, text.as_bytes().to_vec()),
            (CharacterEncoding::Utf16Le, utf_16(u16::to_le_bytes)),
            (CharacterEncoding::Utf16Be, utf_16(u16::to_be_bytes)),
        ] {
            // One that is invalid is replaced once, by the piece that it ends up in.
            bytes.push(0xd8);
            let whole = decoded(encoding, &bytes);
            for cut in 0..bytes.len() {
                let ready = encoding.decodable(&bytes[..cut]);
                let mut text = Vec::new();
                encoding.decode(&bytes[..ready], &mut text);
                encoding.decode(&bytes[ready..], &mut text);
                assert_eq!(text, whole, "{encoding:?} cut at {cut}");
            }
        }
    }
}
