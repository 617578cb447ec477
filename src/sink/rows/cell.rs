//! Cells as they stand in a row.
//!
//! # References
//! RFC 4180, sections 2.5 to 2.7.

/// Appends a text, in quotes where it needs them.
///
/// An empty text is a pair of quotes, so that it is told apart from a value that is missing.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    let text = text.as_bytes();
    if text.is_empty() {
        out.extend_from_slice(b"\"\"");
        return;
    }
    // All bytes are looked at, since a loop that does not end early is done many bytes at a time.
    let is_special = |byte: u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    if !text.iter().fold(false, |found, byte| found | is_special(*byte)) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    let start = out.len();
    // Every byte could be a quote, which is doubled.
    out.resize(start + 2 * text.len(), 0);
    let (_, _, written) = csv_core::quote(text, &mut out[start..], b'"', b'"', true);
    out.truncate(start + written);
    out.push(b'"');
}

/// Writes texts as one row with its line end.
pub(super) fn row_of<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<u8> {
    let mut row = Vec::new();
    for (at, text) in texts.enumerate() {
        if at > 0 {
            row.push(b',');
        }
        push_text(&mut row, text);
    }
    row.push(b'\n');
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_that_need_quotes_have_them() {
        for (text, cell) in [
            ("plain text", "plain text"),
            ("", "\"\""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("\"", "\"\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("back\r", "\"back\r\""),
            (" spaces ", " spaces "),
            ("nul\0", "nul\0"),
            ("=1+1", "=1+1"),
        ] {
            let mut out = Vec::new();
            push_text(&mut out, text);
            assert_eq!(String::from_utf8(out).unwrap(), cell, "{text:?}");
        }
        assert_eq!(row_of(["a", "b,c", ""].into_iter()), b"a,\"b,c\",\"\"\n");
    }
}
