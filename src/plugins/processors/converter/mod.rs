//! Turns tags and fields into one another, into values of other types, into names and times.
//!
//! # References
//! Telegraf's `processors.converter`.

mod settings;
mod value;

use std::sync::Arc;

use compact_str::CompactString;
use jiff::tz::TimeZone;

use crate::metric::{Metric, Timestamp, Value};
use crate::plugin::go::{self, ConvertError};
use crate::plugin::{
    Build, BuildError, Context, Declaration, Patterns, PluginLog, Processor, TimeError, TimeFormat,
    WrittenTime,
};
use crate::system::Clock;

pub use settings::{Config, Conversion};
pub use value::FloatBytesError;

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("converter", include_str!("sample.conf"));

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        if self.tags.is_none() && self.fields.is_none() {
            return Err(BuildError::invalid("no filters found"));
        }
        let (tags, fields) = (self.tags.unwrap_or_default(), self.fields.unwrap_or_default());
        Ok(Box::new(Converter {
            tags: Targets::of_tags(&tags)?,
            fields: Targets::of_fields(&fields)?,
            clock: context.system.clock.clone(),
            log: context.log.clone(),
        }))
    }
}

/// What a tag or field becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Name,
    Tag,
    String,
    Integer,
    Unsigned,
    Boolean,
    Float,
    Time,
    Base64Float,
}

impl Target {
    /// Whether the value is what it is to become.
    fn is_type_of(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (Target::String, Value::String(_))
                | (Target::Integer, Value::Integer(_))
                | (Target::Unsigned, Value::Unsigned(_))
                | (Target::Boolean, Value::Boolean(_))
                | (Target::Float, Value::Float(_))
        )
    }

    /// What the log calls it.
    fn word(self, subject: Subject) -> &'static str {
        match self {
            Target::Name => "measurement",
            Target::Tag => "tag",
            Target::String => "string",
            Target::Integer => "integer",
            Target::Unsigned => "unsigned",
            // Telegraf has two words for it.
            Target::Boolean if subject == Subject::Field => "bool",
            Target::Boolean => "boolean",
            Target::Float => "float",
            Target::Time => "timestamp",
            Target::Base64Float => "base64_ieee_float32",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Tag,
    Field,
}

/// What becomes of which keys; of several targets the first counts.
struct Targets {
    patterns: Vec<(Target, Patterns)>,
    time_format: TimeFormat,
}

impl Targets {
    fn of_tags(tags: &Conversion) -> Result<Targets, BuildError> {
        // A tag that is to be a tag is left alone.
        Targets::new(
            &tags.timestamp_format,
            &[
                (Target::Name, &tags.measurement),
                (Target::String, &tags.string),
                (Target::Integer, &tags.integer),
                (Target::Unsigned, &tags.unsigned),
                (Target::Boolean, &tags.boolean),
                (Target::Float, &tags.float),
                (Target::Time, &tags.timestamp),
            ],
        )
    }

    fn of_fields(fields: &Conversion) -> Result<Targets, BuildError> {
        Targets::new(
            &fields.timestamp_format,
            &[
                (Target::Name, &fields.measurement),
                (Target::Tag, &fields.tag),
                (Target::Float, &fields.float),
                (Target::Integer, &fields.integer),
                (Target::Unsigned, &fields.unsigned),
                (Target::Boolean, &fields.boolean),
                (Target::String, &fields.string),
                (Target::Time, &fields.timestamp),
                (Target::Base64Float, &fields.base64_ieee_float32),
            ],
        )
    }

    fn new(time_format: &str, lists: &[(Target, &Vec<String>)]) -> Result<Targets, BuildError> {
        let mut patterns = Vec::new();
        for (target, list) in lists {
            let compiled = Patterns::new(list).map_err(BuildError::invalid)?;
            patterns.extend(compiled.map(|compiled| (*target, compiled)));
        }
        Ok(Targets { patterns, time_format: TimeFormat::new(time_format) })
    }

    fn target(&self, key: &str) -> Option<Target> {
        self.patterns.iter().find(|(_, keys)| keys.match_any(key)).map(|(target, _)| *target)
    }
}

/// Why a value did not become what it was to become.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Value(#[from] ConvertError),
    #[error(transparent)]
    Hex(#[from] value::HexError),
    #[error(transparent)]
    FloatBytes(#[from] FloatBytesError),
    #[error(transparent)]
    Time(#[from] TimeError),
}

/// What becomes of a tag or field that was converted.
enum Converted {
    Value(Value),
    Name(CompactString),
    Tag(CompactString),
    Time(Timestamp),
}

/// A processor that converts.
struct Converter {
    tags: Targets,
    fields: Targets,
    clock: Arc<dyn Clock>,
    log: PluginLog,
}

impl Converter {
    fn convert_tags(&self, metric: &mut Metric) {
        let mut at = 0;
        while let Some(tag) = metric.tags().get(at) {
            let Some(target) = self.tags.target(&tag.key) else {
                at += 1;
                continue;
            };
            let value = Value::String(tag.value.clone());
            match self.convert(&value, target, &self.tags) {
                Ok(Converted::Time(time)) => metric.time = time,
                Ok(Converted::Name(name)) => metric.name = name,
                Ok(Converted::Value(value)) => {
                    let key = metric.remove_tag_at(at).key;
                    metric.set_field(key, value);
                    continue;
                }
                Ok(Converted::Tag(_)) => {}
                Err(failure) => {
                    self.report(&value, target, Subject::Tag, &failure);
                    // A tag stays where it is no time, and goes where it is none of another type.
                    if target == Target::Time {
                        at += 1;
                        continue;
                    }
                }
            }
            metric.remove_tag_at(at);
        }
    }

    fn convert_fields(&self, metric: &mut Metric) {
        let mut at = 0;
        while let Some(field) = metric.fields_mut().get_mut(at) {
            let Some(target) = self.fields.target(&field.key) else {
                at += 1;
                continue;
            };
            if target.is_type_of(&field.value) {
                at += 1;
                continue;
            }
            match self.convert(&field.value, target, &self.fields) {
                Ok(Converted::Value(value)) => {
                    field.value = value;
                    at += 1;
                }
                Ok(Converted::Name(name)) => {
                    metric.remove_field_at(at);
                    metric.name = name;
                }
                Ok(Converted::Tag(value)) => {
                    let key = metric.remove_field_at(at).key;
                    metric.set_tag(key, value);
                }
                Ok(Converted::Time(time)) => {
                    metric.remove_field_at(at);
                    metric.time = time;
                }
                Err(failure) => {
                    self.report(&field.value, target, Subject::Field, &failure);
                    match target {
                        Target::Time => at += 1,
                        _ => drop(metric.remove_field_at(at)),
                    }
                }
            }
        }
    }

    fn convert(
        &self,
        value: &Value,
        target: Target,
        targets: &Targets,
    ) -> Result<Converted, Failure> {
        Ok(match target {
            Target::Name => Converted::Name(go::to_text(value)),
            Target::Tag => Converted::Tag(go::to_text(value)),
            Target::String => Converted::Value(go::to_text(value).into()),
            Target::Integer => Converted::Value(value::to_integer(value)?.into()),
            Target::Unsigned => Converted::Value(value::to_unsigned(value)?.into()),
            Target::Boolean => Converted::Value(go::to_bool(value)?.into()),
            Target::Float => Converted::Value(value::to_float(value)?.into()),
            Target::Base64Float => Converted::Value(value::float_of_base64(value)?.into()),
            Target::Time => {
                let written = WrittenTime::try_from(value)?;
                let now = self.clock.now();
                Converted::Time(targets.time_format.read(written, &TimeZone::UTC, now)?)
            }
        })
    }

    fn report(&self, value: &Value, target: Target, subject: Subject, failure: &Failure) {
        let (word, from) = (target.word(subject), go::type_name(value));
        self.log.error(format_args!("Converting to {word} [{from}] failed: {failure}"));
    }
}

impl Processor for Converter {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        for metric in &mut metrics {
            self.convert_tags(metric);
            self.convert_fields(metric);
        }
        metrics
    }
}
