//! Where everything the inputs bring comes together: processors, aggregators, and the fan-out.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, never, select};

use super::intake::Fanout;
use super::running_aggregator::{Original, RunningAggregator};
use super::running_processor::RunningProcessor;
use super::schedule::Alignment;
use crate::metric::{Metric, Timestamp};
use crate::system::System;

/// Where metrics go in the end.
pub(super) enum Destination {
    /// To the queues of all outputs.
    Outputs(Fanout),
    /// To a function, for `--test`.
    Print(Box<dyn FnMut(Vec<Metric>) + Send>),
}

impl Destination {
    fn add(&mut self, metrics: Vec<Metric>) {
        if metrics.is_empty() {
            return;
        }
        match self {
            Destination::Print(print) => print(metrics),
            Destination::Outputs(fanout) => fanout.add(metrics),
        }
    }
}

/// The middle of the pipeline.
pub(super) struct Junction {
    processors: Vec<RunningProcessor>,
    aggregators: Vec<RunningAggregator>,
    aggregate_processors: Vec<RunningProcessor>,
    destination: Destination,
}

impl Junction {
    pub(super) fn new(
        processors: Vec<RunningProcessor>,
        aggregators: Vec<RunningAggregator>,
        aggregate_processors: Vec<RunningProcessor>,
        destination: Destination,
    ) -> Junction {
        Junction { processors, aggregators, aggregate_processors, destination }
    }

    /// Works until all inputs have gone, then pushes every aggregator a last time.
    pub(super) fn run(
        &mut self,
        from_inputs: &Receiver<Vec<Metric>>,
        start_time: Timestamp,
        alignment: Alignment,
        system: &System,
    ) {
        for aggregator in &mut self.aggregators {
            aggregator.open(start_time, alignment);
        }
        let mut push_due = self.next_push(system);
        loop {
            select! {
                recv(from_inputs) -> metrics => match metrics {
                    Ok(metrics) => self.take(metrics),
                    Err(_) => break,
                },
                recv(push_due) -> _ => {
                    self.push_ended(system);
                    push_due = self.next_push(system);
                }
            }
        }
        for at in 0..self.aggregators.len() {
            self.push(at, system);
        }
        self.processors.iter_mut().for_each(RunningProcessor::stop);
    }

    fn take(&mut self, metrics: Vec<Metric>) {
        let mut metrics = apply(&mut self.processors, metrics);
        if !self.aggregators.is_empty() {
            metrics.retain(|metric| {
                // Every aggregator sees every metric, whatever the others say.
                let verdicts = self.aggregators.iter_mut().map(|each| each.add(metric));
                verdicts.filter(|original| *original == Original::Drop).count() == 0
            });
        }
        self.destination.add(metrics);
    }

    /// A timer for the window that ends first.
    fn next_push(&self, system: &System) -> Receiver<Instant> {
        let Some(end) = self.aggregators.iter().map(RunningAggregator::end).min() else {
            return never();
        };
        // Waking a little early would find no window at its end; a millisecond more never does.
        system.clock.after(end.since(system.clock.now()) + Duration::from_millis(1))
    }

    fn push_ended(&mut self, system: &System) {
        let now = system.clock.now();
        for at in 0..self.aggregators.len() {
            if self.aggregators[at].end() <= now {
                self.push(at, system);
            }
        }
    }

    fn push(&mut self, at: usize, system: &System) {
        let aggregates = self.aggregators[at].push(system);
        let aggregates = apply(&mut self.aggregate_processors, aggregates);
        self.destination.add(aggregates);
    }
}

fn apply(processors: &mut [RunningProcessor], metrics: Vec<Metric>) -> Vec<Metric> {
    processors.iter_mut().fold(metrics, |metrics, processor| processor.apply(metrics))
}
