//! Where everything the inputs bring comes together: processors, aggregators, and the fan-out.

use std::time::Instant;

use crossbeam_channel::{Receiver, never, select};

use super::intake::Fanout;
use super::late::{Late, Lateness, Stage};
use super::running_aggregator::{Original, RunningAggregator};
use super::running_processor::RunningProcessor;
use super::schedule::Alignment;
use super::startup::StartupError;
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
            Destination::Print(print) => {
                // Printed is not delivered: what can be read again is there for the real run.
                metrics.iter().for_each(|metric| metric.companion.leave_behind());
                print(metrics);
            }
            Destination::Outputs(fanout) => fanout.add(metrics),
        }
    }
}

/// The end of a window that is waited for.
struct Due {
    /// None where there is no window.
    end: Option<Timestamp>,
    timer: Receiver<Instant>,
}

impl Due {
    fn has_come(&self, system: &System) -> bool {
        self.end.is_some_and(|end| end <= system.clock.now())
    }
}

/// The middle of the pipeline.
pub(super) struct Junction {
    processors: Vec<RunningProcessor>,
    aggregators: Vec<RunningAggregator>,
    aggregate_processors: Vec<RunningProcessor>,
    destination: Destination,
    lateness: Lateness,
}

impl Junction {
    pub(super) fn new(
        processors: Vec<RunningProcessor>,
        aggregators: Vec<RunningAggregator>,
        aggregate_processors: Vec<RunningProcessor>,
        destination: Destination,
    ) -> Junction {
        let lateness = Lateness::new();
        Junction { processors, aggregators, aggregate_processors, destination, lateness }
    }

    /// Starts the processors; if one of them cannot, none runs.
    pub(super) fn start(&mut self, system: &System) -> Result<(), StartupError> {
        let before =
            self.processors.iter_mut().zip(0..).map(|(each, at)| (each, Stage::Before(at)));
        let after = self.aggregate_processors.iter_mut().zip(0..);
        let after = after.map(|(each, at)| (each, Stage::After(at)));
        let mut started = Vec::new();
        for (processor, stage) in before.chain(after) {
            let deliver = self.lateness.delivery(stage, processor.log().clone());
            if let Err(source) = processor.start(deliver, system.clock.clone()) {
                let name = processor.log().name().to_owned();
                started.into_iter().for_each(RunningProcessor::stop);
                return Err(StartupError::StartProcessor { name, source });
            }
            started.push(processor);
        }
        Ok(())
    }

    /// Works until all inputs have gone or `inputs_gone` closes, then pushes every aggregator a
    /// last time.
    pub(super) fn run(
        &mut self,
        from_inputs: &Receiver<Vec<Metric>>,
        inputs_gone: &Receiver<()>,
        start_time: Timestamp,
        alignment: Alignment,
        system: &System,
    ) {
        for aggregator in &mut self.aggregators {
            aggregator.open(start_time, alignment);
        }
        let mut due = self.next_due(system);
        loop {
            select! {
                recv(from_inputs) -> metrics => match metrics {
                    Ok(metrics) => {
                        // What is gathered at the end of a window belongs to the next, also where it
                        // overtakes the timer.
                        if due.has_come(system) {
                            due = self.push_ended(&due, system);
                        }
                        self.take(metrics);
                    }
                    Err(_) => break,
                },
                recv(self.lateness.receiver()) -> late => if let Ok(late) = late {
                    self.take_late(late);
                },
                recv(due.timer) -> _ => due = self.push_ended(&due, system),
                recv(inputs_gone) -> _ => break,
            }
        }
        // What those have brought that did not hang.
        from_inputs.try_iter().for_each(|metrics| self.take(metrics));
        // One after the other, since what one hands over passes those behind it.
        for at in 0..self.processors.len() {
            self.processors[at].stop();
            self.take_all_late();
        }
        for at in 0..self.aggregators.len() {
            self.push(at, system);
        }
        for at in 0..self.aggregate_processors.len() {
            self.aggregate_processors[at].stop();
            self.take_all_late();
        }
    }

    fn take_all_late(&mut self) {
        while let Ok(late) = self.lateness.receiver().try_recv() {
            self.take_late(late);
        }
    }

    fn take_late(&mut self, late: Late) {
        match late.stage {
            Stage::Before(at) => {
                let metrics = apply(&mut self.processors[at + 1..], late.metrics);
                self.aggregate(metrics);
            }
            Stage::After(at) => {
                let metrics = apply(&mut self.aggregate_processors[at + 1..], late.metrics);
                self.destination.add(metrics);
            }
        }
    }

    fn take(&mut self, metrics: Vec<Metric>) {
        let metrics = apply(&mut self.processors, metrics);
        self.aggregate(metrics);
    }

    /// Shows metrics to the aggregators and lets them go on.
    fn aggregate(&mut self, mut metrics: Vec<Metric>) {
        if !self.aggregators.is_empty() {
            metrics.retain(|metric| {
                // Every aggregator sees every metric, whatever the others say.
                let verdicts = self.aggregators.iter_mut().map(|each| each.add(metric));
                verdicts.filter(|original| *original == Original::Drop).count() == 0
            });
        }
        self.destination.add(metrics);
    }

    /// The end of the window that ends first.
    fn next_due(&self, system: &System) -> Due {
        let end = self.aggregators.iter().map(RunningAggregator::end).min();
        let timer = match end {
            // At the very end: a metric of that time mostly comes a little later, and then belongs to
            // the next window.
            Some(end) => system.clock.after(end.since(system.clock.now())),
            None => never(),
        };
        Due { end, timer }
    }

    /// Pushes the windows that have ended, and those whose end was waited for: if the wall clock
    /// has been set back meanwhile, it would come to their end only much later. Returns what is
    /// due next.
    fn push_ended(&mut self, due: &Due, system: &System) -> Due {
        let now = system.clock.now();
        let ended = due.end.map_or(now, |end| end.max(now));
        for at in 0..self.aggregators.len() {
            if self.aggregators[at].end() <= ended {
                self.push(at, system);
            }
        }
        self.next_due(system)
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

#[cfg(test)]
mod tests;
