//! From the text of a script to a tree that can be run.
//!
//! # References
//! The Starlark language specification; starlark-go for what it leaves open, and for the words of
//! errors.

mod error;
mod expression;
mod literal;
mod number;
mod operand;
mod parser;
mod resolve;
mod scan;
mod scope;
mod statement;
mod token;
mod tree;

pub(crate) use error::SyntaxError;
pub(crate) use resolve::{Globals, resolve};
pub(crate) use token::{Operator, quote};
pub(crate) use tree::{
    Argument, Binding, Clause, Code, Comprehension, Expression, Made, Module, ParameterKind,
    Program, Statement, Variable,
};

/// Reads a script; its names are not yet bound to anything.
///
/// # Errors
/// The first place at which it is no Starlark.
pub(crate) fn parse(text: &str) -> Result<Module, SyntaxError> {
    parser::Parser::new(text)?.module()
}
