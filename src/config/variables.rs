//! Finds references to variables in text.
//!
//! # References
//! The pattern of the Go library `compose-go`: behind `${NAME` and an operator everything up to
//! the *last* closing brace of the line belongs together.

use super::environment::Dialect;

/// What a sign in the text begins.
#[derive(Clone, Copy)]
pub(super) enum Found<'t> {
    /// `$$`
    Sign,
    /// `$name` or `${name}`
    Plain { name: &'t str, source: &'t str },
    /// `${name` with an operator.
    Braces(Braces<'t>),
    /// `${` that begins nothing of the above.
    Invalid { source: &'t str },
}

impl<'t> Found<'t> {
    pub(super) fn source(&self) -> &'t str {
        match self {
            Found::Sign => "$$",
            Found::Plain { source, .. } | Found::Invalid { source } => source,
            Found::Braces(braces) => braces.source,
        }
    }
}

/// A default, a required variable or a replacement in braces, up to the last brace of its line.
#[derive(Clone, Copy)]
pub(super) struct Braces<'t> {
    pub name: &'t str,
    pub operator: Operator,
    /// All from the sign to the last closing brace of the line.
    pub source: &'t str,
    /// What stands behind the operator, up to the brace that closes it.
    pub argument: &'t str,
    /// What follows that brace in `source`.
    pub tail: &'t str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Default(Empty),
    Replacement(Empty),
    Required(Empty),
}

/// Whether an empty variable is as good as none, as the colon in an operator says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    IsValue,
    IsNone,
}

impl Operator {
    fn parse(text: &str) -> Option<(Operator, &str)> {
        let (empty, sign) = match text.strip_prefix(':') {
            Some(sign) => (Empty::IsNone, sign),
            None => (Empty::IsValue, text),
        };
        let operator = match sign.chars().next()? {
            '-' => Operator::Default(empty),
            '+' => Operator::Replacement(empty),
            '?' => Operator::Required(empty),
            _ => return None,
        };
        Some((operator, &sign[1..]))
    }
}

/// Goes through a text from sign to sign.
pub(super) struct Scanner<'t> {
    text: &'t str,
    /// Where it goes on.
    pub at: usize,
    dialect: Dialect,
    /// The line that was last searched for braces, and its last closing one.
    line: std::ops::Range<usize>,
    last_brace: Option<usize>,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str, dialect: Dialect) -> Scanner<'t> {
        Scanner { text, at: 0, dialect, line: 0..0, last_brace: None }
    }

    /// What has not been stepped over yet.
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// The text up to the next thing of interest and that thing, which it steps over.
    pub(super) fn next(&mut self) -> Option<(&'t str, Found<'t>)> {
        let begin = self.at;
        let mut sign = begin;
        loop {
            sign += self.text[sign..].find('$')?;
            if let Some(found) = self.found_at(sign) {
                self.at = sign + found.source().len();
                return Some((&self.text[begin..sign], found));
            }
            sign += 1;
        }
    }

    fn found_at(&mut self, sign: usize) -> Option<Found<'t>> {
        let text = &self.text[sign..];
        let after = &text[1..];
        if after.starts_with('$') && self.dialect == Dialect::Current {
            return Some(Found::Sign);
        }
        let Some(inner) = after.strip_prefix('{') else {
            let name = name_of(after)?;
            return Some(Found::Plain { name, source: &text[..1 + name.len()] });
        };
        let invalid = Found::Invalid { source: &text[..2] };
        let Some(name) = name_of(inner) else { return Some(invalid) };
        let behind = &inner[name.len()..];
        if behind.starts_with('}') {
            return Some(Found::Plain { name, source: &text[..name.len() + 3] });
        }
        let Some((operator, argument)) = Operator::parse(behind) else { return Some(invalid) };
        let argument_at = self.text.len() - argument.len();
        let Some(last) = self.last_brace(sign).filter(|last| *last >= argument_at) else {
            return Some(invalid);
        };
        let source = &self.text[sign..=last];
        let close = sign + closing_brace(source).unwrap_or(source.len() - 1);
        let (argument, tail) = (&self.text[argument_at..close], &self.text[close + 1..=last]);
        Some(Found::Braces(Braces { name, operator, source, argument, tail }))
    }

    /// The last closing brace of the line in which `at` stands.
    fn last_brace(&mut self, at: usize) -> Option<usize> {
        if !self.line.contains(&at) {
            let end = self.text[at..].find('\n').map_or(self.text.len(), |end| at + end);
            self.line = at..end;
            self.last_brace = self.text[at..end].rfind('}').map(|brace| at + brace);
        }
        self.last_brace
    }
}

/// The name of a variable at the beginning of `text`.
fn name_of(text: &str) -> Option<&str> {
    let is_start = |byte: u8| byte == b'_' || byte.is_ascii_alphabetic();
    let is_part = |byte: &u8| is_start(*byte) || byte.is_ascii_digit();
    is_start(*text.as_bytes().first()?)
        .then(|| &text[..text.bytes().take_while(|byte| is_part(byte)).count()])
}

/// The brace that closes the `${` at the beginning of `text`.
fn closing_brace(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'}' {
            open -= 1;
            if open == 0 {
                return Some(at);
            }
        } else if bytes[at..].starts_with(b"${") {
            open += 1;
            at += 1;
        }
        at += 1;
    }
    None
}
