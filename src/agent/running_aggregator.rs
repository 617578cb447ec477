//! An aggregator with its filter, its window and its names.
//!
//! # References
//! Telegraf's `models/running_aggregator.go`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::filter::Filter;
use super::guard::{Panicked, guarded};
use super::naming::Naming;
use super::schedule::Alignment;
use crate::metric::{Companion, Metric, Timestamp};
use crate::plugin::{Accumulator, Aggregator, Counter, Deliver, PluginLog, Statistics};
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

/// How an aggregator is run.
#[derive(Debug, Clone, Copy)]
pub struct Aggregation {
    /// Which metrics it is shown, and when it is pushed.
    pub window: Window,
    /// What becomes of the metrics that its filter selects.
    pub original: Original,
    /// What the times of its aggregates are rounded to.
    pub precision: Duration,
}

/// An aggregator ready to run.
pub struct RunningAggregator {
    aggregator: Box<dyn Aggregator>,
    log: PluginLog,
    filter: Filter,
    naming: Naming,
    aggregation: Aggregation,
    counters: Counters,
    start: Timestamp,
    end: Timestamp,
}

struct Counters {
    metrics_pushed: Counter,
    metrics_filtered: Counter,
    metrics_dropped: Counter,
    push_time_ns: Counter,
    errors: Counter,
}

impl RunningAggregator {
    /// Wraps an aggregator.
    pub fn new(
        aggregator: Box<dyn Aggregator>,
        log: PluginLog,
        filter: Filter,
        naming: Naming,
        aggregation: Aggregation,
        statistics: &Statistics,
    ) -> RunningAggregator {
        let name = log.name().trim_start_matches("aggregators.");
        let (name, alias) = name.split_once("::").unwrap_or((name, ""));
        let mut tags = vec![("aggregator", name)];
        if !alias.is_empty() {
            tags.push(("alias", alias));
        }
        let counter = |field| statistics.counter("aggregate", field, &tags);
        let counters = Counters {
            metrics_pushed: counter("metrics_pushed"),
            metrics_filtered: counter("metrics_filtered"),
            metrics_dropped: counter("metrics_dropped"),
            push_time_ns: counter("push_time_ns"),
            errors: counter("errors"),
        };
        let (start, end) = (Timestamp::EPOCH, Timestamp::EPOCH);
        RunningAggregator { aggregator, log, filter, naming, aggregation, counters, start, end }
    }

    /// Opens the first window.
    pub fn open(&mut self, now: Timestamp, alignment: Alignment) {
        let period = self.aggregation.window.period;
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
        if self.filter.keeps_all_parts() && metric.companion.is_none() {
            self.add_selected(metric);
        } else {
            let mut metric = metric.clone();
            // An aggregator may keep it for long, which is nothing to wait for.
            metric.companion = Companion::default();
            self.filter.modify(&mut metric);
            self.add_selected(&metric);
        }
        self.aggregation.original
    }

    fn add_selected(&mut self, metric: &Metric) {
        let Window { delay, grace, .. } = self.aggregation.window;
        if metric.fields().is_empty() {
            self.counters.metrics_filtered.add(1);
            return;
        }
        let early = metric.time < self.start.before(grace);
        let late = metric.time > self.end.after(delay);
        if early || late {
            self.log.debug("Metric is outside aggregation window; discarding");
            self.counters.metrics_dropped.add(1);
            return;
        }
        if let Err(panicked) = guarded(|| self.aggregator.add(metric)) {
            self.report_panic(&panicked);
        }
    }

    fn report_panic(&self, panicked: &Panicked) {
        self.counters.errors.add(1);
        self.log.error(format_args!("Error in plugin: {panicked}"));
    }

    /// Ends the window: returns what it came to and opens the next.
    pub fn push(&mut self, system: &System) -> Vec<Metric> {
        self.open_next(system.clock.now());
        let errors = self.counters.errors.clone();
        let collected = Collected { log: self.log.clone(), errors, metrics: Mutex::default() };
        let clock = system.clock.as_ref();
        let aggregator = &mut self.aggregator;
        let precision = self.aggregation.precision;
        let started = clock.elapsed();
        let result = guarded(|| {
            aggregator.push(&mut Accumulator::new(&collected, clock, precision));
            let elapsed = clock.elapsed().saturating_sub(started);
            aggregator.reset();
            elapsed
        });
        match result {
            Ok(elapsed) => {
                let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
                self.counters.push_time_ns.add(nanos);
            }
            Err(panicked) => self.report_panic(&panicked),
        }
        let mut metrics = collected.take();
        for metric in &mut metrics {
            self.naming.rename(metric);
            self.naming.add_local_tags(metric);
        }
        self.counters.metrics_pushed.add(metrics.len() as u64);
        metrics
    }

    fn open_next(&mut self, now: Timestamp) {
        /// How far the wall clock may lag behind a timer, being slowed down by NTP.
        const LAG: Duration = Duration::from_millis(10);
        let period = self.aggregation.window.period;
        let (mut start, mut end) = (self.end, self.end.after(period));
        // After a jump of the clock, or a suspended machine, the next window would lie elsewhere.
        if now < start.before(LAG.min(period / 2)) || now > end {
            start = now.truncate(period);
            end = start.after(period);
        }
        (self.start, self.end) = (start, end);
    }
}

struct Collected {
    log: PluginLog,
    errors: Counter,
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
        self.errors.add(1);
        self.log.error(format_args!("Error in plugin: {error}"));
    }
}

#[cfg(test)]
mod tests;
