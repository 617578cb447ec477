//! What the families of OpenMetrics become.
//!
//! # References
//! Telegraf's `openmetrics` parser.

use compact_str::{CompactString, format_compact};

use super::openmetrics::{Family, Kind, Point};
use super::{Form, bound_text, field};
use crate::metric::{Field, Metric, Tag, Timestamp, Value, ValueType};
use crate::plugin::go::parse_float;

/// The name of all metrics by version 2.
const NAME: &str = "openmetric";

/// Adds the metrics of a family; `time` makes the times of metrics of those in the data.
pub(super) fn add(
    family: &Family<'_>,
    form: Form,
    time: impl Fn(Option<Timestamp>) -> Timestamp,
    metrics: &mut Vec<Metric>,
) {
    for point in &family.points {
        let time = time(point.time);
        match form {
            Form::SeriesAsMetrics => metrics.extend(as_metric(family, point, time)),
            Form::SeriesAsFields => add_as_fields(family, point, time, metrics),
        }
    }
}

fn value_type(kind: Kind) -> ValueType {
    match kind {
        Kind::Gauge => ValueType::Gauge,
        Kind::Counter => ValueType::Counter,
        Kind::Histogram => ValueType::Histogram,
        Kind::Summary => ValueType::Summary,
        Kind::Unknown | Kind::StateSet | Kind::Info => ValueType::Untyped,
    }
}

fn tags(family: &Family<'_>, point: &Point<'_>) -> Vec<Tag> {
    let labels = point.labels.iter().filter(|(_, value)| !value.is_empty());
    let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
    let mut tags: Vec<Tag> = labels.map(|(key, value)| tag(key, value)).collect();
    if !family.unit.is_empty() {
        tags.push(tag("unit", family.unit));
    }
    tags
}

fn bound(text: &str) -> CompactString {
    bound_text(parse_float(text).unwrap_or(f64::NAN))
}

/// A state as part of a name.
fn state(text: &str) -> String {
    text.replace(' ', "_")
}

fn is_on(key: impl Into<CompactString>, value: f64) -> Field {
    Field { key: key.into(), value: Value::Boolean(value > 0.0) }
}

fn as_metric(family: &Family<'_>, point: &Point<'_>, time: Timestamp) -> Option<Metric> {
    let single = |key: &'static str| {
        let value = point.value.filter(|value| !value.is_nan())?;
        Some(vec![field(key, value)])
    };
    let fields = match family.kind {
        Kind::Unknown => single("value")?,
        Kind::Gauge => single("gauge")?,
        Kind::Counter => single("counter")?,
        Kind::Info => vec![Field { key: "info".into(), value: Value::Unsigned(1) }],
        Kind::StateSet => {
            point.parts.iter().map(|(name, value)| is_on(state(name), *value)).collect()
        }
        Kind::Histogram | Kind::Summary => {
            let mut fields = vec![field("count", point.count)];
            fields.extend(point.sum.map(|sum| field("sum", sum)));
            fields.extend(point.created.map(|seconds| field("created", seconds)));
            let is_told = |value: f64| family.kind == Kind::Histogram || !value.is_nan();
            let parts = point.parts.iter().filter(|(_, value)| is_told(*value));
            fields.extend(parts.map(|(text, value)| field(bound(text), *value)));
            fields
        }
    };
    let metric = Metric::from_lists(family.name, time, tags(family, point), fields);
    Some(metric.with_type(value_type(family.kind)))
}

fn add_as_fields(
    family: &Family<'_>,
    point: &Point<'_>,
    time: Timestamp,
    metrics: &mut Vec<Metric>,
) {
    let (name, tags) = (family.name, tags(family, point));
    let mut add = |tags: Vec<Tag>, fields| {
        let metric = Metric::from_lists(NAME, time, tags, fields);
        metrics.push(metric.with_type(value_type(family.kind)));
    };
    let with_suffix = |suffix: &str| format_compact!("{name}_{suffix}");
    let with_tag = |key: &str, text: &str| {
        let mut tags = tags.clone();
        tags.push(Tag { key: key.into(), value: bound(text) });
        tags
    };
    match family.kind {
        Kind::Unknown | Kind::Gauge | Kind::Counter => {
            if let Some(value) = point.value.filter(|value| !value.is_nan()) {
                add(tags, vec![field(name, value)]);
            }
        }
        Kind::Info => {
            add(tags, vec![Field { key: with_suffix("info"), value: Value::Unsigned(1) }]);
        }
        Kind::StateSet => {
            for (state_name, value) in &point.parts {
                add(tags.clone(), vec![is_on(with_suffix(&state(state_name)), *value)]);
            }
        }
        Kind::Histogram | Kind::Summary => {
            let mut fields = vec![field(with_suffix("count"), point.count)];
            fields.extend(point.sum.map(|sum| field(with_suffix("sum"), sum)));
            fields.extend(point.created.map(|at| field(with_suffix("created"), at)));
            add(tags.clone(), fields);
            let (label, key) = match family.kind {
                Kind::Summary => ("quantile", CompactString::from(name)),
                _ => ("le", with_suffix("bucket")),
            };
            for (text, value) in &point.parts {
                add(with_tag(label, text), vec![field(key.clone(), *value)]);
            }
            let is_open =
                point.parts.iter().any(|(text, _)| parse_float(text) == Ok(f64::INFINITY));
            if family.kind == Kind::Histogram && !is_open {
                add(with_tag(label, "+Inf"), vec![field(key, point.count)]);
            }
        }
    }
}
