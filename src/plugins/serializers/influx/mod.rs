//! Writes metrics as InfluxDB line protocol, to the byte as Telegraf does.
//!
//! # References
//! The line protocol reference of InfluxDB; where it is silent, Telegraf 1.40 was asked.

mod escape;

use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Value, push_plain_float};
use crate::plugin::{
    Build, BuildError, Context, Declaration, PluginError, PluginLog, Quoted, Serializer,
};
use escape::{push_key, push_name, push_string};

/// The serializer as the table lists it.
pub static PLUGIN: Declaration<dyn Serializer> =
    Declaration::new::<Config>("influx", include_str!("sample.conf"));

/// The options beside `data_format = "influx"`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The most bytes a line may have, its line end counted; 0 for no limit.
    pub influx_max_line_bytes: usize,
    /// Whether fields are sorted by key rather than left in the order they were added.
    pub influx_sort_fields: bool,
    /// Whether unsigned integers are written as such, with a `u` behind.
    pub influx_uint_support: bool,
    /// Whether the time is left out.
    pub influx_omit_timestamp: bool,
}

impl Build<dyn Serializer> for Config {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn Serializer>, BuildError> {
        Ok(Box::new(Influx::new(self)))
    }
}

/// The serializer of `--test`: fields sorted, unsigned integers marked by `u`.
pub fn for_test_mode() -> Influx {
    Influx::new(Config { influx_sort_fields: true, influx_uint_support: true, ..Config::default() })
}

/// The serializer of dead letters: what it writes is read back as it was, as far as the format goes.
pub fn lossless() -> Influx {
    Influx::new(Config { influx_uint_support: true, ..Config::default() })
}

/// Why a metric has no form in line protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// A line cannot begin without a measurement.
    #[error("invalid name")]
    InvalidName,
    /// A field alone is longer than a line may be.
    #[error("{}: need more space", Quoted::new(.series))]
    NeedMoreSpace {
        /// The measurement and tags as they would have been written.
        series: Vec<u8>,
    },
    /// There are no fields, or all of them are NaN or infinite.
    #[error("{}: no serializable fields", Quoted::new(.series))]
    NoFields {
        /// The measurement and tags as they would have been written.
        series: Vec<u8>,
    },
}

/// A serializer of line protocol.
pub struct Influx {
    config: Config,
    log: PluginLog,
}

impl Influx {
    /// Makes a serializer.
    pub fn new(config: Config) -> Influx {
        Influx { config, log: PluginLog::new("serializers.influx") }
    }

    /// Appends the lines of a metric, of which something may be there already where it fails.
    fn write_lines<'m>(
        &self,
        metric: &Metric,
        fields: impl Iterator<Item = &'m Field>,
        out: &mut Vec<u8>,
    ) -> Result<(), MetricError> {
        let limit = match self.config.influx_max_line_bytes {
            0 => usize::MAX,
            limit => limit,
        };
        let mut digits = itoa::Buffer::new();
        let tail =
            Tail((!self.config.influx_omit_timestamp).then(|| digits.format(metric.time.nanos())));
        let mut line_start = out.len();
        push_head(metric, out)?;
        let head = line_start..out.len();
        let mut fields_in_line = 0;
        for field in fields {
            let before = out.len();
            if fields_in_line > 0 {
                out.push(b',');
            }
            let pair = out.len();
            if !self.write_pair(field, out) {
                out.truncate(before);
                continue;
            }
            if out.len() - line_start + tail.len() > limit {
                if fields_in_line > 0 {
                    // The field that no longer fits begins a line of its own.
                    let moved = out.split_off(pair);
                    out.truncate(before);
                    tail.push_to(out);
                    line_start = out.len();
                    fields_in_line = 0;
                    out.extend_from_within(head.clone());
                    out.extend_from_slice(&moved);
                }
                if out.len() - line_start + tail.len() > limit {
                    return Err(MetricError::NeedMoreSpace { series: series(&out[head]) });
                }
            }
            fields_in_line += 1;
        }
        if fields_in_line == 0 {
            return Err(MetricError::NoFields { series: series(&out[head]) });
        }
        tail.push_to(out);
        Ok(())
    }

    /// Appends `key=value`; if the field has no such form, says so in the log and returns false.
    fn write_pair(&self, field: &Field, out: &mut Vec<u8>) -> bool {
        let reason = if field.key.is_empty() {
            "invalid field key"
        } else {
            push_key(out, &field.key);
            out.push(b'=');
            match self.write_value(&field.value, out) {
                Ok(()) => return true,
                Err(reason) => reason,
            }
        };
        if self.log.is_debug() {
            let key = Quoted::new(field.key.as_str());
            self.log
                .debug(format_args!("could not serialize field {key}: {reason}; discarding field"));
        }
        false
    }

    fn write_value(&self, value: &Value, out: &mut Vec<u8>) -> Result<(), &'static str> {
        match value {
            Value::Float(value) if value.is_nan() => return Err("is NaN"),
            Value::Float(value) if value.is_infinite() => return Err("is Inf"),
            Value::Float(value) => push_plain_float(out, *value),
            Value::Integer(value) => {
                push_integer(out, *value);
                out.push(b'i');
            }
            Value::Unsigned(value) if self.config.influx_uint_support => {
                push_integer(out, *value);
                out.push(b'u');
            }
            Value::Unsigned(value) => {
                push_integer(out, i64::try_from(*value).unwrap_or(i64::MAX));
                out.push(b'i');
            }
            Value::Boolean(true) => out.extend_from_slice(b"true"),
            Value::Boolean(false) => out.extend_from_slice(b"false"),
            Value::String(text) => {
                out.push(b'"');
                push_string(out, text);
                out.push(b'"');
            }
        }
        Ok(())
    }
}

impl Serializer for Influx {
    fn serialize(&mut self, metric: &Metric, out: &mut Vec<u8>) -> Result<(), PluginError> {
        let start = out.len();
        let written = if self.config.influx_sort_fields {
            let mut fields: Vec<&Field> = metric.fields().iter().collect();
            fields.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            self.write_lines(metric, fields.into_iter(), out)
        } else {
            self.write_lines(metric, metric.fields().iter(), out)
        };
        if written.is_err() {
            out.truncate(start);
        }
        Ok(written?)
    }
}

/// What every line of a metric ends with: its time, unless that is left out, and the line end.
struct Tail<'t>(Option<&'t str>);

impl Tail<'_> {
    fn len(&self) -> usize {
        self.0.map_or(0, |time| " ".len() + time.len()) + "\n".len()
    }

    fn push_to(&self, out: &mut Vec<u8>) {
        if let Some(time) = self.0 {
            out.push(b' ');
            out.extend_from_slice(time.as_bytes());
        }
        out.push(b'\n');
    }
}

/// Appends what every line of a metric begins with: measurement and tags, and the blank behind.
fn push_head(metric: &Metric, out: &mut Vec<u8>) -> Result<(), MetricError> {
    if metric.name.is_empty() {
        return Err(MetricError::InvalidName);
    }
    push_name(out, &metric.name);
    for tag in metric.tags() {
        // Backslashes at the end would escape what follows, and line protocol has no other
        // form for them; tags that are empty without them have no form either.
        let key = tag.key.trim_end_matches('\\');
        let value = tag.value.trim_end_matches('\\');
        if !key.is_empty() && !value.is_empty() {
            out.push(b',');
            push_key(out, key);
            out.push(b'=');
            push_key(out, value);
        }
    }
    out.push(b' ');
    Ok(())
}

/// Measurement and tags, for errors.
fn series(head: &[u8]) -> Vec<u8> {
    head.strip_suffix(b" ").unwrap_or(head).to_vec()
}

fn push_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests;
