//! Expressions as Go writes them, in the form that the `regex` crate takes.
//!
//! Both go back to RE2, and find the same. What differs: classes such as `\w` know ASCII only in
//! Go, brackets, `&` and `~` within a class mean themselves there, braces that are no repetition
//! do, and several groups may have one name.

/// An expression, and the names of its groups in their order.
pub(super) struct Translated {
    pub(super) expression: String,
    pub(super) names: Vec<String>,
}

/// Translates an expression; groups without a name no longer capture.
pub(super) fn translate(text: &str) -> Translated {
    let mut translator =
        Translator { rest: text, expression: String::with_capacity(text.len()), names: Vec::new() };
    while !translator.rest.is_empty() {
        translator.step();
    }
    Translated { expression: translator.expression, names: translator.names }
}

struct Translator<'t> {
    rest: &'t str,
    expression: String,
    names: Vec<String>,
}

impl<'t> Translator<'t> {
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn take_char(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn step(&mut self) {
        match self.take_char() {
            Some('\\') => self.escape(Place::Outside),
            Some('[') => self.class(),
            Some('(') => self.group(),
            Some('{') if !is_repetition(self.rest) => self.expression.push_str("\\{"),
            Some(c) => self.expression.push(c),
            None => {}
        }
    }

    fn group(&mut self) {
        if !self.rest.starts_with('?') {
            self.expression.push_str("(?:");
            return;
        }
        let name = ["?P<", "?<"].iter().find_map(|start| self.rest.strip_prefix(start));
        match name.and_then(|rest| rest.split_once('>')) {
            Some((name, rest)) => {
                self.names.push(name.to_owned());
                self.expression.push('(');
                self.rest = rest;
            }
            None => self.expression.push('('),
        }
    }

    /// Translates a class from behind its opening bracket.
    fn class(&mut self) {
        self.expression.push('[');
        if self.rest.starts_with('^') {
            self.take(1);
            self.expression.push('^');
        }
        // A bracket that comes first means itself.
        if self.rest.starts_with(']') {
            self.take(1);
            self.expression.push_str("\\]");
        }
        loop {
            let named = self.rest.strip_prefix("[:").and_then(|rest| rest.find(":]"));
            if let Some(length) = named {
                let taken = self.take(length + 4);
                self.expression.push_str(taken);
                continue;
            }
            match self.take_char() {
                None => return,
                Some(']') => {
                    self.expression.push(']');
                    return;
                }
                Some('\\') => self.escape(Place::InClass),
                Some(c @ ('[' | '&' | '~')) => {
                    self.expression.push('\\');
                    self.expression.push(c);
                }
                Some(c) => self.expression.push(c),
            }
        }
    }

    /// Translates an escape from behind its backslash.
    fn escape(&mut self, place: Place) {
        let Some(c) = self.take_char() else {
            self.expression.push('\\');
            return;
        };
        let (class, negated) = match c.to_ascii_lowercase() {
            'd' => ("0-9", c == 'D'),
            'w' => ("0-9A-Za-z_", c == 'W'),
            's' => ("\\t\\n\\x0C\\r ", c == 'S'),
            _ => ("", false),
        };
        if !class.is_empty() {
            match (place, negated) {
                (Place::InClass, false) => self.expression.push_str(class),
                (_, true) => self.expression.extend(["[^", class, "]"]),
                (Place::Outside, false) => self.expression.extend(["[", class, "]"]),
            }
            return;
        }
        match c {
            'b' if place == Place::Outside => self.expression.push_str("(?-u:\\b)"),
            '<' | '>' => self.expression.push(c),
            'Q' => {
                let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                self.expression.push_str(&regex::escape(quoted));
                self.rest = rest;
            }
            c => {
                self.expression.push('\\');
                self.expression.push(c);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    InClass,
}

/// Whether what stands behind an opening brace makes it a repetition.
fn is_repetition(rest: &str) -> bool {
    let Some((inner, _)) = rest.split_once('}') else { return false };
    let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && is_number(least) && is_number(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_written_out() {
        for (from, to) in [
            (r"\d\D[\w.-]", r"[0-9][^0-9][0-9A-Za-z_.-]"),
            (r"[[:alpha:]\S&[~]]", r"[[:alpha:][^\t\n\x0C\r ]\&\[\~]]"),
            (r"[]a][^]]", r"[\]a][^\]]"),
            (r"a{2}b{2,}c{2,3}d{x}{", r"a{2}b{2,}c{2,3}d\{x}\{"),
            (r"\bx\<\.\Qa.b\E", r"(?-u:\b)x<\.a\.b"),
            (r"(a)(?:b)(?i)c", r"(?:a)(?:b)(?i)c"),
        ] {
            assert_eq!(translate(from).expression, to);
        }
        let translated = translate("(?P<a>1)|(?<a>2)(3)");
        assert_eq!(translated.expression, "(1)|(2)(?:3)");
        assert_eq!(translated.names, ["a", "a"]);
    }
}
