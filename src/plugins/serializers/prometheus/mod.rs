//! Writes metrics in the text format of Prometheus.
//!
//! # References
//! Telegraf's `prometheus` serializer for what becomes of metrics; the exposition formats of
//! Prometheus and its Go library `expfmt` for the text.

mod collection;
mod name;
mod text;

use std::sync::Arc;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Value, ValueType};
use crate::plugin::go::parse_float;
use crate::plugin::{
    Build, BuildError, Context, Declaration, Patterns, PluginError, Quoted, Rejection, Serializer,
};

use collection::{Collection, Label, Labels, Sample};
use name::Characters;

/// The serializer as the table lists it.
pub static PLUGIN: Declaration<dyn Serializer> =
    Declaration::new::<Config>("prometheus", include_str!("sample.conf"));

/// The options beside `data_format = "prometheus"`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Whether samples carry their time.
    pub prometheus_export_timestamp: bool,
    /// Whether families and series are sorted.
    pub prometheus_sort_metrics: bool,
    /// Whether string fields become labels.
    pub prometheus_string_as_label: bool,
    /// Whether the lines that describe a family are left out.
    pub prometheus_compact_encoding: bool,
    /// `legacy` or `utf8`; empty for the first.
    pub prometheus_name_sanitization: String,
    /// Types that series have whatever the metric says.
    pub prometheus_metric_types: MetricTypes,
}

/// Types of series by their names.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct MetricTypes {
    /// Patterns for counters.
    pub counter: Vec<String>,
    /// Patterns for gauges, which have precedence.
    pub gauge: Vec<String>,
}

impl Build<dyn Serializer> for Config {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn Serializer>, BuildError> {
        let characters = match self.prometheus_name_sanitization.as_str() {
            "" | "legacy" => Characters::Legacy,
            "utf8" => Characters::All,
            unknown => {
                return Err(BuildError::invalid(format!(
                    "invalid prometheus_name_sanitization {}: must be \"legacy\" or \"utf8\"",
                    Quoted::new(unknown)
                )));
            }
        };
        Ok(Box::new(Prometheus {
            characters,
            counters: patterns("counter", &self.prometheus_metric_types.counter)?,
            gauges: patterns("gauge", &self.prometheus_metric_types.gauge)?,
            config: self,
        }))
    }
}

fn patterns(kind: &str, patterns: &[String]) -> Result<Option<Patterns>, BuildError> {
    Patterns::new(patterns)
        .map_err(|error| BuildError::invalid(format!("creating {kind} filter failed: {error}")))
}

/// A serializer of the text format.
struct Prometheus {
    config: Config,
    characters: Characters,
    counters: Option<Patterns>,
    gauges: Option<Patterns>,
}

impl Prometheus {
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
        if self.config.prometheus_string_as_label {
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

    fn type_of(&self, name: &str, metric: &Metric) -> ValueType {
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

    fn add(&self, metric: &Metric, collection: &mut Collection) {
        let labels = self.labels(metric);
        for field in metric.fields() {
            let name = family_name(metric, field);
            if let Some(name) = name::of_metric(&name, self.characters)
                && let Some(sample) = sample(metric, field)
            {
                let value_type = self.type_of(&name, metric);
                collection.add(name, value_type, &labels, metric.time, sample);
            }
        }
    }

    fn write<'m>(&self, metrics: impl Iterator<Item = &'m Metric>, out: &mut Vec<u8>) {
        let mut collection = Collection::default();
        metrics.for_each(|metric| self.add(metric, &mut collection));
        if self.config.prometheus_sort_metrics {
            collection.sort();
        }
        text::push(&collection, &self.config, out);
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

impl Serializer for Prometheus {
    fn serialize(&mut self, metric: &Metric, out: &mut Vec<u8>) -> Result<(), PluginError> {
        self.write(std::iter::once(metric), out);
        Ok(())
    }

    fn serialize_batch(
        &mut self,
        metrics: &[Metric],
        out: &mut Vec<u8>,
    ) -> Result<Vec<Rejection>, PluginError> {
        self.write(metrics.iter(), out);
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests;
