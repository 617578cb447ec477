//! The smallest and the largest value of each field.
//!
//! # References
//! Telegraf's `aggregators.minmax`.

use compact_str::format_compact;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Value};
use crate::plugin::series::{FieldMap, Series, SeriesMap};
use crate::plugin::{Accumulator, Aggregator, Build, BuildError, Context, Declaration};

/// Declares `aggregators.minmax`.
pub static PLUGIN: Declaration<dyn Aggregator> =
    Declaration::new::<Config>("minmax", include_str!("sample.conf"));

/// The settings of `aggregators.minmax`: none of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {}

impl Build<dyn Aggregator> for Config {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn Aggregator>, BuildError> {
        Ok(Box::new(MinMax::default()))
    }
}

#[derive(Default)]
struct MinMax {
    series: SeriesMap<FieldMap<Extremes>>,
}

#[derive(Debug, Clone, Copy)]
struct Extremes {
    min: f64,
    max: f64,
}

impl Aggregator for MinMax {
    fn add(&mut self, metric: &Metric) {
        let fields = self.series.get_or_insert_with(metric, FieldMap::default);
        for field in metric.fields() {
            let Some(value) = field.value.as_f64() else { continue };
            match fields.get_mut(&field.key) {
                Some(known) if value < known.min => known.min = value,
                Some(known) if value > known.max => known.max = value,
                Some(_) => {}
                None => fields.insert_new(&field.key, Extremes { min: value, max: value }),
            }
        }
    }

    fn push(&mut self, accumulator: &mut Accumulator<'_>) {
        let now = accumulator.now();
        for Series { name, tags, value, .. } in self.series.drain() {
            let mut fields = Vec::with_capacity(2 * value.len());
            for (key, Extremes { min, max }) in value.iter() {
                let (min, max) = (Value::Float(*min), Value::Float(*max));
                fields.push(Field { key: format_compact!("{key}_min"), value: min });
                fields.push(Field { key: format_compact!("{key}_max"), value: max });
            }
            if !fields.is_empty() {
                accumulator.add(Metric::from_lists(name, now, tags, fields));
            }
        }
    }

    fn reset(&mut self) {
        self.series.clear();
    }
}
