//! Glob patterns as Telegraf's filters know them, matched in time linear in the text.
//!
//! `*` stands for any run of characters and `?` for one, both stopping at separators; `**` stops
//! at nothing; `[a-z]`, `[abc]` and their negations with `!` stand for one character; `{a,b*}` for
//! either pattern; `\` takes away the meaning of what follows.
//!
//! A pattern becomes a small automaton of which all states are followed at once, so that no
//! pattern can make matching slow. One without alternatives and separators, as most are, is matched
//! without any memory: where it fails, the last run takes one more character.
//!
//! # References
//! The grammar is that of the Go package `gobwas/glob`, including what it takes for an error: an
//! unclosed `{` and a stray `]` are fine, an unclosed `[` and an empty `[]` are not.

use std::iter::Peekable;
use std::str::Chars;

/// Why a pattern is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid pattern {pattern:?}: {reason}")]
pub struct GlobError {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Glob {
    steps: Vec<Step>,
    separators: Vec<char>,
    /// Whether there are neither alternatives nor separators.
    is_plain: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Char(char),
    /// Any one character that is no separator.
    One,
    /// One character of a list or range.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// Takes characters for as long as it likes; the flag says whether separators too.
    Run(Separators),
    /// Goes on at either place.
    Split(usize, usize),
    Jump(usize),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Separators {
    Pass,
    Stop,
}

impl Glob {
    /// Compiles a pattern whose `*` and `?` stop at `separators`.
    ///
    /// # Errors
    /// If a class in brackets is unclosed, empty or its bounds are the wrong way round.
    pub fn new(pattern: &str, separators: &str) -> Result<Glob, GlobError> {
        let mut compiler = Compiler { rest: pattern.chars().peekable(), steps: Vec::new() };
        compiler.sequence(0).map_err(|reason| GlobError { pattern: pattern.to_owned(), reason })?;
        compiler.steps.push(Step::End);
        let steps = compiler.steps;
        let is_plain = separators.is_empty()
            && !steps.iter().any(|step| matches!(step, Step::Split(..) | Step::Jump(_)));
        Ok(Glob { steps, separators: separators.chars().collect(), is_plain })
    }

    /// Whether the pattern stands for the whole of `text`.
    pub fn matches(&self, text: &str) -> bool {
        if self.is_plain { self.matches_plain(text) } else { self.matches_any(text) }
    }

    /// Follows the steps one after the other.
    fn matches_plain(&self, text: &str) -> bool {
        let (mut at, mut rest) = (0, text.chars());
        // Where to go on after the last run, and the text that it has not taken so far.
        let mut last_run: Option<(usize, Chars<'_>)> = None;
        loop {
            let before = rest.clone();
            let fits = match &self.steps[at] {
                Step::Run(_) if self.steps[at + 1] == Step::End => return true,
                Step::Run(_) => {
                    last_run = Some((at + 1, before));
                    true
                }
                Step::Char(wanted) => rest.next() == Some(*wanted),
                Step::One => rest.next().is_some(),
                Step::Class { negated, ranges } => {
                    rest.next().is_some_and(|c| *negated != is_within(ranges, c))
                }
                Step::End if rest.as_str().is_empty() => return true,
                Step::End | Step::Split(..) | Step::Jump(_) => false,
            };
            if fits {
                at += 1;
                continue;
            }
            let Some((behind, untaken)) = &mut last_run else { return false };
            if untaken.next().is_none() {
                return false;
            }
            (at, rest) = (*behind, untaken.clone());
        }
    }

    /// Follows all states at once.
    fn matches_any(&self, text: &str) -> bool {
        let mut now = States::new(self.steps.len());
        let mut next = States::new(self.steps.len());
        self.enter(0, &mut now);
        for c in text.chars() {
            if now.list.is_empty() {
                return false;
            }
            for &at in &now.list {
                match &self.steps[at] {
                    Step::Char(wanted) if *wanted == c => self.enter(at + 1, &mut next),
                    Step::One if !self.separators.contains(&c) => self.enter(at + 1, &mut next),
                    Step::Class { negated, ranges } if *negated != is_within(ranges, c) => {
                        self.enter(at + 1, &mut next);
                    }
                    Step::Run(Separators::Pass) => self.enter(at, &mut next),
                    Step::Run(Separators::Stop) if !self.separators.contains(&c) => {
                        self.enter(at, &mut next);
                    }
                    _ => {}
                }
            }
            std::mem::swap(&mut now, &mut next);
            next.clear();
        }
        now.list.iter().any(|at| self.steps[*at] == Step::End)
    }

    /// Adds a state and all that is reached from it without taking a character.
    fn enter(&self, at: usize, states: &mut States) {
        // A list of its own instead of recursion: a pattern of a million stars must not eat the
        // stack.
        states.pending.push(at);
        while let Some(at) = states.pending.pop() {
            if !states.add(at) {
                continue;
            }
            match self.steps[at] {
                Step::Run(_) => states.pending.push(at + 1),
                Step::Jump(to) => states.pending.push(to),
                Step::Split(one, other) => states.pending.extend([other, one]),
                _ => {}
            }
        }
    }
}

fn is_within(ranges: &[(char, char)], c: char) -> bool {
    ranges.iter().any(|(lo, hi)| (*lo..=*hi).contains(&c))
}

/// The states that an automaton is in at once.
struct States {
    list: Vec<usize>,
    contains: Vec<bool>,
    pending: Vec<usize>,
}

impl States {
    fn new(steps: usize) -> States {
        States { list: Vec::new(), contains: vec![false; steps], pending: Vec::new() }
    }

    fn add(&mut self, at: usize) -> bool {
        let new = !self.contains[at];
        if new {
            self.contains[at] = true;
            self.list.push(at);
        }
        new
    }

    fn clear(&mut self) {
        for at in self.list.drain(..) {
            self.contains[at] = false;
        }
    }
}

/// How deep `{` may stand in `{`; deeper patterns are nobody's intent and would eat the stack.
const MAX_DEPTH: usize = 50;

struct Compiler<'p> {
    rest: Peekable<Chars<'p>>,
    steps: Vec<Step>,
}

impl Compiler<'_> {
    /// Compiles up to the end, or inside braces up to the comma or brace that ends an alternative.
    fn sequence(&mut self, depth: usize) -> Result<(), &'static str> {
        while let Some(&c) = self.rest.peek() {
            if depth > 0 && (c == ',' || c == '}') {
                return Ok(());
            }
            self.rest.next();
            match c {
                '*' => {
                    let separators = if self.rest.next_if_eq(&'*').is_some() {
                        Separators::Pass
                    } else {
                        Separators::Stop
                    };
                    self.steps.push(Step::Run(separators));
                }
                '?' => self.steps.push(Step::One),
                '[' => {
                    let class = self.class()?;
                    self.steps.push(class);
                }
                '{' => self.alternatives(depth + 1)?,
                '\\' => {
                    if let Some(escaped) = self.rest.next() {
                        self.steps.push(Step::Char(escaped));
                    }
                }
                c => self.steps.push(Step::Char(c)),
            }
        }
        Ok(())
    }

    fn alternatives(&mut self, depth: usize) -> Result<(), &'static str> {
        if depth > MAX_DEPTH {
            return Err("too many braces within braces");
        }
        let mut ends = Vec::new();
        loop {
            let split = self.steps.len();
            self.steps.push(Step::Split(split + 1, split + 1));
            self.sequence(depth)?;
            let more = self.rest.next() == Some(',');
            if !more {
                break;
            }
            ends.push(self.steps.len());
            self.steps.push(Step::Jump(0));
            self.steps[split] = Step::Split(split + 1, self.steps.len());
        }
        let end = self.steps.len();
        for jump in ends {
            self.steps[jump] = Step::Jump(end);
        }
        Ok(())
    }

    fn class(&mut self) -> Result<Step, &'static str> {
        const UNCLOSED: &str = "unexpected end of input";
        let negated = self.rest.next_if_eq(&'!').is_some();
        let first = self.rest.next().ok_or(UNCLOSED)?;
        if self.rest.next_if_eq(&'-').is_some() {
            let last = self.rest.next().ok_or(UNCLOSED)?;
            if last < first {
                return Err("the upper end of a range is below its lower end");
            }
            return match self.rest.next() {
                Some(']') => Ok(Step::Class { negated, ranges: vec![(first, last)] }),
                Some(_) => Err("expected close range character"),
                None => Err(UNCLOSED),
            };
        }
        let mut ranges = Vec::new();
        let mut next = Some(first);
        loop {
            match next.ok_or(UNCLOSED)? {
                ']' if ranges.is_empty() => return Err("could not parse range"),
                ']' => return Ok(Step::Class { negated, ranges }),
                '\\' => {
                    let escaped = self.rest.next().ok_or(UNCLOSED)?;
                    ranges.push((escaped, escaped));
                }
                c => ranges.push((c, c)),
            }
            next = self.rest.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, separators: &str, text: &str) -> bool {
        Glob::new(pattern, separators).unwrap().matches(text)
    }

    #[test]
    fn patterns_stand_for_what_the_original_takes() {
        for (pattern, text, expected) in [
            ("cpu*", "cpu_total", true),
            ("cpu*", "mycpu", false),
            ("*", "", true),
            ("?", "", false),
            ("?x", "äx", true),
            ("a.*.b", "a.b.c.b", true),
            ("{a,b}*", "bc", true),
            ("{a,b}*", "cb", false),
            ("{a*,b}c", "axxc", true),
            ("{,a}b", "b", true),
            ("{a,{b,c}d}e", "cde", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[abc]", "c", true),
            ("[^x]", "^", true),
            ("[^x]", "y", false),
            ("[!x]", "y", true),
            (r"\*", "*", true),
            (r"\*", "x", false),
            (r"[\]]", "]", true),
            ("{a", "a", true),
            ("a]", "a]", true),
            ("a}", "a}", true),
            ("a,b", "a,b", true),
            ("**", "a/b", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, "", text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn separators_stop_everything_but_two_stars() {
        for (pattern, text, expected) in [
            ("cpu.*.count", "cpu.count", false),
            ("cpu.*.count", "cpu.a.count", true),
            ("cpu.*.count", "cpu.a.b.count", false),
            ("cpu.**.count", "cpu.a.b.count", true),
            ("a?b", "a.b", false),
            ("a[.]b", "a.b", true),
        ] {
            assert_eq!(matches(pattern, ".", text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn broken_classes_are_errors() {
        for pattern in ["[", "[a", "[]", "[]]", "[a-]", "[a-", "[z-a]", "[a-z0-9]", "[!]", "[a\\"] {
            assert!(Glob::new(pattern, "").is_err(), "{pattern}");
        }
    }

    #[test]
    fn long_patterns_do_not_eat_the_stack() {
        let alternatives = format!("{{{}b}}", "a,".repeat(100_000));
        assert!(matches(&alternatives, "", "b"));
        assert!(matches(&"*".repeat(100_000), "", "ab"));
    }

    #[test]
    fn nesting_has_a_limit() {
        let braces = "{".repeat(10_000);
        assert!(Glob::new(&braces, "").is_err());
    }

    proptest! {
        #[test]
        fn no_pattern_and_no_text_make_it_panic(pattern in "[a-c*?{},!\\[\\]\\\\-]{0,24}", text in "[a-c]{0,24}") {
            if let Ok(glob) = Glob::new(&pattern, "b") {
                glob.matches(&text);
            }
        }

        #[test]
        fn both_ways_of_matching_come_to_the_same(pattern in "[ab*?\\[\\]!-]{0,10}", text in "[abü]{0,12}") {
            if let Ok(glob) = Glob::new(&pattern, "") {
                prop_assert!(glob.is_plain);
                prop_assert_eq!(glob.matches_plain(&text), glob.matches_any(&text));
            }
        }

        #[test]
        fn a_text_without_special_characters_stands_for_itself_alone(text in "[a-z.]{0,10}", other in "[a-z.]{0,10}") {
            prop_assert!(matches(&text, "", &text));
            prop_assert_eq!(matches(&text, "", &other), text == other);
        }

        #[test]
        fn stars_stand_for_any_text_between(a in "[a-z]{0,5}", b in "[a-z]{0,5}", c in "[a-z]{0,5}") {
            let pattern = format!("{a}*{c}");
            let text = format!("{a}{b}{c}");
            prop_assert!(matches(&pattern, "", &text));
        }
    }
}
