//! Quantiles of each field.
//!
//! # References
//! Telegraf's `aggregators.quantile`.

mod digest;
mod exact;
mod go_random;

use compact_str::format_compact;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Value};
use crate::plugin::series::{FieldMap, Series, SeriesMap};
use crate::plugin::{Accumulator, Aggregator, Build, BuildError, Context, Declaration, PluginLog};
use digest::Digest;
use exact::Definition;

/// Declares `aggregators.quantile`.
pub static PLUGIN: Declaration<dyn Aggregator> =
    Declaration::new::<Config>("quantile", include_str!("sample.conf"));

/// The settings of `aggregators.quantile`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    quantiles: Vec<f64>,
    algorithm: String,
    compression: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            quantiles: vec![0.25, 0.5, 0.75],
            algorithm: "t-digest".to_owned(),
            compression: 100.0,
        }
    }
}

/// What is wrong with the settings.
#[derive(Debug, PartialEq, thiserror::Error)]
enum ConfigError {
    #[error("unknown algorithm type {0:?}; it is \"t-digest\", \"exact R7\" or \"exact R8\"")]
    Algorithm(String),
    #[error("cannot create {0:?} algorithm: Compression should be >= 1")]
    Compression(String),
    #[error("quantile {0} out of range; it is from 0 to 1")]
    Range(f64),
    #[error("duplicate quantile {0}")]
    Duplicate(f64),
}

impl Build<dyn Aggregator> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Aggregator>, BuildError> {
        let quantile = Quantile::new(self, context.log.clone());
        Ok(Box::new(quantile.map_err(BuildError::invalid)?))
    }
}

/// How quantiles are computed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Algorithm {
    Digest { compression: f64 },
    Exact(Definition),
}

struct Quantile {
    /// The shares of values below, and how their fields end.
    quantiles: Vec<(f64, String)>,
    algorithm: Algorithm,
    series: SeriesMap<FieldMap<Values>>,
    log: PluginLog,
}

/// What is kept of the values of a field.
enum Values {
    Digest(Box<Digest>),
    All(Vec<f64>),
}

impl Quantile {
    fn new(config: Config, log: PluginLog) -> Result<Quantile, ConfigError> {
        let Config { mut quantiles, algorithm: name, compression } = config;
        let algorithm = match name.as_str() {
            "" | "t-digest" if compression.is_nan() || compression < 1.0 => {
                return Err(ConfigError::Compression(name));
            }
            "" | "t-digest" => Algorithm::Digest { compression },
            "exact R7" => Algorithm::Exact(Definition::R7),
            "exact R8" => Algorithm::Exact(Definition::R8),
            _ => return Err(ConfigError::Algorithm(name)),
        };
        if quantiles.is_empty() {
            quantiles = Config::default().quantiles;
        }
        for (at, quantile) in quantiles.iter().enumerate() {
            if !(0.0..=1.0).contains(quantile) {
                return Err(ConfigError::Range(*quantile));
            }
            if quantiles[..at].contains(quantile) {
                return Err(ConfigError::Duplicate(*quantile));
            }
        }
        // Percents are cut, not rounded: 0.29 · 100 lies just below 29, and ends in 028.
        let ending = |share: f64| (share, format!("_{:03}", (share * 100.0) as i64));
        let quantiles = quantiles.into_iter().map(ending).collect();
        Ok(Quantile { quantiles, algorithm, series: SeriesMap::default(), log })
    }

    fn reject(&self, field: &str) {
        self.log.error(format_args!("adding field {field}: Key must not be NaN"));
    }
}

impl Values {
    fn new(algorithm: Algorithm) -> Values {
        match algorithm {
            Algorithm::Digest { compression } => Values::Digest(Box::new(Digest::new(compression))),
            Algorithm::Exact(_) => Values::All(Vec::new()),
        }
    }

    fn add(&mut self, value: f64) {
        match self {
            Values::Digest(digest) => digest.add(value),
            Values::All(values) => values.push(value),
        }
    }
}

impl Aggregator for Quantile {
    fn add(&mut self, metric: &Metric) {
        let algorithm = self.algorithm;
        let numbers = metric.fields().iter().filter_map(|field| {
            let value = field.value.as_f64()?;
            Some((&field.key, value))
        });
        if let Some(fields) = self.series.get_mut(metric) {
            // Fields that a series did not begin its period with are left out.
            let mut rejected = None;
            for (key, value) in numbers {
                match fields.get_mut(key) {
                    Some(_) if value.is_nan() => rejected = Some(key),
                    Some(values) => values.add(value),
                    None => {}
                }
            }
            if let Some(key) = rejected {
                self.reject(key);
            }
            return;
        }
        let mut fields = FieldMap::default();
        for (key, value) in numbers {
            let mut values = Values::new(algorithm);
            if value.is_nan() {
                self.reject(key);
            } else {
                values.add(value);
            }
            fields.insert_new(key, values);
        }
        self.series.get_or_insert_with(metric, || fields);
    }

    fn push(&mut self, accumulator: &mut Accumulator<'_>) {
        let now = accumulator.now();
        let algorithm = self.algorithm;
        for Series { name, tags, value, .. } in self.series.drain() {
            let mut fields = Vec::with_capacity(value.len() * self.quantiles.len());
            for (key, mut values) in value.into_entries() {
                if let Values::All(values) = &mut values {
                    exact::sort(values);
                }
                for (share, ending) in &self.quantiles {
                    let quantile = match (&values, algorithm) {
                        (Values::Digest(digest), _) => digest.quantile(*share),
                        (Values::All(values), Algorithm::Exact(definition)) => {
                            exact::quantile(values, *share, definition)
                        }
                        (Values::All(_), Algorithm::Digest { .. }) => f64::NAN,
                    };
                    let key = format_compact!("{key}{ending}");
                    fields.push(Field { key, value: Value::Float(quantile) });
                }
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

#[cfg(test)]
mod tests;
