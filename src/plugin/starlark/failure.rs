//! What ends a script before its time, and the calls that led there.

use std::fmt;

use super::value::Value;

/// A place in a script, both counted from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A script went wrong while it ran.
///
/// It is made with the words alone. The place is added by the expression at fault, and each call
/// that it leaves adds itself to the trace.
pub(crate) struct Failure(Box<Report>);

struct Report {
    message: String,
    place: Option<Place>,
    /// The calls, the innermost first.
    calls: Vec<Traced>,
}

struct Traced {
    name: String,
    /// Where in the function; functions of the language itself have no places.
    place: Option<Place>,
}

impl Failure {
    /// Makes a failure of its words.
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure(Box::new(Report { message: message.into(), place: None, calls: Vec::new() }))
    }

    /// What went wrong.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// Puts words before the message of a failure that has not left its function.
    #[must_use]
    pub(crate) fn within(mut self, what: &str) -> Failure {
        if self.0.calls.is_empty() {
            self.0.message = format!("{what}: {}", self.0.message);
        }
        self
    }

    /// Says where it went wrong, unless that is known better already.
    #[must_use]
    pub(crate) fn at(mut self, place: Place) -> Failure {
        self.0.place.get_or_insert(place);
        self
    }

    /// Leaves a function of the script.
    #[must_use]
    pub(crate) fn leaving(mut self, name: &str) -> Failure {
        let place = self.0.place.take();
        self.0.calls.push(Traced { name: name.to_owned(), place: Some(place.unwrap_or_default()) });
        self
    }

    /// Leaves a function of the language.
    #[must_use]
    pub(crate) fn leaving_builtin(mut self, name: &str) -> Failure {
        self.0.place = None;
        self.0.calls.push(Traced { name: name.to_owned(), place: None });
        self
    }

    /// The calls that led here and what went wrong, a line each; `file` is the script's name.
    pub(crate) fn trace(&self, file: &str) -> String {
        let mut calls = self.0.calls.as_slice();
        let mut inside = String::new();
        if let [Traced { name, place: None }, rest @ ..] = calls {
            inside = format!(" in {name}");
            calls = rest;
        }
        let mut text = String::new();
        if !calls.is_empty() {
            text.push_str("Traceback (most recent call last):\n");
        }
        for call in calls.iter().rev() {
            let at = match call.place {
                None => "<builtin>".to_owned(),
                Some(Place { line: 0, .. }) => file.to_owned(),
                Some(Place { line, column }) => format!("{file}:{line}:{column}"),
            };
            text.push_str(&format!("  {at}: in {}\n", call.name));
        }
        text.push_str(&format!("Error{inside}: {}", self.0.message));
        text
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.trace(""))
    }
}

/// What running something comes to.
pub(crate) type Outcome<T = Value> = Result<T, Failure>;

/// Makes an `Err` of the words of a failure.
macro_rules! fail {
    ($($words:tt)*) => {
        return Err($crate::plugin::starlark::failure::Failure::new(format!($($words)*)))
    };
}

pub(crate) use fail;
