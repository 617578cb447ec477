//! One metric out of all those of a series with the same time.
//!
//! # References
//! Telegraf's `aggregators.merge`.

use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Timestamp, Value, ValueType};
use crate::plugin::series::{FieldMap, SeriesMap};
use crate::plugin::settings::Duration;
use crate::plugin::{Accumulator, Aggregator, Build, BuildError, Context, Declaration};

/// Declares `aggregators.merge`.
pub static PLUGIN: Declaration<dyn Aggregator> =
    Declaration::new::<Config>("merge", include_str!("sample.conf"));

/// The settings of `aggregators.merge`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    round_timestamp_to: Duration,
}

impl Build<dyn Aggregator> for Config {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn Aggregator>, BuildError> {
        let precision = if self.round_timestamp_to.is_negative() {
            std::time::Duration::ZERO
        } else {
            self.round_timestamp_to.to_std()
        };
        Ok(Box::new(Merge { precision, series: SeriesMap::default() }))
    }
}

struct Merge {
    /// What times are rounded to before they are compared; zero leaves them as they are.
    precision: std::time::Duration,
    series: SeriesMap<Merged, Timestamp>,
}

struct Merged {
    value_type: ValueType,
    fields: FieldMap<Value>,
}

impl Aggregator for Merge {
    fn add(&mut self, metric: &Metric) {
        let time = metric.time.round(self.precision);
        let new = || Merged { value_type: metric.value_type, fields: FieldMap::default() };
        let merged = self.series.get_or_insert_distinct(metric, time, new);
        for field in metric.fields() {
            merged.fields.set(&field.key, field.value.clone());
        }
    }

    fn push(&mut self, accumulator: &mut Accumulator<'_>) {
        for series in self.series.drain() {
            let time = *series.distinction();
            let fields = series.value.fields.into_entries();
            let fields = fields.map(|(key, value)| Field { key, value }).collect();
            let metric = Metric::from_lists(series.name, time, series.tags, fields);
            accumulator.add_unrounded(metric.with_type(series.value.value_type));
        }
    }

    fn reset(&mut self) {
        self.series.clear();
    }
}
