//! A template as a tree.

use super::functions::Function;
use super::token::Span;

/// A part of a template that is carried out in order.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    /// A pipeline whose value is written, unless it sets variables.
    Action(Pipeline),
    If(Branches),
    With(Branches),
    Range(Branches),
    /// `{{template "name" pipeline}}`
    Template {
        name: String,
        argument: Option<Pipeline>,
        at: Span,
    },
    Break,
    Continue,
}

/// A pipeline that decides, and what follows from it.
#[derive(Debug)]
pub(super) struct Branches {
    pub(super) pipeline: Pipeline,
    pub(super) then: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// Commands, each given the value of the one before as its last argument.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) variables: Option<Variables>,
    pub(super) commands: Vec<Command>,
    pub(super) at: Span,
}

/// The variables that a pipeline sets; two only in a `range`.
#[derive(Debug)]
pub(super) struct Variables {
    pub(super) setting: Setting,
    pub(super) names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

/// An operand and its arguments.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) first: Operand,
    pub(super) arguments: Vec<Operand>,
    pub(super) at: Span,
}

#[derive(Debug)]
pub(super) struct Operand {
    pub(super) term: Term,
    pub(super) at: Span,
}

#[derive(Debug)]
pub(super) enum Term {
    Dot,
    Nil,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    /// `.A.B`
    Fields(Vec<String>),
    /// `$x.A.B`, the name without the dollar sign.
    Variable(String, Vec<String>),
    Function(&'static Function),
    /// `(…)`
    Group(Box<Pipeline>),
    /// `(…).A.B`, or the same behind a function.
    Chain(Box<Operand>, Vec<String>),
}

impl Term {
    /// Whether it can be given the value of a command before it.
    pub(super) fn can_take_value(&self) -> bool {
        !matches!(
            self,
            Term::Dot
                | Term::Nil
                | Term::Boolean(_)
                | Term::Integer(_)
                | Term::Float(_)
                | Term::Text(_)
        )
    }
}
