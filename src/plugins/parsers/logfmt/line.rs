//! The pairs of one line.

use std::borrow::Cow;

/// What is wrong with a line, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("logfmt syntax error at pos {column} on line {line}: {fault}")]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// The byte in it, from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What can be wrong with a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A character that cannot be there.
    #[error("unexpected {0:?}")]
    Unexpected(char),
    /// A key that is no UTF-8.
    #[error("invalid key")]
    Key,
    /// A value in quotes with an escape that is none.
    #[error("invalid quoted value")]
    Escape,
    /// A value in quotes without an end.
    #[error("unterminated quoted value")]
    Unterminated,
}

/// Goes over the pairs of a line; ends after the first error.
pub(super) struct Pairs<'l> {
    line: &'l str,
    number: usize,
    at: usize,
}

impl<'l> Pairs<'l> {
    pub(super) fn new(line: &'l str, number: usize) -> Pairs<'l> {
        Pairs { line, number, at: 0 }
    }

    fn pair(&mut self) -> Result<(&'l str, Cow<'l, str>), SyntaxError> {
        let line = self.line;
        let start = self.at;
        self.at =
            start + end_of(&line[start..], |byte| byte <= b' ' || matches!(byte, b'=' | b'"'));
        let key = &line[start..self.at];
        let stop = line.as_bytes().get(self.at).copied();
        if stop == Some(b'"') || key.is_empty() {
            return Err(self.unexpected());
        }
        if key.contains(char::REPLACEMENT_CHARACTER) {
            return Err(self.error(Fault::Key));
        }
        if stop != Some(b'=') {
            return Ok((key, Cow::Borrowed("")));
        }
        self.at += 1;
        if line[self.at..].starts_with('"') {
            return Ok((key, self.quoted()?));
        }
        let start = self.at;
        self.at =
            start + end_of(&line[start..], |byte| byte <= b' ' || matches!(byte, b'=' | b'"'));
        if matches!(line.as_bytes().get(self.at), Some(b'=' | b'"')) {
            return Err(self.unexpected());
        }
        Ok((key, Cow::Borrowed(&line[start..self.at])))
    }

    /// Reads a value from its opening quote to behind its closing one.
    fn quoted(&mut self) -> Result<Cow<'l, str>, SyntaxError> {
        let start = self.at + 1;
        let bytes = self.line.as_bytes();
        let mut end = start;
        loop {
            end += memchr::memchr2(b'"', b'\\', bytes.get(end..).unwrap_or_default())
                .unwrap_or(bytes.len());
            match bytes.get(end) {
                Some(b'"') => break,
                Some(_) => end += 2,
                None => {
                    self.at = bytes.len();
                    return Err(self.error(Fault::Unterminated));
                }
            }
        }
        self.at = end + 1;
        let text = &self.line[start..end];
        if !text.contains('\\') {
            return Ok(Cow::Borrowed(text));
        }
        unescape(text).map(Cow::Owned).ok_or_else(|| self.error(Fault::Escape))
    }

    fn unexpected(&self) -> SyntaxError {
        let c = self.line[self.at..].chars().next().unwrap_or_default();
        self.error(Fault::Unexpected(c))
    }

    fn error(&self, fault: Fault) -> SyntaxError {
        SyntaxError { line: self.number, column: self.at + 1, fault }
    }
}

impl<'l> Iterator for Pairs<'l> {
    type Item = Result<(&'l str, Cow<'l, str>), SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.at += end_of(&self.line[self.at..], |byte| byte > b' ');
        if self.at == self.line.len() {
            return None;
        }
        let pair = self.pair();
        if pair.is_err() {
            self.at = self.line.len();
        }
        Some(pair)
    }
}

/// Where the first such byte is; the end if there is none.
fn end_of(text: &str, is_end: impl Fn(u8) -> bool) -> usize {
    text.bytes().position(is_end).unwrap_or(text.len())
}

/// Resolves the escapes of JSON, and `\'`; none if there is another, or a bare control character.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c < ' ' {
            return None;
        }
        if c != '\\' {
            let plain = end_of(rest, |byte| byte == b'\\' || byte < b' ');
            out.push_str(&rest[..plain]);
            rest = &rest[plain..];
            continue;
        }
        let escape = rest[1..].chars().next()?;
        rest = &rest[1 + escape.len_utf8()..];
        out.push(match escape {
            '"' | '\\' | '/' | '\'' => escape,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = hex4(rest)?;
                rest = &rest[4..];
                let second = rest.strip_prefix("\\u").and_then(hex4);
                match (char::from_u32(first), second) {
                    (Some(c), _) => c,
                    (None, Some(second @ 0xdc00..0xe000)) if first < 0xdc00 => {
                        rest = &rest[6..];
                        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                    // Half a pair stands for nothing.
                    _ => char::REPLACEMENT_CHARACTER,
                }
            }
            _ => return None,
        });
    }
    Some(out)
}

fn hex4(text: &str) -> Option<u32> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}
