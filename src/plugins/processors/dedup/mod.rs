//! Drops metrics whose values have not changed.
//!
//! # References
//! Telegraf's `processors.dedup`.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Timestamp};
use crate::plugin::settings::Duration;
use crate::plugin::{Build, BuildError, Context, Declaration, Processor};
use crate::system::Clock;

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("dedup", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// How old a metric may be for others to be held against it.
    pub dedup_interval: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config { dedup_interval: Duration::from_secs(600) }
    }
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let clock = context.system.clock.clone();
        Ok(Box::new(Dedup {
            interval_nanos: self.dedup_interval.nanos(),
            last_of: HashMap::new(),
            hasher: RandomState::new(),
            last_cleanup: clock.now(),
            clock,
        }))
    }
}

/// A processor that drops repetitions.
struct Dedup {
    interval_nanos: i64,
    /// The last metric of each series, by the hash of its name and tags.
    last_of: HashMap<u64, Metric>,
    hasher: RandomState,
    last_cleanup: Timestamp,
    clock: Arc<dyn Clock>,
}

impl Dedup {
    /// Whether a metric is news, which the next one is then held against.
    fn is_news(&mut self, metric: &Metric, now: Timestamp) -> bool {
        let series = self.hasher.hash_one((&metric.name, metric.tags()));
        match self.last_of.entry(series) {
            Entry::Vacant(free) => {
                free.insert(metric.clone());
                true
            }
            Entry::Occupied(mut last) => {
                let last = last.get_mut();
                let is_old = is_at_least(now, last.time, self.interval_nanos);
                if is_old || has_changed(last, metric) {
                    last.clone_from(metric);
                    return true;
                }
                last.time == metric.time && add_missing_fields(last, metric)
            }
        }
    }

    /// Forgets the series of which nothing has come for a while.
    fn clean_up(&mut self, now: Timestamp) {
        if is_at_least(now, self.last_cleanup, self.interval_nanos) {
            self.last_cleanup = now;
            self.last_of.retain(|_, last| !is_at_least(now, last.time, self.interval_nanos));
        }
    }
}

/// Whether `time` lies back by a span or more.
fn is_at_least(now: Timestamp, time: Timestamp, span_nanos: i64) -> bool {
    now.nanos().saturating_sub(time.nanos()) >= span_nanos
}

/// Whether a field that both have differs.
fn has_changed(last: &Metric, metric: &Metric) -> bool {
    let mut fields = metric.fields().iter();
    fields.any(|field| last.field(&field.key).is_some_and(|value| *value != field.value))
}

/// Adds the fields that the last metric lacks; several of one series and time are parts of a whole.
fn add_missing_fields(last: &mut Metric, metric: &Metric) -> bool {
    let fields_before = last.fields().len();
    for field in metric.fields() {
        if last.field(&field.key).is_none() {
            last.set_field(field.key.clone(), field.value.clone());
        }
    }
    last.fields().len() > fields_before
}

impl Processor for Dedup {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        let now = self.clock.now();
        metrics.retain(|metric| self.is_news(metric, now));
        self.clean_up(now);
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeClock;

    const START: Timestamp = Timestamp::from_seconds(1_000_000);

    fn dedup(clock: &Arc<FakeClock>) -> Dedup {
        Dedup {
            interval_nanos: 600_000_000_000,
            last_of: HashMap::new(),
            hasher: RandomState::new(),
            last_cleanup: clock.now(),
            clock: clock.clone(),
        }
    }

    fn metric(seconds: i64, value: f64) -> Metric {
        let time = Timestamp::from_seconds(1_000_000 + seconds);
        Metric::new("m", time).with_tag("t", "x").with_field("v", value)
    }

    #[test]
    fn a_value_is_repeated_only_once_the_interval_has_passed() {
        let clock = Arc::new(FakeClock::at(START));
        let mut dedup = dedup(&clock);
        let mut pass = |seconds, value| {
            clock.jump_to(Timestamp::from_seconds(1_000_000 + seconds));
            dedup.apply(vec![metric(seconds, value)]).len()
        };
        assert_eq!([pass(0, 1.0), pass(10, 1.0), pass(20, 2.0), pass(30, 2.0)], [1, 0, 1, 0]);
        // The age is that of the metric kept, which repetitions do not renew.
        assert_eq!([pass(619, 2.0), pass(620, 2.0), pass(630, 2.0)], [0, 1, 0]);
    }

    #[test]
    fn series_that_end_are_forgotten() {
        let clock = Arc::new(FakeClock::at(START));
        let mut dedup = dedup(&clock);
        dedup.apply(vec![metric(0, 1.0)]);
        clock.jump_to(Timestamp::from_seconds(1_000_599));
        dedup.apply(vec![metric(599, 1.0).with_tag("t", "y")]);
        assert_eq!(dedup.last_of.len(), 2);
        clock.jump_to(Timestamp::from_seconds(1_000_600));
        dedup.apply(vec![]);
        assert_eq!(dedup.last_of.len(), 1);
    }

    #[test]
    fn what_is_not_a_number_is_always_news() {
        let clock = Arc::new(FakeClock::at(START));
        let metrics = vec![metric(0, f64::NAN), metric(1, f64::NAN)];
        assert_eq!(dedup(&clock).apply(metrics).len(), 2);
    }
}
