//! Pipelines: what stands between the braces of an action.

use super::super::functions::find;
use super::super::syntax::{Command, Operand, Pipeline, Setting, Term, Variables};
use super::super::token::{Span, Token, TokenKind};
use super::{Parsed, Parser, Place};

impl Parser<'_> {
    /// Reads up to the closing braces or parenthesis, which it takes too.
    pub(super) fn pipeline(&mut self, place: Place) -> Parsed<Pipeline> {
        let start = self.at();
        let variables = self.set_variables(place)?;
        let mut commands: Vec<Command> = Vec::new();
        let closing = match place {
            Place::Parentheses => TokenKind::CloseParenthesis,
            _ => TokenKind::Close,
        };
        let mut end = start;
        loop {
            if *self.peek() == closing {
                if commands.is_empty() {
                    return Err(self.error(format!("missing value for {}", place.name())));
                }
                self.next += 1;
                break;
            }
            let command = self.command(place)?;
            if !commands.is_empty() && !command.first.term.can_take_value() {
                let stage = commands.len() + 1;
                let reason = format!("non executable command in pipeline stage {stage}");
                return Err(self.error(reason));
            }
            end = command.at;
            commands.push(command);
        }
        if let Some(variables) = &variables {
            self.variables.extend(variables.names.iter().cloned());
        }
        Ok(Pipeline { variables, commands, at: start.to(end) })
    }

    fn set_variables(&mut self, place: Place) -> Parsed<Option<Variables>> {
        let mut names = Vec::new();
        let begin = self.next;
        while *self.peek() == TokenKind::Variable {
            let at = self.at();
            let name = self.source[at.start + 1..at.end].to_owned();
            let after = self.tokens.get(self.next + 1).map(|token| &token.kind);
            let setting = match after {
                Some(TokenKind::Declare) => Setting::Declare,
                Some(TokenKind::Assign) => Setting::Assign,
                Some(TokenKind::Comma) if place == Place::Range && names.is_empty() => {
                    names.push(name);
                    self.next += 2;
                    if !matches!(self.peek(), TokenKind::Variable) {
                        return Err(self.error("range can only initialize variables"));
                    }
                    continue;
                }
                Some(TokenKind::Comma) => {
                    let reason = format!("too many declarations in {}", place.name());
                    return Err(self.error(reason));
                }
                _ => break,
            };
            names.push(name);
            self.next += 2;
            return Ok(Some(Variables { setting, names }));
        }
        self.next = begin;
        Ok(None)
    }

    fn command(&mut self, place: Place) -> Parsed<Command> {
        let first = self.operand(place.name())?;
        let mut at = first.at;
        let mut arguments = Vec::new();
        loop {
            match self.peek() {
                TokenKind::Pipe => {
                    self.next += 1;
                    if matches!(self.peek(), TokenKind::Close | TokenKind::CloseParenthesis) {
                        return Err(self.error(format!("missing value for {}", place.name())));
                    }
                    break;
                }
                TokenKind::Close | TokenKind::CloseParenthesis => break,
                _ if !self.is_apart() => return Err(self.unexpected("operand")),
                _ => {
                    let argument = self.operand("operand")?;
                    at = at.to(argument.at);
                    arguments.push(argument);
                }
            }
        }
        Ok(Command { first, arguments, at })
    }

    fn operand(&mut self, place: &str) -> Parsed<Operand> {
        let Operand { term, mut at } = self.term(place)?;
        let mut fields = Vec::new();
        while *self.peek() == TokenKind::Field && !self.is_apart() {
            let field = self.take().at;
            fields.push(self.text(field));
            at = at.to(field);
        }
        if fields.is_empty() {
            return Ok(Operand { term, at });
        }
        let term = match term {
            Term::Fields(mut first) => {
                first.append(&mut fields);
                Term::Fields(first)
            }
            Term::Variable(name, mut first) => {
                first.append(&mut fields);
                Term::Variable(name, first)
            }
            Term::Function(_) | Term::Group(_) => {
                Term::Chain(Box::new(Operand { term, at }), fields)
            }
            _ => {
                let shown = self.text(at);
                return Err(self.error(format!("unexpected . after term {shown:?}")));
            }
        };
        Ok(Operand { term, at })
    }

    fn term(&mut self, place: &str) -> Parsed<Operand> {
        let Token { kind, at, .. } =
            self.tokens.get(self.next).cloned().ok_or_else(|| self.unexpected(place))?;
        let term = match kind {
            TokenKind::Dot => Term::Dot,
            TokenKind::Integer(value) => Term::Integer(value),
            TokenKind::Float(value) => Term::Float(value),
            TokenKind::Literal(text) => Term::Text(text),
            TokenKind::Field => {
                let at = Span { start: at.start - 1, end: at.end };
                self.next += 1;
                let name = self.source[at.start + 1..at.end].to_owned();
                return Ok(Operand { term: Term::Fields(vec![name]), at });
            }
            TokenKind::Variable => {
                let name = &self.source[at.start + 1..at.end];
                if !self.variables.iter().any(|declared| declared == name) {
                    return Err(self.error(format!("undefined variable \"${name}\"")));
                }
                Term::Variable(name.to_owned(), Vec::new())
            }
            TokenKind::Word => match &self.source[at.start..at.end] {
                "true" => Term::Boolean(true),
                "false" => Term::Boolean(false),
                "nil" => Term::Nil,
                "if" | "else" | "end" | "range" | "with" | "template" | "block" | "define" => {
                    let word = &self.source[at.start..at.end];
                    return Err(self.error(format!("unexpected <{word}> in {place}")));
                }
                name => Term::Function(find(name, self.library).map_err(|e| self.error(e))?),
            },
            TokenKind::OpenParenthesis => {
                self.next += 1;
                let inner = self.deeper(|parser| parser.pipeline(Place::Parentheses))?;
                let end = self.tokens.get(self.next - 1).map_or(at, |token| token.at);
                return Ok(Operand { term: Term::Group(Box::new(inner)), at: at.to(end) });
            }
            _ => return Err(self.unexpected(place)),
        };
        self.next += 1;
        Ok(Operand { term, at })
    }
}
