//! Parses logfmt: a line of `key=value` pairs becomes a metric.
//!
//! # References
//! Telegraf's `logfmt` parser, and the Go library `go-logfmt` for what is a pair.

mod line;

use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Tag, Value};
use crate::plugin::go::{parse_bool, parse_float, parse_integer};
use crate::plugin::{Build, BuildError, Context, Declaration, Parser, Patterns, PluginError};
use crate::system::Clock;

use line::Pairs;
pub use line::{Fault, SyntaxError};

/// The parser as the table lists it.
pub static PLUGIN: Declaration<dyn Parser> =
    Declaration::new::<Config>("logfmt", include_str!("sample.conf"));

/// The options beside `data_format = "logfmt"`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Patterns for keys that become tags.
    pub logfmt_tag_keys: Vec<String>,
}

impl Build<dyn Parser> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Parser>, BuildError> {
        let tags = Patterns::new(&self.logfmt_tag_keys).map_err(|error| {
            BuildError::invalid(format!("logfmt_tag_keys: error compiling tag pattern: {error}"))
        })?;
        Ok(Box::new(Logfmt {
            tags,
            name: context.plugin_name().into(),
            clock: context.system.clock.clone(),
        }))
    }
}

/// A parser of logfmt.
struct Logfmt {
    tags: Option<Patterns>,
    name: CompactString,
    clock: Arc<dyn Clock>,
}

impl Parser for Logfmt {
    fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError> {
        let text = String::from_utf8_lossy(input);
        let mut metrics = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let (mut tags, mut fields) = (Vec::new(), Vec::new());
            for pair in Pairs::new(line, at + 1) {
                let (key, value) = pair?;
                if value.is_empty() {
                    continue;
                }
                let key = CompactString::from(key);
                if self.tags.as_ref().is_some_and(|tags| tags.match_any(&key)) {
                    tags.push(Tag { key, value: value.into() });
                } else {
                    fields.push(Field { key, value: value_of(&value) });
                }
            }
            if !tags.is_empty() || !fields.is_empty() {
                let name = self.name.clone();
                metrics.push(Metric::from_lists(name, self.clock.now(), tags, fields));
            }
        }
        Ok(metrics)
    }

    fn part_of_text(&self, text: &[u8]) -> Option<usize> {
        memchr::memrchr(b'\n', text).map(|end| end + 1)
    }
}

fn value_of(text: &str) -> Value {
    // Most values that are no numbers show it in their first character.
    let may_be_number = text.starts_with(|c: char| {
        c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'i' | 'I' | 'n' | 'N')
    });
    if may_be_number {
        if let Ok(value) = parse_integer(text, 10) {
            return Value::Integer(value);
        }
        if let Ok(value) = parse_float(text) {
            return Value::Float(value);
        }
    }
    parse_bool(text).map_or_else(|_| text.into(), Value::Boolean)
}

#[cfg(test)]
mod tests;
