//! Windows of event time: what the metrics of a key came to in each.
//!
//! Windows are those of Kafka Streams: aligned to 1970, over when the stream time, the highest time
//! that has come, is beyond their end and the grace. The stream time, the windows and everything
//! else is kept for each origin by itself, as a task of Kafka Streams keeps it for its partition;
//! metrics that cannot be read again have one stream for all of them, which is kept in the state
//! file.
//!
//! Nothing of an origin is written anywhere: its windows are made anew from what is read again. How
//! it comes that each result is complete, delivered at least once and repeated only identically is
//! told in [`crate::plugin::event_time`]. In terms of what is written there a span is a window, all
//! keys together; windows that overlap are done with in the order of their ends, and the first
//! metric of each is held by itself. The reasoning about verdicts asks that the highest time before
//! a metric that was let go lies in a window whose end is not above the mark; with windows that
//! overlap that is the last of those it lies in, whose end is behind its time.
//!
//! With `idle` windows end by the wall clock, too, which a second run does not repeat: what comes
//! after such an end is late the first time, and may be counted the second time if the agent died
//! before the mark was committed.
//!
//! # References
//! Kafka Streams' `TimeWindows`, `KStreamWindowAggregate` and `suppress(untilWindowCloses)`.

mod engine;
mod idle;
mod kept;
mod spans;
mod stream;
mod summary;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::event_time::Outbox;
use crate::plugin::settings::Duration;
use crate::plugin::{
    Build, BuildError, Context, Declaration, Patterns, PluginError, Processor, ServiceAccumulator,
    StartError, Stateful,
};
use crate::system::Clock;

use engine::{Counters, Course, Emit, Engine, Late, Originals};
use idle::IdleWatch;
use kept::KeptStream;
use spans::Shape;
use stream::{Bounds, ResultTime, Rules};
use summary::Function;

/// More windows than this at one time are a mistake, which would cost as much memory and time.
const MOST_OVERLAPPING: i64 = 10_000;

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("window", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// How long a window is.
    period: Duration,
    /// How far one begins behind the other; zero for the period.
    hop: Duration,
    /// For how long after its end a window is open.
    grace: Duration,
    /// After which time of silence windows end; zero for never.
    idle: Duration,
    /// Patterns of tags that make the key.
    keys: Vec<String>,
    /// Patterns of fields that count.
    fields: Vec<String>,
    /// What is told of each field.
    functions: Vec<Function>,
    /// The field that takes how many metrics there were.
    count_field: String,
    /// When results are handed over.
    emit: Emit,
    /// The name of results.
    name: String,
    /// What is appended to it.
    name_suffix: String,
    /// What the time of a result is.
    time: ResultTime,
    /// As what results tell where their window begins and ends.
    bounds: Bounds,
    /// What becomes of late metrics.
    late: Late,
    /// The name of late metrics that go on.
    late_name: String,
    /// Whether the metrics themselves are kept from going on.
    drop_original: bool,
    /// How many results may be on their way to outputs.
    max_undelivered_results: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            period: Duration::from_secs(10),
            hop: Duration::ZERO,
            grace: Duration::ZERO,
            idle: Duration::ZERO,
            keys: vec!["*".into()],
            fields: vec!["*".into()],
            functions: vec![Function::Count, Function::Sum],
            count_field: String::new(),
            emit: Emit::Final,
            name: String::new(),
            name_suffix: String::new(),
            time: ResultTime::Start,
            bounds: Bounds::None,
            late: Late::Drop,
            late_name: String::new(),
            drop_original: true,
            max_undelivered_results: 5_000,
        }
    }
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let shape = self.shape()?;
        for (option, span) in [("grace", self.grace), ("idle", self.idle)] {
            if span.is_negative() {
                return Err(BuildError::invalid(format!("{option} is {span}; it is not negative")));
            }
        }
        if self.functions.is_empty() && self.count_field.is_empty() {
            return Err(BuildError::invalid(
                "nothing would be told: set 'functions', 'count_field' or both",
            ));
        }
        if self.max_undelivered_results == 0 {
            return Err(BuildError::invalid("max_undelivered_results is 0; it is at least 1"));
        }
        let rules = Rules {
            shape,
            grace: self.grace.nanos(),
            keys: patterns(&self.keys)?,
            fields: patterns(&self.fields)?,
            functions: self.functions,
            count_field: self.count_field.into(),
            name: self.name.into(),
            name_suffix: self.name_suffix.into(),
            time: self.time,
            bounds: self.bounds,
        };
        // The name must not change with the settings: it is how windows are known that are done.
        let (_, alias) = context.log.name().split_once("::").unwrap_or_default();
        let course = Course {
            emit: self.emit,
            originals: if self.drop_original { Originals::Drop } else { Originals::Pass },
            late: self.late,
            late_name: self.late_name.into(),
            mark: if alias.is_empty() { "window".to_owned() } else { alias.to_owned() },
        };
        let statistics = context.statistics.of_plugin(context.log.name());
        let counters = Counters {
            late: statistics.counter("metrics_late"),
            repeated: statistics.counter("metrics_repeated"),
            ignored: statistics.counter("metrics_ignored"),
            open: statistics.counter("windows_open"),
            closed: statistics.counter("windows_closed"),
        };
        let outbox = Arc::new(Outbox::new(self.max_undelivered_results as usize));
        let engine = Engine::new(rules, course, outbox.clone(), counters, context.log.clone());
        let idle = self.idle.to_std();
        let clock = context.system.clock.clone();
        let engine = Arc::new(Mutex::new(engine));
        Ok(Box::new(Window { shape, idle, outbox, engine, clock, watch: None }))
    }
}

impl Config {
    fn shape(&self) -> Result<Shape, BuildError> {
        const MILLI: i64 = 1_000_000;
        let hop = if self.hop == Duration::ZERO { self.period } else { self.hop };
        for (option, span) in [("period", self.period), ("hop", hop)] {
            if span.nanos() < MILLI || span.nanos() % MILLI != 0 {
                return Err(BuildError::invalid(format!(
                    "{option} is {span}; it is a number of whole milliseconds"
                )));
            }
        }
        let (period, hop) = (self.period.nanos(), hop.nanos());
        if hop > period {
            return Err(BuildError::invalid(format!(
                "hop is {} and so longer than the period of {}: metrics between two windows would \
                 belong to none",
                self.hop, self.period
            )));
        }
        if period / hop > MOST_OVERLAPPING {
            return Err(BuildError::invalid(format!(
                "each metric would belong to {} windows; make hop larger, so that they are at most \
                 {MOST_OVERLAPPING}",
                period / hop
            )));
        }
        Ok(Shape { period, hop })
    }
}

/// Compiles patterns; those that match everything are none.
fn patterns(patterns: &[String]) -> Result<Option<Patterns>, BuildError> {
    if patterns.iter().any(|pattern| pattern == "*") {
        return Ok(None);
    }
    let compiled = Patterns::new(patterns).map_err(BuildError::invalid)?;
    match compiled {
        Some(compiled) => Ok(Some(compiled)),
        // An empty list names none, which is another thing than a list that was left out.
        None => Ok(Patterns::new(&[String::new()]).map_err(BuildError::invalid)?),
    }
}

/// A processor that makes windows.
struct Window {
    shape: Shape,
    idle: std::time::Duration,
    outbox: Arc<Outbox>,
    engine: Arc<Mutex<Engine>>,
    clock: Arc<dyn Clock>,
    watch: Option<IdleWatch>,
}

impl Window {
    fn engine(&self) -> MutexGuard<'_, Engine> {
        lock(&self.engine)
    }
}

/// What a panic has left behind is as good as any: at worst one group of metrics is missing.
fn lock(engine: &Mutex<Engine>) -> MutexGuard<'_, Engine> {
    engine.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Processor for Window {
    fn start(&mut self, later: ServiceAccumulator) -> Result<(), StartError> {
        self.outbox.start(later.clone());
        if !self.idle.is_zero() {
            let watch = IdleWatch::start(self.idle, self.engine.clone(), self.clock.clone(), later)
                .map_err(|error| StartError { retryable: false, source: error.into() })?;
            self.watch = Some(watch);
        }
        Ok(())
    }

    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        let mut onward = Vec::new();
        let now = self.clock.elapsed();
        self.engine().add(metrics, now, &mut onward);
        onward
    }

    fn stop(&mut self) {
        self.watch = None;
        self.engine().stop();
    }

    fn stateful(&mut self) -> Option<&mut dyn Stateful> {
        Some(self)
    }
}

impl Stateful for Window {
    fn state(&self) -> serde_json::Value {
        let kept = KeptStream::of(self.engine().local());
        // Texts and numbers only, which JSON can hold.
        serde_json::to_value(kept).unwrap_or_default()
    }

    fn set_state(&mut self, state: serde_json::Value) -> Result<(), PluginError> {
        let kept: Option<KeptStream> = serde_json::from_value(state)?;
        if let Some(kept) = kept {
            kept.restore(self.shape, self.engine().local());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
