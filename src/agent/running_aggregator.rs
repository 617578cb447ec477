//! An aggregator with its filter, its window and its names.
//!
//! # References
//! Telegraf's `models/running_aggregator.go`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::filter::Filter;
use super::naming::Naming;
use super::running_input::panic_message;
use super::schedule::Alignment;
use crate::metric::{Companion, Metric, Timestamp};
use crate::plugin::{Accumulator, Aggregator, Deliver, PluginLog};
use crate::system::System;

/// The window of an aggregator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How long it is; above zero.
    pub period: Duration,
    /// How much later than its end a metric may be.
    pub delay: Duration,
    /// How much earlier than its start a metric may be.
    pub grace: Duration,
}

/// What becomes of a metric that an aggregator has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Original {
    /// It goes on to the outputs.
    Pass,
    /// It ends here.
    Drop,
}

/// An aggregator ready to run.
pub struct RunningAggregator {
    aggregator: Box<dyn Aggregator>,
    log: PluginLog,
    filter: Filter,
    naming: Naming,
    window: Window,
    original: Original,
    precision: Duration,
    start: Timestamp,
    end: Timestamp,
}

impl RunningAggregator {
    /// Wraps an aggregator; `original` is what becomes of the metrics that its filter selects.
    pub fn new(
        aggregator: Box<dyn Aggregator>,
        log: PluginLog,
        filter: Filter,
        naming: Naming,
        window: Window,
        original: Original,
        precision: Duration,
    ) -> RunningAggregator {
        let (start, end) = (Timestamp::EPOCH, Timestamp::EPOCH);
        RunningAggregator {
            aggregator,
            log,
            filter,
            naming,
            window,
            original,
            precision,
            start,
            end,
        }
    }

    /// Opens the first window.
    pub fn open(&mut self, now: Timestamp, alignment: Alignment) {
        let period = self.window.period;
        self.end = match alignment {
            Alignment::Clock => now.truncate(period).after(period),
            Alignment::Start => now.after(period),
        };
        self.start = self.end.before(period);
    }

    /// When the window ends and is due to be pushed.
    pub fn end(&self) -> Timestamp {
        self.end
    }

    /// Shows it a metric.
    pub fn add(&mut self, metric: &Metric) -> Original {
        if !self.filter.selects(metric) {
            return Original::Pass;
        }
        let mut metric = metric.clone();
        // An aggregator may keep it for long, which is nothing to wait for.
        metric.companion = Companion::default();
        self.filter.modify(&mut metric);
        if metric.fields().is_empty() {
            return self.original;
        }
        let early = metric.time < self.start.before(self.window.grace);
        let late = metric.time > self.end.after(self.window.delay);
        if early || late {
            self.log.debug("Metric is outside aggregation window; discarding");
            return self.original;
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.aggregator.add(&metric))) {
            self.log.error(format_args!("Error in plugin: panicked: {}", panic_message(&panic)));
        }
        self.original
    }

    /// Ends the window: returns what it came to and opens the next.
    pub fn push(&mut self, system: &System) -> Vec<Metric> {
        self.open_next(system.clock.now());
        let collected = Collected { log: self.log.clone(), metrics: Mutex::default() };
        let clock = system.clock.as_ref();
        let aggregator = &mut self.aggregator;
        let result = catch_unwind(AssertUnwindSafe(|| {
            aggregator.push(&mut Accumulator::new(&collected, clock, self.precision));
            aggregator.reset();
        }));
        if let Err(panic) = result {
            self.log.error(format_args!("Error in plugin: panicked: {}", panic_message(&panic)));
        }
        let mut metrics = collected.take();
        for metric in &mut metrics {
            self.naming.rename(metric);
            self.naming.add_local_tags(metric);
        }
        metrics
    }

    fn open_next(&mut self, now: Timestamp) {
        let period = self.window.period;
        let (mut start, mut end) = (self.end, self.end.after(period));
        // After a jump of the clock, or a suspended machine, the next window would lie elsewhere.
        if now < start || now > end {
            start = now.truncate(period);
            end = start.after(period);
        }
        (self.start, self.end) = (start, end);
    }
}

struct Collected {
    log: PluginLog,
    metrics: Mutex<Vec<Metric>>,
}

impl Collected {
    fn take(self) -> Vec<Metric> {
        self.metrics.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deliver for Collected {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner).append(metrics);
    }

    fn report(&self, error: &dyn std::error::Error) {
        self.log.error(format_args!("Error in plugin: {error}"));
    }
}
