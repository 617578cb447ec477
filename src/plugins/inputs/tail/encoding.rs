//! Finds the lines in the bytes of a file, and turns them into UTF-8.

use std::borrow::Cow;

use crate::plugin::CharacterEncoding;

impl CharacterEncoding {
    /// The length of the first line with its end, if that is there. `bytes` begin with a character,
    /// and none of the first `searched` is in a line end.
    pub(super) fn line_length(self, bytes: &[u8], searched: usize) -> Option<usize> {
        let pair: [u8; 2] = match self {
            CharacterEncoding::None | CharacterEncoding::Utf8 => {
                let end = memchr::memchr(b'\n', &bytes[searched..])?;
                return Some(searched + end + 1);
            }
            CharacterEncoding::Utf16Le => *b"\n\0",
            CharacterEncoding::Utf16Be => *b"\0\n",
        };
        let from = searched & !1;
        let (pairs, _) = bytes[from..].as_chunks::<2>();
        pairs.iter().position(|unit| *unit == pair).map(|at| from + 2 * at + 2)
    }

    /// A line in UTF-8 without its end, whatever carriage returns stand there.
    pub(super) fn decode_line(self, line: &[u8]) -> Cow<'_, [u8]> {
        let text = match self {
            CharacterEncoding::None => Cow::Borrowed(line),
            CharacterEncoding::Utf8 => match String::from_utf8_lossy(line) {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            },
            CharacterEncoding::Utf16Le | CharacterEncoding::Utf16Be => {
                let mut text = Vec::with_capacity(line.len());
                self.decode(line, &mut text);
                Cow::Owned(text)
            }
        };
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(without_end(text)),
            Cow::Owned(mut text) => {
                text.truncate(without_end(&text).len());
                Cow::Owned(text)
            }
        }
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let mut line = line.strip_suffix(b"\n").unwrap_or(line);
    while let [rest @ .., b'\r'] = line {
        line = rest;
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(encoding: CharacterEncoding, bytes: &[u8]) -> (Vec<String>, usize) {
        let (mut lines, mut rest) = (Vec::new(), bytes);
        while let Some(length) = encoding.line_length(rest, 0) {
            lines
                .push(String::from_utf8_lossy(&encoding.decode_line(&rest[..length])).into_owned());
            rest = &rest[length..];
        }
        (lines, rest.len())
    }

    #[test]
    fn lines_lose_their_ends_in_every_encoding() {
        // The second character has the byte of a line end in UTF-16.
        let text = "żółw\r\r\nਊ\u{10a}\n\nrest";
        let expected = ["żółw", "ਊ\u{10a}", ""].map(String::from).to_vec();
        let utf16 = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect();
        for (encoding, bytes, rest) in [
            (CharacterEncoding::None, text.as_bytes().to_vec(), 4),
            (CharacterEncoding::Utf8, text.as_bytes().to_vec(), 4),
            (CharacterEncoding::Utf16Le, utf16(u16::to_le_bytes), 8),
            (CharacterEncoding::Utf16Be, utf16(u16::to_be_bytes), 8),
        ] {
            assert_eq!(lines(encoding, &bytes), (expected.clone(), rest), "{encoding:?}");
        }
    }

    #[test]
    fn what_is_invalid_is_replaced_or_with_no_encoding_left() {
        assert_eq!(&*CharacterEncoding::None.decode_line(b"a\xff\n"), b"a\xff");
        assert_eq!(&*CharacterEncoding::Utf8.decode_line(b"a\xff\n"), "a\u{fffd}".as_bytes());
    }

    proptest! {
        #[test]
        fn where_the_search_begins_does_not_matter(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(0u8), any::<u8>()], 0..40),
        ) {
            for encoding in [CharacterEncoding::Utf8, CharacterEncoding::Utf16Le,
                             CharacterEncoding::Utf16Be] {
                let found = encoding.line_length(&bytes, 0);
                let unit = if encoding == CharacterEncoding::Utf8 { 1 } else { 2 };
                let before = found.unwrap_or(bytes.len() + unit) - unit;
                for searched in 0..=before.min(bytes.len()) {
                    prop_assert_eq!(encoding.line_length(&bytes, searched), found);
                }
            }
        }
    }
}
