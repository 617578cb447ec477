//! Where inputs and aggregators put their metrics.

use std::sync::Arc;
use std::time::Duration;

use super::PluginLog;
use crate::metric::{Metric, Timestamp};
use crate::system::Clock;

/// How many metrics an accumulator holds before it hands them on.
const HAND_ON_AT: usize = 1_000;

/// Takes finished metrics from an accumulator into the pipeline.
///
/// The engine implements it: it filters, names and tags each metric and passes the rest on.
pub trait Deliver: Send + Sync {
    /// Takes the metrics out of `metrics`, leaving it empty for reuse.
    fn deliver(&self, metrics: &mut Vec<Metric>);

    /// Counts and logs an error of the plugin.
    fn report(&self, error: &dyn std::error::Error);
}

/// Collects the metrics of one gather or push.
///
/// Metrics without a time of their own get the time at which they are added; all times are
/// rounded to the precision. Metrics are handed on in groups, so that an input that reads a large
/// file holds little of it at a time.
pub struct Accumulator<'a> {
    deliver: &'a dyn Deliver,
    clock: &'a dyn Clock,
    precision: Duration,
    metrics: Vec<Metric>,
}

impl<'a> Accumulator<'a> {
    /// Makes an accumulator that rounds to `precision`, zero meaning not at all.
    pub fn new(
        deliver: &'a dyn Deliver,
        clock: &'a dyn Clock,
        precision: Duration,
    ) -> Accumulator<'a> {
        Accumulator { deliver, clock, precision, metrics: Vec::new() }
    }

    /// The time that a metric measured now should carry, not yet rounded.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Adds a metric, its time rounded to the precision.
    pub fn add(&mut self, mut metric: Metric) {
        metric.time = metric.time.round(self.precision);
        self.add_unrounded(metric);
    }

    /// Adds a metric that keeps its time as it is, for aggregates of metrics' own times.
    pub fn add_unrounded(&mut self, metric: Metric) {
        self.metrics.push(metric);
        if self.metrics.len() >= HAND_ON_AT {
            self.deliver.deliver(&mut self.metrics);
            // Whoever has brought so many most likely brings as many again.
            self.metrics.reserve(HAND_ON_AT);
        }
    }

    /// Reports an error without ending the round.
    pub fn report(&mut self, error: impl Into<super::PluginError>) {
        self.deliver.report(error.into().as_ref());
    }
}

impl Drop for Accumulator<'_> {
    fn drop(&mut self) {
        if !self.metrics.is_empty() && !std::thread::panicking() {
            self.deliver.deliver(&mut self.metrics);
        }
    }
}

/// Takes the metrics of a service input, from any thread, whenever they come.
///
/// Adding blocks while the pipeline is full.
#[derive(Clone)]
pub struct ServiceAccumulator {
    deliver: Arc<dyn Deliver>,
    clock: Arc<dyn Clock>,
    precision: Duration,
    log: PluginLog,
}

impl ServiceAccumulator {
    /// Makes an accumulator that rounds to `precision`, zero meaning not at all.
    pub fn new(
        deliver: Arc<dyn Deliver>,
        clock: Arc<dyn Clock>,
        precision: Duration,
        log: PluginLog,
    ) -> ServiceAccumulator {
        ServiceAccumulator { deliver, clock, precision, log }
    }

    /// The time that a metric received now should carry, not yet rounded.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The log of the plugin, for its own threads.
    pub fn log(&self) -> &PluginLog {
        &self.log
    }

    /// Adds metrics, their times rounded to the precision, and leaves the list empty.
    pub fn add_all(&self, metrics: &mut Vec<Metric>) {
        for metric in metrics.iter_mut() {
            metric.time = metric.time.round(self.precision);
        }
        self.deliver.deliver(metrics);
    }

    /// Reports an error.
    pub fn report(&self, error: impl Into<super::PluginError>) {
        self.deliver.report(error.into().as_ref());
    }
}
