//! The bytes of a configuration file as text: checked, without comments, and with places.
//!
//! # References
//! Telegraf refuses what Go's `http.DetectContentType` does not call plain text, cuts comments
//! before anything else looks at the text, and takes bytes that are no UTF-8 as U+FFFD.

use crate::plugin::settings::Position;

/// How many bytes decide whether a file is text.
const SNIFFED_BYTES: usize = 512;

/// What some editors put before a text, and means nothing.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why bytes are no configuration text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotText {
    /// It holds control characters that no text has, or begins as a document of another kind.
    Binary,
    /// It is text in two-byte units, as some Windows programs save it.
    Utf16,
}

/// Turns the bytes of a file into text without comments; lines and columns stay what they were.
pub(super) fn from_bytes(bytes: &[u8]) -> Result<String, NotText> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(NotText::Utf16);
    }
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if is_binary(bytes) {
        return Err(NotText::Binary);
    }
    Ok(without_comments(&String::from_utf8_lossy(bytes)))
}

fn is_binary(bytes: &[u8]) -> bool {
    let sniffed = &bytes[..bytes.len().min(SNIFFED_BYTES)];
    let document = sniffed.trim_ascii_start();
    document.starts_with(b"<")
        || document.starts_with(b"%PDF-")
        || sniffed
            .iter()
            .any(|byte| matches!(byte, 0x00..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f))
}

/// What the scanner stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// A string that ends with its line at the latest.
    Quotes(char),
    /// A string over several lines.
    TripleQuotes(char),
}

/// Takes comments out: everything from a `#` outside strings to the end of its line.
pub(super) fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut inside = Inside::Nothing;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let mut taken = next.len_utf8();
        match (inside, next) {
            (Inside::Nothing, '#') => {
                let end = rest.find('\n').unwrap_or(rest.len());
                // A carriage return belongs to the line end, not to the comment.
                let end = if rest[..end].ends_with('\r') { end - 1 } else { end };
                rest = &rest[end..];
                continue;
            }
            (Inside::Nothing, '"' | '\'') if is_tripled(rest, next) => {
                taken = 3;
                inside = Inside::TripleQuotes(next);
            }
            (Inside::Nothing, '"' | '\'') => inside = Inside::Quotes(next),
            (Inside::Quotes('"') | Inside::TripleQuotes('"') | Inside::Nothing, '\\') => {
                taken += rest[taken..].chars().next().map_or(0, char::len_utf8);
            }
            (Inside::Quotes(quote), _) if next == quote || next == '\n' => inside = Inside::Nothing,
            (Inside::TripleQuotes(quote), _) if next == quote && is_tripled(rest, quote) => {
                taken = 3;
                inside = Inside::Nothing;
            }
            _ => {}
        }
        kept.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    kept
}

fn is_tripled(text: &str, quote: char) -> bool {
    text.chars().take(3).filter(|next| *next == quote).count() == 3
}

/// How many bytes of a text lie between two places whose characters are counted beforehand, so
/// that a place far to the right in a long line is found as fast as any other.
const COUNTED_BYTES: usize = 512;

/// Finds lines and columns in a text.
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// How many characters begin before each multiple of [`COUNTED_BYTES`].
    characters: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Lines<'t> {
        let starts = std::iter::once(0)
            .chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1))
            .collect();
        let counted = text.as_bytes().chunks(COUNTED_BYTES).scan(0, |sum, chunk| {
            let before = *sum;
            *sum += beginnings(chunk);
            Some(before)
        });
        Lines { text, starts, characters: counted.collect() }
    }

    /// The number of the line of the byte at `offset`, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// The place of the byte at `offset`; beyond the end it is the end.
    pub(super) fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.line(offset);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self.characters_before(offset) - self.characters_before(start) + 1;
        Position { line, column }
    }

    fn characters_before(&self, offset: usize) -> usize {
        let chunk = offset / COUNTED_BYTES;
        let Some(counted) = self.characters.get(chunk) else {
            return beginnings(self.text.as_bytes());
        };
        counted + beginnings(&self.text.as_bytes()[chunk * COUNTED_BYTES..offset])
    }
}

/// How many characters of UTF-8 begin in these bytes.
fn beginnings(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0b1100_0000 != 0b1000_0000).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn comments_go_and_signs_inside_strings_stay() {
        for (text, kept) in [
            ("a = 1 # one\nb = 2", "a = 1 \nb = 2"),
            ("# all of it", ""),
            ("# ends in CR LF\r\na = 1", "\r\na = 1"),
            ("a = \"#no\" # yes", "a = \"#no\" "),
            ("a = '#no' # yes", "a = '#no' "),
            (r##"a = "\"#no" # yes"##, r##"a = "\"#no" "##),
            (r"a = '\' # yes", r"a = '\' "),
            ("a = \"\"\"\n#no \"#no\n\"\"\" # yes", "a = \"\"\"\n#no \"#no\n\"\"\" "),
            ("a = '''\n#no '#no\n''' # yes", "a = '''\n#no '#no\n''' "),
            ("a = \"open # no\nb = 1 # yes", "a = \"open # no\nb = 1 "),
            ("a = \"\" # yes", "a = \"\" "),
            ("a = '' # yes", "a = '' "),
            ("# it's \"open\nb = 1", "\nb = 1"),
            ("\\# no", "\\# no"),
        ] {
            assert_eq!(without_comments(text), kept, "{text}");
        }
    }

    #[test]
    fn only_plain_text_is_taken() {
        assert_eq!(from_bytes(b""), Ok(String::new()));
        assert_eq!(from_bytes(b"\xef\xbb\xbf[agent]"), Ok("[agent]".into()));
        assert_eq!(from_bytes(b"a = 'gr\xfc\xdf'"), Ok("a = 'gr\u{fffd}\u{fffd}'".into()));
        assert_eq!(from_bytes(b"\x7fELF\x02\x01\x01\x00"), Err(NotText::Binary));
        assert_eq!(from_bytes(b"\x1f\x8b\x08\x00"), Err(NotText::Binary));
        assert_eq!(from_bytes(b"  <!DOCTYPE html>"), Err(NotText::Binary));
        assert_eq!(from_bytes(b"\xff\xfe[\x00a\x00"), Err(NotText::Utf16));
        let mut late = vec![b' '; SNIFFED_BYTES];
        late.push(0);
        assert!(from_bytes(&late).is_ok(), "only the beginning decides");
    }

    #[test]
    fn columns_count_characters() {
        let lines = Lines::new("a\nżółć = 1\n");
        assert_eq!(lines.position(0), Position { line: 1, column: 1 });
        assert_eq!(lines.position(1), Position { line: 1, column: 2 });
        assert_eq!(lines.position(2), Position { line: 2, column: 1 });
        assert_eq!(lines.position("a\nżółć ".len()), Position { line: 2, column: 6 });
        assert_eq!(lines.position(1_000), Position { line: 3, column: 1 });
    }

    proptest! {
        #[test]
        fn a_place_is_found_in_lines_of_any_length(text in "[aż\n]{0,2000}", offset in 0..4_000usize) {
            let before = &text[..text.floor_char_boundary(offset)];
            let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
            let line = before.matches('\n').count() + 1;
            prop_assert_eq!(Lines::new(&text).position(offset), Position { line, column });
        }

        #[test]
        fn any_bytes_are_text_or_not_and_keep_their_lines(bytes: Vec<u8>) {
            if let Ok(text) = from_bytes(&bytes) {
                let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
                prop_assert_eq!(lines(text.as_bytes()), lines(&bytes));
            }
        }

        #[test]
        fn comments_are_gone_after_the_first_time(text in "[a='\"#\\\\\n ]{0,40}") {
            let once = without_comments(&text);
            prop_assert_eq!(without_comments(&once), once);
        }
    }
}
