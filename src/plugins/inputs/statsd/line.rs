//! One line of the protocol: `bucket:value|type|@rate`, several values separated by colons.
//!
//! # References
//! The metric types of Etsy's statsd; Telegraf's `inputs.statsd` for what it leaves open.

use std::borrow::Cow;

use crate::plugin::Quoted;

/// One value of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample<'l> {
    pub(super) kind: Kind,
    pub(super) value: SampleValue<'l>,
    /// The part of all values that is sent; nothing if all are.
    pub(super) rate: Option<f64>,
}

/// What a value is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
    Set,
    Timing,
    Histogram,
    Distribution,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum SampleValue<'l> {
    /// Takes the place of what was there.
    Absolute(f64),
    /// Is added to what was there.
    Relative(f64),
    Count(i64),
    Text(&'l str),
}

/// What is wrong with a line, in the words of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// There is no value.
    #[error("Splitting ':', unable to parse metric: {0}")]
    NoValue(String),
    /// There is no type.
    #[error("Splitting '|', unable to parse metric: {0}")]
    NoType(String),
    /// The type is none.
    #[error("Metric type {} unsupported", Quoted::new(.0))]
    Type(String),
    /// A sign before a value that cannot be added.
    #[error("+- values are only supported for gauges & counters, unable to parse metric: {0}")]
    Sign(String),
    /// The value is no number.
    #[error("Parsing value to float64, unable to parse metric: {0}")]
    Float(String),
    /// The value is no whole number.
    #[error("Parsing value to int64, unable to parse metric: {0}")]
    Integer(String),
}

/// A rate that does not count; the value does, as if there were none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// It is no number.
    #[error("Parsing sample rate: strconv.ParseFloat: parsing {}: invalid syntax", Quoted::new(.0))]
    Number(String),
    /// It has not the form of a rate.
    #[error(
        "Sample rate must be in format like: @0.1, @0.5, etc. Ignoring sample rate for line: {0}"
    )]
    Form(String),
}

impl Kind {
    /// The value of the tag `metric_type`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Set => "set",
            Kind::Timing => "timing",
            Kind::Histogram => "histogram",
            Kind::Distribution => "distribution",
        }
    }
}

/// Takes a line apart into its bucket and its values.
pub(super) fn split(line: &str) -> Result<(&str, &str), LineError> {
    line.split_once(':').ok_or_else(|| LineError::NoValue(line.to_owned()))
}

/// Reads one value of `line`; a rate that does not count is handed to `complain`.
pub(super) fn sample<'l>(
    value: &'l str,
    line: &str,
    complain: impl FnOnce(RateError),
) -> Result<Sample<'l>, LineError> {
    let mut parts = value.split('|');
    let number = parts.next().unwrap_or_default();
    let kind = parts.next().ok_or_else(|| LineError::NoType(line.to_owned()))?;
    let rate = match parts.next() {
        None => None,
        Some(rate) if rate.contains('@') && rate.len() > 1 => {
            let digits = rate.get(1..).unwrap_or_default();
            match parse_float(digits) {
                Some(rate) => Some(rate),
                None => {
                    complain(RateError::Number(digits.to_owned()));
                    None
                }
            }
        }
        Some(_) => {
            complain(RateError::Form(line.to_owned()));
            None
        }
    };
    let kind = match kind {
        "g" => Kind::Gauge,
        "c" => Kind::Counter,
        "s" => Kind::Set,
        "ms" => Kind::Timing,
        "h" => Kind::Histogram,
        "d" => Kind::Distribution,
        other => return Err(LineError::Type(other.to_owned())),
    };
    let is_signed = number.starts_with(['+', '-']);
    if is_signed && !matches!(kind, Kind::Gauge | Kind::Counter) {
        return Err(LineError::Sign(line.to_owned()));
    }
    let value = match kind {
        Kind::Set => SampleValue::Text(number),
        Kind::Counter => SampleValue::Count(count(number, rate, line)?),
        _ => {
            let value = parse_float(number).ok_or_else(|| LineError::Float(line.to_owned()))?;
            if is_signed { SampleValue::Relative(value) } else { SampleValue::Absolute(value) }
        }
    };
    Ok(Sample { kind, value, rate })
}

fn count(number: &str, rate: Option<f64>, line: &str) -> Result<i64, LineError> {
    let count = match number.parse::<i64>() {
        Ok(count) => count,
        Err(_) => parse_float(number).ok_or_else(|| LineError::Integer(line.to_owned()))? as i64,
    };
    Ok(match rate {
        Some(rate) if rate != 0.0 => (count as f64 / rate) as i64,
        _ => count,
    })
}

/// Reads a decimal number; those too large for one are none.
fn parse_float(text: &str) -> Option<f64> {
    let is_word = text.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_alphabetic());
    text.parse::<f64>().ok().filter(|number| number.is_finite() || is_word)
}

/// A name as other statsd servers write it: white space, slashes and what is none of the usual
/// characters replaced or left out.
pub(super) fn sanitized(name: &str) -> Cow<'_, str> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ';' | '=');
    if name.chars().all(is_fine) {
        return Cow::Borrowed(name);
    }
    let mut clean = String::with_capacity(name.len());
    let mut was_space = false;
    for c in name.chars() {
        let is_space = matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}');
        match c {
            _ if is_space && was_space => {}
            _ if is_space => clean.push('_'),
            '/' => clean.push('-'),
            c if is_fine(c) => clean.push(c),
            _ => {}
        }
        was_space = is_space;
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Sample<'_>, LineError> {
        let (_, value) = split(line)?;
        sample(value, line, |_| {})
    }

    #[test]
    fn values_of_each_type_are_read() {
        use SampleValue::{Absolute, Count, Relative, Text};
        for (line, kind, value, rate) in [
            ("a:1|c", Kind::Counter, Count(1), None),
            ("a:+1|c", Kind::Counter, Count(1), None),
            ("a:1.9|c", Kind::Counter, Count(1), None),
            ("a:1e3|c", Kind::Counter, Count(1000), None),
            ("a:3|c|@0.1", Kind::Counter, Count(30), Some(0.1)),
            ("a:3|c|@0", Kind::Counter, Count(3), Some(0.0)),
            ("a:3|c|0.1", Kind::Counter, Count(3), None),
            ("a:1.5|g", Kind::Gauge, Absolute(1.5), None),
            ("a:+1.5|g", Kind::Gauge, Relative(1.5), None),
            ("a:-1.5|g", Kind::Gauge, Relative(-1.5), None),
            ("a:x y|s", Kind::Set, Text("x y"), None),
            ("a:3|ms|@0.5", Kind::Timing, Absolute(3.0), Some(0.5)),
            ("a:3|h|@x", Kind::Histogram, Absolute(3.0), None),
            ("a:3|d", Kind::Distribution, Absolute(3.0), None),
        ] {
            assert_eq!(read(line).unwrap(), Sample { kind, value, rate }, "{line}");
        }
    }

    #[test]
    fn lines_that_are_none_are_told_apart() {
        for (line, words) in [
            ("a", "Splitting ':', unable to parse metric: a"),
            ("a:1", "Splitting '|', unable to parse metric: a:1"),
            ("a:1|x", "Metric type \"x\" unsupported"),
            (
                "a:-1|ms",
                "+- values are only supported for gauges & counters, unable to parse metric: a:-1|ms",
            ),
            ("a:x|g", "Parsing value to float64, unable to parse metric: a:x|g"),
            ("a:x|c", "Parsing value to int64, unable to parse metric: a:x|c"),
            ("a:1e999|g", "Parsing value to float64, unable to parse metric: a:1e999|g"),
        ] {
            assert_eq!(read(line).unwrap_err().to_string(), words);
        }
    }

    #[test]
    fn names_are_cleaned_as_upstream_does_it() {
        for (name, clean) in [
            ("a.b-c_D9;x=y", "a.b-c_D9;x=y"),
            ("a  b\tc", "a_b_c"),
            ("a/b", "a-b"),
            ("a$%b#", "ab"),
            ("żółw", "w"),
        ] {
            assert_eq!(sanitized(name), clean);
        }
    }
}
