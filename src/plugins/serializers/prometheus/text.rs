//! The text of a collection.

use std::io::Write;

use super::Config;
use super::collection::{Collection, Distribution, Family, Label, Measured, Series};
use super::name::is_metric_name;
use crate::metric::ValueType;
use crate::plugin::ShownFloat;

/// Appends all families.
pub(super) fn push(collection: &Collection, config: &Config, out: &mut Vec<u8>) {
    for family in &collection.families {
        let mut writer = Writer { family, config, out };
        writer.head();
        for series in &family.series {
            writer.series(series);
        }
    }
}

struct Writer<'w> {
    family: &'w Family,
    config: &'w Config,
    out: &'w mut Vec<u8>,
}

impl Writer<'_> {
    fn head(&mut self) {
        if !self.config.prometheus_compact_encoding {
            self.out.extend_from_slice(b"# HELP ");
            push_name(self.out, &self.family.name, "");
            self.out.extend_from_slice(b" Telegraf collected metric\n");
        }
        self.out.extend_from_slice(b"# TYPE ");
        push_name(self.out, &self.family.name, "");
        self.out.extend_from_slice(match self.family.value_type {
            ValueType::Counter => b" counter\n",
            ValueType::Gauge => b" gauge\n",
            ValueType::Untyped => b" untyped\n",
            ValueType::Summary => b" summary\n",
            ValueType::Histogram => b" histogram\n",
        });
    }

    fn series(&mut self, series: &Series) {
        let Distribution { count, sum, points } = match &series.measured {
            Measured::Single(value) => return self.sample(series, "", None, *value),
            Measured::Distribution(distribution) => distribution,
        };
        if self.family.value_type == ValueType::Histogram {
            for (bound, value) in points {
                self.sample(series, "_bucket", Some(("le", *bound)), *value);
            }
            if !points.iter().any(|(bound, _)| *bound == f64::INFINITY) {
                self.sample(series, "_bucket", Some(("le", f64::INFINITY)), *count as f64);
            }
        } else {
            for (quantile, value) in points {
                self.sample(series, "", Some(("quantile", *quantile)), *value);
            }
        }
        self.sample(series, "_sum", None, *sum);
        self.sample(series, "_count", None, *count as f64);
    }

    fn sample(&mut self, series: &Series, suffix: &str, point: Option<(&str, f64)>, value: f64) {
        let name = &self.family.name;
        push_name(self.out, name, suffix);
        let mut separator = b'{';
        for Label { name, value } in series.labels.iter() {
            self.out.push(std::mem::replace(&mut separator, b','));
            push_name(self.out, name, "");
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
        if self.config.prometheus_export_timestamp {
            self.out.push(b' ');
            // Cut towards 1970, as Go divides.
            let millis = series.time.nanos() / 1_000_000;
            self.out.extend_from_slice(itoa::Buffer::new().format(millis).as_bytes());
        }
        self.out.push(b'\n');
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

/// Appends a name with underscores for what this format has no other way to write.
fn push_name(out: &mut Vec<u8>, name: &str, suffix: &str) {
    if is_metric_name(name) {
        out.extend_from_slice(name.as_bytes());
    } else {
        for (at, c) in name.char_indices() {
            let mut is_part = c.is_ascii_alphabetic() || matches!(c, '_' | ':');
            is_part |= at > 0 && c.is_ascii_digit();
            out.push(if is_part { c as u8 } else { b'_' });
        }
    }
    out.extend_from_slice(suffix.as_bytes());
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
