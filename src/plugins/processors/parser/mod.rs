//! Parses what fields and tags hold, and makes metrics of it.
//!
//! # References
//! Telegraf's `processors.parser`.

mod merge;
mod untimed;

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Value};
use crate::plugin::{Build, BuildError, Context, Declaration, Parser, PluginLog, Processor};
use merge::{Merge, Original};
use untimed::Untimed;

/// Declares `processors.parser`.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("parser", include_str!("sample.conf"));

/// The settings of `processors.parser`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    drop_original: bool,
    merge: String,
    parse_fields: Vec<String>,
    parse_fields_base64: Vec<String>,
    parse_tags: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            drop_original: false,
            merge: "none".to_owned(),
            parse_fields: Vec::new(),
            parse_fields_base64: Vec::new(),
            parse_tags: Vec::new(),
        }
    }
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let merge = Merge::named(&self.merge).ok_or_else(|| {
            BuildError::invalid(format!(
                "unrecognized merge value: {:?}; it is \"none\", \"override\", \
                 \"override-with-timestamp\", \"parent\" or \"parent-with-timestamp\"",
                self.merge
            ))
        })?;
        let parser = if merge.wants_own_times() {
            context.parser_with_clock("influx", Arc::new(Untimed(context.system.clock.clone())))?
        } else {
            context.parser("influx")?
        };
        let original = if self.drop_original { Original::Drop } else { Original::Keep };
        let log = context.log.clone();
        Ok(Box::new(ParserProcessor { parser, merge, original, config: self, log }))
    }
}

struct ParserProcessor {
    parser: Box<dyn Parser>,
    merge: Merge,
    original: Original,
    config: Config,
    log: PluginLog,
}

/// As Go decodes: padding must be there, what is left over of the last digit may be anything.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// The bytes of a field: those of a text, or those that a number has in memory.
fn bytes_of(value: &Value) -> Cow<'_, [u8]> {
    match value {
        Value::String(text) => Cow::Borrowed(text.as_bytes()),
        Value::Float(value) => Cow::Owned(value.to_ne_bytes().to_vec()),
        Value::Integer(value) => Cow::Owned(value.to_ne_bytes().to_vec()),
        Value::Unsigned(value) => Cow::Owned(value.to_ne_bytes().to_vec()),
        Value::Boolean(value) => Cow::Owned(vec![u8::from(*value)]),
    }
}

impl ParserProcessor {
    /// Every metric that the fields and tags of one hold.
    fn parse_all(&mut self, metric: &Metric) -> Vec<Metric> {
        let mut parsed = Vec::new();
        let is_listed = |list: &[String], key: &str| list.iter().any(|name| name == key);
        for field in metric.fields() {
            let key = field.key.as_str();
            let is_plain = is_listed(&self.config.parse_fields, key);
            let is_base64 = is_listed(&self.config.parse_fields_base64, key);
            let bytes = match (is_plain, is_base64) {
                (false, false) => continue,
                (true, true) => {
                    self.log.error(format_args!(
                        "field {key} is listed in both parse fields and base64 fields; skipping"
                    ));
                    continue;
                }
                (true, false) => bytes_of(&field.value),
                (false, true) => match decode(&bytes_of(&field.value)) {
                    Ok(bytes) => Cow::Owned(bytes),
                    Err(error) => {
                        self.log.error(format_args!(
                            "could not decode base64 field {key}: {error}; skipping"
                        ));
                        continue;
                    }
                },
            };
            match self.parser.parse(&bytes) {
                Ok(metrics) => parsed.extend(metrics),
                Err(error) => {
                    self.log.error(format_args!("could not parse field {key}: {error}"));
                }
            }
        }
        for key in &self.config.parse_tags {
            let Some(value) = metric.tag(key) else { continue };
            match self.parser.parse(value.as_bytes()) {
                Ok(metrics) => parsed.extend(metrics),
                Err(error) => self.log.error(format_args!("could not parse tag {key}: {error}")),
            }
        }
        for new in &mut parsed {
            // Parsers without a name for a metric give it that of the plugin.
            if new.name.is_empty() || new.name == "parser" {
                new.name = metric.name.clone();
            }
        }
        parsed
    }
}

fn decode(text: &[u8]) -> Result<Vec<u8>, base64::DecodeError> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
    BASE64.decode(digits)
}

impl Processor for ParserProcessor {
    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        let mut results = Vec::with_capacity(metrics.len());
        for metric in metrics {
            let parsed = self.parse_all(&metric);
            self.merge.apply(metric, parsed, self.original, &mut results);
        }
        results
    }
}
