//! Patterns by their names.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use regex::Regex;

/// What every grok knows.
pub(super) const COMMON: &str = include_str!("common.patterns");

/// What Telegraf adds.
pub(super) const LOGS: &str = include_str!("logs.patterns");

/// No pattern of sense is longer, once all patterns in it are put in.
const LONGEST_BYTES: usize = 4 << 20;

/// How deep patterns without a name of their own are put into others before types are looked for.
const ROUNDS: usize = 8;

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PatternError {
    /// A line has only a name.
    #[error("grok: pattern {0:?} has a name and no expression")]
    NoExpression(String),
    /// A pattern uses one that there is not.
    #[error("no pattern found for %{{{0}}}")]
    Unknown(String),
    /// What is in braces cannot be there.
    #[error("invalid pattern %{{{0}}}")]
    Invalid(String),
    /// A pattern is part of itself.
    #[error("grok: pattern {0:?} is part of itself")]
    Circular(String),
    /// A pattern comes out longer than anything that makes sense.
    #[error("grok: pattern {0:?} is too long with all patterns in it")]
    TooLong(String),
    /// A pattern has two times.
    #[error(
        "logparser pattern compile error: Each pattern is allowed only one named timestamp data \
         type. pattern: {0}"
    )]
    TwoTimes(String),
    /// A pattern is no regular expression.
    #[error("grok: {0}")]
    Expression(#[from] regex::Error),
}

/// Patterns by their names.
pub(super) struct Library {
    common: HashMap<String, String>,
    /// Those that pass their types on to patterns that use them.
    own: BTreeMap<String, String>,
}

/// A pattern in another: its name, and those of what it captures and of the type.
static USE: LazyLock<Result<Regex, regex::Error>> =
    LazyLock::new(|| Regex::new(r"%\{([\w.-]+(?::[\w.-]+(?::[\w.-]+)?)?)\}"));
static VALID: LazyLock<Result<Regex, regex::Error>> =
    LazyLock::new(|| Regex::new(r"^(?-u)\w+([-.]\w+)*(:([-.\w]+)(:(string|float|int))?)?$"));
static PLAIN_USE: LazyLock<Result<Regex, regex::Error>> =
    LazyLock::new(|| Regex::new(r"%\{([0-9A-Za-z_]+)\}"));

fn compiled(
    regex: &'static LazyLock<Result<Regex, regex::Error>>,
) -> Result<&'static Regex, PatternError> {
    regex.as_ref().map_err(|error| PatternError::Expression(error.clone()))
}

impl Library {
    pub(super) fn new() -> Result<Library, PatternError> {
        let mut library = Library { common: HashMap::new(), own: BTreeMap::new() };
        library.common.extend(read(COMMON)?);
        library.add(LOGS)?;
        Ok(library)
    }

    /// Adds the patterns of a text, one a line.
    pub(super) fn add(&mut self, text: &str) -> Result<(), PatternError> {
        self.own.extend(read(text)?);
        Ok(())
    }

    /// Puts patterns that are used without a name of their own into those that use them, so that
    /// types in them count there.
    pub(super) fn resolve(&mut self) {
        for _ in 0..ROUNDS {
            let resolved: BTreeMap<_, _> = self
                .own
                .iter()
                .map(|(name, pattern)| (name.clone(), self.with_plain_uses(pattern, Some(name))))
                .collect();
            if resolved == self.own {
                return;
            }
            self.own = resolved;
        }
    }

    /// The pattern with those in it that have no name of their own.
    pub(super) fn with_plain_uses(&self, pattern: &str, own_name: Option<&str>) -> String {
        let Ok(regex) = compiled(&PLAIN_USE) else { return pattern.to_owned() };
        let mut resolved = String::with_capacity(pattern.len());
        let mut from = 0;
        for used in regex.captures_iter(pattern) {
            let (Some(whole), Some(name)) = (used.get(0), used.get(1)) else { continue };
            let is_itself = own_name == Some(name.as_str());
            let Some(inner) = self.own.get(name.as_str()).filter(|_| !is_itself) else { continue };
            if resolved.len() + inner.len() > LONGEST_BYTES {
                break;
            }
            resolved.push_str(&pattern[from..whole.start()]);
            resolved.push_str(inner);
            from = whole.end();
        }
        resolved.push_str(&pattern[from..]);
        resolved
    }

    /// Whether all patterns can be made expressions of.
    pub(super) fn check(&self) -> Result<(), PatternError> {
        for pattern in self.own.values() {
            let (untyped, _) = super::compile::take_types(pattern)?;
            self.expand(&untyped)?;
        }
        Ok(())
    }

    /// The pattern as an expression: what it uses is put in as groups, with names where they have.
    pub(super) fn expand(&self, pattern: &str) -> Result<String, PatternError> {
        let mut expanded = String::new();
        self.expand_into(pattern, &mut Vec::new(), &mut expanded)?;
        Ok(expanded)
    }

    fn expand_into(
        &self,
        pattern: &str,
        within: &mut Vec<String>,
        out: &mut String,
    ) -> Result<(), PatternError> {
        let mut from = 0;
        for used in compiled(&USE)?.captures_iter(pattern) {
            let (Some(whole), Some(inner)) = (used.get(0), used.get(1)) else { continue };
            let inner = inner.as_str();
            if !compiled(&VALID)?.is_match(inner) {
                return Err(PatternError::Invalid(inner.to_owned()));
            }
            let mut parts = inner.split(':');
            let name = parts.next().unwrap_or_default();
            if within.iter().any(|outer| outer == name) {
                return Err(PatternError::Circular(name.to_owned()));
            }
            let own = match self.own.get(name) {
                Some(own) => super::compile::take_types(own)?.0,
                None => self
                    .common
                    .get(name)
                    .cloned()
                    .ok_or_else(|| PatternError::Unknown(name.to_owned()))?,
            };
            out.push_str(&pattern[from..whole.start()]);
            match parts.next() {
                Some(capture) => {
                    out.push_str("(?P<");
                    out.push_str(capture);
                    out.push('>');
                }
                None => out.push('('),
            }
            within.push(name.to_owned());
            self.expand_into(&own, within, out)?;
            within.pop();
            out.push(')');
            from = whole.end();
            if out.len() > LONGEST_BYTES {
                return Err(PatternError::TooLong(name.to_owned()));
            }
        }
        out.push_str(&pattern[from..]);
        Ok(())
    }
}

/// Reads lines of names and patterns; blank ones and comments are passed over.
fn read(text: &str) -> Result<Vec<(String, String)>, PatternError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| match line.split_once(' ') {
            Some((name, pattern)) => Ok((name.to_owned(), pattern.to_owned())),
            None => Err(PatternError::NoExpression(line.to_owned())),
        })
        .collect()
}
