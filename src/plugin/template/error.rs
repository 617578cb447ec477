//! What can be wrong with a template, and with the metric it is filled from.

use super::token::Span;

/// Why a text is no template; reads as Go's own message does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template: {name}:{line}: {reason}")]
pub struct TemplateError {
    /// What the template is for, such as `key`.
    pub name: String,
    /// The line within the template, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// Why a template could not be filled; reads as Go's own message does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template: {name}:{line}:{column}: executing {name:?} at <{part}>: {reason}")]
pub struct FillError {
    /// What the template is for, such as `key`.
    pub name: String,
    /// The line within the template, from 1.
    pub line: usize,
    /// The bytes before it in its line.
    pub column: usize,
    /// The part of the template that could not be evaluated.
    pub part: String,
    /// What is wrong.
    pub reason: String,
}

impl FillError {
    pub(super) fn new(name: &str, source: &str, fault: Fault) -> FillError {
        let Span { start, end } = fault.at;
        let before = source.get(..start).unwrap_or_default();
        FillError {
            name: name.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.len() - before.rfind('\n').map_or(0, |newline| newline + 1),
            part: source.get(start..end).unwrap_or_default().trim().to_owned(),
            reason: fault.reason.to_string(),
        }
    }
}

/// A reason together with the part of the template that it is about.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: Span,
    pub(super) reason: Reason,
}

/// Why something could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error("wrong type for value; expected {expected}; got {found}")]
    WrongType { expected: &'static str, found: &'static str },
    #[error("invalid value; expected {expected}")]
    NoValue { expected: &'static str },
    #[error("wrong number of args for {function}: want {}{want} got {got}", if *.is_open { "at least " } else { "" })]
    WrongCount { function: String, want: usize, got: usize, is_open: bool },
    #[error("can't evaluate field {field} in type {kind}")]
    NoField { field: String, kind: &'static str },
    #[error("error calling {function}: {reason}")]
    Call { function: String, reason: String },
    #[error("can't give argument to non-function {0}")]
    NoFunction(String),
    #[error("range can't iterate over {0}")]
    Range(String),
    #[error("can't use {0} to iterate over more than one variable")]
    RangeVariables(String),
    #[error("nil is not a command")]
    Nil,
    #[error("template {0:?} not defined")]
    NoTemplate(String),
    #[error("exceeded maximum template depth ({0})")]
    TooDeep(usize),
}

impl Reason {
    pub(super) fn at(self, at: Span) -> Fault {
        Fault { at, reason: self }
    }
}
