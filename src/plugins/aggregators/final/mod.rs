//! The last metric of each series that has come to its end.
//!
//! # References
//! Telegraf's `aggregators.final`.

use compact_str::format_compact;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Timestamp};
use crate::plugin::series::{Series, SeriesMap};
use crate::plugin::settings::Duration;
use crate::plugin::{Accumulator, Aggregator, Build, BuildError, Context, Declaration};

/// Declares `aggregators.final`.
pub static PLUGIN: Declaration<dyn Aggregator> =
    Declaration::new::<Config>("final", include_str!("sample.conf"));

/// The settings of `aggregators.final`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    keep_original_field_names: bool,
    series_timeout: Duration,
    output_strategy: String,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            keep_original_field_names: false,
            series_timeout: Duration::from_secs(300),
            output_strategy: "timeout".to_owned(),
        }
    }
}

impl Build<dyn Aggregator> for Config {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn Aggregator>, BuildError> {
        let strategy = match self.output_strategy.as_str() {
            "" | "timeout" => Strategy::Timeout { nanos: self.series_timeout.nanos() },
            "periodic" => Strategy::Periodic,
            other => {
                let message = format!(
                    "invalid 'output_strategy': {other:?}; it is \"timeout\" or \"periodic\""
                );
                return Err(BuildError::invalid(message));
            }
        };
        let names = if self.keep_original_field_names { Names::Original } else { Names::Final };
        Ok(Box::new(Final { strategy, names, series: SeriesMap::default() }))
    }
}

/// When a series is pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strategy {
    /// When its last metric is older than this.
    Timeout { nanos: i64 },
    /// At the end of each period.
    Periodic,
}

/// How fields are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Original,
    /// With `_final` behind.
    Final,
}

struct Final {
    strategy: Strategy,
    names: Names,
    series: SeriesMap<Last>,
}

/// The metric of a series that was added last.
#[derive(Debug, Default)]
struct Last {
    time: Timestamp,
    fields: Vec<Field>,
}

impl Aggregator for Final {
    fn add(&mut self, metric: &Metric) {
        let last = self.series.get_or_insert_with(metric, Last::default);
        last.time = metric.time;
        last.fields.clear();
        last.fields.extend_from_slice(metric.fields());
    }

    fn push(&mut self, accumulator: &mut Accumulator<'_>) {
        let now = accumulator.now();
        let (strategy, names) = (self.strategy, self.names);
        self.series.retain(|series| {
            if let Strategy::Timeout { nanos } = strategy
                && now.nanos_after(series.value.time) <= nanos
            {
                return true;
            }
            let Series { name, tags, value: Last { time, fields }, .. } = series;
            let mut fields = std::mem::take(fields);
            if names == Names::Final {
                fields
                    .iter_mut()
                    .for_each(|field| field.key = format_compact!("{}_final", field.key));
            }
            let (name, tags) = (std::mem::take(name), std::mem::take(tags));
            accumulator.add_unrounded(Metric::from_lists(name, *time, tags, fields));
            false
        });
    }

    /// Series live on over the periods until they are pushed.
    fn reset(&mut self) {}
}
