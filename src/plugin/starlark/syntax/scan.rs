//! Cuts the text of a script into tokens.

use super::super::failure::Place;
use super::error::SyntaxError;
use super::token::{RESERVED, SIGNS, Token, WORDS};
use super::{literal, number};

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) place: Place,
    /// Behind its last character.
    pub(crate) end: Place,
}

/// Goes through the text of a script.
pub(super) struct Scanner<'t> {
    rest: &'t str,
    place: Place,
    /// The indentations of the blocks around, outermost first.
    indents: Vec<usize>,
    /// How many brackets are open; lines end in none.
    brackets: usize,
    tokens: Vec<Placed>,
}

/// Cuts a script into tokens, of which the last is [`Token::End`].
///
/// # Errors
/// The first place at which there is no token.
pub(super) fn scan(text: &str) -> Result<Vec<Placed>, SyntaxError> {
    let mut scanner = Scanner {
        rest: text,
        place: Place { line: 1, column: 1 },
        indents: vec![0],
        brackets: 0,
        tokens: Vec::new(),
    };
    scanner.line_start()?;
    while !scanner.rest.is_empty() {
        scanner.step()?;
    }
    if !matches!(scanner.tokens.last(), None | Some(Placed { token: Token::Newline, .. })) {
        scanner.push(Token::Newline, scanner.place);
    }
    for _ in 1..scanner.indents.len() {
        scanner.push(Token::Outdent, scanner.place);
    }
    scanner.push(Token::End, scanner.place);
    Ok(scanner.tokens)
}

impl<'t> Scanner<'t> {
    fn push(&mut self, token: Token, place: Place) {
        self.tokens.push(Placed { token, place, end: self.place });
    }

    /// Takes some bytes off the text.
    pub(super) fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        for character in taken.chars() {
            if character == '\n' {
                self.place = Place { line: self.place.line + 1, column: 1 };
            } else {
                self.place.column += 1;
            }
        }
        taken
    }

    /// Begins a line: sees how far it is indented, and passes over empty lines.
    fn line_start(&mut self) -> Result<(), SyntaxError> {
        loop {
            let blanks = self.rest.len() - self.rest.trim_start_matches([' ', '\t']).len();
            // A tab reaches to the next multiple of eight.
            let width = self.rest[..blanks].chars().fold(0, |width, blank| match blank {
                '\t' => (width / 8 + 1) * 8,
                _ => width + 1,
            });
            self.take(blanks);
            if self.rest.starts_with('#') {
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            }
            if self.rest.starts_with("\r\n") {
                self.take(2);
            } else if self.rest.starts_with('\n') {
                self.take(1);
            } else if self.rest.is_empty() {
                return Ok(());
            } else {
                return self.indent(width);
            }
        }
    }

    fn indent(&mut self, width: usize) -> Result<(), SyntaxError> {
        let place = self.place;
        let current = self.indents.last().copied().unwrap_or(0);
        if width > current {
            self.indents.push(width);
            self.push(Token::Indent, place);
        }
        while width < self.indents.last().copied().unwrap_or(0) {
            self.indents.pop();
            self.push(Token::Outdent, place);
        }
        if width != self.indents.last().copied().unwrap_or(0) {
            let message = "unindent does not match any outer indentation level";
            return Err(SyntaxError::new(place, message));
        }
        Ok(())
    }

    /// Takes the next token, or what stands between two.
    fn step(&mut self) -> Result<(), SyntaxError> {
        let place = self.place;
        let Some(first) = self.rest.chars().next() else { return Ok(()) };
        match first {
            ' ' | '\t' | '\r' => {
                self.take(1);
            }
            '#' => {
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            }
            '\n' => {
                self.take(1);
                if self.brackets == 0 {
                    self.push(Token::Newline, place);
                    self.line_start()?;
                }
            }
            '\\' if self.rest.starts_with("\\\n") => {
                self.take(2);
            }
            '\\' if self.rest.starts_with("\\\r\n") => {
                self.take(3);
            }
            '\\' => return Err(SyntaxError::new(place, "stray backslash in program")),
            '"' | '\'' => self.text(literal::Style::default(), place)?,
            'r' if self.rest[1..].starts_with(['"', '\'']) => {
                self.take(1);
                self.text(literal::Style::Raw, place)?;
            }
            'b' if self.rest[1..].starts_with(['"', '\'']) => {
                return Err(SyntaxError::new(place, "bytes are not supported"));
            }
            '0'..='9' => self.number(place)?,
            '.' if self.rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                self.number(place)?;
            }
            _ if first.is_alphabetic() || first == '_' => self.word(place)?,
            _ => self.sign(first, place)?,
        }
        Ok(())
    }

    fn text(&mut self, style: literal::Style, place: Place) -> Result<(), SyntaxError> {
        let (text, len) =
            literal::read(self.rest, style).map_err(|message| SyntaxError::new(place, message))?;
        self.take(len);
        self.push(Token::Text(text), place);
        Ok(())
    }

    fn number(&mut self, place: Place) -> Result<(), SyntaxError> {
        let (token, len) =
            number::read(self.rest).map_err(|message| SyntaxError::new(place, message))?;
        self.take(len);
        self.push(token, place);
        Ok(())
    }

    fn word(&mut self, place: Place) -> Result<(), SyntaxError> {
        let end = self
            .rest
            .find(|part: char| !(part.is_alphanumeric() || part == '_'))
            .unwrap_or(self.rest.len());
        let word = self.take(end);
        if RESERVED.contains(&word) {
            // Go reads on and stumbles over the token, since no rule knows it.
            let message = format!("got {word}, want primary expression");
            return Err(SyntaxError::new(place, message));
        }
        let token = match WORDS.iter().find(|known| **known == word) {
            Some(known) => Token::Word(known),
            None => Token::Name(word.to_owned()),
        };
        self.push(token, place);
        Ok(())
    }

    fn sign(&mut self, first: char, place: Place) -> Result<(), SyntaxError> {
        let Some(sign) = SIGNS.iter().find(|sign| self.rest.starts_with(**sign)) else {
            let shown = if first == '!' { "'!'".to_owned() } else { format!("'{first}'") };
            return Err(SyntaxError::new(place, format!("unexpected input character {shown}")));
        };
        match *sign {
            "(" | "[" | "{" => self.brackets += 1,
            ")" | "]" | "}" => match self.brackets.checked_sub(1) {
                Some(left) => self.brackets = left,
                None => {
                    return Err(SyntaxError::new(place, format!("unexpected '{first}'")));
                }
            },
            _ => {}
        }
        self.take(sign.len());
        self.push(Token::Sign(sign), place);
        Ok(())
    }
}
