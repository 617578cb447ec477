//! Reads expressions made of others.

use std::sync::Arc;

use super::super::failure::Place;
use super::super::text::Str;
use super::error::SyntaxError;
use super::parser::Parser;
use super::token::{Operator, Token};
use super::tree::{Argument, Clause, Code, Expression, Made, Parameter, ParameterKind, Statement};

/// A parameter together with the value that it has where none is given.
pub(super) type WithDefault = (Parameter, Option<Expression>);

impl Parser {
    /// Reads an expression, or several with commas between them, which are a tuple.
    pub(super) fn expression(&mut self) -> Result<Expression, SyntaxError> {
        self.expression_in(None)
    }

    /// Reads an expression as it may stand in brackets, where a comma may come last; `open` is
    /// where they begin.
    pub(super) fn expression_in(&mut self, open: Option<Place>) -> Result<Expression, SyntaxError> {
        let place = self.place();
        let first = self.test()?;
        if !self.is(",") {
            return Ok(first);
        }
        let mut elements = vec![first];
        while self.is(",") {
            let comma = self.advance();
            if self.ends_list() {
                if open.is_none() {
                    let message = "unparenthesized tuple with trailing comma";
                    return Err(SyntaxError::new(comma, message));
                }
                break;
            }
            elements.push(self.test()?);
        }
        Ok(Expression::Tuple(elements, open.unwrap_or(place)))
    }

    /// Whether nothing more can follow in a list of expressions.
    pub(super) fn ends_list(&self) -> bool {
        match self.token() {
            Token::End | Token::Newline => true,
            Token::Sign(sign) => matches!(*sign, "=" | "}" | ")" | "]" | ":" | ";"),
            Token::Word(word) => *word == "in",
            _ => false,
        }
    }

    /// Reads one expression.
    pub(super) fn test(&mut self) -> Result<Expression, SyntaxError> {
        self.nested(|parser| {
            if parser.is("lambda") {
                return parser.lambda(Parser::test);
            }
            let then = parser.joined(0)?;
            let Some(place) = parser.accept("if") else { return Ok(then) };
            let condition = parser.joined(0)?;
            if parser.accept("else").is_none() {
                let message = "conditional expression without else clause";
                return Err(SyntaxError::new(place, message));
            }
            let otherwise = parser.test()?;
            Ok(Expression::Choice(Box::new([then, condition, otherwise])))
        })
    }

    /// Reads an expression that is no choice, as it stands behind the `if` of a comprehension.
    fn test_without_choice(&mut self) -> Result<Expression, SyntaxError> {
        if self.is("lambda") {
            return self.nested(|parser| parser.lambda(Parser::test_without_choice));
        }
        self.joined(0)
    }

    fn lambda(
        &mut self,
        body: fn(&mut Parser) -> Result<Expression, SyntaxError>,
    ) -> Result<Expression, SyntaxError> {
        self.advance();
        let parameters = if self.is(":") { Vec::new() } else { self.parameters(":")? };
        self.expect(":")?;
        let start = self.place();
        let value = body(self)?;
        let body = vec![Statement::Return { value: Some(value), place: start }];
        Ok(Parser::function("lambda".into(), parameters, body, start))
    }

    /// Puts a function together.
    pub(super) fn function(
        name: Str,
        parameters: Vec<WithDefault>,
        body: Vec<Statement>,
        place: Place,
    ) -> Expression {
        let is_plain =
            parameters.iter().all(|(parameter, _)| parameter.kind == ParameterKind::Required);
        let (parameters, defaults): (Vec<_>, Vec<_>) = parameters.into_iter().unzip();
        let code = Code { name, place, parameters, body, is_plain, ..Code::default() };
        Expression::Function(Box::new(Made {
            code: Arc::new(code),
            defaults: defaults.into_iter().flatten().collect(),
            shares: Vec::new(),
            place,
        }))
    }

    /// Reads what operators of at least `strength` join.
    fn joined(&mut self, strength: u8) -> Result<Expression, SyntaxError> {
        match strength {
            0 => self.logical("or", 1, Expression::Or),
            1 => self.logical("and", 2, Expression::And),
            2 => match self.accept("not") {
                Some(place) => {
                    let inner = self.nested(|parser| parser.joined(2))?;
                    Ok(Expression::Not(Box::new(inner), place))
                }
                None => self.joined(3),
            },
            _ => self.binary(strength),
        }
    }

    fn logical(
        &mut self,
        word: &str,
        inner: u8,
        make: fn(Vec<Expression>, Place) -> Expression,
    ) -> Result<Expression, SyntaxError> {
        let first = self.joined(inner)?;
        let place = self.place();
        if !self.is(word) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.accept(word).is_some() {
            parts.push(self.joined(inner)?);
        }
        Ok(make(parts, place))
    }

    /// The operator that comes next; `not in` is two words.
    fn operator(&self) -> Option<Operator> {
        if self.is("not") && self.comes_behind("in") {
            return Some(Operator::NotIn);
        }
        Operator::of(self.token())
    }

    fn binary(&mut self, strength: u8) -> Result<Expression, SyntaxError> {
        let mut left = self.primary()?;
        let mut compared = None;
        while let Some(operator) = self.operator() {
            let binds = operator.strength();
            if binds < strength {
                break;
            }
            if binds == Operator::Equal.strength()
                && let Some(before) = compared.replace(operator)
            {
                let (before, after) = (before.shown(), operator.shown());
                return Err(
                    self.error(format!("{before} does not associate with {after} (use parens)"))
                );
            }
            let mut place = self.advance();
            if operator == Operator::NotIn {
                place = self.advance();
            }
            let right = self.nested(|parser| parser.binary(binds + 1))?;
            left = Expression::Binary(operator, Box::new([left, right]), place);
        }
        Ok(left)
    }

    /// Reads the parameters of a function, up to `end`.
    pub(super) fn parameters(&mut self, end: &str) -> Result<Vec<WithDefault>, SyntaxError> {
        let mut parameters = Vec::new();
        let mut is_behind_star = false;
        while !self.is(end) && *self.token() != Token::End {
            if !parameters.is_empty() || is_behind_star {
                self.expect(",")?;
                if self.is(end) {
                    break;
                }
            }
            let place = self.place();
            let (kind, name, default) = if self.accept("**").is_some() {
                (ParameterKind::RestByName, self.name()?, None)
            } else if self.accept("*").is_some() {
                is_behind_star = true;
                if !matches!(self.token(), Token::Name(_)) {
                    continue;
                }
                (ParameterKind::Rest, self.name()?, None)
            } else {
                let name = self.name()?;
                let default = if self.accept("=").is_some() { Some(self.test()?) } else { None };
                let kind = match (is_behind_star, default.is_some()) {
                    (false, false) => ParameterKind::Required,
                    (false, true) => ParameterKind::Optional,
                    (true, false) => ParameterKind::RequiredByName,
                    (true, true) => ParameterKind::OptionalByName,
                };
                (kind, name, default)
            };
            parameters.push((Parameter { name: name.name, place, kind }, default));
        }
        Ok(parameters)
    }

    /// Reads the arguments of a call, up to the bracket that ends it.
    pub(super) fn arguments(&mut self) -> Result<Vec<Argument>, SyntaxError> {
        let mut arguments = Vec::new();
        while !self.is(")") && *self.token() != Token::End {
            if !arguments.is_empty() {
                self.expect(",")?;
                if self.is(")") {
                    break;
                }
            }
            arguments.push(if let Some(place) = self.accept("*") {
                Argument::Spread(self.test()?, place)
            } else if let Some(place) = self.accept("**") {
                Argument::SpreadByName(self.test()?, place)
            } else {
                let value = self.test()?;
                match (self.is("="), value) {
                    (true, Expression::Variable(name)) => {
                        self.advance();
                        Argument::Named(name.name, self.test()?, name.place)
                    }
                    (true, _) => {
                        let message = "keyword argument must have form name=expr";
                        return Err(self.error(message));
                    }
                    (false, value) => Argument::Positional(value),
                }
            });
        }
        Ok(arguments)
    }

    /// Reads the loops and conditions of a comprehension, up to the bracket that ends it.
    pub(super) fn clauses(&mut self, end: &'static str) -> Result<Vec<Clause>, SyntaxError> {
        let mut clauses = Vec::new();
        while !self.is(end) {
            if let Some(place) = self.accept("for") {
                let to = self.loop_variables()?;
                self.expect("in")?;
                // An `if` behind it is the next clause.
                let over = self.joined(0)?;
                clauses.push(Clause::For { to, over, place });
            } else if self.accept("if").is_some() {
                clauses.push(Clause::If(self.test_without_choice()?));
            } else {
                return Err(self.unexpected(&format!("'{end}', for, or if")));
            }
        }
        self.advance();
        Ok(clauses)
    }
}
