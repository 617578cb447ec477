//! An input with everything that is not its own subject: filter, names, tags, times, statistics.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::filter::Filter;
use super::guard::guarded;
use super::health::Health;
use super::intake::Intake;
use super::naming::Naming;
use super::options::{StartupErrorBehavior, TimeSource};
use super::state_file::StateSlot;
use crate::metric::{Metric, Timestamp};
use crate::plugin::{
    Accumulator, AverageTime, Counter, Deliver, Finish, Input, PluginError, PluginLog,
    ServiceAccumulator, StartError, Stateful, Statistics,
};
use crate::system::{Clock, System};

/// When an input gathers: its own settings with the agent's filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Time between rounds; above zero.
    pub interval: Duration,
    /// Up to how much later than due a round begins, by chance.
    pub jitter: Duration,
    /// How much later than due every round is.
    pub offset: Duration,
    /// What the times of gathered metrics are rounded to.
    pub precision: Duration,
    /// What the times of a service input's metrics are rounded to; zero is not at all.
    pub service_precision: Duration,
}

/// Whether tags that the filter took away are put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlwaysInclude {
    /// The plugin's own tags: `always_include_local_tags`.
    pub local_tags: bool,
    /// The global tags: `always_include_global_tags`.
    pub global_tags: bool,
}

/// What happens to each metric of an input on its way into the pipeline.
#[derive(Debug)]
pub struct InputShape {
    /// Which metrics, tags and fields pass.
    pub filter: Filter,
    /// Names and tags.
    pub naming: Naming,
    /// Tags that the filter cannot take away.
    pub always_include: AlwaysInclude,
    /// Where times come from.
    pub time_source: TimeSource,
}

/// An input ready to run.
pub struct RunningInput {
    input: Box<dyn Input>,
    /// Its log, which knows its name.
    pub log: PluginLog,
    /// What it is known by in the state file; the same for the same settings.
    pub id: String,
    /// When it gathers.
    pub timing: Timing,
    /// What happens if it cannot start.
    pub startup_error_behavior: StartupErrorBehavior,
    shape: Arc<InputShape>,
    counters: Arc<InputCounters>,
    health: Arc<Health>,
    start: Start,
    state: Option<StateSlot>,
}

/// What an input has left to do after all outputs have ended.
pub struct Finishing {
    /// The name of the input.
    pub name: String,
    /// What it does.
    pub finish: Finish,
}

/// Whether [`Input::start`] has succeeded.
enum Start {
    Done,
    /// It failed, or was not tried; a round tries it again with a clone of this.
    Pending(Option<ServiceAccumulator>),
}

#[derive(Debug)]
struct InputCounters {
    metrics_gathered: Counter,
    /// Rounds that ended with an error; the log counts those that were only reported, too.
    gather_errors: Counter,
    gather_time_ns: AverageTime,
    gather_timeouts: Counter,
    startup_errors: Counter,
    failures: Counter,
}

impl RunningInput {
    /// Wraps an input.
    pub fn new(
        input: Box<dyn Input>,
        log: PluginLog,
        timing: Timing,
        startup_error_behavior: StartupErrorBehavior,
        shape: InputShape,
        statistics: &Statistics,
    ) -> RunningInput {
        let own = statistics.of_plugin(log.name());
        let log = log.counting_errors(own.counter("errors"));
        let counters = InputCounters {
            metrics_gathered: own.counter("metrics_gathered"),
            gather_errors: own.counter("gather_errors"),
            gather_time_ns: own.average_time("gather_time_ns"),
            gather_timeouts: own.counter("gather_timeouts"),
            startup_errors: own.counter("startup_errors"),
            failures: statistics.gather_failures(),
        };
        RunningInput {
            input,
            log,
            id: String::new(),
            timing,
            startup_error_behavior,
            shape: Arc::new(shape),
            counters: Arc::new(counters),
            health: Arc::default(),
            start: Start::Pending(None),
            state: None,
        }
    }

    /// How it is doing, for as long as anybody wants to know.
    pub fn health(&self) -> Arc<Health> {
        self.health.clone()
    }

    /// Whether a first gather only takes a baseline.
    pub fn is_differential(&self) -> bool {
        self.input.is_differential()
    }

    /// Whether it may share a thread with others.
    pub(super) fn is_brief(&self) -> bool {
        self.input.is_brief()
    }

    /// Starts the input; what it brings goes to `intake`.
    ///
    /// # Errors
    /// The input's own error; where it is to be tried again, that is remembered for the rounds.
    pub fn start(
        &mut self,
        intake: &Intake,
        precision: Duration,
        system: &System,
    ) -> Result<(), StartError> {
        let deliver = self.delivery(intake.clone(), precision, system);
        let accumulator = ServiceAccumulator::new(
            Arc::new(deliver),
            system.clock.clone(),
            precision,
            self.log.clone(),
        );
        self.start = Start::Pending(Some(accumulator.clone()));
        match start(&mut *self.input, accumulator) {
            Ok(()) => {
                self.start = Start::Done;
                Ok(())
            }
            Err(error) => {
                self.counters.startup_errors.add(1);
                Err(error)
            }
        }
    }

    /// Counts a start that failed as an error of the round that needed it.
    pub fn report_start(&self, error: &StartError) {
        self.counters.failures.add(1);
        self.log.debug(format_args!("Left out: {error}"));
    }

    /// Counts rounds that took longer than the interval.
    pub fn gather_timeouts(&self) -> Counter {
        self.counters.gather_timeouts.clone()
    }

    /// Gathers one round into `intake`; whatever goes wrong is logged and counted.
    pub fn gather(&mut self, intake: &Intake, system: &System) {
        if !self.ensure_started(system) {
            return;
        }
        let deliver = self.delivery(intake.clone(), self.timing.precision, system);
        self.gather_to(&deliver, system);
    }

    /// Gathers a round that only serves as a baseline for the next.
    pub fn gather_baseline(&mut self, system: &System) {
        let deliver = Discarding(self.error_delivery(system));
        self.gather_to(&deliver, system);
    }

    /// The input's state, if it has any that outlives the agent.
    pub(super) fn stateful(&mut self) -> Option<&mut dyn Stateful> {
        self.input.stateful()
    }

    /// Has the input leave its state in `slot` once it has stopped.
    pub(super) fn leave_state_in(&mut self, slot: StateSlot) {
        self.state = Some(slot);
    }

    /// Ends the input, and tells what it has to do after the outputs have ended.
    pub fn stop(&mut self) -> Option<Finishing> {
        let stopped = guarded(|| {
            self.input.stop();
            if let Some(slot) = &self.state
                && let Some(plugin) = self.input.stateful()
            {
                slot.keep(plugin);
            }
            self.input.finish()
        });
        let finish = stopped.unwrap_or_else(|panicked| {
            self.log.error(format_args!("Error stopping plugin: {panicked}"));
            None
        });
        // The accumulator holds a way into the pipeline, which ends once all of them are gone.
        self.start = Start::Pending(None);
        Some(Finishing { name: self.log.name().to_owned(), finish: finish? })
    }

    fn ensure_started(&mut self, system: &System) -> bool {
        let Start::Pending(Some(accumulator)) = &self.start else { return true };
        match start(&mut *self.input, accumulator.clone()) {
            Ok(()) => {
                self.log.debug("Successfully connected");
                self.start = Start::Done;
                true
            }
            Err(error) => {
                self.counters.startup_errors.add(1);
                self.report(&format!("not connected: {error}").into(), system);
                false
            }
        }
    }

    fn gather_to<D: GatherTarget>(&mut self, target: &D, system: &System) {
        let clock = system.clock.as_ref();
        let n_failures = self.health.n_failures();
        let began = clock.elapsed();
        target.begin(clock.now());
        let mut accumulator = Accumulator::new(target, clock, self.timing.precision);
        // A plugin that panics must not take the agent down; its next round may well succeed.
        let result = guarded(|| self.input.gather(&mut accumulator));
        drop(accumulator);
        target.end(clock.now());
        let took = clock.elapsed().saturating_sub(began);
        self.counters.gather_time_ns.add(took);
        let error = match result {
            Ok(Ok(())) => {
                // What it has reported on the way was an error, too.
                if self.health.n_failures() == n_failures {
                    self.health.succeeded(clock.now());
                }
                return;
            }
            Ok(Err(error)) => error,
            Err(panicked) => panicked.into(),
        };
        self.counters.gather_errors.add(1);
        self.report(&error, system);
    }

    fn report(&self, error: &PluginError, system: &System) {
        self.error_delivery(system).report(error.as_ref());
    }

    fn error_delivery(&self, system: &System) -> ErrorDelivery {
        ErrorDelivery {
            log: self.log.clone(),
            counters: self.counters.clone(),
            health: self.health.clone(),
            clock: system.clock.clone(),
        }
    }

    fn delivery(&self, intake: Intake, precision: Duration, system: &System) -> Delivery {
        Delivery {
            errors: self.error_delivery(system),
            shape: self.shape.clone(),
            intake,
            precision,
            gather: Mutex::new(Gather::default()),
        }
    }
}

fn start(input: &mut dyn Input, accumulator: ServiceAccumulator) -> Result<(), StartError> {
    guarded(|| input.start(accumulator))
        .unwrap_or_else(|panicked| Err(StartError { retryable: false, source: panicked.into() }))
}

/// A place for gathered metrics that wants to know when the gather begins and ends.
trait GatherTarget: Deliver {
    fn begin(&self, now: Timestamp);
    fn end(&self, now: Timestamp);
}

struct ErrorDelivery {
    log: PluginLog,
    counters: Arc<InputCounters>,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
}

impl ErrorDelivery {
    fn report(&self, error: &dyn std::error::Error) {
        self.counters.failures.add(1);
        self.health.failed(self.clock.now(), &error);
        self.log.error(format_args!("Error in plugin: {error}"));
    }
}

/// Throws the metrics of a baseline round away.
struct Discarding(ErrorDelivery);

impl Deliver for Discarding {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        metrics.clear();
    }

    fn report(&self, error: &dyn std::error::Error) {
        self.0.report(error);
    }
}

impl GatherTarget for Discarding {
    fn begin(&self, _now: Timestamp) {}
    fn end(&self, _now: Timestamp) {}
}

/// Brings an input's metrics into shape and into the pipeline.
struct Delivery {
    errors: ErrorDelivery,
    shape: Arc<InputShape>,
    intake: Intake,
    precision: Duration,
    gather: Mutex<Gather>,
}

/// The gather that is under way, for `time_source`.
#[derive(Default)]
struct Gather {
    start: Timestamp,
    /// Metrics whose time is the end of the gather, which is not known yet.
    held: Vec<Metric>,
}

impl Delivery {
    /// Applies names, tags and filter; `false` if nothing is left of the metric.
    fn shape(&self, metric: &mut Metric) -> bool {
        let InputShape { filter, naming, always_include, .. } = self.shape.as_ref();
        if !filter.selects(metric) {
            return false;
        }
        naming.rename(metric);
        naming.add_local_tags(metric);
        naming.add_global_tags(metric);
        filter.modify(metric);
        if metric.fields().is_empty() {
            return false;
        }
        if always_include.local_tags {
            naming.add_local_tags(metric);
        }
        if always_include.global_tags {
            naming.add_global_tags(metric);
        }
        true
    }

    fn send(&self, metrics: Vec<Metric>) {
        self.errors.counters.metrics_gathered.add(metrics.len() as u64);
        if !metrics.is_empty() {
            self.intake.put(metrics);
        }
    }

    fn gather(&self) -> std::sync::MutexGuard<'_, Gather> {
        self.gather.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deliver for Delivery {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        let mut metrics = std::mem::take(metrics);
        metrics.retain_mut(|metric| self.shape(metric));
        match self.shape.time_source {
            TimeSource::Metric => self.send(metrics),
            TimeSource::CollectionStart => {
                let start = self.gather().start.round(self.precision);
                metrics.iter_mut().for_each(|metric| metric.time = start);
                self.send(metrics);
            }
            TimeSource::CollectionEnd => self.gather().held.append(&mut metrics),
        }
    }

    fn report(&self, error: &dyn std::error::Error) {
        self.errors.report(error);
    }
}

impl GatherTarget for Delivery {
    fn begin(&self, now: Timestamp) {
        self.gather().start = now;
    }

    fn end(&self, now: Timestamp) {
        let mut held = std::mem::take(&mut self.gather().held);
        let end = now.round(self.precision);
        held.iter_mut().for_each(|metric| metric.time = end);
        if !held.is_empty() {
            self.send(held);
        }
    }
}
