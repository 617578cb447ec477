//! Regular expressions with Go's syntax and meaning, matched in time linear in the text.
//!
//! Go's dialect and that of the crate `regex` come from the same family and differ in details:
//! `\d`, `\w`, `\s` and `\b` know ASCII only in Go, a `[` in brackets or a `{` that begins no
//! repetition stand for themselves, there are octal escapes and `\Q…\E`. An expression is
//! translated once; what Go refuses is refused in its words.
//!
//! # References
//! Go's packages `regexp` and `regexp/syntax`; RE2's page "Syntax".

mod replacement;
mod syntax;

pub use replacement::Replacer;
pub use syntax::SyntaxFault;

use syntax::translate;

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// Some part of it is wrong.
    #[error("error parsing regexp: {fault}: `{part}`")]
    Syntax {
        /// What is wrong.
        fault: SyntaxFault,
        /// Which part.
        part: String,
    },
    /// It is too large, or of a kind that only Go knows.
    #[error("error compiling regexp `{pattern}`: {reason}")]
    Unsupported {
        /// The whole of it.
        pattern: String,
        /// What is wrong.
        reason: String,
    },
}

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Regex {
    regex: regex::Regex,
    /// The names of the groups, from the first on; those without are empty.
    names: Vec<String>,
}

impl Regex {
    /// Compiles an expression.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(pattern: &str) -> Result<Regex, RegexError> {
        let translated = translate(pattern)?;
        let regex = regex::Regex::new(&translated.text).map_err(|error| {
            let reason = error.to_string();
            // The message for people shows the translated text, which nobody has written.
            let reason = reason.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason).to_owned();
            RegexError::Unsupported { pattern: pattern.to_owned(), reason }
        })?;
        Ok(Regex { regex, names: translated.names })
    }

    /// Whether it stands for any part of the text.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The names of the groups, from the first on; those without are empty.
    pub fn group_names(&self) -> &[String] {
        &self.names
    }

    /// What the groups stand for at the first match, from the first on; empty for those that take
    /// no part in it.
    pub fn groups<'t>(&self, text: &'t str) -> Option<impl Iterator<Item = &'t str>> {
        let captures = self.regex.captures(text)?;
        let groups: Vec<_> = captures.iter().skip(1).collect();
        Some(groups.into_iter().map(|group| group.map_or("", |group| group.as_str())))
    }
}

#[cfg(test)]
mod tests;
