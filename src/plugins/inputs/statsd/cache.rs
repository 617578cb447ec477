//! What has come since it was last forgotten, by series.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use compact_str::{CompactString, format_compact};

use super::config::Deletion;
use super::line::{Kind, Sample, SampleValue};
use super::running_stats::RunningStats;
use crate::metric::{Metric, Timestamp, Value, ValueType};
use crate::plugin::Accumulator;
use crate::system::Clock;

/// How values are kept and handed out.
#[derive(Debug, Clone)]
pub(super) struct CacheSettings {
    pub(super) percentiles: Vec<f64>,
    pub(super) percentile_limit: usize,
    pub(super) gauges: Deletion,
    pub(super) counters: Deletion,
    pub(super) sets: Deletion,
    pub(super) timings: Deletion,
    pub(super) counters_as: NumberType,
    pub(super) timings_as: NumberType,
    pub(super) sets_as: NumberType,
    /// How long a series stays that gets no values; nothing for ever.
    pub(super) max_ttl: Option<Duration>,
    pub(super) temporality: Temporality,
}

/// The type that counts are handed out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberType {
    Integer,
    Float,
}

impl NumberType {
    fn value(self, count: i64) -> Value {
        match self {
            NumberType::Integer => Value::Integer(count),
            NumberType::Float => Value::Float(count as f64),
        }
    }
}

/// Whether metrics say since when they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temporality {
    Untold,
    /// As the field `start_time`, and a tag of counters.
    Told,
}

/// Where a sample belongs.
pub(super) struct Series<'s> {
    pub(super) name: &'s str,
    pub(super) field: &'s str,
    pub(super) tags: &'s [(CompactString, CompactString)],
}

/// All series of one type, in the order they came.
struct Table<T> {
    places: HashMap<String, usize>,
    series: Vec<Cached<T>>,
}

struct Cached<T> {
    /// Name and tags.
    metric: Metric,
    fields: Vec<(CompactString, T)>,
    /// When the last value came; time since the clock was made.
    updated: Duration,
}

/// Everything that has come.
pub(super) struct Cache {
    settings: CacheSettings,
    clock: Arc<dyn Clock>,
    chance: fastrand::Rng,
    gauges: Table<f64>,
    counters: Table<i64>,
    sets: Table<HashSet<CompactString>>,
    timings: Table<RunningStats>,
    distributions: Vec<Metric>,
    last_gather: Timestamp,
    /// The key of the series in work; kept for its memory.
    key: String,
}

impl Cache {
    pub(super) fn new(
        settings: CacheSettings,
        clock: Arc<dyn Clock>,
        chance: fastrand::Rng,
    ) -> Cache {
        Cache {
            settings,
            last_gather: clock.now(),
            clock,
            chance,
            gauges: Table::new(),
            counters: Table::new(),
            sets: Table::new(),
            timings: Table::new(),
            distributions: Vec::new(),
            key: String::new(),
        }
    }

    /// Takes a value into account; the tags are sorted.
    pub(super) fn add(&mut self, series: &Series<'_>, sample: &Sample<'_>) {
        let now = self.clock.elapsed();
        self.key.clear();
        self.key.push_str(series.name);
        for (key, value) in series.tags {
            self.key.extend(["\0", key, "=", value]);
        }
        let key = &self.key;
        match sample.value {
            SampleValue::Text(text) => {
                self.sets.field(key, series, now, HashSet::new).insert(text.into());
            }
            SampleValue::Count(count) => {
                let sum = self.counters.field(key, series, now, || 0);
                *sum = sum.wrapping_add(count);
            }
            SampleValue::Relative(value) => {
                *self.gauges.field(key, series, now, || 0.0) += value;
            }
            SampleValue::Absolute(value) => match sample.kind {
                Kind::Distribution => {
                    self.distributions.push(named(series).with_field(series.field, value));
                }
                Kind::Timing | Kind::Histogram => self.add_timing(series, now, value, sample.rate),
                _ => *self.gauges.field(key, series, now, || 0.0) = value,
            },
        }
    }

    fn add_timing(&mut self, series: &Series<'_>, now: Duration, value: f64, rate: Option<f64>) {
        // More would be an attack rather than a rate.
        const MOST_TIMES: f64 = 1e6;
        let times = match rate {
            Some(rate) if rate > 0.0 => (1.0 / rate).min(MOST_TIMES) as usize,
            _ => 1,
        };
        let limit = self.settings.percentile_limit;
        let mut left = times;
        let stats = self.timings.field(&self.key, series, now, || {
            left = left.saturating_sub(1);
            RunningStats::of(value)
        });
        (0..left).for_each(|_| stats.add(value, limit, &mut self.chance));
    }

    /// Hands everything out, and forgets what is to be forgotten.
    pub(super) fn gather(&mut self, accumulator: &mut Accumulator<'_>) {
        let now = accumulator.now();
        let start = match self.settings.temporality {
            Temporality::Untold => None,
            Temporality::Told => Some(rfc3339(self.last_gather)),
        };
        let mut add = |mut metric: Metric, kind: ValueType| {
            if let Some(start) = &start {
                metric.set_field("start_time", start.as_str());
            }
            metric.time = now;
            accumulator.add(metric.with_type(kind));
        };
        let settings = &self.settings;
        self.distributions.drain(..).for_each(|metric| add(metric, ValueType::Untyped));
        for cached in &mut self.timings.series {
            let mut metric = cached.metric.clone();
            for (name, stats) in &mut cached.fields {
                add_stats(&mut metric, name, stats, settings);
            }
            add(metric, ValueType::Untyped);
        }
        for cached in &self.gauges.series {
            add(cached.with_fields(|value| Value::Float(*value)), ValueType::Gauge);
        }
        for cached in &self.counters.series {
            let metric = cached.with_fields(|count| settings.counters_as.value(*count));
            add(metric, ValueType::Counter);
        }
        for cached in &self.sets.series {
            let count = |set: &HashSet<_>| i64::try_from(set.len()).unwrap_or(i64::MAX);
            add(cached.with_fields(|set| settings.sets_as.value(count(set))), ValueType::Untyped);
        }
        self.last_gather = now;
        self.forget();
    }

    fn forget(&mut self) {
        let settings = &self.settings;
        let now = self.clock.elapsed();
        let ttl = settings.max_ttl;
        self.gauges.forget(settings.gauges, ttl, now);
        self.counters.forget(settings.counters, ttl, now);
        self.sets.forget(settings.sets, ttl, now);
        self.timings.forget(settings.timings, ttl, now);
    }
}

impl<T> Cached<T> {
    fn with_fields(&self, value: impl Fn(&T) -> Value) -> Metric {
        let fields = self.fields.iter();
        fields.fold(self.metric.clone(), |metric, (name, kept)| {
            metric.with_field(name.clone(), value(kept))
        })
    }
}

impl<T> Table<T> {
    fn new() -> Table<T> {
        Table { places: HashMap::new(), series: Vec::new() }
    }

    /// The field of a series, made by `make` if it is new.
    fn field(
        &mut self,
        key: &str,
        series: &Series<'_>,
        now: Duration,
        make: impl FnOnce() -> T,
    ) -> &mut T {
        let at = match self.places.get(key) {
            Some(at) => *at,
            None => {
                let fields = Vec::with_capacity(1);
                self.series.push(Cached { metric: named(series), fields, updated: now });
                self.places.insert(key.to_owned(), self.series.len() - 1);
                self.series.len() - 1
            }
        };
        let cached = &mut self.series[at];
        cached.updated = now;
        let at = match cached.fields.iter().position(|(name, _)| name == series.field) {
            Some(at) => at,
            None => {
                cached.fields.push((series.field.into(), make()));
                cached.fields.len() - 1
            }
        };
        &mut cached.fields[at].1
    }

    fn forget(&mut self, deletion: Deletion, ttl: Option<Duration>, now: Duration) {
        if deletion == Deletion::EachGather {
            self.places.clear();
            self.series.clear();
        } else if let Some(ttl) = ttl {
            let stays = |cached: &Cached<T>| now <= cached.updated + ttl;
            let mut left = 0;
            let place = |cached: &Cached<T>| {
                stays(cached).then(|| {
                    left += 1;
                    left - 1
                })
            };
            let moved: Vec<Option<usize>> = self.series.iter().map(place).collect();
            self.places.retain(|_, at| match moved[*at] {
                Some(place) => {
                    *at = place;
                    true
                }
                None => false,
            });
            self.series.retain(stays);
        }
    }
}

fn named(series: &Series<'_>) -> Metric {
    let mut metric = Metric::new(series.name, Timestamp::EPOCH);
    for (key, value) in series.tags {
        metric.set_tag(key.clone(), value.clone());
    }
    metric
}

fn add_stats(metric: &mut Metric, name: &str, stats: &mut RunningStats, settings: &CacheSettings) {
    let prefix = match name {
        super::DEFAULT_FIELD => CompactString::default(),
        name => format_compact!("{name}_"),
    };
    for (suffix, value) in [
        ("mean", stats.mean()),
        ("median", stats.median()),
        ("stddev", stats.stddev()),
        ("sum", stats.sum()),
        ("upper", stats.upper()),
        ("lower", stats.lower()),
    ] {
        metric.set_field(format_compact!("{prefix}{suffix}"), value);
    }
    let count = settings.timings_as.value(stats.count());
    metric.set_field(format_compact!("{prefix}count"), count);
    for percent in &settings.percentiles {
        let name = format_compact!("{prefix}{percent}_percentile");
        metric.set_field(name, stats.percentile(*percent));
    }
}

fn rfc3339(time: Timestamp) -> String {
    match jiff::Timestamp::from_second(time.seconds()) {
        Ok(time) => {
            let zoned = time.to_zoned(jiff::tz::TimeZone::system());
            let text = zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
            match text.strip_suffix("+00:00") {
                Some(text) => format!("{text}Z"),
                None => text,
            }
        }
        Err(_) => String::new(),
    }
}
