//! Writes metrics in Graphite's plaintext protocol, a line for each field.
//!
//! # References
//! Telegraf's `graphite` serializer; Graphite's "Feeding In Your Data" and "Graphite Tag Support".

mod sanitize;
mod template;

use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Value, push_plain_float};
use crate::plugin::{Build, BuildError, Context, Declaration, PluginError, Quoted, Serializer};

use sanitize::{Strict, compatible};
use template::{NameTemplate, Templates};

/// The serializer as the table lists it.
pub static PLUGIN: Declaration<dyn Serializer> =
    Declaration::new::<Config>("graphite", include_str!("sample.conf"));

/// The options beside `data_format = "graphite"`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// A text before all names.
    pub prefix: String,
    /// How names are made of a metric; empty for `host.tags.measurement.field`.
    pub template: String,
    /// Patterns for measurements with templates of their own.
    pub templates: Vec<String>,
    /// Whether names carry their tags.
    pub graphite_tag_support: bool,
    /// `strict` or `compatible`; empty for the first.
    pub graphite_tag_sanitize_mode: String,
    /// The text between measurement and field where names carry tags; empty for a dot.
    pub graphite_separator: String,
    /// An expression for what becomes an underscore; empty for that of the original.
    pub graphite_strict_sanitize_regex: String,
}

impl Build<dyn Serializer> for Config {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn Serializer>, BuildError> {
        let strict = Strict::new(&self.graphite_strict_sanitize_regex).map_err(|error| {
            BuildError::invalid(format!(
                "invalid regex provided {}: {error}",
                Quoted::new(&self.graphite_strict_sanitize_regex)
            ))
        })?;
        let templates =
            Templates::new(&self.template, &self.templates).map_err(BuildError::invalid)?;
        Ok(Box::new(Graphite {
            strict,
            names: match self.graphite_tag_support {
                false => Names::Templates(templates),
                true => Names::Tagged(match self.graphite_tag_sanitize_mode.as_str() {
                    "compatible" => TagCharacters::Compatible,
                    _ => TagCharacters::Strict,
                }),
            },
            separator: match self.graphite_separator.as_str() {
                "" => ".".to_owned(),
                _ => self.graphite_separator,
            },
            prefix: self.prefix,
        }))
    }
}

/// How names are made.
enum Names {
    Templates(Templates),
    /// Of measurement and field, with the tags behind them.
    Tagged(TagCharacters),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TagCharacters {
    Strict,
    Compatible,
}

/// A serializer of Graphite's lines.
struct Graphite {
    prefix: String,
    separator: String,
    names: Names,
    strict: Strict,
}

impl Graphite {
    /// The tags as they stand behind a name.
    fn tags(&self, metric: &Metric, characters: TagCharacters) -> String {
        let tags = metric.tags().iter().map(|tag| {
            let key = if tag.key == "name" { "_name" } else { tag.key.as_str() };
            match characters {
                TagCharacters::Compatible => compatible(key, &tag.value),
                TagCharacters::Strict => {
                    self.strict.apply(&format!("{key}={}", tag.value)).into_owned()
                }
            }
        });
        let mut tags: Vec<String> = tags.collect();
        tags.sort_unstable();
        tags.into_iter().fold(String::new(), |all, tag| all + ";" + &tag)
    }

    fn tagged_name(&self, metric: &Metric, field: &str) -> String {
        let mut name = String::new();
        if !self.prefix.is_empty() {
            name.push_str(&self.prefix);
            name.push_str(&self.separator);
        }
        name.push_str(&metric.name);
        if field != "value" {
            name.push_str(&self.separator);
            name.push_str(field);
        }
        name
    }
}

impl Serializer for Graphite {
    fn serialize(&mut self, metric: &Metric, out: &mut Vec<u8>) -> Result<(), PluginError> {
        // Cut towards 1970, as Go divides.
        let seconds = metric.time.nanos() / 1_000_000_000;
        let (bucket, tags) = match &self.names {
            Names::Templates(templates) => {
                let template: &NameTemplate = templates.of(&metric.name);
                match template.bucket(metric, &self.prefix) {
                    Some(bucket) => (Some(bucket), String::new()),
                    None => return Ok(()),
                }
            }
            Names::Tagged(characters) => (None, self.tags(metric, *characters)),
        };
        for field in metric.fields() {
            let is_number = match &field.value {
                Value::String(_) => false,
                Value::Float(value) => value.is_finite(),
                _ => true,
            };
            if !is_number {
                continue;
            }
            let name = match &bucket {
                Some(bucket) => template::with_field(bucket, &field.key),
                None => self.tagged_name(metric, &field.key),
            };
            out.extend_from_slice(self.strict.apply(&name).as_bytes());
            out.extend_from_slice(tags.as_bytes());
            out.push(b' ');
            match &field.value {
                Value::Float(value) => push_plain_float(out, *value),
                Value::Integer(value) => push_integer(out, *value),
                Value::Unsigned(value) => push_integer(out, *value),
                Value::Boolean(value) => out.push(if *value { b'1' } else { b'0' }),
                Value::String(_) => {}
            }
            out.push(b' ');
            push_integer(out, seconds);
            out.push(b'\n');
        }
        Ok(())
    }
}

fn push_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests;
