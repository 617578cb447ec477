//! What becomes of metrics: families of a type, series with labels.

use std::sync::Arc;
use std::time::Duration;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use super::collection::{Collection, Label, Labels, Sample};
use super::name::{self, Characters};
use crate::metric::{Field, Metric, Value, ValueType};
use crate::plugin::go::parse_float;
use crate::plugin::{BuildError, Patterns};

/// Types of series by their names, as options hold them.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct MetricTypes {
    /// Patterns for counters.
    pub counter: Vec<String>,
    /// Patterns for gauges, which have precedence.
    pub gauge: Vec<String>,
}

/// Types of series by their names.
pub struct TypesByName {
    counters: Option<Patterns>,
    gauges: Option<Patterns>,
}

impl TypesByName {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// The first pattern that is wrong.
    pub fn new(types: &MetricTypes) -> Result<TypesByName, BuildError> {
        Ok(TypesByName {
            counters: patterns("counter", &types.counter)?,
            gauges: patterns("gauge", &types.gauge)?,
        })
    }

    /// The type of the series `name` that is made of `metric`.
    pub fn type_of(&self, name: &str, metric: &Metric) -> ValueType {
        let is_named = |patterns: &Option<Patterns>| {
            patterns.as_ref().is_some_and(|patterns| patterns.match_any(name))
        };
        if is_named(&self.gauges) {
            ValueType::Gauge
        } else if is_named(&self.counters) {
            ValueType::Counter
        } else {
            metric.value_type
        }
    }
}

fn patterns(kind: &str, patterns: &[String]) -> Result<Option<Patterns>, BuildError> {
    Patterns::new(patterns)
        .map_err(|error| BuildError::invalid(format!("creating {kind} filter failed: {error}")))
}

/// What becomes of fields that hold strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StringFields {
    /// They are left out.
    Dropped,
    /// They become labels.
    Labels,
}

/// How samples are made of metrics.
pub struct Conversion {
    /// Which characters names may have.
    pub characters: Characters,
    /// What becomes of strings.
    pub strings: StringFields,
    /// Types that series have whatever the metric says.
    pub types: TypesByName,
}

impl Conversion {
    /// Adds the samples of a metric that came at `now`, in elapsed time of some clock.
    pub fn add(&self, metric: &Metric, now: Duration, collection: &mut Collection) {
        let labels = self.labels(metric);
        for field in metric.fields() {
            let name = family_name(metric, field);
            if let Some(name) = name::of_metric(&name, self.characters)
                && let Some(sample) = sample(metric, field)
            {
                let value_type = self.types.type_of(&name, metric);
                collection.add((name, value_type), &labels, metric.time, now, sample);
            }
        }
    }

    /// The labels of a metric; those that tell points of a distribution apart are none.
    fn labels(&self, metric: &Metric) -> Labels {
        let point_label = match metric.value_type {
            ValueType::Histogram => "le",
            ValueType::Summary => "quantile",
            ValueType::Counter | ValueType::Gauge | ValueType::Untyped => "",
        };
        let mut labels = Vec::with_capacity(metric.tags().len());
        for tag in metric.tags() {
            if tag.key == point_label && !point_label.is_empty() {
                continue;
            }
            if let Some(name) = name::of_label(&tag.key, self.characters) {
                labels.push(Label { name, value: tag.value.clone() });
            }
        }
        if self.strings == StringFields::Labels {
            let tags = labels.len();
            for field in metric.fields() {
                let Value::String(text) = &field.value else { continue };
                let Some(name) = name::of_label(&field.key, self.characters) else { continue };
                // A tag of that name has precedence, and the first of two fields.
                if labels.iter().all(|label: &Label| label.name != name) {
                    labels.push(Label { name, value: text.clone() });
                }
            }
            if labels.len() > tags {
                labels.sort_by(|a, b| a.name.cmp(&b.name));
            }
        }
        Arc::from(labels)
    }
}

/// The name of the family that a field belongs to.
fn family_name(metric: &Metric, field: &Field) -> CompactString {
    let key = field.key.as_str();
    let key = match metric.value_type {
        ValueType::Histogram | ValueType::Summary => ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| key.strip_suffix(suffix))
            .unwrap_or(key),
        ValueType::Counter | ValueType::Gauge | ValueType::Untyped => key,
    };
    match metric.name.as_str() {
        "prometheus" => key.into(),
        name => format_compact!("{name}_{key}"),
    }
}

/// What a field says; none if that is nothing the format has.
fn sample(metric: &Metric, field: &Field) -> Option<Sample> {
    let key = field.key.as_str();
    let point = |label| metric.tag(label).and_then(|bound| parse_float(bound).ok());
    match metric.value_type {
        ValueType::Counter | ValueType::Gauge | ValueType::Untyped => {
            single(&field.value).map(Sample::Single)
        }
        ValueType::Histogram if key.ends_with("_bucket") => {
            Some(Sample::Bucket { bound: point("le")?, count: count(&field.value)? })
        }
        ValueType::Histogram | ValueType::Summary if key.ends_with("_sum") => match field.value {
            Value::Boolean(_) => None,
            ref value => single(value).map(Sample::Sum),
        },
        ValueType::Histogram | ValueType::Summary if key.ends_with("_count") => {
            count(&field.value).map(Sample::Count)
        }
        ValueType::Histogram => None,
        ValueType::Summary => {
            Some(Sample::Quantile { quantile: point("quantile")?, value: single(&field.value)? })
        }
    }
}

fn single(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        Value::Integer(value) => Some(*value as f64),
        Value::Unsigned(value) => Some(*value as f64),
        Value::Boolean(value) => Some(f64::from(u8::from(*value))),
        Value::String(_) => None,
    }
}

fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Float(value) => (*value >= 0.0).then_some(*value as u64),
        Value::Integer(value) => u64::try_from(*value).ok(),
        Value::Unsigned(value) => Some(*value),
        Value::Boolean(_) | Value::String(_) => None,
    }
}
