//! Text in quotes as Go's `%q` writes it, which Telegraf's error messages are full of.
//!
//! # References
//! Go's `strconv.Quote`.

use std::fmt;

/// Shows bytes in double quotes; what is not printable, or not UTF-8, is escaped.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(&'a [u8]);

impl<'a> Quoted<'a> {
    /// Wraps a text for showing it in quotes.
    pub fn new<T: AsRef<[u8]> + ?Sized>(text: &'a T) -> Quoted<'a> {
        Quoted(text.as_ref())
    }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            chunk.valid().chars().try_for_each(|c| write_escaped(f, c))?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        f.write_str("\"")
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    match c {
        '"' => f.write_str("\\\""),
        '\\' => f.write_str("\\\\"),
        '\u{7}' => f.write_str("\\a"),
        '\u{8}' => f.write_str("\\b"),
        '\u{b}' => f.write_str("\\v"),
        '\u{c}' => f.write_str("\\f"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        c if is_printable(c) => write!(f, "{c}"),
        c => match u32::from(c) {
            code @ (0..0x20 | 0x7f) => write!(f, "\\x{code:02x}"),
            code @ ..0x1_0000 => write!(f, "\\u{code:04x}"),
            code => write!(f, "\\U{code:08x}"),
        },
    }
}

fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // The standard library keeps its table of printable characters to itself. It shows when a text
    // is escaped; with another character before it a combining one passes as well.
    format!("a{c}").escape_debug().nth(1) == Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_go_quotes_them() {
        for (text, quoted) in [
            (&b"plain"[..], r#""plain""#),
            (b"a\"b\\c", r#""a\"b\\c""#),
            (b"\x07\x08\x0b\x0c\n\r\t\x00\x1f\x7f", r#""\a\b\v\f\n\r\t\x00\x1f\x7f""#),
            ("żółć e\u{301}".as_bytes(), "\"żółć e\u{301}\""),
            ("\u{a0}\u{200b}\u{feff}\u{e000}".as_bytes(), r#""\u00a0\u200b\ufeff\ue000""#),
            ("\u{10ffff}".as_bytes(), r#""\U0010ffff""#),
            (b"\xff\xc3x", r#""\xff\xc3x""#),
        ] {
            assert_eq!(Quoted::new(text).to_string(), quoted);
        }
    }
}
