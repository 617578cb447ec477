//! Writes metrics as JSON objects, one a line, to the byte as Telegraf does.
//!
//! # References
//! Telegraf's `json` serializer, and Go's `encoding/json` for the forms of texts and numbers.

mod write;

use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Value};
use crate::plugin::settings::Duration;
use crate::plugin::{
    Build, BuildError, Context, Declaration, Patterns, PluginError, Rejection, Serializer,
    TimeLayout,
};
use write::{push_float, push_integer, push_json, push_text};

/// The serializer as the table lists it.
pub static PLUGIN: Declaration<dyn Serializer> =
    Declaration::new::<Config>("json", include_str!("sample.conf"));

/// What is said of an expression.
///
/// No implementation of JSONata that there is in Rust gives the results of the one that Telegraf
/// has, and other numbers than expected in metrics would be worse than none.
const NO_JSONATA: &str = "json_transformation: JSONata expressions cannot be evaluated; \
    data_format = \"template\" writes JSON of any form, and processors such as rename, converter, \
    template and starlark change metrics before they are written";

/// The options beside `data_format = "json"`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The unit of timestamps, cut to a power of ten nanoseconds.
    pub json_timestamp_units: Duration,
    /// A layout for the time; empty for a number of units.
    pub json_timestamp_format: String,
    /// A JSONata expression, which is refused.
    pub json_transformation: String,
    /// Patterns for string fields that hold JSON to be written as such.
    pub json_nested_fields_include: Vec<String>,
    /// Patterns for string fields that stay strings all the same.
    pub json_nested_fields_exclude: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            json_timestamp_units: Duration::from_secs(1),
            json_timestamp_format: String::new(),
            json_transformation: String::new(),
            json_nested_fields_include: Vec::new(),
            json_nested_fields_exclude: Vec::new(),
        }
    }
}

impl Build<dyn Serializer> for Config {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn Serializer>, BuildError> {
        if !self.json_transformation.is_empty() {
            return Err(BuildError::invalid(NO_JSONATA));
        }
        let time = match self.json_timestamp_format.as_str() {
            "" => TimeForm::Units(power_of_ten_up_to(self.json_timestamp_units.nanos())),
            layout => TimeForm::Layout(TimeLayout::new(layout)),
        };
        let include = &self.json_nested_fields_include;
        let exclude = &self.json_nested_fields_exclude;
        Ok(Box::new(Json {
            time,
            nested: if include.is_empty() && exclude.is_empty() {
                Nested::Never
            } else {
                Nested::Where {
                    include: patterns("json_nested_fields_include", include)?,
                    exclude: patterns("json_nested_fields_exclude", exclude)?,
                }
            },
        }))
    }
}

fn patterns(option: &str, patterns: &[String]) -> Result<Option<Patterns>, BuildError> {
    Patterns::new(patterns).map_err(|error| BuildError::invalid(format!("{option}: {error}")))
}

/// The largest power of ten that is not above `nanos`; a second if that is no span.
fn power_of_ten_up_to(nanos: i64) -> i64 {
    match nanos {
        ..=0 => 1_000_000_000,
        nanos => 10_i64.pow(nanos.ilog10()),
    }
}

/// How times are written.
#[derive(Debug)]
enum TimeForm {
    /// As a number of so many nanoseconds.
    Units(i64),
    Layout(TimeLayout),
}

/// Which strings that hold JSON are written as such.
#[derive(Debug)]
enum Nested {
    Never,
    Where { include: Option<Patterns>, exclude: Option<Patterns> },
}

impl Nested {
    fn takes(&self, key: &str) -> bool {
        match self {
            Nested::Never => false,
            Nested::Where { include, exclude } => {
                include.as_ref().is_none_or(|include| include.match_any(key))
                    && exclude.as_ref().is_none_or(|exclude| !exclude.match_any(key))
            }
        }
    }
}

/// A serializer of JSON.
#[derive(Debug)]
struct Json {
    time: TimeForm,
    nested: Nested,
}

impl Json {
    fn write(&self, metric: &Metric, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"fields\":{");
        let mut fields: Vec<&Field> = metric.fields().iter().collect();
        fields.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let mut separator: &[u8] = b"";
        for field in fields {
            if matches!(field.value, Value::Float(value) if !value.is_finite()) {
                continue;
            }
            out.extend_from_slice(separator);
            separator = b",";
            push_text(out, &field.key);
            out.push(b':');
            self.write_value(field, out);
        }
        out.extend_from_slice(b"},\"name\":");
        push_text(out, &metric.name);
        out.extend_from_slice(b",\"tags\":{");
        for (at, tag) in metric.tags().iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            push_text(out, &tag.key);
            out.push(b':');
            push_text(out, &tag.value);
        }
        out.extend_from_slice(b"},\"timestamp\":");
        match &self.time {
            // Cut towards 1970, as Go divides.
            TimeForm::Units(nanos) => push_integer(out, metric.time.nanos() / nanos),
            TimeForm::Layout(layout) => push_text(out, &layout.format_utc(metric.time)),
        }
        out.push(b'}');
    }

    fn write_value(&self, field: &Field, out: &mut Vec<u8>) {
        match &field.value {
            Value::Float(value) => push_float(out, *value),
            Value::Integer(value) => push_integer(out, *value),
            Value::Unsigned(value) => push_integer(out, *value),
            Value::Boolean(true) => out.extend_from_slice(b"true"),
            Value::Boolean(false) => out.extend_from_slice(b"false"),
            Value::String(text) => {
                let nested = if self.nested.takes(&field.key) {
                    serde_json::from_str(text).ok()
                } else {
                    None
                };
                match nested {
                    Some(value) => push_json(out, &value),
                    None => push_text(out, text),
                }
            }
        }
    }
}

impl Serializer for Json {
    fn serialize(&mut self, metric: &Metric, out: &mut Vec<u8>) -> Result<(), PluginError> {
        self.write(metric, out);
        out.push(b'\n');
        Ok(())
    }

    fn serialize_batch(
        &mut self,
        metrics: &[Metric],
        out: &mut Vec<u8>,
    ) -> Result<Vec<Rejection>, PluginError> {
        out.extend_from_slice(b"{\"metrics\":[");
        for (at, metric) in metrics.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            self.write(metric, out);
        }
        out.extend_from_slice(b"]}\n");
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests;
