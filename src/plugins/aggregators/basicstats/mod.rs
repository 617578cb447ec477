//! Count, extremes, mean and more of each field.
//!
//! # References
//! Telegraf's `aggregators.basicstats`; Welford's method for the variance.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Timestamp, Value, seconds};
use crate::plugin::series::{FieldMap, Series, SeriesMap};
use crate::plugin::{Accumulator, Aggregator, Build, BuildError, Context, Declaration};

/// Declares `aggregators.basicstats`.
pub static PLUGIN: Declaration<dyn Aggregator> =
    Declaration::new::<Config>("basicstats", include_str!("sample.conf"));

/// The settings of `aggregators.basicstats`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    stats: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        let stats = ["count", "min", "max", "mean", "s2", "stdev"];
        Config { stats: stats.map(str::to_owned).to_vec() }
    }
}

impl Build<dyn Aggregator> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Aggregator>, BuildError> {
        for name in self.stats.iter().filter(|name| Stat::named(name).is_none()) {
            context.log.warn(format_args!("Unrecognized basic stat {name:?}, ignoring"));
        }
        Ok(Box::new(BasicStats::new(&self)))
    }
}

/// What can be told of the values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stat {
    Count,
    Min,
    Max,
    Mean,
    Sum,
    Last,
    First,
    Variance,
    Deviation,
    Diff,
    NonNegativeDiff,
    Rate,
    NonNegativeRate,
    PercentChange,
    Interval,
}

/// Every stat with its name in the configuration, which is also how its fields end.
const STATS: [(&str, Stat); 15] = [
    ("count", Stat::Count),
    ("min", Stat::Min),
    ("max", Stat::Max),
    ("mean", Stat::Mean),
    ("sum", Stat::Sum),
    ("last", Stat::Last),
    ("first", Stat::First),
    ("s2", Stat::Variance),
    ("stdev", Stat::Deviation),
    ("diff", Stat::Diff),
    ("non_negative_diff", Stat::NonNegativeDiff),
    ("rate", Stat::Rate),
    ("non_negative_rate", Stat::NonNegativeRate),
    ("percent_change", Stat::PercentChange),
    ("interval", Stat::Interval),
];

impl Stat {
    fn named(name: &str) -> Option<Stat> {
        STATS.iter().find(|(known, _)| *known == name).map(|(_, stat)| *stat)
    }
}

struct BasicStats {
    /// The stats to tell, with the endings of their fields.
    stats: Vec<(&'static str, Stat)>,
    series: SeriesMap<FieldMap<Summary>>,
}

impl BasicStats {
    fn new(config: &Config) -> BasicStats {
        let is_wanted = |(name, _): &&(&str, Stat)| config.stats.iter().any(|stat| stat == name);
        let stats = STATS.iter().filter(is_wanted).copied().collect();
        BasicStats { stats, series: SeriesMap::default() }
    }
}

impl Aggregator for BasicStats {
    fn add(&mut self, metric: &Metric) {
        let summaries = self.series.get_or_insert_with(metric, FieldMap::default);
        for field in metric.fields() {
            let Some(value) = field.value.as_f64() else { continue };
            match summaries.get_mut(&field.key) {
                Some(summary) => summary.add(value, metric.time),
                None => summaries.insert_new(&field.key, Summary::new(value, metric.time)),
            }
        }
    }

    fn push(&mut self, accumulator: &mut Accumulator<'_>) {
        let now = accumulator.now();
        for Series { name, tags, value: summaries, .. } in self.series.drain() {
            let mut fields = Vec::with_capacity(summaries.len() * self.stats.len());
            for (key, summary) in summaries.iter() {
                for (ending, stat) in &self.stats {
                    if let Some(value) = summary.value(*stat) {
                        let mut name = CompactString::with_capacity(key.len() + 1 + ending.len());
                        name.push_str(key);
                        name.push('_');
                        name.push_str(ending);
                        fields.push(Field { key: name, value });
                    }
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

/// What is known of the values of one field.
#[derive(Debug, Clone)]
struct Summary {
    count: f64,
    min: f64,
    max: f64,
    sum: f64,
    mean: f64,
    /// The sum of the squares of the distances from the mean.
    squares: f64,
    first: f64,
    last: f64,
    first_time: Timestamp,
    /// Nanoseconds from the first value to the last one.
    interval: i64,
    /// Change and span for the rate: of the last value with another time than the first.
    change: (f64, i64),
}

impl Summary {
    fn new(value: f64, time: Timestamp) -> Summary {
        Summary {
            count: 1.0,
            min: value,
            max: value,
            sum: value,
            mean: value,
            squares: 0.0,
            first: value,
            last: value,
            first_time: time,
            interval: 0,
            change: (0.0, 0),
        }
    }

    fn add(&mut self, value: f64, time: Timestamp) {
        self.count += 1.0;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
        if value < self.min {
            self.min = value;
        } else if value > self.max {
            self.max = value;
        }
        self.sum += value;
        self.last = value;
        self.interval = time.nanos_after(self.first_time);
        if self.interval != 0 {
            self.change = (value - self.first, self.interval);
        }
    }

    /// A stat as a field has it; what compares values needs two of them.
    fn value(&self, stat: Stat) -> Option<Value> {
        let diff = self.last - self.first;
        let is_compared = self.count > 1.0;
        let compared = |value: f64| is_compared.then_some(Value::Float(value));
        match stat {
            Stat::Count => Some(Value::Float(self.count)),
            Stat::Min => Some(Value::Float(self.min)),
            Stat::Max => Some(Value::Float(self.max)),
            Stat::Mean => Some(Value::Float(self.mean)),
            Stat::Sum => Some(Value::Float(self.sum)),
            Stat::Last => Some(Value::Float(self.last)),
            Stat::First => Some(Value::Float(self.first)),
            Stat::Variance => compared(self.variance()),
            Stat::Deviation => compared(self.variance().sqrt()),
            Stat::Diff => compared(diff),
            Stat::NonNegativeDiff => compared(diff).filter(|_| diff >= 0.0),
            Stat::Rate => compared(self.rate()),
            Stat::NonNegativeRate => compared(self.rate()).filter(|_| diff >= 0.0),
            Stat::PercentChange => compared(diff / self.first * 100.0),
            Stat::Interval => is_compared.then_some(Value::Integer(self.interval)),
        }
    }

    fn variance(&self) -> f64 {
        self.squares / (self.count - 1.0)
    }

    /// Change per second.
    fn rate(&self) -> f64 {
        match self.change {
            (_, 0) => 0.0,
            (change, nanos) => change / seconds(nanos),
        }
    }
}
