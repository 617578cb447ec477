//! Drops metrics whose values have not changed.
//!
//! What it remembers outlives the agent where there is a state file: the last metrics in line
//! protocol, in base64 as all bytes in that file.
//!
//! # References
//! Telegraf's `processors.dedup`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::metric::{Companion, Metric, Timestamp};
use crate::plugin::settings::Duration;
use crate::plugin::{
    Build, BuildError, Context, Declaration, Parser, PluginError, PluginLog, Processor, Serializer,
    Stateful,
};
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
            parser: context.parser("influx")?,
            serializer: RefCell::new(context.serializer("influx")?),
            log: context.log.clone(),
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
    /// For the state.
    parser: Box<dyn Parser>,
    serializer: RefCell<Box<dyn Serializer>>,
    log: PluginLog,
}

impl Dedup {
    /// Whether a metric is news, which the next one is then held against.
    fn is_news(&mut self, metric: &Metric, now: Timestamp) -> bool {
        let series = self.hasher.hash_one((&metric.name, metric.tags()));
        match self.last_of.entry(series) {
            Entry::Vacant(free) => {
                free.insert(remembered(metric));
                true
            }
            Entry::Occupied(mut last) => {
                let last = last.get_mut();
                let is_old = is_at_least(now, last.time, self.interval_nanos);
                if is_old || has_changed(last, metric) {
                    *last = remembered(metric);
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

/// A copy that may be kept for long, which nothing that goes along with the metric waits for.
fn remembered(metric: &Metric) -> Metric {
    let mut copy = metric.clone();
    copy.companion = Companion::default();
    copy
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

    fn stateful(&mut self) -> Option<&mut dyn Stateful> {
        Some(self)
    }
}

impl Stateful for Dedup {
    fn state(&self) -> serde_json::Value {
        let mut last: Vec<&Metric> = self.last_of.values().collect();
        last.sort_unstable_by(|a, b| (&a.name, a.tags()).cmp(&(&b.name, b.tags())));
        let mut lines = Vec::new();
        for metric in last {
            if let Err(error) = self.serializer.borrow_mut().serialize(metric, &mut lines) {
                self.log.debug(format_args!("{} is not remembered: {error}", metric.name));
            }
        }
        STANDARD.encode(lines).into()
    }

    fn set_state(&mut self, state: serde_json::Value) -> Result<(), PluginError> {
        let text = match &state {
            // What nothing is remembered of comes as this.
            serde_json::Value::Null => "",
            state => state.as_str().ok_or("the state is no text")?,
        };
        let metrics = self.parser.parse(&STANDARD.decode(text)?)?;
        self.apply(metrics);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
