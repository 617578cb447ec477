//! TOML text as tables with places.
//!
//! # References
//! TOML 1.1. Telegraf's own parser (`influxdata/toml`) follows TOML 0.4: whatever it takes in
//! well-formed lines means the same here, except that it drops *all* line ends at the beginning
//! of a string over several lines, which is matched.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::text::Lines;
use crate::plugin::settings::{Data, Position, Table, Value};

/// A place where the text is no TOML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {}: invalid TOML syntax: {message}", .position.line)]
pub struct SyntaxError {
    /// Where it is.
    pub position: Position,
    /// What is wrong.
    pub message: String,
}

/// Parses TOML text to a table, its keys in file order; `file` names the text in errors.
///
/// # Errors
/// Every line that is no TOML, not just the first.
pub fn parse(file: &str, text: &str) -> Result<Table, Vec<SyntaxError>> {
    let lines = Lines::new(text);
    let (document, mut errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { file: file.into(), text, lines, errors: Vec::new() };
    // One slip often makes several errors of its line; the first of them says it best.
    errors.sort_by_key(|error| error.span().unwrap_or_default().start);
    errors.dedup_by_key(|error| reader.lines.line(error.span().unwrap_or_default().start));
    for error in errors {
        let span = error.span().unwrap_or_default();
        let message = match (error.message(), text.get(span.clone())) {
            ("duplicate key", Some(key)) => format!("duplicate key {key:?}"),
            (message, _) => explained(message, text.get(span.start..).unwrap_or_default()),
        };
        reader.report(span.start, message);
    }
    if reader.errors.is_empty() {
        let table = reader.table(document.get_ref(), 0, "");
        if reader.errors.is_empty() {
            return Ok(table);
        }
    }
    let mut errors = reader.errors;
    errors.sort_by_key(|error| error.position);
    errors.dedup_by_key(|error| error.position.line);
    Err(errors)
}

/// What the parser says, with what to write instead where that is known; `rest` begins at the fault.
fn explained(message: &str, rest: &str) -> String {
    let end = rest.find([' ', '\t', '\r', '\n', ',', ']', '}', '#']).unwrap_or(rest.len());
    let word = &rest[..end];
    let is_unquoted = message.starts_with("string values must be quoted")
        || message.starts_with("invalid boolean");
    if is_unquoted && ["true", "false", "yes", "no", "on", "off"].contains(&&*word.to_lowercase()) {
        return format!("{word} is no value; a switch is true or false, in small letters");
    }
    if is_unquoted && !word.is_empty() && !word.contains(['"', '\'', '\\']) {
        return format!("string values must be quoted: \"{word}\"");
    }
    if message.starts_with("invalid unquoted key") && word.starts_with(':') {
        return "between an option and its value stands `=`, not `:`".to_owned();
    }
    message.to_owned()
}

struct Reader<'t> {
    file: Arc<str>,
    text: &'t str,
    lines: Lines<'t>,
    errors: Vec<SyntaxError>,
}

impl<'t> Reader<'t> {
    fn report(&mut self, offset: usize, message: String) {
        self.errors.push(SyntaxError { position: self.lines.position(offset), message });
    }

    fn table(&mut self, source: &DeTable<'_>, offset: usize, section: &str) -> Table {
        let mut table = Table::new(self.file.clone(), section, self.lines.position(offset));
        let mut entries: Vec<_> = source.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name = key.get_ref().as_ref();
            let inner = match section {
                "" => Cow::Borrowed(name),
                outer => Cow::Owned(format!("{outer}.{name}")),
            };
            let source = self.written(value);
            let value = self.value(value, &inner);
            table.push_written(name, self.lines.position(key.span().start), value, source);
        }
        table
    }

    fn value(&mut self, source: &Spanned<DeValue<'_>>, section: &str) -> Value {
        let span = source.span();
        let data = match source.get_ref() {
            DeValue::String(text) => Data::String {
                text: self.without_leading_line_ends(text, &span).to_owned(),
                substituted: false,
            },
            DeValue::Integer(number) => Data::Integer(
                i64::from_str_radix(number.as_str(), number.radix()).unwrap_or_else(|_| {
                    self.report(span.start, format!("integer {number} is out of range"));
                    0
                }),
            ),
            DeValue::Float(number) => Data::Float(number.as_str().parse().unwrap_or_else(|_| {
                self.report(span.start, format!("invalid number {number}"));
                0.0
            })),
            DeValue::Boolean(value) => Data::Boolean(*value),
            DeValue::Datetime(time) => Data::Datetime(time.to_string()),
            DeValue::Array(values) => {
                Data::Array(values.iter().map(|value| self.value(value, section)).collect())
            }
            DeValue::Table(table) => Data::Table(self.table(table, span.start, section)),
        };
        Value { position: self.lines.position(span.start), data }
    }

    /// The value as it is written; none for tables and arrays of tables under headers.
    fn written(&self, value: &Spanned<DeValue<'_>>) -> Option<&'t str> {
        let source = |value: &Spanned<DeValue<'_>>| self.text.get(value.span());
        let is_inline = |value| source(value).is_some_and(|text| text.starts_with('{'));
        match value.get_ref() {
            DeValue::Table(_) => None,
            DeValue::Array(values) => match values.iter().next() {
                Some(first) if first.get_ref().is_table() && !is_inline(first) => None,
                _ => source(value),
            },
            _ => source(value),
        }
    }

    /// Drops the line ends that TOML keeps behind the first one at the beginning of a string
    /// over several lines, and Telegraf does not.
    fn without_leading_line_ends<'s>(&self, text: &'s str, span: &Range<usize>) -> &'s str {
        let written = self.text.get(span.clone()).unwrap_or_default();
        let Some(body) = written.strip_prefix("\"\"\"").or_else(|| written.strip_prefix("'''"))
        else {
            return text;
        };
        // Escaped line ends are meant.
        if body.starts_with(['\r', '\n']) { text.trim_start_matches(['\r', '\n']) } else { text }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn show(value: &Data) -> String {
        match value {
            Data::String { text, .. } => format!("{text:?}"),
            Data::Integer(number) => number.to_string(),
            Data::Float(number) => format!("{number:?}"),
            Data::Boolean(value) => value.to_string(),
            Data::Datetime(text) => text.clone(),
            Data::Array(values) => {
                let values: Vec<_> = values.iter().map(|value| show(&value.data)).collect();
                format!("[{}]", values.join(" "))
            }
            Data::Table(table) => show_table(table),
        }
    }

    fn show_table(table: &Table) -> String {
        let entries = table.entries().iter();
        let entries: Vec<_> =
            entries.map(|entry| format!("{}={}", entry.key, show(&entry.value.data))).collect();
        format!("{{{}}}", entries.join(" "))
    }

    #[test]
    fn what_configurations_write_is_read_in_file_order() {
        for (text, shown) in [
            ("", "{}"),
            ("z = 1\na = 2", "{z=1 a=2}"),
            ("a = [\n  'x',\n  'y',\n]", r#"{a=["x" "y"]}"#),
            ("a = { x = 1, y = { z = '2' } }", r#"{a={x=1 y={z="2"}}}"#),
            ("a = [{ x = 1 }, { x = 2 }]", "{a=[{x=1} {x=2}]}"),
            (
                "[[i.cpu]]\np = true\n[i.cpu.tags]\na = 'b'\n[[i.cpu]]",
                r#"{i={cpu=[{p=true tags={a="b"}} {}]}}"#,
            ),
            ("[i.cpu.tags]\na = 'b'\n[i.cpu]\np = 1", r#"{i={cpu={tags={a="b"} p=1}}}"#),
            ("[ i . cpu ]\n\"a b\" = 0x1f\n1 = 1_000", "{i={cpu={a b=31 1=1000}}}"),
            ("a = -0.5e1\nb = 1979-05-27T07:32:00Z", "{a=-5.0 b=1979-05-27T07:32:00Z}"),
            ("a = \"\"\"\n\n\nx\n\ny\"\"\"", r#"{a="x\n\ny"}"#),
            ("a = '''\r\n\r\nx'''", r#"{a="x"}"#),
            (r#"a = """\nx""""#, r#"{a="\nx"}"#),
            ("a = \"\"\"\\\n   x\"\"\"", r#"{a="x"}"#),
            ("a.b = 1", "{a={b=1}}"),
        ] {
            assert_eq!(show_table(&parse("f", text).unwrap()), shown, "{text}");
        }
    }

    #[test]
    fn tables_know_their_section_and_everything_its_place() {
        let root = parse("f", "# x\n[[inputs.cpu]]\n  percpu = 1\n  [inputs.cpu.tags]\n").unwrap();
        let Data::Table(inputs) = &root.get("inputs").unwrap().value.data else { panic!() };
        let Data::Array(cpus) = &inputs.get("cpu").unwrap().value.data else { panic!() };
        let Data::Table(cpu) = &cpus[0].data else { panic!() };
        assert_eq!((&*cpu.section, &*cpu.file), ("inputs.cpu", "f"));
        assert_eq!(cpu.position, Position { line: 2, column: 1 });
        let percpu = cpu.get("percpu").unwrap();
        assert_eq!(percpu.position, Position { line: 3, column: 3 });
        assert_eq!(percpu.value.position, Position { line: 3, column: 12 });
        let Data::Table(tags) = &cpu.get("tags").unwrap().value.data else { panic!() };
        assert_eq!(&*tags.section, "inputs.cpu.tags");
        assert_eq!(tags.position, Position { line: 4, column: 3 });
    }

    #[test]
    fn every_line_at_fault_is_reported_once() {
        for (text, expected) in [
            ("a = 1\nb = \nc = 2\nd 3\n", &[(2, 5), (4, 3)][..]),
            ("a = \"x\nb = 1\n", &[(1, 7)]),
            ("[a]\nx = 1\nx = 2\n[a]\n", &[(3, 1), (4, 2)]),
            ("a = ${N}\nb = 1", &[(1, 5)]),
            ("a = 010", &[(1, 5)]),
            ("a = 1.", &[(1, 7)]),
            ("a = 99999999999999999999", &[(1, 5)]),
            ("[inputs.cpu\npercpu = true", &[(1, 12)]),
        ] {
            let errors = parse("f", text).unwrap_err();
            let places: Vec<_> =
                errors.iter().map(|e| (e.position.line, e.position.column)).collect();
            assert_eq!(places, expected, "{text}: {errors:?}");
        }
        for (text, message) in [
            ("a = yes", "yes is no value; a switch is true or false, in small letters"),
            ("a = True # x", "True is no value; a switch is true or false, in small letters"),
            ("a = 10s", "string values must be quoted: \"10s\""),
            ("a = [/]", "string values must be quoted: \"/\""),
            ("a = $USER\n", "string values must be quoted: \"$USER\""),
            ("a: 1", "between an option and its value stands `=`, not `:`"),
        ] {
            assert_eq!(parse("f", text).unwrap_err()[0].message, message, "{text}");
        }
        let error = parse("f", "ab = 1\nab = 2").unwrap_err().remove(0);
        assert_eq!(error.to_string(), "line 2: invalid TOML syntax: duplicate key \"ab\"");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]{}a=.,'\"#\\\\0-9\r\n_ż -]{0,60}") {
            let _ = parse("f", &text);
        }
    }
}
