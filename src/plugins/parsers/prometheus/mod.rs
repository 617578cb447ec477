//! Parses the formats of Prometheus: text, and the binary one and OpenMetrics where it is said that
//! it is that.
//!
//! # References
//! Telegraf's `prometheus` and `openmetrics` parsers for the metrics; the exposition formats of Prometheus and its Go
//! library `expfmt` for the text.

mod cursor;
mod families;
mod fault;
mod lines;
mod openmetrics;
mod openmetrics_metrics;
mod protobuf;

use std::sync::Arc;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Tag, Timestamp, Value, ValueType};
use crate::plugin::{
    Build, BuildError, Context, Declaration, Parser, PluginError, PluginLog, ShownFloat,
};
use crate::system::Clock;

use families::{Distribution, Family, Labels, Measured, Series};
pub use fault::{Fault, TextError};
pub use openmetrics::OpenMetricsError;
pub use protobuf::ProtobufError;

/// The parser as the table lists it.
pub static PLUGIN: Declaration<dyn Parser> =
    Declaration::new::<Config>("prometheus", include_str!("sample.conf"));

/// The options beside `data_format = "prometheus"`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The form of the metrics: 1, or 2, which 0 means as well.
    pub prometheus_metric_version: i64,
    /// Whether times in the data are passed over.
    pub prometheus_ignore_timestamp: bool,
}

impl Build<dyn Parser> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Parser>, BuildError> {
        let form = match self.prometheus_metric_version {
            1 => Form::SeriesAsMetrics,
            0 | 2 => Form::SeriesAsFields,
            version => {
                return Err(BuildError::invalid(format!(
                    "unknown prometheus metric version {version}; prometheus_metric_version is 1 \
                     or 2"
                )));
            }
        };
        Ok(Box::new(Prometheus {
            form,
            encoding: Encoding::Text,
            times: match self.prometheus_ignore_timestamp {
                true => Times::OfParsing,
                false => Times::OfData,
            },
            clock: context.system.clock.clone(),
            log: context.log.clone(),
        }))
    }
}

/// How series become metrics: the versions 1 and 2 of the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    SeriesAsMetrics,
    SeriesAsFields,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    OfData,
    OfParsing,
}

/// Input that is not in its format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is no text of that format.
    #[error("decoding response failed: {0}")]
    Text(#[from] TextError),
    /// It is none of the binary format.
    #[error("decoding response failed: {0}")]
    Binary(#[from] ProtobufError),
    /// It is no text of OpenMetrics.
    #[error(transparent)]
    OpenMetrics(#[from] OpenMetricsError),
}

/// How the input is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Text,
    Binary,
    OpenMetrics,
}

/// A parser of the formats.
struct Prometheus {
    form: Form,
    encoding: Encoding,
    times: Times,
    clock: Arc<dyn Clock>,
    log: PluginLog,
}

impl Parser for Prometheus {
    fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError> {
        let text;
        let now = self.clock.now();
        let families = match self.encoding {
            Encoding::Text => {
                text = String::from_utf8_lossy(input);
                lines::read(&text).map_err(DecodeError::from)?
            }
            Encoding::Binary => protobuf::read(input).map_err(DecodeError::from)?,
            Encoding::OpenMetrics => {
                text = String::from_utf8_lossy(input);
                let mut metrics = Vec::new();
                for family in &openmetrics::read(&text).map_err(DecodeError::from)? {
                    let time = |told: Option<Timestamp>| match self.times {
                        Times::OfData => told.unwrap_or(now),
                        Times::OfParsing => now,
                    };
                    openmetrics_metrics::add(family, self.form, time, &mut metrics);
                }
                return Ok(metrics);
            }
        };
        let mut metrics = Vec::with_capacity(families.iter().map(|f| f.series.len()).sum());
        for family in &families {
            for series in &family.series {
                let time = match (self.times, series.time_ms) {
                    (Times::OfData, Some(millis @ 1..)) => Timestamp::from_millis(millis),
                    _ => now,
                };
                match self.form {
                    Form::SeriesAsMetrics => metrics.extend(as_metric(family, series, time)),
                    Form::SeriesAsFields => add_as_fields(family, series, time, &mut metrics),
                }
            }
        }
        Ok(metrics)
    }

    fn set_content_type(&mut self, content_type: &str) {
        self.encoding = Encoding::Text;
        let mut parts = content_type.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_lowercase();
        let parameters: Vec<(String, &str)> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.to_lowercase(), value.trim_matches('"')))
            .collect();
        let get = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, v)| *v);
        let is_known = match kind.as_str() {
            "text/plain" => get("version").is_none_or(|version| version == "0.0.4"),
            "application/vnd.google.protobuf" => {
                let is_family =
                    get("proto").is_none_or(|name| name == "io.prometheus.client.MetricFamily");
                if is_family && get("encoding").is_none_or(|name| name == "delimited") {
                    self.encoding = Encoding::Binary;
                }
                // Written as text it is read like the text format, as in the original.
                is_family
            }
            "application/openmetrics-text" => {
                self.encoding = Encoding::OpenMetrics;
                true
            }
            _ => false,
        };
        if !is_known {
            self.log
                .debug(format_args!("Unknown format {content_type:?}... Trying to continue..."));
        }
    }
}

fn tags(labels: &Labels<'_>) -> Vec<Tag> {
    let mut tags = Vec::with_capacity(labels.len() + 1);
    for (name, value) in labels {
        if !value.is_empty() {
            tags.push(Tag { key: (*name).into(), value: value.as_ref().into() });
        }
    }
    tags
}

fn field(key: impl Into<CompactString>, value: f64) -> Field {
    Field { key: key.into(), value: Value::Float(value) }
}

fn bound_text(bound: f64) -> CompactString {
    format_compact!("{}", ShownFloat(bound))
}

/// The metric of a series by version 1; none where there is nothing to tell.
fn as_metric(family: &Family<'_>, series: &Series<'_>, time: Timestamp) -> Option<Metric> {
    let fields = match &series.measured {
        Measured::Single(value) => {
            let key = match family.value_type() {
                ValueType::Gauge => "gauge",
                ValueType::Counter => "counter",
                _ => "value",
            };
            if value.is_nan() || family.is_gauge_histogram() {
                return None;
            }
            vec![field(key, *value)]
        }
        Measured::Distribution(Distribution { count, sum, points }) => {
            if family.is_gauge_histogram() {
                return None;
            }
            let is_summary = family.value_type() == ValueType::Summary;
            let mut fields = Vec::with_capacity(points.len() + 2);
            fields.push(field("count", *count));
            fields.push(field("sum", *sum));
            let told = points.iter().filter(|(_, value)| !is_summary || !value.is_nan());
            fields.extend(told.map(|(bound, value)| field(bound_text(*bound), *value)));
            fields
        }
    };
    let metric = Metric::from_lists(family.name, time, tags(&series.labels), fields);
    Some(metric.with_type(family.value_type()))
}

/// The name of all metrics by version 2.
const NAME: &str = "prometheus";

/// Adds the metrics of a series by version 2.
fn add_as_fields(
    family: &Family<'_>,
    series: &Series<'_>,
    time: Timestamp,
    metrics: &mut Vec<Metric>,
) {
    let tags = tags(&series.labels);
    let value_type = family.value_type();
    let name = family.name;
    let mut add = |tags: Vec<Tag>, fields| {
        metrics.push(Metric::from_lists(NAME, time, tags, fields).with_type(value_type));
    };
    let Distribution { count, sum, points } = match &series.measured {
        // What the original has no form for it gives as infinite.
        _ if family.is_gauge_histogram() => return add(tags, vec![field(name, f64::INFINITY)]),
        Measured::Single(value) if value.is_nan() => return,
        Measured::Single(value) => return add(tags, vec![field(name, *value)]),
        Measured::Distribution(distribution) => distribution,
    };
    let with_suffix = |suffix: &str| format_compact!("{name}{suffix}");
    let with_tag = |key: &str, bound: f64| {
        let mut tags = tags.clone();
        // Of two equal keys the later one counts.
        tags.push(Tag { key: key.into(), value: bound_text(bound) });
        tags
    };
    add(tags.clone(), vec![field(with_suffix("_count"), *count), field(with_suffix("_sum"), *sum)]);
    if value_type == ValueType::Summary {
        for (quantile, value) in points {
            add(with_tag("quantile", *quantile), vec![field(name, *value)]);
        }
        return;
    }
    let key = with_suffix("_bucket");
    for (bound, value) in points {
        add(with_tag("le", *bound), vec![field(key.clone(), *value)]);
    }
    if !points.iter().any(|(bound, _)| *bound == f64::INFINITY) {
        add(with_tag("le", f64::INFINITY), vec![field(key, *count)]);
    }
}

#[cfg(test)]
mod tests;
