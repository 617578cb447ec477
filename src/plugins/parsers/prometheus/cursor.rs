//! A place in the text that moves on.

use std::borrow::Cow;

use super::fault::{Fault, TextError};

/// A place in the text, and the line it is on.
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

pub(super) type Read<T> = Result<T, TextError>;

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Cursor<'t> {
        Cursor { text, at: 0, line: 1 }
    }

    pub(super) fn error(&self, fault: Fault) -> TextError {
        TextError { line: self.line, fault }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// The byte here; a text may end only where a line does.
    pub(super) fn byte(&self) -> Read<u8> {
        self.text.as_bytes().get(self.at).copied().ok_or_else(|| self.error(Fault::End))
    }

    /// The character here, for messages.
    pub(super) fn char(&self) -> char {
        self.text[self.at..].chars().next().unwrap_or_default()
    }

    /// Goes past a byte, which must be here and no part of a longer character.
    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// Goes past the end of a line, which must be here.
    pub(super) fn end_line(&mut self) {
        self.at += 1;
        self.line += 1;
    }

    pub(super) fn skip_blanks(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    pub(super) fn take_while(&mut self, holds: impl Fn(u8) -> bool) -> &'t str {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|byte| !holds(*byte)).unwrap_or(rest.len());
        let taken = &self.text[self.at..self.at + length];
        self.at += length;
        taken
    }

    /// Takes what comes before the next blank or line end.
    pub(super) fn take_word(&mut self) -> &'t str {
        self.take_while(|byte| !matches!(byte, b' ' | b'\t' | b'\n'))
    }

    /// Takes the rest of the line.
    pub(super) fn take_line(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let length = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Takes what is in quotes, beginning behind the first, and resolves escapes.
    pub(super) fn take_quoted(&mut self, newline: impl Fn(String) -> Fault) -> Read<Cow<'t, str>> {
        let mut taken = Cow::Borrowed("");
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let Some(length) = memchr::memchr3(b'"', b'\\', b'\n', rest) else {
                self.at = self.text.len();
                return Err(self.error(Fault::End));
            };
            let plain = &self.text[self.at..self.at + length];
            if taken.is_empty() {
                taken = Cow::Borrowed(plain);
            } else {
                taken.to_mut().push_str(plain);
            }
            self.at += length + 1;
            match rest[length] {
                b'"' => return Ok(taken),
                b'\n' => return Err(self.error(newline(taken.into_owned()))),
                _ => {}
            }
            taken.to_mut().push(match self.byte()? {
                b'n' => '\n',
                escaped @ (b'"' | b'\\') => char::from(escaped),
                _ => return Err(self.error(Fault::Escape(self.char()))),
            });
            self.at += 1;
        }
    }
}
