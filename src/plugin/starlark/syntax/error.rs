//! Errors in the text of a script.

use std::fmt;

use super::super::failure::Place;

/// Something in a script is no Starlark, or names what is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) place: Place,
    pub(crate) message: String,
}

impl SyntaxError {
    /// Makes an error of its place and its words.
    pub(crate) fn new(place: Place, message: impl Into<String>) -> SyntaxError {
        SyntaxError { place, message: message.into() }
    }

    /// Shows the error with the name of the script's file before it.
    pub(crate) fn in_file<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            let Place { line, column } = self.place;
            write!(f, "{file}:{line}:{column}: {}", self.message)
        })
    }
}
