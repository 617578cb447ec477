//! Splitting a template into text and the tokens of its actions.
//!
//! # References
//! Go's `text/template`, "Text and spaces", and its language specification for literals.

use std::ops::Range;

/// Where a part of a template stands in it, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn new(range: Range<usize>) -> Span {
        Span { start: range.start, end: range.end }
    }

    pub(super) fn to(self, end: Span) -> Span {
        Span { start: self.start, end: end.end.max(self.end) }
    }
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// Text between actions, its blanks already trimmed.
    Text,
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// The name of a function, a keyword, `true`, `false` or `nil`.
    Word,
    /// `.`
    Dot,
    /// `.Name`, the span without the point.
    Field,
    /// `$` or `$name`.
    Variable,
    /// A whole number or a character.
    Integer(i64),
    /// A number with a point or an exponent.
    Float(f64),
    /// A literal, its escapes resolved.
    Literal(String),
    /// `|`
    Pipe,
    /// `(`
    OpenParenthesis,
    /// `)`
    CloseParenthesis,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// `,`
    Comma,
    /// The end of the template.
    End,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: Span,
    /// Whether a blank stands before it; operands must be apart.
    pub(super) is_apart: bool,
}

/// What no token begins with, or what never ends.
#[derive(Debug)]
pub(super) struct ScanError {
    pub(super) at: usize,
    pub(super) reason: String,
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Splits a template into tokens, the last of them [`TokenKind::End`].
pub(super) fn scan(source: &str) -> Result<Vec<Token>, ScanError> {
    let mut scanner = Scanner { source, at: 0, tokens: Vec::new(), depth: 0 };
    scanner.scan()?;
    Ok(scanner.tokens)
}

struct Scanner<'s> {
    source: &'s str,
    at: usize,
    tokens: Vec<Token>,
    /// Open parentheses of the action.
    depth: usize,
}

impl<'s> Scanner<'s> {
    fn scan(&mut self) -> Result<(), ScanError> {
        let mut is_trimmed = false;
        loop {
            let Some(length) = self.rest().find("{{") else {
                self.push_text(self.at..self.source.len(), is_trimmed, false);
                self.at = self.source.len();
                self.push(TokenKind::End, self.at, false);
                return Ok(());
            };
            let open = self.at + length;
            let inner = &self.source[open + 2..];
            let trims_before = inner.starts_with('-') && inner[1..].starts_with(BLANKS);
            self.push_text(self.at..open, is_trimmed, trims_before);
            self.at = open + 2;
            if trims_before {
                self.at += 1 + inner[1..].chars().next().map_or(0, char::len_utf8);
            }
            let body = self.rest();
            let comment = body.trim_start_matches(BLANKS);
            let is_comment =
                if trims_before { comment.starts_with("/*") } else { body.starts_with("/*") };
            is_trimmed = if is_comment { self.comment(open)? } else { self.action(open)? };
        }
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn push(&mut self, kind: TokenKind, start: usize, is_apart: bool) {
        self.tokens.push(Token { kind, at: Span::new(start..self.at), is_apart });
    }

    fn push_text(&mut self, range: Range<usize>, trims_start: bool, trims_end: bool) {
        let text = &self.source[range.clone()];
        let mut kept = text;
        if trims_start {
            kept = kept.trim_start_matches(BLANKS);
        }
        let start = range.end - kept.len();
        if trims_end {
            kept = kept.trim_end_matches(BLANKS);
        }
        if !kept.is_empty() {
            let at = Span::new(start..start + kept.len());
            self.tokens.push(Token { kind: TokenKind::Text, at, is_apart: false });
        }
    }

    /// Passes a comment over; tells whether the text behind it is trimmed.
    fn comment(&mut self, open: usize) -> Result<bool, ScanError> {
        let Some(length) = self.rest().find("*/") else {
            return Err(ScanError { at: open, reason: "unclosed comment".to_owned() });
        };
        self.at += length + 2;
        match self.close_marker() {
            Some((length, trims)) => {
                self.at += length;
                Ok(trims)
            }
            None => Err(ScanError {
                at: open,
                reason: "comment ends before closing delimiter".to_owned(),
            }),
        }
    }

    /// The length of the braces that close an action here, and whether they trim what follows.
    fn close_marker(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        if rest.starts_with("}}") {
            return Some((2, false));
        }
        let behind_blank = rest.strip_prefix(BLANKS)?;
        behind_blank.starts_with("-}}").then_some((4, true))
    }

    /// Scans the tokens of an action; tells whether the text behind it is trimmed.
    fn action(&mut self, open: usize) -> Result<bool, ScanError> {
        self.push(TokenKind::Open, open, false);
        self.depth = 0;
        let mut is_apart = true;
        loop {
            if let Some((length, trims)) = self.close_marker() {
                if self.depth > 0 {
                    return Err(self.error("unclosed left paren"));
                }
                let start = self.at;
                self.at += length;
                self.push(TokenKind::Close, start, true);
                return Ok(trims);
            }
            let Some(next) = self.rest().chars().next() else {
                return Err(ScanError { at: open, reason: "unclosed action".to_owned() });
            };
            if BLANKS.contains(&next) {
                self.at += 1;
                is_apart = true;
                continue;
            }
            let start = self.at;
            let kind = self.token(next)?;
            let from = if kind == TokenKind::Field { start + 1 } else { start };
            self.push(kind, from, is_apart);
            is_apart = false;
        }
    }

    fn token(&mut self, first: char) -> Result<TokenKind, ScanError> {
        let second = self.rest()[first.len_utf8()..].chars().next();
        let kind = match first {
            '"' | '\'' | '`' => return self.quoted(first),
            ':' if second == Some('=') => {
                self.at += 1;
                TokenKind::Declare
            }
            ':' => return Err(self.error("expected :=")),
            '=' => TokenKind::Assign,
            '|' => TokenKind::Pipe,
            ',' => TokenKind::Comma,
            '(' => {
                self.depth += 1;
                TokenKind::OpenParenthesis
            }
            ')' if self.depth > 0 => {
                self.depth -= 1;
                TokenKind::CloseParenthesis
            }
            ')' => return Err(self.error("unexpected right paren")),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => return self.number(),
            '.' | '$' => {
                let (alone, named) = match first {
                    '.' => (TokenKind::Dot, TokenKind::Field),
                    _ => (TokenKind::Variable, TokenKind::Variable),
                };
                self.at += 1;
                let has_name = self.word() > 0;
                self.check_end()?;
                return Ok(if has_name { named } else { alone });
            }
            '+' | '-' | '0'..='9' => return self.number(),
            c if is_word(c) => {
                self.word();
                self.check_end()?;
                return Ok(TokenKind::Word);
            }
            c => {
                let code = u32::from(c);
                return Err(self.error(format!("unexpected U+{code:04X} {c:?} in command")));
            }
        };
        self.at += 1;
        Ok(kind)
    }

    /// Passes letters, digits and underscores over; tells how many bytes they are.
    fn word(&mut self) -> usize {
        let length = self.rest().find(|c| !is_word(c)).unwrap_or(self.rest().len());
        self.at += length;
        length
    }

    /// Names must be followed by something that ends them.
    fn check_end(&self) -> Result<(), ScanError> {
        match self.rest().chars().next() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => Ok(()),
            Some(c) if BLANKS.contains(&c) || self.rest().starts_with("}}") => Ok(()),
            Some(c) => {
                let code = u32::from(c);
                Err(self.error(format!("bad character U+{code:04X} {c:?}")))
            }
        }
    }

    fn number(&mut self) -> Result<TokenKind, ScanError> {
        let text = self.rest();
        let mut length = 0;
        let mut before = ' ';
        for c in text.chars() {
            let is_sign = matches!(c, '+' | '-') && (length == 0 || "eEpP".contains(before));
            if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || is_sign) {
                break;
            }
            length += c.len_utf8();
            before = c;
        }
        let text = &text[..length];
        let kind =
            parse_number(text).ok_or_else(|| self.error(format!("bad number syntax: {text:?}")))?;
        self.at += length;
        Ok(kind)
    }

    fn quoted(&mut self, quote: char) -> Result<TokenKind, ScanError> {
        let what = match quote {
            '"' => "unterminated quoted string",
            '`' => "unterminated raw quoted string",
            _ => "unterminated character constant",
        };
        let inner = &self.rest()[1..];
        let Some(length) = quoted_length(inner, quote) else { return Err(self.error(what)) };
        let text = &inner[..length];
        let literal = if quote == '`' {
            text.replace('\r', "")
        } else {
            unescape(text, quote).ok_or_else(|| self.error("invalid syntax"))?
        };
        self.at += length + 2;
        if quote != '\'' {
            return Ok(TokenKind::Literal(literal));
        }
        let mut chars = literal.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(TokenKind::Integer(i64::from(u32::from(c)))),
            _ => Err(self.error(format!("malformed character constant: '{text}'"))),
        }
    }

    fn error(&self, reason: impl Into<String>) -> ScanError {
        ScanError { at: self.at, reason: reason.into() }
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The length of what stands before the closing quote.
fn quoted_length(inner: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if quote != '`' => is_escaped = true,
            '\n' if quote != '`' => return None,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// Resolves the escapes of Go's string and character literals.
fn unescape(text: &str, quote: char) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let letter = rest.chars().next()?;
        let before = rest;
        rest = &rest[letter.len_utf8()..];
        match letter {
            'a' => bytes.push(0x07),
            'b' => bytes.push(0x08),
            'f' => bytes.push(0x0c),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(0x0b),
            '\\' => bytes.push(b'\\'),
            '"' if quote == '"' => bytes.push(b'"'),
            '\'' if quote == '\'' => bytes.push(b'\''),
            'x' => bytes.push(u8::try_from(take_digits(&mut rest, 2, 16)?).ok()?),
            '0'..='7' => {
                rest = before;
                bytes.push(u8::try_from(take_digits(&mut rest, 3, 8)?).ok()?);
            }
            'u' | 'U' => {
                let count = if letter == 'u' { 4 } else { 8 };
                let c = char::from_u32(take_digits(&mut rest, count, 16)?)?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return None,
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn take_digits(rest: &mut &str, count: usize, radix: u32) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(count)?;
    *rest = after;
    u32::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'))
}

/// Reads a number as Go writes them: whole ones in four bases, others with point or exponent.
fn parse_number(text: &str) -> Option<TokenKind> {
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let plain = unsigned.replace('_', "");
    let lower = plain.to_ascii_lowercase();
    let whole = |digits: &str, radix| {
        let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
        i64::try_from(sign * magnitude).ok().map(TokenKind::Integer)
    };
    if let Some(digits) = lower.strip_prefix("0x") {
        return whole(digits, 16);
    }
    if let Some(digits) = lower.strip_prefix("0b") {
        return whole(digits, 2);
    }
    if let Some(digits) = lower.strip_prefix("0o") {
        return whole(digits, 8);
    }
    if plain.bytes().all(|byte| byte.is_ascii_digit()) {
        let is_octal = plain.len() > 1 && plain.starts_with('0');
        return whole(&plain, if is_octal { 8 } else { 10 });
    }
    let is_decimal = plain.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let value: f64 = plain.parse().ok().filter(|_| is_decimal)?;
    Some(TokenKind::Float(f64::from(sign as i32) * value))
}
