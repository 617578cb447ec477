//! Parses JSON: an object becomes a metric, an array of objects as many.
//!
//! # References
//! Telegraf's `json` parser.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::{CompactString, ToCompactString};
use jiff::tz::TimeZone;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::metric::{Metric, PlainFloat, Timestamp, Value};
use crate::plugin::json_path::JsonPath;
use crate::plugin::{
    Build, BuildError, Context, Declaration, Parser, Patterns, PluginError, PluginLog, TimeError,
    TimeFormat, WrittenTime, time_zone,
};
use crate::system::Clock;

/// The parser as the table lists it.
pub static PLUGIN: Declaration<dyn Parser> =
    Declaration::new::<Config>("json", include_str!("sample.conf"));

/// The options beside `data_format = "json"`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The measurement; empty for the name of the input.
    pub metric_name: String,
    /// Patterns for keys that become tags.
    pub tag_keys: Vec<String>,
    /// The key whose value is the measurement; empty for none.
    pub json_name_key: String,
    /// Patterns for keys whose strings and booleans become fields.
    pub json_string_fields: Vec<String>,
    /// The path of the part of the document to parse; empty for all of it.
    pub json_query: String,
    /// The key whose value is the time; empty for none.
    pub json_time_key: String,
    /// How that time is written.
    pub json_time_format: String,
    /// The time zone of times that name none; empty for UTC.
    pub json_timezone: String,
    /// Whether one bad object of an array voids all.
    pub json_strict: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            metric_name: String::new(),
            tag_keys: Vec::new(),
            json_name_key: String::new(),
            json_string_fields: Vec::new(),
            json_query: String::new(),
            json_time_key: String::new(),
            json_time_format: String::new(),
            json_timezone: String::new(),
            json_strict: true,
        }
    }
}

impl Build<dyn Parser> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Parser>, BuildError> {
        let name = match self.metric_name.as_str() {
            "" => context.plugin_name(),
            name => name,
        };
        Ok(Box::new(JsonParser {
            name: name.into(),
            tags: patterns("tag_keys", &self.tag_keys)?,
            strings: patterns("json_string_fields", &self.json_string_fields)?,
            query: match self.json_query.as_str() {
                "" => None,
                path => Some(
                    JsonPath::new(path)
                        .map_err(|error| BuildError::invalid(format!("json_query: {error}")))?,
                ),
            },
            time_format: match self.json_time_format.as_str() {
                "" => None,
                format => Some(TimeFormat::new(format)),
            },
            zone: time_zone(&self.json_timezone)
                .map_err(|error| BuildError::invalid(format!("invalid timezone: {error}")))?,
            config: self,
            clock: context.system.clock.clone(),
            log: context.log.clone(),
        }))
    }
}

/// All numbers of a document are floats here, as they are in the original.
fn written_time(value: &Json) -> Result<WrittenTime<'_>, TimeError> {
    match value {
        Json::Number(number) => number.as_f64().map(WrittenTime::Float).ok_or(TimeError::Number),
        Json::String(text) => Ok(WrittenTime::Text(text)),
        _ => Err(TimeError::Type),
    }
}

fn patterns(option: &str, patterns: &[String]) -> Result<Option<Patterns>, BuildError> {
    Patterns::new(patterns).map_err(|error| BuildError::invalid(format!("{option}: {error}")))
}

/// Why a document gave no metrics.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It is no JSON.
    #[error("invalid JSON: {0}")]
    Syntax(serde_json::Error),
    /// It is neither an object nor an array of objects.
    #[error("must be an object or an array of objects")]
    WrongType,
    /// The path leads to something that is neither.
    #[error("query path must lead to a JSON object, array of objects or null, but lead to: {0}")]
    QueryType(&'static str),
    /// A time is asked for and nothing says how it is written.
    #[error("use of 'json_time_key' requires 'json_time_format'")]
    NoTimeFormat,
    /// A time is asked for and not there.
    #[error("'json_time_key' could not be found")]
    NoTime,
    /// A time is there and is none.
    #[error(transparent)]
    Time(TimeError),
}

/// A parser of JSON.
struct JsonParser {
    config: Config,
    name: CompactString,
    tags: Option<Patterns>,
    strings: Option<Patterns>,
    query: Option<JsonPath>,
    time_format: Option<TimeFormat>,
    zone: TimeZone,
    clock: Arc<dyn Clock>,
    log: PluginLog,
}

impl Parser for JsonParser {
    fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError> {
        Ok(self.parse_document(input)?)
    }
}

impl JsonParser {
    fn parse_document(&self, input: &[u8]) -> Result<Vec<Metric>, JsonError> {
        let text = String::from_utf8_lossy(input);
        let text = text.trim().trim_start_matches('\u{feff}');
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let document: Json = match &self.query {
            None => serde_json::from_str(text).map_err(JsonError::Syntax)?,
            Some(query) => {
                serde_json::from_str::<IgnoredAny>(text).map_err(JsonError::Syntax)?;
                let part = match query.find(text) {
                    None => Json::Null,
                    Some(part) => serde_json::from_str(&part.raw).map_err(JsonError::Syntax)?,
                };
                match part {
                    Json::Null | Json::Object(_) | Json::Array(_) => part,
                    part => return Err(JsonError::QueryType(type_name(&part))),
                }
            }
        };
        let now = self.clock.now();
        match &document {
            Json::Null => Ok(Vec::new()),
            Json::Object(_) => Ok(vec![self.parse_object(&document, now)?]),
            Json::Array(elements) => self.parse_array(elements, now),
            _ => Err(JsonError::WrongType),
        }
    }

    fn parse_array(&self, elements: &[Json], now: Timestamp) -> Result<Vec<Metric>, JsonError> {
        let mut metrics = Vec::with_capacity(elements.len());
        for element in elements {
            if !element.is_object() {
                return Err(JsonError::WrongType);
            }
            match self.parse_object(element, now) {
                Ok(metric) => metrics.push(metric),
                Err(error) if self.config.json_strict => return Err(error),
                Err(error) => {
                    self.log.debug(format_args!("An object of an array is left out: {error}"));
                }
            }
        }
        Ok(metrics)
    }

    fn parse_object(&self, object: &Json, now: Timestamp) -> Result<Metric, JsonError> {
        let mut values = BTreeMap::new();
        flatten(String::new(), object, &mut values);
        let name = match values.get(&self.config.json_name_key) {
            Some(Json::String(name)) if !self.config.json_name_key.is_empty() => name.into(),
            _ => self.name.clone(),
        };
        let time = match self.config.json_time_key.as_str() {
            "" => now,
            key => {
                let format = self.time_format.as_ref().ok_or(JsonError::NoTimeFormat)?;
                let value = values.remove(key).ok_or(JsonError::NoTime)?;
                let written = written_time(value).map_err(JsonError::Time)?;
                format.read(written, &self.zone, now).map_err(JsonError::Time)?
            }
        };
        let mut metric = Metric::new(name, time);
        for (key, value) in values {
            if matches(&self.tags, &key) {
                metric.set_tag(key, tag_text(value));
            } else if let Some(value) = self.field(&key, value) {
                metric.set_field(key, value);
            }
        }
        Ok(metric)
    }

    /// The value of a field; strings and booleans are fields only where that is asked for.
    fn field(&self, key: &str, value: &Json) -> Option<Value> {
        match value {
            Json::Number(number) => number.as_f64().map(Value::Float),
            Json::String(text) if matches(&self.strings, key) => Some(text.as_str().into()),
            Json::Bool(value) if matches(&self.strings, key) => Some((*value).into()),
            _ => None,
        }
    }
}

fn matches(patterns: &Option<Patterns>, key: &str) -> bool {
    patterns.as_ref().is_some_and(|patterns| patterns.match_any(key))
}

fn tag_text(value: &Json) -> CompactString {
    match value {
        Json::String(text) => text.into(),
        Json::Number(number) => match number.as_f64() {
            Some(number) => PlainFloat(number).to_compact_string(),
            None => CompactString::default(),
        },
        value => value.to_compact_string(),
    }
}

/// Gathers what is neither object, array nor null under keys joined by underscores; the elements
/// of arrays have their index for a key.
fn flatten<'v>(key: String, value: &'v Json, values: &mut BTreeMap<String, &'v Json>) {
    let joined = |inner: &str| match key.as_str() {
        "" => inner.to_owned(),
        key => format!("{key}_{inner}"),
    };
    match value {
        Json::Object(members) => {
            for (name, member) in members {
                flatten(joined(name), member, values);
            }
        }
        Json::Array(elements) => {
            for (at, element) in elements.iter().enumerate() {
                flatten(joined(&at.to_string()), element, values);
            }
        }
        Json::Null => {}
        value => {
            values.insert(key, value);
        }
    }
}

fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "Null",
        Json::Bool(true) => "True",
        Json::Bool(false) => "False",
        Json::Number(_) => "Number",
        Json::String(_) => "String",
        Json::Array(_) | Json::Object(_) => "JSON",
    }
}

#[cfg(test)]
mod tests;
