//! Maps the values of tags and fields by a table.
//!
//! # References
//! Telegraf's `processors.enum`.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Value};
use crate::plugin::glob::GlobError;
use crate::plugin::{
    Build, BuildError, Context, Declaration, DeprecatedOption, Patterns, Processor, Shown, go,
};

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("enum", include_str!("sample.conf")).deprecating(&[TAG, FIELD]);

/// The settings of the processor.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The mappings; each sees metrics as they came in.
    pub mapping: Vec<MappingConfig>,
}

/// One mapping.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct MappingConfig {
    /// Deprecated in favour of `tags`.
    pub tag: String,
    /// Deprecated in favour of `fields`.
    pub field: String,
    /// Patterns for the tags that are mapped.
    pub tags: Vec<String>,
    /// Patterns for the fields that are mapped.
    pub fields: Vec<String>,
    /// The key that takes the new value; empty for the same one.
    pub dest: String,
    /// The new value for all values that are not in the table.
    pub default: Option<Value>,
    /// The table.
    #[serde(alias = "ValueMappings")]
    pub value_mappings: BTreeMap<String, Value>,
}

/// Why a mapping makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("failed to create new {subject} filter: {source}")]
pub struct FilterError {
    subject: &'static str,
    source: GlobError,
}

impl Build<dyn Processor> for Config {
    fn build(self, _context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        tell_of_deprecated_options(&self.mapping);
        let mappings = self.mapping.into_iter().map(Mapping::new).collect::<Result<_, _>>();
        Ok(Box::new(Enum {
            mappings: mappings.map_err(BuildError::invalid)?,
            new_fields: Vec::new(),
            new_tags: Vec::new(),
        }))
    }
}

const TAG: DeprecatedOption = DeprecatedOption {
    option: "tag",
    since: "1.35.0",
    removal: "1.40.0",
    notice: "use 'tags' instead",
};

const FIELD: DeprecatedOption = DeprecatedOption {
    option: "field",
    since: "1.35.0",
    removal: "1.40.0",
    notice: "use 'fields' instead",
};

fn tell_of_deprecated_options(mappings: &[MappingConfig]) {
    if mappings.iter().any(|mapping| !mapping.tag.is_empty()) {
        TAG.log_use_in("processors.enum");
    }
    if mappings.iter().any(|mapping| !mapping.field.is_empty()) {
        FIELD.log_use_in("processors.enum");
    }
}

struct Mapping {
    tags: Option<Patterns>,
    fields: Option<Patterns>,
    dest: Option<CompactString>,
    default: Option<Value>,
    values: HashMap<String, Value>,
}

impl Mapping {
    fn new(config: MappingConfig) -> Result<Mapping, FilterError> {
        let compile = |subject, mut patterns: Vec<String>, old: String| {
            if !old.is_empty() {
                patterns.push(old);
            }
            Patterns::new(&patterns).map_err(|source| FilterError { subject, source })
        };
        Ok(Mapping {
            fields: compile("field", config.fields, config.field)?,
            tags: compile("tag", config.tags, config.tag)?,
            dest: (!config.dest.is_empty()).then(|| config.dest.into()),
            default: config.default,
            values: config.value_mappings.into_iter().collect(),
        })
    }

    fn map(&self, text: &str) -> Option<&Value> {
        self.values.get(text).or(self.default.as_ref())
    }

    fn dest<'k>(&'k self, key: &'k CompactString) -> &'k CompactString {
        self.dest.as_ref().unwrap_or(key)
    }
}

/// A processor that maps values.
struct Enum {
    mappings: Vec<Mapping>,
    new_fields: Vec<(CompactString, Value)>,
    new_tags: Vec<(CompactString, CompactString)>,
}

impl Enum {
    fn map(&mut self, metric: &mut Metric) {
        for mapping in &self.mappings {
            if let Some(keys) = &mapping.fields {
                let meant = metric.fields().iter().filter(|field| keys.match_any(&field.key));
                for field in meant {
                    let mapped = match &field.value {
                        Value::String(text) => mapping.map(text),
                        value => mapping.map(&go::to_text(value)),
                    };
                    if let Some(value) = mapped {
                        let key = mapping.dest(&field.key).clone();
                        set(&mut self.new_fields, key, value.clone());
                    }
                }
            }
            if let Some(keys) = &mapping.tags {
                for tag in metric.tags().iter().filter(|tag| keys.match_any(&tag.key)) {
                    if let Some(value) = mapping.map(&tag.value) {
                        set(&mut self.new_tags, mapping.dest(&tag.key).clone(), shown(value));
                    }
                }
            }
        }
        for (key, value) in self.new_fields.drain(..) {
            // A mapped field goes behind the others.
            metric.remove_field(&key);
            metric.set_field(key, value);
        }
        for (key, value) in self.new_tags.drain(..) {
            metric.set_tag(key, value);
        }
    }
}

/// Sets a value of a list of which each key is there once.
fn set<V>(list: &mut Vec<(CompactString, V)>, key: CompactString, value: V) {
    match list.iter_mut().find(|(other, _)| *other == key) {
        Some((_, other)) => *other = value,
        None => list.push((key, value)),
    }
}

fn shown(value: &Value) -> CompactString {
    if let Value::String(text) = value {
        return text.clone();
    }
    let mut text = CompactString::default();
    // Writing to a string cannot fail.
    let written = write!(text, "{}", Shown(value));
    debug_assert!(written.is_ok());
    text
}

impl Processor for Enum {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        metrics.iter_mut().for_each(|metric| self.map(metric));
        metrics
    }
}
