//! Reads what operators join: names, literals, brackets, and what hangs on them.

use super::super::failure::Place;
use super::super::number;
use super::super::text::Str;
use super::super::value::Value;
use super::error::SyntaxError;
use super::parser::Parser;
use super::token::Token;
use super::tree::{Comprehension, Expression};

/// So many attributes, indexes and calls may hang on each other.
const LONGEST: usize = 100;

impl Parser {
    /// Reads an operand with its attributes, indexes and calls.
    pub(super) fn primary(&mut self) -> Result<Expression, SyntaxError> {
        let mut operand = self.operand()?;
        for _ in 0..LONGEST {
            operand = match self.token() {
                Token::Sign(".") => {
                    let place = self.advance();
                    let name = self.name()?.name;
                    Expression::Attribute(Box::new(operand), name, place)
                }
                Token::Sign("[") => self.index(operand)?,
                Token::Sign("(") => {
                    let place = self.advance();
                    let arguments = self.nested(Parser::arguments)?;
                    self.expect(")")?;
                    Expression::Call(Box::new((operand, arguments)), place)
                }
                _ => return Ok(operand),
            };
        }
        Err(self.error("too many attributes, indexes and calls in a row"))
    }

    fn index(&mut self, of: Expression) -> Result<Expression, SyntaxError> {
        let place = self.advance();
        let ends = |parser: &Parser| parser.is("]") || parser.is(":");
        let start = if self.is(":") { None } else { Some(self.expression_in(Some(place))?) };
        let start = match start {
            Some(index) if self.accept("]").is_some() => {
                return Ok(Expression::Index(Box::new([of, index]), place));
            }
            start => start,
        };
        self.expect(":")?;
        let stop = if ends(self) { None } else { Some(self.test()?) };
        let step = match self.accept(":") {
            Some(_) if !self.is("]") => Some(self.test()?),
            _ => None,
        };
        self.expect("]")?;
        Ok(Expression::Slice(Box::new((of, [start, stop, step])), place))
    }

    fn operand(&mut self) -> Result<Expression, SyntaxError> {
        match self.token().clone() {
            Token::Name(_) => Ok(Expression::Variable(self.name()?)),
            Token::Int(value) => self.constant(number::from_big(value)),
            Token::Float(value) => self.constant(Value::Float(value)),
            Token::Text(text) => self.constant(Value::Str(Str::from(text))),
            Token::Sign("[") => self.list(),
            Token::Sign("{") => self.dict(),
            Token::Sign("(") => {
                let place = self.advance();
                if self.accept(")").is_some() {
                    return Ok(Expression::Tuple(Vec::new(), place));
                }
                let inner = self.nested(|parser| parser.expression_in(Some(place)))?;
                self.expect(")")?;
                Ok(Expression::Parenthesized(Box::new(inner)))
            }
            Token::Sign(sign @ ("-" | "+" | "~")) => {
                let place = self.advance();
                let inner = self.nested(Parser::primary)?;
                Ok(Expression::Signed(sign, Box::new(inner), place))
            }
            other => {
                let message = format!("got {}, want primary expression", other.shown());
                Err(SyntaxError::new(self.place(), message))
            }
        }
    }

    fn constant(&mut self, value: Value) -> Result<Expression, SyntaxError> {
        let place = self.advance();
        Ok(Expression::Constant(value, place))
    }

    fn list(&mut self) -> Result<Expression, SyntaxError> {
        let place = self.advance();
        if self.accept("]").is_some() {
            return Ok(Expression::List(Vec::new(), place));
        }
        let first = self.test()?;
        if self.is("for") {
            return self.comprehension(first, None, "]", place);
        }
        let mut elements = vec![first];
        while self.accept(",").is_some() {
            if self.ends_list() {
                break;
            }
            elements.push(self.test()?);
        }
        self.expect("]")?;
        Ok(Expression::List(elements, place))
    }

    fn dict(&mut self) -> Result<Expression, SyntaxError> {
        let place = self.advance();
        if self.accept("}").is_some() {
            return Ok(Expression::Dict(Vec::new(), place));
        }
        let (key, value, colon) = self.entry()?;
        if self.is("for") {
            return self.comprehension(key, Some(value), "}", place);
        }
        let mut entries = vec![(key, value, colon)];
        while self.accept(",").is_some() {
            if self.is("}") {
                break;
            }
            entries.push(self.entry()?);
        }
        self.expect("}")?;
        Ok(Expression::Dict(entries, place))
    }

    fn entry(&mut self) -> Result<(Expression, Expression, Place), SyntaxError> {
        let key = self.test()?;
        let colon = self.expect(":")?;
        Ok((key, self.test()?, colon))
    }

    fn comprehension(
        &mut self,
        element: Expression,
        value: Option<Expression>,
        end: &'static str,
        place: Place,
    ) -> Result<Expression, SyntaxError> {
        let clauses = self.nested(|parser| parser.clauses(end))?;
        let comprehension = Comprehension { clauses, element, value, place };
        Ok(Expression::Comprehension(Box::new(comprehension)))
    }
}
