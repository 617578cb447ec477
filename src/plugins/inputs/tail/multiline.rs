//! Joins lines that belong together.
//!
//! # References
//! Logstash's multiline codec, which Telegraf's `inputs.tail` follows.

use std::borrow::Cow;
use std::time::Duration;

use super::config::{MultilineConfig, WhichLine};
use crate::plugin::go::{Regex, RegexError};

/// Which lines belong together.
#[derive(Debug)]
pub(super) struct Rule {
    pattern: Option<Regex>,
    inverted: bool,
    which_line: WhichLine,
    separator: &'static [u8],
    quote: Option<u8>,
    /// How long an entry that may go on is held.
    pub timeout: Duration,
}

impl Rule {
    /// Makes the rule that the settings ask for, if they ask for any.
    ///
    /// # Errors
    /// If the pattern is no regular expression.
    pub(super) fn new(config: &MultilineConfig) -> Result<Option<Rule>, RegexError> {
        let rule = Rule {
            pattern: config.regex()?,
            inverted: config.invert_match,
            which_line: config.match_which_line,
            separator: if config.preserve_newline { b"\n" } else { b"" },
            quote: config.quotation.sign(),
            timeout: config.timeout(),
        };
        Ok((rule.pattern.is_some() || rule.quote.is_some()).then_some(rule))
    }

    fn matches(&self, line: &[u8]) -> bool {
        // Bytes that are no character are to a pattern what they are in Go.
        let matches = |pattern: &Regex| pattern.is_match(&String::from_utf8_lossy(line));
        self.pattern.as_ref().is_some_and(|pattern| matches(pattern) != self.inverted)
    }
}

/// The lines of one file that wait for more.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    held: Vec<u8>,
    is_quoted: bool,
}

impl Joiner {
    /// Takes a line and returns what is complete now; nothing if it is empty.
    pub(super) fn push<'l>(&mut self, rule: &Rule, line: &'l [u8]) -> Cow<'l, [u8]> {
        // Both are looked at, so that quotes are followed through lines that match, too.
        let is_quoted = self.follow_quotes(rule, line);
        if is_quoted || rule.matches(line) {
            self.append(rule, line);
            return Cow::Borrowed(&[]);
        }
        match rule.which_line {
            WhichLine::Previous => Cow::Owned(std::mem::replace(&mut self.held, line.to_vec())),
            WhichLine::Next if self.held.is_empty() => Cow::Borrowed(line),
            WhichLine::Next => {
                self.append(rule, line);
                Cow::Owned(self.flush())
            }
        }
    }

    /// Gives up waiting and returns what there is.
    pub(super) fn flush(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Whether anything waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    fn append(&mut self, rule: &Rule, line: &[u8]) {
        if !self.held.is_empty() {
            self.held.extend_from_slice(rule.separator);
        }
        self.held.extend_from_slice(line);
    }

    /// Whether a quotation is open at the end of the line.
    fn follow_quotes(&mut self, rule: &Rule, line: &[u8]) -> bool {
        let Some(quote) = rule.quote else { return false };
        let mut backslashes = 0;
        for byte in line {
            if *byte == b'\\' {
                backslashes += 1;
                continue;
            }
            // A pair of backslashes is a backslash and leaves the quote its meaning.
            if *byte == quote && backslashes % 2 == 0 {
                self.is_quoted = !self.is_quoted;
            }
            backslashes = 0;
        }
        self.is_quoted
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Quotation;
    use super::*;

    fn join(config: &MultilineConfig, lines: &[&str]) -> Vec<String> {
        let rule = Rule::new(config).unwrap().unwrap();
        let mut joiner = Joiner::default();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut joined: Vec<_> = lines
            .iter()
            .map(|line| text(&joiner.push(&rule, line.as_bytes())))
            .filter(|entry| !entry.is_empty())
            .collect();
        assert_eq!(joiner.is_waiting(), !joiner.held.is_empty());
        joined.push(format!("held: {}", text(&joiner.flush())));
        joined
    }

    #[test]
    fn a_matching_line_belongs_to_the_one_before_or_after_it() {
        let mut config = MultilineConfig { pattern: "^=>".into(), ..MultilineConfig::default() };
        let lines = ["1", "=>2", "=>3", "4", "5", "=>6"];
        assert_eq!(join(&config, &lines), ["1=>2=>3", "4", "held: 5=>6"]);
        config.match_which_line = WhichLine::Next;
        assert_eq!(join(&config, &lines), ["1", "=>2=>34", "5", "held: =>6"]);
        config.preserve_newline = true;
        assert_eq!(join(&config, &lines), ["1", "=>2\n=>3\n4", "5", "held: =>6"]);
        config.match_which_line = WhichLine::Previous;
        config.invert_match = true;
        assert_eq!(join(&config, &lines), ["1", "=>2", "=>3\n4\n5", "held: =>6"]);
    }

    #[test]
    fn quotes_keep_lines_together_unless_they_are_escaped() {
        let mut config = MultilineConfig {
            quotation: Quotation::DoubleQuotes,
            match_which_line: WhichLine::Next,
            ..MultilineConfig::default()
        };
        let lines = ["1 \"a\"", "2 \"b", "c\\\"", "d\\\\\"", "3 'x"];
        let joined = ["1 \"a\"", "2 \"bc\\\"d\\\\\"", "3 'x", "held: "];
        assert_eq!(join(&config, &lines), joined);
        config.quotation = Quotation::SingleQuotes;
        assert_eq!(join(&config, &["'a", "b'", "c"]), ["'ab'", "c", "held: "]);
        // What a quotation joins is joined to the line before it.
        config.match_which_line = WhichLine::Previous;
        assert_eq!(join(&config, &["1", "'a", "b'", "c"]), ["1'a", "b'", "held: c"]);
    }

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        let matches = |pattern: &str, line: &[u8]| {
            let config = MultilineConfig { pattern: pattern.into(), ..MultilineConfig::default() };
            Rule::new(&config).unwrap().unwrap().matches(line)
        };
        for (pattern, line, expected) in [
            (r"^\s", "\u{a0}no-break space", false),
            (r"^\w", "ż", false),
            (r"^[[a]", "[", true),
            (r"^\Q.\E", ".", true),
            (r"^{", "{", true),
        ] {
            assert_eq!(matches(pattern, line.as_bytes()), expected, "{pattern}");
        }
        assert!(matches("^a.b$", b"a\xffb"));
    }

    #[test]
    fn there_is_no_rule_without_a_pattern_and_quotes() {
        assert!(Rule::new(&MultilineConfig::default()).unwrap().is_none());
        let config = MultilineConfig { pattern: "(".into(), ..MultilineConfig::default() };
        assert!(Rule::new(&config).is_err());
    }
}
