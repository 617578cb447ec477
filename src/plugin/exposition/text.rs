//! The text of families and series.

use std::io::Write;

use super::collection::{Distribution, Label, Measured};
use super::name::{Escaping, is_metric_name};
use crate::metric::{Timestamp, ValueType};
use crate::plugin::ShownFloat;

/// Whether there are lines that describe families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Descriptions {
    /// There are.
    #[default]
    Written,
    /// There are none.
    LeftOut,
}

/// Whether samples carry their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Times {
    /// They do.
    Written,
    /// They do not: their time is when they are read.
    #[default]
    LeftOut,
}

/// What the text is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Whether families are described.
    pub descriptions: Descriptions,
    /// Whether samples carry their time.
    pub times: Times,
    /// How names with uncommon characters are written.
    pub escaping: Escaping,
}

/// Writes the families to memory, one after the other.
pub struct TextWriter<'w> {
    style: Style,
    out: &'w mut Vec<u8>,
}

/// A family whose head has been written.
pub struct FamilyWriter<'w> {
    name: &'w str,
    value_type: ValueType,
    style: Style,
    out: &'w mut Vec<u8>,
}

impl<'w> TextWriter<'w> {
    /// Begins at the end of `out`.
    pub fn new(style: Style, out: &'w mut Vec<u8>) -> TextWriter<'w> {
        TextWriter { style, out }
    }

    /// Appends the head of a family, whose series are to follow.
    pub fn family<'f>(
        &'f mut self,
        name: &'f str,
        value_type: ValueType,
        help: &str,
    ) -> FamilyWriter<'f> {
        let mut family = FamilyWriter { name, value_type, style: self.style, out: self.out };
        family.head(help);
        family
    }
}

impl FamilyWriter<'_> {
    fn head(&mut self, help: &str) {
        if self.style.descriptions == Descriptions::Written {
            self.out.extend_from_slice(b"# HELP ");
            self.push_name(self.name, "");
            self.out.push(b' ');
            self.out.extend_from_slice(help.as_bytes());
            self.out.push(b'\n');
        }
        self.out.extend_from_slice(b"# TYPE ");
        self.push_name(self.name, "");
        self.out.extend_from_slice(match self.value_type {
            ValueType::Counter => b" counter\n",
            ValueType::Gauge => b" gauge\n",
            ValueType::Untyped => b" untyped\n",
            ValueType::Summary => b" summary\n",
            ValueType::Histogram => b" histogram\n",
        });
    }

    /// Appends a series.
    pub fn series(&mut self, labels: &[Label], time: Timestamp, measured: &Measured) {
        let Distribution { count, sum, points } = match measured {
            Measured::Single(value) => return self.sample(labels, time, "", None, *value),
            Measured::Distribution(distribution) => distribution,
        };
        if self.value_type == ValueType::Histogram {
            for (bound, value) in points {
                self.sample(labels, time, "_bucket", Some(("le", *bound)), *value);
            }
            if !points.iter().any(|(bound, _)| *bound == f64::INFINITY) {
                let point = Some(("le", f64::INFINITY));
                self.sample(labels, time, "_bucket", point, *count as f64);
            }
        } else {
            for (quantile, value) in points {
                self.sample(labels, time, "", Some(("quantile", *quantile)), *value);
            }
        }
        self.sample(labels, time, "_sum", None, *sum);
        self.sample(labels, time, "_count", None, *count as f64);
    }

    fn sample(
        &mut self,
        labels: &[Label],
        time: Timestamp,
        suffix: &str,
        point: Option<(&str, f64)>,
        value: f64,
    ) {
        let mut separator = b'{';
        if self.style.escaping == Escaping::None && !is_metric_name(self.name) {
            // Between quotes it stands where the labels stand.
            self.out.push(std::mem::replace(&mut separator, b','));
        }
        self.push_name(self.name, suffix);
        for Label { name, value } in labels {
            self.out.push(std::mem::replace(&mut separator, b','));
            self.push_name(name, "");
            self.out.extend_from_slice(b"=\"");
            push_escaped(self.out, value);
            self.out.push(b'"');
        }
        if let Some((label, at)) = point {
            self.out.push(std::mem::replace(&mut separator, b','));
            self.out.extend_from_slice(label.as_bytes());
            self.out.extend_from_slice(b"=\"");
            push_float(self.out, at);
            self.out.push(b'"');
        }
        if separator == b',' {
            self.out.push(b'}');
        }
        self.out.push(b' ');
        push_float(self.out, value);
        if self.style.times == Times::Written {
            self.out.push(b' ');
            // Cut towards 1970, as Go divides.
            let millis = time.nanos() / 1_000_000;
            self.out.extend_from_slice(itoa::Buffer::new().format(millis).as_bytes());
        }
        self.out.push(b'\n');
    }

    fn push_name(&mut self, name: &str, suffix: &str) {
        if is_metric_name(name) {
            self.out.extend_from_slice(name.as_bytes());
            self.out.extend_from_slice(suffix.as_bytes());
        } else if self.style.escaping == Escaping::None {
            self.out.push(b'"');
            push_escaped(self.out, name);
            self.out.extend_from_slice(suffix.as_bytes());
            self.out.push(b'"');
        } else {
            self.style.escaping.push(name, self.out);
            self.out.extend_from_slice(suffix.as_bytes());
        }
    }
}

fn push_float(out: &mut Vec<u8>, value: f64) {
    if value == 0.0 {
        // No zero has a sign here.
        out.push(b'0');
        return;
    }
    let written = write!(out, "{}", ShownFloat(value));
    // Writing to memory cannot fail.
    debug_assert!(written.is_ok());
}

fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr3(b'\\', b'"', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(if rest[at] == b'\n' { b'n' } else { rest[at] });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_uncommon_characters_stand_between_quotes_where_they_may() {
        let labels = [Label { name: "a.b".into(), value: "1\n".into() }];
        let series = Measured::Distribution(Distribution {
            count: 3,
            sum: 4.5,
            points: vec![(f64::INFINITY, 3.0)],
        });
        let mut out = Vec::new();
        let style = Style { escaping: Escaping::None, ..Style::default() };
        let mut writer = TextWriter::new(style, &mut out);
        writer.family("m.n", ValueType::Histogram, "h").series(&labels, Timestamp::EPOCH, &series);
        writer.family("m", ValueType::Gauge, "h").series(
            &[],
            Timestamp::EPOCH,
            &Measured::Single(1.0),
        );
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "# HELP \"m.n\" h\n# TYPE \"m.n\" histogram\n\
             {\"m.n_bucket\",\"a.b\"=\"1\\n\",le=\"+Inf\"} 3\n\
             {\"m.n_sum\",\"a.b\"=\"1\\n\"} 4.5\n{\"m.n_count\",\"a.b\"=\"1\\n\"} 3\n\
             # HELP m h\n# TYPE m gauge\nm 1\n"
        );
    }
}
