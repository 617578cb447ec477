//! How often each value of a field occurs.
//!
//! # References
//! Telegraf's `aggregators.valuecounter`.

use std::fmt::Write as _;

use compact_str::CompactString;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Value};
use crate::plugin::series::{Series, SeriesMap};
use crate::plugin::{Accumulator, Aggregator, Build, BuildError, Context, Declaration, Shown};

/// Declares `aggregators.valuecounter`.
pub static PLUGIN: Declaration<dyn Aggregator> =
    Declaration::new::<Config>("valuecounter", include_str!("sample.conf"));

/// The settings of `aggregators.valuecounter`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    fields: Vec<String>,
}

impl Build<dyn Aggregator> for Config {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn Aggregator>, BuildError> {
        Ok(Box::new(ValueCounter {
            fields: self.fields,
            series: SeriesMap::default(),
            name: String::new(),
        }))
    }
}

struct ValueCounter {
    fields: Vec<String>,
    /// Counts by the name of their field: the counted one's and the value.
    series: SeriesMap<HashMap<CompactString, i64>>,
    /// Room for such a name, used again and again.
    name: String,
}

impl Aggregator for ValueCounter {
    fn add(&mut self, metric: &Metric) {
        for field in metric.fields() {
            // A field that is listed twice counts twice.
            let times = self.fields.iter().filter(|name| **name == field.key.as_str()).count();
            if times == 0 {
                continue;
            }
            self.name.clear();
            // Writing to a string cannot fail.
            let _ = write!(self.name, "{}_{}", field.key, Shown(&field.value));
            let counts = self.series.get_or_insert_with(metric, HashMap::default);
            let times = i64::try_from(times).unwrap_or(i64::MAX);
            match counts.get_mut(self.name.as_str()) {
                Some(count) => *count += times,
                None => {
                    counts.insert(self.name.as_str().into(), times);
                }
            }
        }
    }

    fn push(&mut self, accumulator: &mut Accumulator<'_>) {
        let now = accumulator.now();
        for Series { name, tags, value: counts, .. } in self.series.drain() {
            let mut fields: Vec<Field> = counts
                .into_iter()
                .map(|(key, count)| Field { key, value: Value::Integer(count) })
                .collect();
            fields.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            accumulator.add(Metric::from_lists(name, now, tags, fields));
        }
    }

    fn reset(&mut self) {
        self.series.clear();
    }
}
