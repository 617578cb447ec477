//! Which topics to read: those that are named, and those that match.

use std::collections::BTreeSet;

use crate::plugin::go::{Regex, RegexError};

/// What brokers keep for themselves in topics.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// What topics are chosen by.
#[derive(Debug)]
pub(super) struct Topics {
    named: Vec<String>,
    patterns: Vec<Regex>,
    /// A topic that never matches; empty for none.
    excluded: String,
}

impl Topics {
    /// Chooses the topics of these names, and those that any of the regular expressions matches, but
    /// for the one that is excluded.
    ///
    /// # Errors
    /// The first expression that is none.
    pub(super) fn new(
        named: Vec<String>,
        patterns: &[String],
        excluded: String,
    ) -> Result<Topics, RegexError> {
        let patterns =
            patterns.iter().map(|pattern| Regex::new(pattern)).collect::<Result<_, _>>()?;
        Ok(Topics { named, patterns, excluded })
    }

    /// Whether the brokers have to be asked which topics there are.
    pub(super) fn have_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// The topics to read, each once and sorted. A topic that is named is read whether or not it
    /// is there yet; what the brokers keep for themselves is read only if it is named.
    pub(super) fn among(&self, all: &[String]) -> Vec<String> {
        let is_wanted = |topic: &&String| {
            !INTERNAL.contains(&topic.as_str())
                && **topic != self.excluded
                && self.patterns.iter().any(|pattern| pattern.is_match(topic))
        };
        let wanted: BTreeSet<&String> =
            self.named.iter().chain(all.iter().filter(is_wanted)).collect();
        wanted.into_iter().cloned().collect()
    }
}

/// Whether there can be a topic of this name.
pub(super) fn is_topic(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn among(named: &[&str], patterns: &[&str], all: &[&str]) -> Vec<String> {
        Topics::new(owned(named), &owned(patterns), "dead".into()).unwrap().among(&owned(all))
    }

    #[test]
    fn topics_are_those_named_and_those_that_match_anywhere() {
        let all = ["b", "dead", "metrics-1", "old.metrics", "__consumer_offsets"];
        assert_eq!(among(&["a", "b"], &[], &all), ["a", "b"]);
        assert_eq!(among(&["a"], &["metrics"], &all), ["a", "metrics-1", "old.metrics"]);
        assert_eq!(among(&[], &["^metrics", "b$"], &all), ["b", "metrics-1"]);
        assert_eq!(among(&["b"], &["."], &all), ["b", "metrics-1", "old.metrics"]);
        assert_eq!(among(&["__consumer_offsets"], &[], &all), ["__consumer_offsets"]);
    }

    #[test]
    fn an_expression_that_is_none_is_refused() {
        assert!(Topics::new(Vec::new(), &owned(&["*test"]), String::new()).is_err());
    }

    #[test]
    fn names_of_topics_have_few_characters() {
        for name in ["a", "a.b-c_D9", "__x"] {
            assert!(is_topic(name), "{name}");
        }
        for name in ["", ".", "..", "^a", "a b", "a,b", "é", &"x".repeat(250)] {
            assert!(!is_topic(name), "{name}");
        }
    }
}
