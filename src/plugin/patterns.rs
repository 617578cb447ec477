//! Lists of patterns as options hold them.

use std::collections::HashSet;

use super::glob::{Glob, GlobError};

/// Patterns of which any may match.
///
/// A list in which nothing looks like a pattern is compared literally, as Telegraf does it: then
/// `{a,b}` means just that text.
#[derive(Debug, Clone)]
pub struct Patterns(Kind);

/// Up to this many texts comparing all is faster than hashing.
const FEW: usize = 8;

#[derive(Debug, Clone)]
enum Kind {
    FewTexts(Vec<String>),
    Texts(HashSet<String>),
    Globs(Vec<Glob>),
}

impl Patterns {
    /// Compiles a list; an empty one is none.
    ///
    /// # Errors
    /// The first pattern that is wrong.
    pub fn new(patterns: &[String]) -> Result<Option<Patterns>, GlobError> {
        Patterns::with_separators(patterns, "")
    }

    /// Compiles a list whose `*` and `?` stop at `separators`; with any, nothing is literal.
    ///
    /// # Errors
    /// The first pattern that is wrong.
    pub fn with_separators(
        patterns: &[String],
        separators: &str,
    ) -> Result<Option<Patterns>, GlobError> {
        if patterns.is_empty() {
            return Ok(None);
        }
        let has_globs = !separators.is_empty()
            || patterns.iter().any(|pattern| pattern.contains(['*', '?', '[']));
        let kind = if has_globs {
            let globs = patterns.iter().map(|pattern| Glob::new(pattern, separators));
            Kind::Globs(globs.collect::<Result<_, _>>()?)
        } else if patterns.len() <= FEW {
            Kind::FewTexts(patterns.to_vec())
        } else {
            Kind::Texts(patterns.iter().cloned().collect())
        };
        Ok(Some(Patterns(kind)))
    }

    /// Whether any of the patterns stands for the whole of `text`.
    pub fn match_any(&self, text: &str) -> bool {
        match &self.0 {
            Kind::FewTexts(texts) => texts.iter().any(|each| each == text),
            Kind::Texts(texts) => texts.contains(text),
            Kind::Globs(globs) => globs.iter().any(|glob| glob.matches(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(patterns: &[&str]) -> Patterns {
        let patterns: Vec<_> = patterns.iter().map(|p| (*p).to_owned()).collect();
        Patterns::new(&patterns).unwrap().unwrap()
    }

    #[test]
    fn lists_without_wildcards_are_literal() {
        assert!(patterns(&["{a,b}"]).match_any("{a,b}"));
        assert!(!patterns(&["{a,b}"]).match_any("a"));
        assert!(patterns(&["{a,b}", "x*"]).match_any("a"));
        let many: Vec<_> = (0..20).map(|at| format!("t{at}")).collect();
        let many = Patterns::new(&many).unwrap().unwrap();
        assert!(many.match_any("t19") && !many.match_any("t20"));
        assert!(Patterns::new(&[]).unwrap().is_none());
        assert!(Patterns::new(&["[".into()]).is_err());
    }
}
