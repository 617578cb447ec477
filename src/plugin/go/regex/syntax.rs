//! Translates expressions of Go into those of the crate `regex`.

use super::RegexError;

/// What can be wrong with an expression, in Go's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each is what its message says")]
pub enum SyntaxFault {
    #[error("invalid character class range")]
    CharRange,
    #[error("invalid escape sequence")]
    Escape,
    #[error("invalid named capture")]
    NamedCapture,
    #[error("invalid or unsupported Perl syntax")]
    PerlOperator,
    #[error("invalid nested repetition operator")]
    NestedRepetition,
    #[error("invalid repeat count")]
    RepeatCount,
    #[error("missing closing ]")]
    MissingBracket,
    #[error("missing closing )")]
    MissingParenthesis,
    #[error("missing argument to repetition operator")]
    RepeatArgument,
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    #[error("unexpected )")]
    UnexpectedParenthesis,
}

/// An expression in the other dialect.
pub(super) struct Translated {
    pub text: String,
    /// The names of the groups, from the first on; those without are empty.
    pub names: Vec<String>,
}

/// The largest number of a repetition.
const MAX_REPEAT: u32 = 1_000;

const DIGITS: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
/// Unlike elsewhere without the vertical tab.
const SPACE: &str = r"\t\n\x0C\r ";

/// Translates an expression.
pub(super) fn translate(pattern: &str) -> Result<Translated, RegexError> {
    let mut translator = Translator {
        pattern,
        at: 0,
        out: String::with_capacity(pattern.len() + 16),
        names: vec![],
    };
    translator.run()?;
    Ok(Translated { text: translator.out, names: translator.names })
}

struct Translator<'p> {
    pattern: &'p str,
    at: usize,
    out: String,
    names: Vec<String>,
}

/// What stands before a repetition operator.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Before {
    /// Nothing that could be repeated.
    Nothing,
    /// Something that can.
    Item,
    /// Another repetition, which begins there.
    Repetition(usize),
}

impl<'p> Translator<'p> {
    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn next_if(&mut self, wanted: char) -> bool {
        let is_there = self.rest().starts_with(wanted);
        self.at += if is_there { wanted.len_utf8() } else { 0 };
        is_there
    }

    fn fault<T>(&self, fault: SyntaxFault, from: usize) -> Result<T, RegexError> {
        Err(RegexError::Syntax { fault, part: self.pattern[from..self.at].to_owned() })
    }

    fn whole<T>(&self, fault: SyntaxFault) -> Result<T, RegexError> {
        Err(RegexError::Syntax { fault, part: self.pattern.to_owned() })
    }

    fn run(&mut self) -> Result<(), RegexError> {
        let mut open = 0_usize;
        let mut before = Before::Nothing;
        loop {
            let start = self.at;
            let Some(c) = self.next() else { break };
            let mut now = Before::Item;
            match c {
                '(' if self.rest().starts_with('?') => {
                    self.at = start;
                    if self.group_or_flags()? {
                        open += 1;
                        now = Before::Nothing;
                    } else if before == Before::Nothing {
                        now = Before::Nothing;
                    }
                }
                '(' => {
                    self.out.push('(');
                    self.names.push(String::new());
                    open += 1;
                    now = Before::Nothing;
                }
                '|' => {
                    self.out.push('|');
                    now = Before::Nothing;
                }
                ')' => {
                    if open == 0 {
                        return self.whole(SyntaxFault::UnexpectedParenthesis);
                    }
                    open -= 1;
                    self.out.push(')');
                }
                '^' | '$' | '.' => self.out.push(c),
                '[' => self.class(start)?,
                '*' | '+' | '?' => {
                    self.repetition(start, before)?;
                    now = Before::Repetition(start);
                }
                '{' => match self.repeat_count(start)? {
                    true => {
                        self.repetition(start, before)?;
                        now = Before::Repetition(start);
                    }
                    false => push_literal(&mut self.out, '{'),
                },
                '\\' => self.escape(start)?,
                c => push_literal(&mut self.out, c),
            }
            before = now;
        }
        if open > 0 {
            return self.whole(SyntaxFault::MissingParenthesis);
        }
        Ok(())
    }

    /// Reads the count of a repetition whose brace has been read; `false` if it is none.
    fn repeat_count(&mut self, start: usize) -> Result<bool, RegexError> {
        let Some((inner, _)) = self.rest().split_once('}') else { return Ok(false) };
        let is_count = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && (text.len() == 1 || !text.starts_with('0'))
        };
        let (least, most) = match inner.split_once(',') {
            None => (inner, Some(inner)),
            Some((least, "")) => (least, None),
            Some((least, most)) => (least, Some(most)),
        };
        if !is_count(least) || !most.is_none_or(is_count) {
            return Ok(false);
        }
        self.at += inner.len() + 1;
        // What does not fit is too large, too.
        let number = |text: &str| text.parse().unwrap_or(u32::MAX);
        let (least, most) = (number(least), most.map(number));
        if least > MAX_REPEAT || most.is_some_and(|most| most > MAX_REPEAT || most < least) {
            return self.fault(SyntaxFault::RepeatCount, start);
        }
        Ok(true)
    }

    /// Takes a repetition operator that has been read, and the `?` behind it.
    fn repetition(&mut self, start: usize, before: Before) -> Result<(), RegexError> {
        self.next_if('?');
        match before {
            Before::Repetition(first) => self.fault(SyntaxFault::NestedRepetition, first),
            Before::Nothing => self.fault(SyntaxFault::RepeatArgument, start),
            Before::Item => {
                self.out.push_str(&self.pattern[start..self.at]);
                Ok(())
            }
        }
    }

    /// Takes what begins with `(?`; says whether it opens a group.
    fn group_or_flags(&mut self) -> Result<bool, RegexError> {
        let start = self.at;
        for opening in ["(?P<", "(?<"] {
            if self.rest().starts_with(opening) {
                return self.named_group(opening).map(|()| true);
            }
        }
        self.at += "(?".len();
        let (mut flags, mut negative, mut has_flag) = (Flags::default(), false, false);
        while let Some(c) = self.next() {
            match c {
                'i' | 'm' | 's' | 'U' => {
                    flags.set(c, !negative);
                    has_flag = true;
                }
                '-' if !negative => {
                    negative = true;
                    has_flag = false;
                }
                ':' | ')' if !negative || has_flag => {
                    flags.push(&mut self.out, c);
                    return Ok(c == ':');
                }
                _ => break,
            }
        }
        self.fault(SyntaxFault::PerlOperator, start)
    }

    fn named_group(&mut self, opening: &str) -> Result<(), RegexError> {
        let start = self.at;
        let Some((name, _)) = self.rest()[opening.len()..].split_once('>') else {
            self.at = self.pattern.len();
            return self.fault(SyntaxFault::NamedCapture, start);
        };
        self.at += opening.len() + name.len() + 1;
        let is_name = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
        if name.is_empty() || !name.bytes().all(is_name) {
            return self.fault(SyntaxFault::NamedCapture, start);
        }
        // The other dialect has fewer names, so groups are known by their numbers there.
        self.out.push('(');
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Takes what begins with a backslash, outside brackets.
    fn escape(&mut self, start: usize) -> Result<(), RegexError> {
        let rest = self.rest();
        if let Some(quoted) = rest.strip_prefix('Q') {
            let (literal, length) = match quoted.split_once(r"\E") {
                Some((literal, _)) => (literal, literal.len() + 3),
                None => (quoted, rest.len()),
            };
            literal.chars().for_each(|c| push_literal(&mut self.out, c));
            self.at += length;
            return Ok(());
        }
        let simple = match rest.chars().next() {
            Some('A') => Some(r"\A"),
            Some('z') => Some(r"\z"),
            Some('b') => Some(r"(?-u:\b)"),
            Some('B') => Some(r"(?-u:\B)"),
            _ => None,
        };
        if let Some(simple) = simple {
            self.at += 1;
            self.out.push_str(simple);
            return Ok(());
        }
        if let Some((set, negated)) = self.set() {
            self.out.push_str(if negated { "[^" } else { "[" });
            self.out.push_str(set);
            self.out.push(']');
            return Ok(());
        }
        if self.unicode_class(start)? {
            return Ok(());
        }
        let c = self.escaped_char(start)?;
        push_literal(&mut self.out, c);
        Ok(())
    }

    /// Reads the letter of a set such as `\d`, whose backslash has been read.
    fn set(&mut self) -> Option<(&'static str, bool)> {
        let letter = self.rest().chars().next()?;
        let set = match letter.to_ascii_lowercase() {
            'd' => DIGITS,
            's' => SPACE,
            'w' => WORD,
            _ => return None,
        };
        self.at += 1;
        Some((set, letter.is_ascii_uppercase()))
    }

    /// Takes a class such as `\pL` or `\p{Greek}` whose backslash has been read.
    fn unicode_class(&mut self, start: usize) -> Result<bool, RegexError> {
        let mut is_negated = match self.rest().chars().next() {
            Some('p') => false,
            Some('P') => true,
            _ => return Ok(false),
        };
        self.at += 1;
        let Some(first) = self.next() else {
            // Go reads it as an escape then.
            return self.fault(SyntaxFault::Escape, start);
        };
        let name = if first == '{' {
            let Some((name, _)) = self.rest().split_once('}') else {
                self.at = self.pattern.len();
                return self.fault(SyntaxFault::CharRange, start);
            };
            self.at += name.len() + 1;
            name
        } else {
            &self.pattern[self.at - first.len_utf8()..self.at]
        };
        let name = match name.strip_prefix('^') {
            Some(name) => {
                is_negated = !is_negated;
                name
            }
            None => name,
        };
        let class = format!(r"\{}{{{name}}}", if is_negated { 'P' } else { 'p' });
        if name.contains(['=', ':', '!']) || regex::Regex::new(&class).is_err() {
            return self.fault(SyntaxFault::CharRange, start);
        }
        self.out.push_str(&class);
        Ok(true)
    }

    /// Reads the character that an escape stands for, whose backslash has been read.
    fn escaped_char(&mut self, start: usize) -> Result<char, RegexError> {
        let Some(c) = self.next() else {
            return Err(RegexError::Syntax {
                fault: SyntaxFault::TrailingBackslash,
                part: String::new(),
            });
        };
        let is_octal = |c: char| c.is_digit(8);
        let found = match c {
            'a' => Some('\u{7}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            'x' => self.hex_char(),
            // A single digit other than zero would be a reference to a group.
            '1'..='7' if !self.rest().starts_with(is_octal) => None,
            '0'..='7' => {
                let mut code = c.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    if self.rest().starts_with(is_octal) {
                        code = code * 8 + self.next().and_then(|c| c.to_digit(8)).unwrap_or(0);
                    }
                }
                char::from_u32(code)
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
            _ => None,
        };
        match found {
            Some(c) => Ok(c),
            None => self.fault(SyntaxFault::Escape, start),
        }
    }

    /// Reads `7F` or `{10FFFF}` behind `\x`.
    fn hex_char(&mut self) -> Option<char> {
        let digits = if self.next_if('{') {
            let (digits, _) = self.rest().split_once('}')?;
            self.at += digits.len() + 1;
            digits
        } else {
            let digits = self.rest().get(..2)?;
            self.at += 2;
            digits
        };
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        char::from_u32(u32::from_str_radix(digits, 16).ok()?)
    }

    /// Takes a class in brackets, of which the first has been read.
    fn class(&mut self, start: usize) -> Result<(), RegexError> {
        self.out.push('[');
        if self.next_if('^') {
            self.out.push('^');
        }
        let mut is_first = true;
        while is_first || !self.next_if(']') {
            is_first = false;
            let item = self.at;
            if self.named_class()? {
                continue;
            }
            if self.next_if('\\') {
                if let Some((set, negated)) = self.set() {
                    let (open, close) = if negated { ("[^", "]") } else { ("", "") };
                    self.out.extend([open, set, close]);
                    continue;
                }
                if self.unicode_class(item)? {
                    continue;
                }
                self.at = item;
            }
            let low = self.class_char(start)?;
            let is_range = self.rest().starts_with('-')
                && self.rest().len() > 1
                && !self.rest().starts_with("-]");
            push_literal(&mut self.out, low);
            if is_range {
                self.at += 1;
                let high = self.class_char(start)?;
                if high < low {
                    return self.fault(SyntaxFault::CharRange, item);
                }
                self.out.push('-');
                push_literal(&mut self.out, high);
            }
        }
        self.out.push(']');
        Ok(())
    }

    /// Takes a class such as `[:alpha:]` in brackets; `false` if there is none.
    fn named_class(&mut self) -> Result<bool, RegexError> {
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print",
            "punct", "space", "upper", "word", "xdigit",
        ];
        let start = self.at;
        let Some((name, _)) = self.rest().strip_prefix("[:").and_then(|rest| rest.split_once(":]"))
        else {
            return Ok(false);
        };
        self.at += name.len() + 4;
        if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return self.fault(SyntaxFault::CharRange, start);
        }
        self.out.push_str(&self.pattern[start..self.at]);
        Ok(true)
    }

    fn class_char(&mut self, class: usize) -> Result<char, RegexError> {
        let start = self.at;
        match self.next() {
            None => self.fault(SyntaxFault::MissingBracket, class),
            Some('\\') => self.escaped_char(start),
            Some(c) => Ok(c),
        }
    }
}

/// Flags as they are switched on or off by one group.
#[derive(Default)]
struct Flags {
    on: String,
    off: String,
}

impl Flags {
    fn set(&mut self, flag: char, is_on: bool) {
        self.on.retain(|other| other != flag);
        self.off.retain(|other| other != flag);
        if is_on { self.on.push(flag) } else { self.off.push(flag) }
    }

    /// Writes the beginning of a group that ends with a colon, or what switches to the end of the
    /// group around.
    fn push(&self, out: &mut String, end: char) {
        if end == ')' && self.on.is_empty() && self.off.is_empty() {
            return;
        }
        out.push_str("(?");
        out.push_str(&self.on);
        if !self.off.is_empty() {
            out.push('-');
            out.push_str(&self.off);
        }
        out.push(end);
    }
}

/// Writes a character that stands for itself, in brackets and outside.
fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_punctuation() && c != '_' && c != '<' && c != '>' {
        out.push('\\');
    }
    out.push(c);
}
