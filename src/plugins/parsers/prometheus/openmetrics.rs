//! The text format of OpenMetrics.
//!
//! # References
//! The OpenMetrics specification 1.0; Telegraf's `openmetrics` parser for what belongs together.

use std::borrow::Cow;

use crate::metric::Timestamp;
use crate::plugin::go::parse_float;

/// Input that is not in the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parsing text format failed: line {line}: {fault}")]
pub struct OpenMetricsError {
    line: usize,
    fault: Fault,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("invalid metric type {0:?}")]
    Type(String),
    #[error("a comment without the name of what it is about")]
    NoName,
    #[error("expected a metric name, got {0:?}")]
    Name(String),
    #[error("the labels have no end, or one of them no value in quotes")]
    Labels,
    #[error("expected a value, got {0:?}")]
    Value(String),
    #[error("expected a timestamp, got {0:?}")]
    Time(String),
    #[error("unexpected text behind the sample: {0:?}")]
    Rest(String),
    #[error("unexpected data after # EOF")]
    AfterEnd,
    #[error("data does not end with # EOF")]
    NoEnd,
}

/// What a family measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Unknown,
    Gauge,
    Counter,
    StateSet,
    Info,
    Histogram,
    Summary,
}

/// Series that share a name.
#[derive(Debug)]
pub(super) struct Family<'t> {
    pub(super) name: &'t str,
    pub(super) kind: Kind,
    pub(super) unit: &'t str,
    pub(super) points: Vec<Point<'t>>,
}

/// What was measured under one set of labels at one time.
#[derive(Debug, PartialEq)]
pub(super) struct Point<'t> {
    /// Without those that tell the parts of a point apart.
    pub(super) labels: Vec<Label<'t>>,
    pub(super) time: Option<Timestamp>,
    /// The value, of a counter its total; none if only other parts of it have come.
    pub(super) value: Option<f64>,
    /// Of histograms and summaries.
    pub(super) count: f64,
    pub(super) sum: Option<f64>,
    /// When counting began, in seconds since 1970.
    pub(super) created: Option<f64>,
    /// Upper bounds or quantiles with their values, or states, by the text of their label.
    pub(super) parts: Vec<(Cow<'t, str>, f64)>,
}

pub(super) type Label<'t> = (&'t str, Cow<'t, str>);

struct Sample<'t> {
    name: &'t str,
    labels: Vec<Label<'t>>,
    value: f64,
    time: Option<Timestamp>,
}

/// Reads a text.
///
/// # Errors
/// The first line that is not in the format, or a text that breaks off.
pub(super) fn read(text: &str) -> Result<Vec<Family<'_>>, OpenMetricsError> {
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut has_ended = false;
    let mut last = 0;
    for (line, text) in text.split('\n').enumerate().map(|(at, text)| (at + 1, text)) {
        let failed = |fault| OpenMetricsError { line, fault };
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            continue;
        }
        if has_ended {
            return Err(failed(Fault::AfterEnd));
        }
        last = line;
        match text.strip_prefix('#') {
            Some(comment) => {
                has_ended = comment.trim() == "EOF";
                take_comment(comment, &mut families).map_err(failed)?;
            }
            None => take_sample(sample(text).map_err(failed)?, &mut families),
        }
    }
    if has_ended { Ok(families) } else { Err(OpenMetricsError { line: last, fault: Fault::NoEnd }) }
}

fn take_comment<'t>(comment: &'t str, families: &mut Vec<Family<'t>>) -> Result<(), Fault> {
    let mut words = comment.trim_start().splitn(3, ' ');
    let (keyword, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let text = words.next().unwrap_or_default();
    if !matches!(keyword, "TYPE" | "HELP" | "UNIT") {
        return Ok(());
    }
    if name.is_empty() {
        return Err(Fault::NoName);
    }
    if families.last().is_none_or(|family| family.name != name) {
        families.push(Family::new(name));
    }
    let Some(family) = families.last_mut() else { return Ok(()) };
    match keyword {
        "TYPE" => {
            family.kind = match text.trim() {
                "unknown" => Kind::Unknown,
                "gauge" => Kind::Gauge,
                "counter" => Kind::Counter,
                "stateset" => Kind::StateSet,
                "info" => Kind::Info,
                "histogram" | "gaugehistogram" => Kind::Histogram,
                "summary" => Kind::Summary,
                other => return Err(Fault::Type(other.to_owned())),
            };
        }
        "UNIT" => family.unit = text.trim(),
        _ => {}
    }
    Ok(())
}

fn take_sample<'t>(sample: Sample<'t>, families: &mut Vec<Family<'t>>) {
    if families.last().is_none_or(|family| family.suffix(sample.name).is_none()) {
        // It has not been announced, so that nothing is known of it but its name.
        families.push(Family::new(sample.name));
    }
    let Some(family) = families.last_mut() else { return };
    let suffix = family.suffix(sample.name).unwrap_or_default();
    let (kind, part_label) = (family.kind, family.part_label());
    let Sample { mut labels, value, time, .. } = sample;
    let at = labels.iter().position(|(name, _)| Some(*name) == part_label);
    let part = at.map_or(Cow::Borrowed(""), |at| labels.remove(at).1);
    let is_same = |point: &Point<'_>| point.labels == labels && point.time == time;
    // A point of a simple kind is one sample.
    let goes_on =
        !matches!(kind, Kind::Unknown | Kind::Gauge) && family.points.last().is_some_and(is_same);
    if !goes_on {
        family.points.push(Point::new(labels, time));
    }
    let Some(point) = family.points.last_mut() else { return };
    match (kind, suffix) {
        (Kind::Counter | Kind::Histogram | Kind::Summary, "created") => point.created = Some(value),
        (Kind::Counter, "total") => point.value = Some(value),
        (Kind::Counter, _) => {}
        (Kind::Histogram, "sum" | "gsum") | (Kind::Summary, "sum") => point.sum = Some(value),
        (Kind::Histogram, "count" | "gcount") | (Kind::Summary, "count") => point.count = value,
        (Kind::Histogram, "bucket") | (Kind::Summary | Kind::StateSet, _) => {
            point.parts.push((part, value));
        }
        (Kind::Histogram, _) => {}
        (Kind::Unknown | Kind::Gauge | Kind::Info, _) => point.value = Some(value),
    }
}

impl<'t> Family<'t> {
    fn new(name: &'t str) -> Family<'t> {
        Family { name, kind: Kind::Unknown, unit: "", points: Vec::new() }
    }

    /// What stands behind the family's name in that of a sample; none if it is of another family.
    fn suffix<'s>(&self, sample: &'s str) -> Option<&'s str> {
        let rest = sample.strip_prefix(self.name)?;
        if rest.is_empty() {
            return Some("");
        }
        let suffix = rest.strip_prefix('_')?;
        let known: &[&str] = match self.kind {
            Kind::Counter => &["total", "created"],
            Kind::Histogram => &["bucket", "sum", "count", "created", "gsum", "gcount"],
            Kind::Summary => &["sum", "count", "created"],
            Kind::Info => &["info"],
            Kind::Unknown | Kind::Gauge | Kind::StateSet => &[],
        };
        known.contains(&suffix).then_some(suffix)
    }

    /// The label that tells the parts of a point apart.
    fn part_label(&self) -> Option<&'t str> {
        match self.kind {
            Kind::StateSet => Some(self.name),
            Kind::Histogram => Some("le"),
            Kind::Summary => Some("quantile"),
            Kind::Unknown | Kind::Gauge | Kind::Counter | Kind::Info => None,
        }
    }
}

impl<'t> Point<'t> {
    fn new(labels: Vec<Label<'t>>, time: Option<Timestamp>) -> Point<'t> {
        Point { labels, time, value: None, count: 0.0, sum: None, created: None, parts: Vec::new() }
    }
}

/// `name{label="value",…} value [time] [# {label="value"} value [time]]`
fn sample(line: &str) -> Result<Sample<'_>, Fault> {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    let end = line.bytes().position(|byte| !is_of_name(&byte)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Fault::Name(line.to_owned()));
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    // Exemplars say where a value is from; there is no place for them in a metric.
    let rest = rest.split_once(" # ").map_or(rest, |(rest, _)| rest);
    let mut words = rest.split(' ').filter(|word| !word.is_empty());
    let value = words.next().unwrap_or_default();
    let value = parse_float(value).map_err(|_| Fault::Value(value.to_owned()))?;
    let time = words.next().map(|text| {
        let seconds = parse_float(text).ok().filter(|seconds| seconds.is_finite());
        let seconds = seconds.ok_or_else(|| Fault::Time(text.to_owned()))?;
        Ok(Timestamp::from_millis((seconds * 1000.0) as i64))
    });
    let time = time.transpose()?;
    match words.next() {
        None => Ok(Sample { name, labels, value, time }),
        Some(more) => Err(Fault::Rest(more.to_owned())),
    }
}

/// The labels behind the brace that opens them, and what follows the one that closes them.
fn labels(mut rest: &str) -> Result<(Vec<Label<'_>>, &str), Fault> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (name, after) = rest.split_once("=\"").ok_or(Fault::Labels)?;
        let (value, after) = quoted(after)?;
        labels.push((name.trim(), value));
        rest = after;
    }
}

/// The text up to the quote that ends it, its escapes resolved, and what follows.
fn quoted(text: &str) -> Result<(Cow<'_, str>, &str), Fault> {
    let mut value = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let at = memchr::memchr2(b'"', b'\\', rest.as_bytes()).ok_or(Fault::Labels)?;
        let plain = &rest[..at];
        if value.is_empty() {
            value = Cow::Borrowed(plain);
        } else {
            value.to_mut().push_str(plain);
        }
        let is_end = rest.as_bytes()[at] == b'"';
        rest = &rest[at + 1..];
        if is_end {
            return Ok((value, rest));
        }
        let escaped = rest.chars().next().ok_or(Fault::Labels)?;
        rest = &rest[escaped.len_utf8()..];
        match escaped {
            'n' => value.to_mut().push('\n'),
            '"' | '\\' => value.to_mut().push(escaped),
            other => value.to_mut().extend(['\\', other]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn samples_that_belong_together_are_one_point() {
        let text = "# TYPE c counter\n# HELP c what\nc_total{a=\"x\\\"y\\\\\\n\"} 8 1.5 # {t=\"1\"} 0.5\n\
                    c_created{a=\"x\\\"y\\\\\\n\"} 3 1.5\nc_total{a=\"z\",} 9\n\
                    # TYPE h_s histogram\n# UNIT h_s s\nh_s_bucket{le=\"1\"} 2\nh_s_bucket{le=\"+Inf\"} 3\n\
                    h_s_sum 4\nh_s_count 3\nother 5\nother 6\nnext 7\n# EOF\n";
        let families = read(text).unwrap();
        let names: Vec<_> = families.iter().map(|f| (f.name, f.points.len(), f.unit)).collect();
        assert_eq!(names, [("c", 2, ""), ("h_s", 1, "s"), ("other", 2, ""), ("next", 1, "")]);
        let counter = &families[0].points[0];
        assert_eq!(counter.labels, [("a", "x\"y\\\n".into())]);
        assert_eq!((counter.value, counter.created), (Some(8.0), Some(3.0)));
        assert_eq!(counter.time, Some(Timestamp::from_millis(1500)));
        let histogram = &families[1].points[0];
        assert_eq!((histogram.count, histogram.sum), (3.0, Some(4.0)));
        assert_eq!(histogram.parts, [("1".into(), 2.0), ("+Inf".into(), 3.0)]);
    }

    #[test]
    fn what_is_not_in_the_format_is_told_with_its_line() {
        for (text, message) in [
            ("a 1\n", "line 1: data does not end with # EOF"),
            ("# TYPE a nosuch\n# EOF\n", "line 1: invalid metric type \"nosuch\""),
            ("# TYPE\n# EOF", "line 1: a comment without the name of what it is about"),
            ("a 1\n\n9a 1\n# EOF", "line 3: expected a metric name, got \"9a 1\""),
            ("a{b=\"c 1\n# EOF", "line 1: the labels have no end"),
            ("a{b} 1\n# EOF", "line 1: the labels have no end"),
            ("a x\n# EOF", "line 1: expected a value, got \"x\""),
            ("a\n# EOF", "line 1: expected a value, got \"\""),
            ("a 1 nan\n# EOF", "line 1: expected a timestamp, got \"nan\""),
            ("a 1 2 3\n# EOF", "line 1: unexpected text behind the sample: \"3\""),
            ("# EOF\na 1", "line 2: unexpected data after # EOF"),
        ] {
            let error = read(text).unwrap_err().to_string();
            let expected = format!("parsing text format failed: {message}");
            assert!(error.starts_with(&expected), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([a-z{}=\",# \\\\_\n]|# (TYPE|EOF|UNIT) |1|\\PC){0,60}") {
            let _ = read(&text);
        }
    }
}
