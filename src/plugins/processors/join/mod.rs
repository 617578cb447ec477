//! Joins two streams: metrics of both sides with the same key whose times are close to each other.
//!
//! It is as in Kafka Streams, but for what is late: there a metric is late by the highest time of
//! both sides together, which depends on how the two topics happen to be read side by side. Here it
//! is late by what came before it in its own partition, and nothing ends before both sides have
//! come so far. Results are therefore the same whenever the records are read again.
//!
//! Metrics wait in buckets of event time; a bucket is a span in the sense of
//! [`crate::plugin::event_time`], for each origin of the group by itself. Beyond what is said there:
//!
//! * *Results of a bucket hold what is held for both sides*, so that each of the marks says that all
//!   results of the bucket have been delivered, and the highest of them counts.
//! * *What is done with can still be needed*: whether a metric of a bucket that is not done with has
//!   been matched is known only if its match is read again. In left and outer joins the first metrics
//!   of buckets are therefore held for as much longer as metrics may lie apart. Two of which one is
//!   in a bucket that is done with make no result again.
//! * *The verdict on a metric* is the same in a second run, since the place from which everything is
//!   judged, and the time before it, are marks, too.
//!
//! # References
//! Kafka Streams' `JoinWindows` and `KStreamKStreamJoin`.

mod engine;
mod group;
mod held;
mod kept;
mod result;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::event_time::Outbox;
use crate::plugin::settings::Duration;
use crate::plugin::{
    Build, BuildError, Context, Declaration, Patterns, PluginError, Processor, ServiceAccumulator,
    StartError, Stateful,
};
use crate::system::Clock;

use engine::{Counters, Engine, Originals, Sides};
use group::{Kind, Rules};
use kept::KeptGroup;
use result::ResultRules;

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("join", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    left: Vec<String>,
    right: Vec<String>,
    side_tag: String,
    keys: Vec<String>,
    kind: Kind,
    before: Duration,
    after: Duration,
    grace: Duration,
    idle: Duration,
    name: String,
    left_prefix: String,
    right_prefix: String,
    drop_original: bool,
    max_undelivered_results: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            left: Vec::new(),
            right: Vec::new(),
            side_tag: String::new(),
            keys: Vec::new(),
            kind: Kind::Inner,
            before: Duration::from_secs(10),
            after: Duration::from_secs(10),
            grace: Duration::ZERO,
            idle: Duration::ZERO,
            name: "joined".to_owned(),
            left_prefix: "left_".to_owned(),
            right_prefix: "right_".to_owned(),
            drop_original: true,
            max_undelivered_results: 5_000,
        }
    }
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let patterns = |option: &str, list: &[String]| {
            let compiled = Patterns::new(list).map_err(BuildError::invalid)?;
            compiled.map(Some).ok_or_else(|| BuildError::invalid(format!("{option} names nothing")))
        };
        let spans = [
            ("before", self.before),
            ("after", self.after),
            ("grace", self.grace),
            ("idle", self.idle),
        ];
        for (option, span) in spans {
            if span.is_negative() {
                return Err(BuildError::invalid(format!("{option} is {span}; it is not negative")));
            }
        }
        if self.left_prefix == self.right_prefix {
            return Err(BuildError::invalid(
                "left_prefix and right_prefix are the same: fields of the two sides could not be \
                 told apart",
            ));
        }
        let sides = Sides {
            left: patterns("left", &self.left)?,
            right: patterns("right", &self.right)?,
            tag: self.side_tag,
        };
        let rules = Rules {
            kind: self.kind,
            before: self.before.nanos(),
            after: self.after.nanos(),
            grace: self.grace.nanos(),
            idle: (self.idle > Duration::ZERO).then(|| self.idle.to_std()),
            results: ResultRules {
                name: self.name.into(),
                keys: patterns("keys", &self.keys)?,
                prefixes: [self.left_prefix.into(), self.right_prefix.into()],
            },
        };
        if self.max_undelivered_results == 0 {
            return Err(BuildError::invalid("max_undelivered_results is 0; it is at least 1"));
        }
        // The name must not change with the settings: it is how is known what is done.
        let (_, alias) = context.log.name().split_once("::").unwrap_or_default();
        let mark = if alias.is_empty() { "join".to_owned() } else { alias.to_owned() };
        let statistics = context.statistics.of_plugin(context.log.name());
        let counters = Counters {
            late: statistics.counter("metrics_late"),
            repeated: statistics.counter("metrics_repeated"),
            waiting: statistics.counter("metrics_waiting"),
        };
        let originals = if self.drop_original { Originals::Drop } else { Originals::Pass };
        let outbox = Arc::new(Outbox::new(self.max_undelivered_results as usize));
        let log = context.log.clone();
        let engine = Engine::new(rules, sides, originals, mark, outbox.clone(), counters, log);
        Ok(Box::new(Join { engine, outbox, clock: context.system.clock.clone() }))
    }
}

/// A processor that joins two streams.
struct Join {
    engine: Engine,
    outbox: Arc<Outbox>,
    clock: Arc<dyn Clock>,
}

impl Processor for Join {
    fn start(&mut self, later: ServiceAccumulator) -> Result<(), StartError> {
        self.outbox.start(later);
        Ok(())
    }

    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        let mut onward = Vec::new();
        self.engine.add(metrics, self.clock.elapsed(), &mut onward);
        onward
    }

    fn stop(&mut self) {
        self.engine.stop();
    }

    fn stateful(&mut self) -> Option<&mut dyn Stateful> {
        Some(self)
    }
}

impl Stateful for Join {
    fn state(&self) -> serde_json::Value {
        // Texts and numbers only, which JSON can hold.
        let kept = self.engine.kept_local();
        kept.and_then(|kept| serde_json::to_value(kept).ok()).unwrap_or_default()
    }

    fn set_state(&mut self, state: serde_json::Value) -> Result<(), PluginError> {
        let kept: Option<KeptGroup> = serde_json::from_value(state)?;
        match kept {
            Some(kept) => self.engine.restore_local(kept),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
