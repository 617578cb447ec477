//! Goes through the tokens of a script.

use super::super::failure::Place;
use super::super::text::Str;
use super::error::SyntaxError;
use super::scan::{Placed, scan};
use super::token::Token;
use super::tree::{Binding, Module, Variable};

/// This deep expressions and blocks may lie in each other; what runs them goes as deep.
const DEEPEST: usize = 100;

/// Reads one script.
pub(super) struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    depth: usize,
}

impl Parser {
    /// Cuts a script into tokens for reading it.
    ///
    /// # Errors
    /// The first place at which there is no token.
    pub(super) fn new(text: &str) -> Result<Parser, SyntaxError> {
        Ok(Parser { tokens: scan(text)?, at: 0, depth: 0 })
    }

    /// Reads the whole script.
    ///
    /// # Errors
    /// The first place at which it is no Starlark.
    pub(super) fn module(mut self) -> Result<Module, SyntaxError> {
        let mut body = Vec::new();
        while *self.token() != Token::End {
            if *self.token() == Token::Newline {
                self.advance();
            } else {
                self.statement(&mut body)?;
            }
        }
        Ok(Module { body })
    }

    fn current(&self) -> &Placed {
        // The last token is the end, behind which nothing advances.
        &self.tokens[self.at]
    }

    /// The next token.
    pub(super) fn token(&self) -> &Token {
        &self.current().token
    }

    /// Where the next token stands.
    pub(super) fn place(&self) -> Place {
        self.current().place
    }

    /// Goes past the next token and tells where it stands.
    pub(super) fn advance(&mut self) -> Place {
        let place = self.place();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        place
    }

    /// Whether the next token is a sign or word.
    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self.token(), Token::Sign(text) | Token::Word(text) if *text == wanted)
    }

    /// Whether a word comes behind the next token.
    pub(super) fn comes_behind(&self, wanted: &str) -> bool {
        let behind = self.tokens.get(self.at + 1);
        behind.is_some_and(|it| matches!(it.token, Token::Word(word) if word == wanted))
    }

    /// Goes past a sign or word if it comes next, and tells where it stands.
    pub(super) fn accept(&mut self, wanted: &str) -> Option<Place> {
        self.is(wanted).then(|| self.advance())
    }

    /// Goes past a sign or word, which must come next.
    pub(super) fn expect(&mut self, wanted: &'static str) -> Result<Place, SyntaxError> {
        if self.is(wanted) {
            return Ok(self.advance());
        }
        let is_word = wanted.starts_with(|first: char| first.is_ascii_alphabetic());
        let token = if is_word { Token::Word(wanted) } else { Token::Sign(wanted) };
        Err(self.unexpected(&token.shown()))
    }

    /// Goes past the end of a line, which must come next.
    pub(super) fn expect_newline(&mut self) -> Result<(), SyntaxError> {
        match self.token() {
            Token::End => Ok(()),
            Token::Newline => {
                self.advance();
                Ok(())
            }
            _ => Err(self.unexpected(&Token::Newline.shown())),
        }
    }

    /// Reads a name.
    pub(super) fn name(&mut self) -> Result<Variable, SyntaxError> {
        match self.token() {
            Token::Name(name) => {
                let name = Str::from(name.as_str());
                let place = self.advance();
                Ok(Variable { name, place, binding: Binding::Unbound })
            }
            _ => Err(self.error("not an identifier")),
        }
    }

    /// An error behind the next token.
    pub(super) fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError::new(self.current().end, message)
    }

    /// The error that another token was wanted.
    pub(super) fn unexpected(&self, wanted: &str) -> SyntaxError {
        self.error(format!("got {}, want {wanted}", self.token().shown()))
    }

    /// Reads something that may hold more of its kind.
    pub(super) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Parser) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        if self.depth == DEEPEST {
            return Err(self.error("too many expressions or blocks in each other"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }
}
