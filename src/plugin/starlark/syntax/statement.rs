//! Reads statements.

use super::super::text::Str;
use super::error::SyntaxError;
use super::parser::Parser;
use super::token::{Operator, Token};
use super::tree::{Binding, Branch, Expression, Statement, Variable};

impl Parser {
    /// Reads a statement, or several on one line.
    pub(super) fn statement(&mut self, body: &mut Vec<Statement>) -> Result<(), SyntaxError> {
        let statement = match self.token() {
            Token::Word("def") => self.definition()?,
            Token::Word("if") => self.branches()?,
            Token::Word("for") => self.for_loop()?,
            Token::Word("while") => {
                let place = self.advance();
                self.test()?;
                self.block()?;
                Statement::While { place }
            }
            _ => return self.simple_statements(body),
        };
        body.push(statement);
        Ok(())
    }

    fn definition(&mut self) -> Result<Statement, SyntaxError> {
        let place = self.advance();
        let name = self.name()?;
        self.expect("(")?;
        let parameters = self.parameters(")")?;
        self.expect(")")?;
        let body = self.block()?;
        let function = Self::function(name.name.clone(), parameters, body, place);
        Ok(Statement::Define { name, function })
    }

    /// Reads from `if` to the end of the last block.
    fn branches(&mut self) -> Result<Statement, SyntaxError> {
        let mut branches = Vec::new();
        let mut next = Some(self.advance());
        while let Some(place) = next {
            let condition = self.test()?;
            let body = self.block()?;
            branches.push(Branch { condition, body, place });
            next = self.accept("elif");
        }
        let otherwise = if self.accept("else").is_some() { self.block()? } else { Vec::new() };
        Ok(Statement::If { branches, otherwise })
    }

    fn for_loop(&mut self) -> Result<Statement, SyntaxError> {
        let place = self.advance();
        let to = self.loop_variables()?;
        self.expect("in")?;
        let over = self.expression()?;
        let body = self.block()?;
        Ok(Statement::For { to, over, body, place })
    }

    /// Reads a colon and what is indented behind it, or stands on the same line.
    fn block(&mut self) -> Result<Vec<Statement>, SyntaxError> {
        self.expect(":")?;
        let mut body = Vec::new();
        if *self.token() != Token::Newline {
            self.simple_statements(&mut body)?;
            return Ok(body);
        }
        self.advance();
        if *self.token() != Token::Indent {
            return Err(self.unexpected(&Token::Indent.shown()));
        }
        self.advance();
        self.nested(|parser| {
            while !matches!(parser.token(), Token::Outdent | Token::End) {
                parser.statement(&mut body)?;
            }
            Ok(())
        })?;
        if *self.token() == Token::Outdent {
            self.advance();
        }
        Ok(body)
    }

    fn simple_statements(&mut self, body: &mut Vec<Statement>) -> Result<(), SyntaxError> {
        loop {
            body.push(self.simple_statement()?);
            if self.accept(";").is_none() || matches!(self.token(), Token::Newline | Token::End) {
                return self.expect_newline();
            }
        }
    }

    fn simple_statement(&mut self) -> Result<Statement, SyntaxError> {
        match self.token() {
            Token::Word("return") => {
                let place = self.advance();
                let is_bare = matches!(self.token(), Token::Newline | Token::End) || self.is(";");
                let value = if is_bare { None } else { Some(self.expression()?) };
                Ok(Statement::Return { value, place })
            }
            Token::Word("break") => Ok(Statement::Break { place: self.advance() }),
            Token::Word("continue") => Ok(Statement::Continue { place: self.advance() }),
            Token::Word("pass") => {
                self.advance();
                Ok(Statement::Pass)
            }
            Token::Word("load") => self.load(),
            _ => self.assignment(),
        }
    }

    fn assignment(&mut self) -> Result<Statement, SyntaxError> {
        let to = self.expression()?;
        let Token::Sign(sign) = *self.token() else { return Ok(Statement::Expression(to)) };
        let update = match sign {
            "=" => None,
            "==" | "!=" | "<=" | ">=" => return Ok(Statement::Expression(to)),
            _ => match sign.strip_suffix('=') {
                Some(operator) => Some(operator),
                None => return Ok(Statement::Expression(to)),
            },
        };
        let operator = update.and_then(operator_of);
        let place = self.advance();
        let value = self.expression()?;
        Ok(match operator {
            None => Statement::Assign { to, value, place },
            Some(operator) => Statement::Update { to, operator, value, place },
        })
    }

    fn load(&mut self) -> Result<Statement, SyntaxError> {
        let place = self.advance();
        let open = self.expect("(")?;
        let Token::Text(module) = self.token() else {
            return Err(self.error("first operand of load statement must be a string literal"));
        };
        let module = Str::from(module.as_str());
        self.advance();
        let mut names = Vec::new();
        while !self.is(")") && *self.token() != Token::End {
            self.expect(",")?;
            if self.is(")") {
                break;
            }
            names.push(self.loaded()?);
        }
        self.expect(")")?;
        if names.is_empty() {
            let message = "load statement must import at least 1 symbol";
            return Err(SyntaxError::new(open, message));
        }
        Ok(Statement::Load { module, names, place })
    }

    /// Reads what is loaded: `"name"` or `own_name="name"`.
    fn loaded(&mut self) -> Result<(Str, Variable), SyntaxError> {
        match self.token().clone() {
            Token::Text(name) => {
                let name = Str::from(name);
                let mut place = self.advance();
                place.column += 1;
                Ok((name.clone(), Variable { name, place, binding: Binding::Unbound }))
            }
            Token::Name(own) => {
                let variable = self.name()?;
                if self.accept("=").is_none() {
                    return Err(self.error(format!(
                        "load operand must be \"{own}\" or {own}=\"originalname\" (want '=' after {own})"
                    )));
                }
                match self.token().clone() {
                    Token::Text(name) => {
                        self.advance();
                        Ok((Str::from(name), variable))
                    }
                    _ => Err(self.error(format!(
                        "original name of loaded symbol must be quoted: {own}=\"originalname\""
                    ))),
                }
            }
            other => Err(self.error(format!(
                "load operand must be \"name\" or localname=\"name\" (got {})",
                other.shown()
            ))),
        }
    }

    /// Reads what a loop assigns to.
    pub(super) fn loop_variables(&mut self) -> Result<Expression, SyntaxError> {
        let place = self.place();
        let first = self.primary()?;
        if !self.is(",") {
            return Ok(first);
        }
        let mut variables = vec![first];
        while self.accept(",").is_some() {
            if self.ends_list() {
                break;
            }
            variables.push(self.primary()?);
        }
        Ok(Expression::Tuple(variables, place))
    }
}

/// The operator of an assignment such as `+=`, without the `=`.
fn operator_of(sign: &'static str) -> Option<Operator> {
    Operator::of(&Token::Sign(sign))
}
