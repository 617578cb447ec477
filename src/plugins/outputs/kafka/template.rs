//! Headers with values out of the metric: the part of Go's templates that they need.
//!
//! # References
//! Go's `text/template` for the delimiters, trim markers and literals, and for how values print.

use std::fmt;
use std::fmt::Write as _;

use crate::metric::{Metric, PlainFloat, Timestamp, Value};

/// A text with places that a metric fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name,
    Time,
    Tag(String),
    Field(String),
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    /// A `{{` has no `}}` behind it.
    #[error("there is no }}}} for the {{{{ before {rest:?}")]
    Unclosed { rest: String },
    /// Something else stands between the braces than what metrics can fill.
    #[error(
        "{{{{{action}}}}} is none of {{{{ .Name }}}}, {{{{ .Time }}}}, {{{{ .Tag \"key\" }}}} and \
         {{{{ .Field \"key\" }}}}"
    )]
    UnknownAction { action: String },
}

impl Template {
    /// The template of the metric's name.
    pub(super) fn name() -> Template {
        Template(vec![Part::Name])
    }

    /// Reads a template.
    pub(super) fn parse(text: &str) -> Result<Template, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((action, behind)) = split_action(after) else {
                return Err(TemplateError::Unclosed { rest: after.to_owned() });
            };
            let (before, inner, behind) = trim_marked(before, action, behind);
            push_text(&mut parts, before);
            if !is_comment(inner) {
                parts.push(
                    parse_action(inner).ok_or_else(|| TemplateError::UnknownAction {
                        action: action.to_owned(),
                    })?,
                );
            }
            rest = behind;
        }
        push_text(&mut parts, rest);
        Ok(Template(parts))
    }

    /// Appends the text for a metric.
    pub(super) fn fill(&self, metric: &Metric, out: &mut String) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Name => out.push_str(&metric.name),
                Part::Time => push(out, format_args!("{}", GoTime(metric.time))),
                Part::Tag(key) => out.push_str(metric.tag(key).unwrap_or_default()),
                Part::Field(key) => match metric.field(key) {
                    Some(value) => push(out, format_args!("{}", GoValue(value))),
                    None => out.push_str("<no value>"),
                },
            }
        }
    }
}

fn push(out: &mut String, text: fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// Splits behind the opening braces: what stands before the closing ones, and what comes after.
/// Braces within quotes close nothing.
fn split_action(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(b'"') if byte == b'\\' => escaped = true,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if byte == b'"' || byte == b'`' => quote = Some(byte),
            None if text[at..].starts_with("}}") => return Some((&text[..at], &text[at + 2..])),
            None => {}
        }
    }
    None
}

/// Takes the trim markers off an action, and the blanks that they eat off the text around it.
fn trim_marked<'t>(
    before: &'t str,
    action: &'t str,
    behind: &'t str,
) -> (&'t str, &'t str, &'t str) {
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let (before, action) = match action.strip_prefix('-') {
        Some(inner) if inner.starts_with(is_blank) => (before.trim_end_matches(is_blank), inner),
        _ => (before, action),
    };
    let (action, behind) = match action.strip_suffix('-') {
        Some(inner) if inner.ends_with(is_blank) => (inner, behind.trim_start_matches(is_blank)),
        _ => (action, behind),
    };
    (before, action.trim_matches(is_blank), behind)
}

fn is_comment(action: &str) -> bool {
    action.len() >= 4 && action.starts_with("/*") && action.ends_with("*/")
}

fn parse_action(action: &str) -> Option<Part> {
    match action {
        ".Name" => return Some(Part::Name),
        ".Time" => return Some(Part::Time),
        _ => {}
    }
    let (method, argument) = action.split_once(|c: char| c.is_ascii_whitespace())?;
    let key = parse_literal(argument.trim_ascii_start())?;
    match method {
        ".Tag" => Some(Part::Tag(key)),
        ".Field" => Some(Part::Field(key)),
        _ => None,
    }
}

/// Reads a string in double quotes, with the plain escapes, or in backquotes.
fn parse_literal(text: &str) -> Option<String> {
    if let Some(raw) = text.strip_prefix('`').and_then(|text| text.strip_suffix('`')) {
        return (!raw.contains('`')).then(|| raw.to_owned());
    }
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'))?;
    let mut key = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => key.push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                c @ ('"' | '\\') => c,
                _ => return None,
            }),
            c => key.push(c),
        }
    }
    Some(key)
}

/// Shows a value as Go's `%v` does.
struct GoValue<'v>(&'v Value);

impl fmt::Display for GoValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Float(value) => write_float(f, *value),
            Value::Integer(value) => write!(f, "{value}"),
            Value::Unsigned(value) => write!(f, "{value}"),
            Value::Boolean(value) => write!(f, "{value}"),
            Value::String(value) => f.write_str(value),
        }
    }
}

/// Writes the shortest decimal; very large and very small numbers with an exponent of two digits
/// or more.
fn write_float(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    let magnitude = value.abs();
    if value.is_nan() {
        return f.write_str("NaN");
    }
    if value.is_infinite() {
        return f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    if magnitude == 0.0 || (1e-4..1e21).contains(&magnitude) {
        return write!(f, "{}", PlainFloat(value));
    }
    let shown = format!("{value:e}");
    let (digits, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    write!(f, "{digits}e{sign}{exponent:0>2}")
}

/// Shows a time as Go's `Time.String` does, in UTC.
struct GoTime(Timestamp);

impl fmt::Display for GoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 64 bits of nanoseconds end in the years 1677 and 2262, well within what jiff can show.
        let time =
            jiff::Timestamp::from_nanosecond(self.0.nanos().into()).map_err(|_| fmt::Error)?;
        write!(f, "{}", time.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str) -> String {
        let metric = Metric::new("cpu", Timestamp::from_nanos(1_700_000_000_120_000_000))
            .with_tag("host", "a")
            .with_tag("a \"b\"", "quoted")
            .with_field("f", 1.5)
            .with_field("large", 1e21)
            .with_field("small", -2.5e-7)
            .with_field("i", -3i64)
            .with_field("u", 7u64)
            .with_field("b", true)
            .with_field("s", "text");
        let mut out = String::new();
        Template::parse(template).unwrap().fill(&metric, &mut out);
        out
    }

    #[test]
    fn templates_fill_as_in_go() {
        for (template, expected) in [
            ("", ""),
            ("plain } text", "plain } text"),
            ("{{ .Name }}", "cpu"),
            ("{{.Name}}", "cpu"),
            ("x-{{ .Tag \"host\" }}-y", "x-a-y"),
            ("{{ .Tag `host` }}", "a"),
            ("{{ .Tag \"none\" }}", ""),
            (r#"{{ .Tag "a \"b\"" }}"#, "quoted"),
            ("{{ .Field \"f\" }}|{{ .Field \"i\" }}|{{ .Field \"u\" }}", "1.5|-3|7"),
            ("{{ .Field \"b\" }}|{{ .Field \"s\" }}", "true|text"),
            ("{{ .Field \"large\" }}|{{ .Field \"small\" }}", "1e+21|-2.5e-07"),
            ("{{ .Field \"none\" }}", "<no value>"),
            ("{{ .Time }}", "2023-11-14 22:13:20.12 +0000 UTC"),
            ("a  {{- .Name -}}  b", "acpub"),
            ("a  {{- .Name }}  b", "acpu  b"),
            ("a {{- /* nothing */ -}} b", "ab"),
            ("{{ .Tag \"}}\" }}.", "."),
        ] {
            assert_eq!(fill(template), expected, "{template}");
        }
    }

    #[test]
    fn what_metrics_cannot_fill_is_an_error() {
        for template in [
            "{{ .Tags }}",
            "{{ if .Name }}x{{ end }}",
            "{{ .Tag }}",
            "{{ .Tag \"a\" \"b\" }}",
            "{{ .Tag host }}",
            "{{ .Name | printf \"%s\" }}",
            "{{ }}",
            "{{ .Tag \"\\q\" }}",
        ] {
            let error = Template::parse(template).unwrap_err();
            assert!(matches!(error, TemplateError::UnknownAction { .. }), "{template}");
        }
        let error = Template::parse("{{ .Tags }}").unwrap_err().to_string();
        assert!(error.starts_with("{{ .Tags }} is none of {{ .Name }}, {{ .Time }}"), "{error}");
        let error = Template::parse("a{{ .Name }").unwrap_err().to_string();
        assert_eq!(error, "there is no }} for the {{ before \" .Name }\"");
    }

    #[test]
    fn floats_print_as_in_go() {
        for (value, shown) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (100_000_000.0, "100000000"),
            (1e20, "100000000000000000000"),
            (1.234e25, "1.234e+25"),
            (1e100, "1e+100"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(GoValue(&Value::Float(value)).to_string(), shown);
        }
    }
}
