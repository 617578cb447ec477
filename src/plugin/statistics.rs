//! Counters about the agent itself: what `inputs.internal` reports and the end of a run sums up.
//!
//! # References
//! Names are those of Telegraf's `selfstat` package: `internal_gather`, `internal_write`, ….

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// A number that parts of the agent keep up to date without locks.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds to the number.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Replaces the number, for what goes up and down.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number as it stands.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long something takes on average, from one report to the next.
#[derive(Debug, Clone, Default)]
pub struct AverageTime(Arc<Mutex<Times>>);

#[derive(Debug, Default)]
struct Times {
    sum_ns: u64,
    count: u64,
    last_average_ns: u64,
}

impl AverageTime {
    /// Adds one time.
    pub fn add(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.sum_ns = times.sum_ns.saturating_add(nanos);
        times.count += 1;
    }

    /// The average in nanoseconds of the times since the last call, or what that gave if there
    /// are none.
    pub fn take_average_ns(&self) -> u64 {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(average_ns) = times.sum_ns.checked_div(times.count) {
            *times = Times { last_average_ns: average_ns, ..Times::default() };
        }
        times.last_average_ns
    }
}

/// What a statistic holds.
#[derive(Debug, Clone)]
pub enum Number {
    /// What is counted, or set.
    Counter(Counter),
    /// How long something takes.
    AverageTime(AverageTime),
}

impl Number {
    /// The number as it stands; an average begins anew.
    pub fn take(&self) -> u64 {
        match self {
            Number::Counter(counter) => counter.get(),
            Number::AverageTime(time) => time.take_average_ns(),
        }
    }
}

/// A number with the names under which it is reported.
#[derive(Debug, Clone)]
pub struct Statistic {
    /// The measurement without its `internal_` prefix, such as `write`.
    pub measurement: &'static str,
    /// The field, such as `metrics_written`.
    pub field: &'static str,
    /// What the number belongs to, such as `output` = `kafka`.
    pub tags: Vec<(&'static str, String)>,
    /// Which of several plugins of the same name it belongs to; empty for none.
    pub instance: Arc<str>,
    /// The number.
    pub number: Number,
}

/// All numbers of one agent.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    registry: Arc<Registry>,
    instance: Arc<str>,
}

#[derive(Debug, Default)]
struct Registry {
    all: Mutex<Vec<Statistic>>,
    gather_failures: Counter,
    formats_watched: AtomicBool,
    sources: Mutex<Sources>,
}

/// Fetches numbers from where they come up, when somebody is about to report them.
pub trait Refresh: Send + Sync {
    /// Brings the numbers up to date; it must not take long.
    fn refresh(&self);
}

#[derive(Default)]
struct Sources(Vec<Weak<dyn Refresh>>);

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} sources", self.0.len())
    }
}

impl Statistics {
    /// A view in which new numbers belong to the plugin `instance`, which has others of its name
    /// beside it.
    #[must_use]
    pub fn of_instance(&self, instance: impl Into<Arc<str>>) -> Statistics {
        Statistics { registry: self.registry.clone(), instance: instance.into() }
    }

    /// The numbers of the plugin whose log has this name, such as `inputs.cpu::alias`.
    pub fn of_plugin(&self, log_name: &str) -> PluginStatistics {
        let (name, alias) = log_name.split_once("::").unwrap_or((log_name, ""));
        let (kind, name) = name.split_once('.').unwrap_or(("", name));
        let (measurement, tag) = match kind {
            "outputs" => ("write", "output"),
            "processors" => ("process", "processor"),
            "aggregators" => ("aggregate", "aggregator"),
            _ => ("gather", "input"),
        };
        let mut tags = vec![(tag, name.to_owned())];
        if !alias.is_empty() {
            tags.push(("alias", alias.to_owned()));
        }
        PluginStatistics { statistics: self.clone(), measurement, tags }
    }

    /// The counter of these names, made at zero if there is none yet.
    pub fn counter(
        &self,
        measurement: &'static str,
        field: &'static str,
        tags: &[(&'static str, &str)],
    ) -> Counter {
        let tags = tags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        self.find_or_make(measurement, field, tags)
    }

    /// All numbers, in the order they were made.
    pub fn all(&self) -> Vec<Statistic> {
        self.registry.all.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether somebody reports the numbers; known once all plugins are built.
    pub fn are_reported(&self) -> bool {
        self.registry.formats_watched.load(Ordering::Relaxed)
    }

    /// Has numbers fetched from `source` before they are reported, as long as it is there.
    pub fn fetch_from(&self, source: Weak<dyn Refresh>) {
        self.registry.sources.lock().unwrap_or_else(PoisonError::into_inner).0.push(source);
    }

    /// Has all numbers fetched that do not come by themselves.
    pub fn refresh(&self) {
        let sources: Vec<_> = {
            let mut sources = self.registry.sources.lock().unwrap_or_else(PoisonError::into_inner);
            sources.0.retain(|source| source.strong_count() > 0);
            sources.0.iter().filter_map(Weak::upgrade).collect()
        };
        sources.iter().for_each(|source| source.refresh());
    }

    /// Counts what inputs failed with, in rounds that went on, too. It is not reported, but tells
    /// whether a single round has succeeded.
    pub fn gather_failures(&self) -> Counter {
        self.registry.gather_failures.clone()
    }

    /// Asks for numbers on parsers and serializers, which take a little time to keep.
    pub fn watch_formats(&self) {
        self.registry.formats_watched.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked for numbers on parsers and serializers.
    pub(super) fn are_formats_watched(&self) -> bool {
        self.registry.formats_watched.load(Ordering::Relaxed)
    }

    fn find_or_make<N: Reported>(
        &self,
        measurement: &'static str,
        field: &'static str,
        tags: Vec<(&'static str, String)>,
    ) -> N {
        let mut all = self.registry.all.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().find_map(|statistic| {
            let is_same = statistic.measurement == measurement
                && statistic.field == field
                && statistic.tags == tags
                && statistic.instance == self.instance;
            is_same.then(|| N::of(&statistic.number)).flatten()
        });
        found.unwrap_or_else(|| {
            let made = N::default();
            let (number, instance) = (made.number(), self.instance.clone());
            all.push(Statistic { measurement, field, tags, instance, number });
            made
        })
    }
}

/// The numbers of one plugin.
#[derive(Debug)]
pub struct PluginStatistics {
    statistics: Statistics,
    measurement: &'static str,
    tags: Vec<(&'static str, String)>,
}

impl PluginStatistics {
    /// The numbers of the same plugin that are reported under another name.
    #[must_use]
    pub fn under(&self, measurement: &'static str) -> PluginStatistics {
        let PluginStatistics { statistics, tags, .. } = self;
        PluginStatistics { statistics: statistics.clone(), measurement, tags: tags.clone() }
    }

    /// The counter of this name, made at zero if there is none yet.
    pub fn counter(&self, field: &'static str) -> Counter {
        self.statistics.find_or_make(self.measurement, field, self.tags.clone())
    }

    /// The average time of this name, made empty if there is none yet.
    pub fn average_time(&self, field: &'static str) -> AverageTime {
        self.statistics.find_or_make(self.measurement, field, self.tags.clone())
    }
}

/// A kind of number that statistics hold.
trait Reported: Default {
    fn of(number: &Number) -> Option<Self>;
    fn number(&self) -> Number;
}

impl Reported for Counter {
    fn of(number: &Number) -> Option<Counter> {
        match number {
            Number::Counter(counter) => Some(counter.clone()),
            Number::AverageTime(_) => None,
        }
    }

    fn number(&self) -> Number {
        Number::Counter(self.clone())
    }
}

impl Reported for AverageTime {
    fn of(number: &Number) -> Option<AverageTime> {
        match number {
            Number::AverageTime(time) => Some(time.clone()),
            Number::Counter(_) => None,
        }
    }

    fn number(&self) -> Number {
        Number::AverageTime(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_names_give_the_same_counter() {
        let statistics = Statistics::default();
        let tags = [("output", "kafka")];
        statistics.counter("write", "metrics_written", &tags).add(3);
        statistics.counter("write", "metrics_written", &tags).add(4);
        statistics.counter("write", "metrics_written", &[("output", "file")]).add(1);
        assert_eq!(statistics.counter("write", "metrics_written", &tags).get(), 7);
        assert_eq!(statistics.all().len(), 2);
    }

    #[test]
    fn plugins_of_one_name_have_their_own_numbers_in_one_registry() {
        let statistics = Statistics::default();
        for instance in ["a", "b", "a"] {
            let plugin = statistics.of_instance(instance).of_plugin("inputs.cpu::here");
            plugin.counter("metrics_gathered").add(1);
        }
        let all = statistics.all();
        let seen: Vec<_> = all.iter().map(|each| (&*each.instance, each.number.take())).collect();
        assert_eq!(seen, [("a", 2), ("b", 1)]);
        let tags = [("input", "cpu".to_owned()), ("alias", "here".to_owned())];
        assert_eq!((all[0].measurement, &all[0].tags[..]), ("gather", &tags[..]));
    }

    #[test]
    fn numbers_are_fetched_as_long_as_their_source_is_there() {
        struct Source(Counter);
        impl Refresh for Source {
            fn refresh(&self) {
                self.0.add(1);
            }
        }
        let statistics = Statistics::default();
        let counter =
            statistics.of_plugin("outputs.kafka").under("kafka_producer").counter("requests");
        let source: Arc<dyn Refresh> = Arc::new(Source(counter.clone()));
        statistics.fetch_from(Arc::downgrade(&source));
        statistics.refresh();
        statistics.refresh();
        drop(source);
        statistics.refresh();
        assert_eq!(counter.get(), 2);
        let only = &statistics.all()[0];
        assert_eq!((only.measurement, only.tags[0].1.as_str()), ("kafka_producer", "kafka"));
    }

    #[test]
    fn an_average_time_is_the_average_since_the_last_report() {
        let time = AverageTime::default();
        assert_eq!(time.take_average_ns(), 0);
        time.add(Duration::from_nanos(10));
        time.add(Duration::from_nanos(21));
        assert_eq!(time.take_average_ns(), 15);
        assert_eq!(time.take_average_ns(), 15);
        time.add(Duration::from_nanos(4));
        assert_eq!(time.take_average_ns(), 4);
    }
}
