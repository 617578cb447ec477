//! The tree of a script.

use std::sync::Arc;

use super::super::failure::Place;
use super::super::text::Str;
use super::super::value::Value;
use super::token::Operator;

/// A script as it was read.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) body: Vec<Statement>,
}

/// A script whose names are bound.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) top: Arc<Code>,
    /// The names of the global variables.
    pub(crate) globals: Vec<Str>,
}

/// A statement.
#[derive(Debug)]
pub(crate) enum Statement {
    Expression(Expression),
    Assign {
        to: Expression,
        value: Expression,
        place: Place,
    },
    /// An assignment such as `+=`.
    Update {
        to: Expression,
        operator: Operator,
        value: Expression,
        place: Place,
    },
    /// Defines a function; the expression makes it.
    Define {
        name: Variable,
        function: Expression,
    },
    If {
        branches: Vec<Branch>,
        otherwise: Vec<Statement>,
    },
    For {
        to: Expression,
        over: Expression,
        body: Vec<Statement>,
        place: Place,
    },
    /// The dialect has no such loops; it is read for its error.
    While {
        place: Place,
    },
    Load {
        module: Str,
        names: Vec<(Str, Variable)>,
        place: Place,
    },
    Return {
        value: Option<Expression>,
        place: Place,
    },
    Break {
        place: Place,
    },
    Continue {
        place: Place,
    },
    Pass,
}

/// A condition, and what is done if it is the first that holds.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) condition: Expression,
    pub(crate) body: Vec<Statement>,
    pub(crate) place: Place,
}

/// An expression; places are those of errors.
#[derive(Debug)]
pub(crate) enum Expression {
    Constant(Value, Place),
    Variable(Variable),
    /// Brackets around an expression, which matter where it is assigned to.
    Parenthesized(Box<Expression>),
    Tuple(Vec<Expression>, Place),
    List(Vec<Expression>, Place),
    Dict(Vec<(Expression, Expression, Place)>, Place),
    Comprehension(Box<Comprehension>),
    /// `a if b else c`.
    Choice(Box<[Expression; 3]>),
    Function(Box<Made>),
    Not(Box<Expression>, Place),
    /// `-`, `+` or `~`.
    Signed(&'static str, Box<Expression>, Place),
    And(Vec<Expression>, Place),
    Or(Vec<Expression>, Place),
    Binary(Operator, Box<[Expression; 2]>, Place),
    Attribute(Box<Expression>, Str, Place),
    Index(Box<[Expression; 2]>, Place),
    Slice(Box<(Expression, [Option<Expression>; 3])>, Place),
    Call(Box<(Expression, Vec<Argument>)>, Place),
}

impl Expression {
    /// Where the expression begins.
    pub(crate) fn start(&self) -> Place {
        match self {
            Expression::Constant(_, place) => *place,
            Expression::Variable(variable) => variable.place,
            Expression::Parenthesized(inner) => inner.start(),
            Expression::Tuple(_, place)
            | Expression::List(_, place)
            | Expression::Dict(_, place)
            | Expression::Not(_, place)
            | Expression::Signed(_, _, place) => *place,
            Expression::Comprehension(comprehension) => comprehension.place,
            Expression::Function(made) => made.place,
            Expression::Choice(parts) => parts[0].start(),
            Expression::And(parts, place) | Expression::Or(parts, place) => {
                parts.first().map_or(*place, Expression::start)
            }
            Expression::Index(parts, _) | Expression::Binary(_, parts, _) => parts[0].start(),
            Expression::Attribute(inner, _, _) => inner.start(),
            Expression::Slice(parts, _) => parts.0.start(),
            Expression::Call(parts, _) => parts.0.start(),
        }
    }
}

/// A name in a script and what it is bound to.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) name: Str,
    pub(crate) place: Place,
    pub(crate) binding: Binding,
}

/// Where a variable lies.
#[derive(Debug, Clone, Default)]
pub(crate) enum Binding {
    /// Not looked for yet.
    #[default]
    Unbound,
    /// Among those of the function.
    Local(usize),
    /// Among those that the function shares with those around it.
    Shared(usize),
    Global(usize),
    /// It is no variable.
    Constant(Value),
}

/// A function as an expression makes it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) code: Arc<Code>,
    /// The values of optional parameters, in their order.
    pub(crate) defaults: Vec<Expression>,
    /// Which variables of the function around it it shares.
    pub(crate) shares: Vec<Binding>,
    pub(crate) place: Place,
}

/// What a function does.
#[derive(Debug, Default)]
pub(crate) struct Code {
    pub(crate) name: Str,
    pub(crate) place: Place,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Vec<Statement>,
    /// The names of its variables, parameters first.
    pub(crate) locals: Vec<Str>,
    /// Those of its variables that functions inside it share.
    pub(crate) cells: Vec<usize>,
    /// The names of the variables that it shares with the functions around it.
    pub(crate) shared: Vec<Str>,
    /// Whether all parameters are positional and required.
    pub(crate) is_plain: bool,
}

impl Default for Str {
    fn default() -> Str {
        Str::from("")
    }
}

/// A parameter of a function.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: Str,
    pub(crate) place: Place,
    pub(crate) kind: ParameterKind,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterKind {
    Required,
    /// Has a value of its own where none is given.
    Optional,
    /// As the two above, but behind a `*`.
    RequiredByName,
    OptionalByName,
    /// `*args`.
    Rest,
    /// `**kwargs`.
    RestByName,
}

/// An argument of a call.
#[derive(Debug)]
pub(crate) enum Argument {
    Positional(Expression),
    Named(Str, Expression, Place),
    /// `*args`.
    Spread(Expression, Place),
    /// `**kwargs`.
    SpreadByName(Expression, Place),
}

/// A list or dict made by loops.
#[derive(Debug)]
pub(crate) struct Comprehension {
    pub(crate) clauses: Vec<Clause>,
    /// The element; of a dict, its key.
    pub(crate) element: Expression,
    /// Of a dict, the value.
    pub(crate) value: Option<Expression>,
    pub(crate) place: Place,
}

/// A part of a comprehension.
#[derive(Debug)]
pub(crate) enum Clause {
    For { to: Expression, over: Expression, place: Place },
    If(Expression),
}
