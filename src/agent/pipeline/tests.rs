//! The pipeline as a whole, with plugins made for the purpose and a clock that tests move.

mod faults;
mod finishing;
mod jumps;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::*;
use crate::agent::filter::Filter;
use crate::agent::naming::Naming;
use crate::agent::options::{
    AgentOptions, FilterOptions, NamingOptions, StartupErrorBehavior, TimeSource,
};
use crate::agent::running_aggregator::{Aggregation, Original, RunningAggregator, Window};
use crate::agent::running_input::{AlwaysInclude, InputShape, Timing};
use crate::agent::running_output::Flushing;
use crate::agent::running_processor::RunningProcessor;
use crate::metric::{Tag, Timestamp, Value};
use crate::plugin::{
    Accumulator, Aggregator, ConnectError, Input, Output, PluginError, PluginLog, Processor,
    ServiceAccumulator, StartError, Statistics, WriteError,
};
use crate::system::{Host, HostRoots, Random, fake::FakeClock};

const SECOND: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(10);

/// Counts its rounds; panics or fails in the rounds it is told to.
struct CountingInput {
    round: i64,
    panics_in: Option<i64>,
    differential: bool,
    brief: bool,
}

impl Input for CountingInput {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        self.round += 1;
        assert_ne!(Some(self.round), self.panics_in);
        let now = accumulator.now();
        accumulator.add(Metric::new("count", now).with_field("round", self.round));
        Ok(())
    }

    fn is_brief(&self) -> bool {
        self.brief
    }

    fn is_differential(&self) -> bool {
        self.differential
    }
}

/// Hands every batch to the test and answers with what the test has prepared.
struct ScriptedOutput {
    written: Sender<Vec<Metric>>,
    answers: Receiver<Result<(), WriteError>>,
    connects: Arc<Mutex<Vec<Result<(), ConnectError>>>>,
}

impl Output for ScriptedOutput {
    fn connect(&mut self) -> Result<(), ConnectError> {
        self.connects.lock().unwrap().pop().unwrap_or(Ok(()))
    }

    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        self.written.send(batch.to_vec()).unwrap();
        self.answers.try_recv().unwrap_or(Ok(()))
    }
}

struct Doubling;

impl Processor for Doubling {
    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        metrics.into_iter().flat_map(|metric| [metric.clone(), metric]).collect()
    }
}

#[derive(Default)]
struct Sum {
    sum: i64,
}

impl Aggregator for Sum {
    fn add(&mut self, metric: &Metric) {
        if let Some(Value::Integer(round)) = metric.field("round") {
            self.sum += round;
        }
    }

    fn push(&mut self, accumulator: &mut Accumulator<'_>) {
        let now = accumulator.now();
        accumulator.add(Metric::new("sum", now).with_field("sum", self.sum));
    }

    fn reset(&mut self) {
        self.sum = 0;
    }
}

/// A plan with its test's ends.
struct Bench {
    clock: Arc<FakeClock>,
    system: System,
    plan: Plan,
    statistics: Statistics,
    written: Receiver<Vec<Metric>>,
    answers: Sender<Result<(), WriteError>>,
    connects: Arc<Mutex<Vec<Result<(), ConnectError>>>>,
    _interrupt: Sender<()>,
    interrupted: Receiver<()>,
}

impl Bench {
    fn new(start_seconds: i64, input: CountingInput) -> Bench {
        Bench::with_options(start_seconds, input, Timing::every(SECOND * 10), 10)
    }

    fn with_options(
        start_seconds: i64,
        input: CountingInput,
        timing: Timing,
        batch_size: usize,
    ) -> Bench {
        let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(start_seconds)));
        let system = System {
            clock: clock.clone(),
            host: Arc::new(Host::new(HostRoots::from_variables(|_| None))),
            random: Random::from_seed(7),
        };
        let statistics = Statistics::default();
        let input = running("inputs.count", input, timing, &statistics);
        let (written_sender, written) = unbounded();
        let (answers, answers_receiver) = unbounded();
        let connects = Arc::new(Mutex::new(Vec::new()));
        let output = RunningOutput::new(
            Box::new(ScriptedOutput {
                written: written_sender,
                answers: answers_receiver,
                connects: connects.clone(),
            }),
            PluginLog::new("outputs.scripted"),
            Flushing { interval: SECOND * 10, jitter: Duration::ZERO, batch_size, buffer_limit: 5 },
            StartupErrorBehavior::Error,
            Filter::default(),
            Naming::default(),
            &statistics,
        );
        let plan = Plan {
            agent: AgentOptions::default(),
            hostname: "h".into(),
            inputs: vec![input],
            processors: Vec::new(),
            aggregators: Vec::new(),
            aggregate_processors: Vec::new(),
            outputs: vec![output],
        };
        let (interrupt, interrupted) = bounded(0);
        Bench {
            clock,
            system,
            plan,
            statistics,
            written,
            answers,
            connects,
            _interrupt: interrupt,
            interrupted,
        }
    }

    fn start(&mut self, mode: Mode) -> Result<Pipeline, StartupError> {
        let plan = std::mem::replace(&mut self.plan, empty_plan());
        Pipeline::start(plan, mode, Vec::new(), &self.system, &self.interrupted)
    }

    fn next_batch(&self) -> Vec<(i64, i64)> {
        rounds(&self.written.recv_timeout(LIMIT).expect("a batch is written in time"))
    }

    /// Lets time pass step by step; at each step all loops wait for their timers.
    fn pass(&self, seconds: u32) {
        for _ in 0..seconds * 2 {
            // Input, output and watch; the junction has no timer without aggregators.
            self.clock.wait_for_timers(3);
            self.wait_for_junction();
            self.clock.advance(SECOND / 2);
        }
    }

    /// Waits until everything that was gathered has come to the output's queue.
    fn wait_for_junction(&self) {
        let gathered = self.statistics.counter("gather", "metrics_gathered", &[("input", "count")]);
        let added = self.statistics.counter("write", "metrics_added", &[("output", "scripted")]);
        let deadline = crossbeam_channel::after(LIMIT);
        while added.get() < gathered.get() {
            assert!(deadline.try_recv().is_err(), "{} of {}", added.get(), gathered.get());
            std::thread::yield_now();
        }
    }
}

impl Timing {
    fn every(interval: Duration) -> Timing {
        Timing {
            interval,
            jitter: Duration::ZERO,
            offset: Duration::ZERO,
            precision: SECOND,
            service_precision: Duration::ZERO,
        }
    }
}

fn running(
    name: &str,
    input: impl Input + 'static,
    timing: Timing,
    statistics: &Statistics,
) -> RunningInput {
    let shape = InputShape {
        filter: Filter::default(),
        naming: Naming::new(
            NamingOptions::default(),
            vec![Tag { key: "host".into(), value: "h".into() }],
        ),
        always_include: AlwaysInclude::default(),
        time_source: TimeSource::Metric,
    };
    let log = PluginLog::new(name);
    let startup = StartupErrorBehavior::Error;
    RunningInput::new(Box::new(input), log, timing, startup, shape, statistics)
}

fn empty_plan() -> Plan {
    Plan {
        agent: AgentOptions::default(),
        hostname: String::new(),
        inputs: Vec::new(),
        processors: Vec::new(),
        aggregators: Vec::new(),
        aggregate_processors: Vec::new(),
        outputs: Vec::new(),
    }
}

fn counting() -> CountingInput {
    CountingInput { round: 0, panics_in: None, differential: false, brief: false }
}

/// The second and the round of each metric.
fn rounds(metrics: &[Metric]) -> Vec<(i64, i64)> {
    metrics
        .iter()
        .filter_map(|metric| match metric.field("round") {
            Some(Value::Integer(round)) => Some((metric.time.seconds(), *round)),
            _ => None,
        })
        .collect()
}

fn names(metrics: &[Metric]) -> Vec<&str> {
    metrics.iter().map(|metric| metric.name.as_str()).collect()
}

#[test]
fn rounds_are_gathered_at_aligned_times_and_flushed_at_the_interval() {
    let mut bench = Bench::new(105, counting());
    let pipeline = bench.start(Mode::Daemon).unwrap();
    bench.pass(10);
    assert_eq!(bench.next_batch(), [(110, 1)]);
    bench.pass(10);
    assert_eq!(bench.next_batch(), [(120, 2)]);
    assert!(pipeline.stop().unwritten.is_empty());
}

#[test]
fn brief_inputs_share_a_thread_and_each_keeps_its_own_interval_and_panics_alone() {
    let brief = |panics_in| CountingInput { panics_in, brief: true, ..counting() };
    let mut bench = Bench::with_options(105, brief(Some(1)), Timing::every(SECOND * 4), 10);
    let other = running("inputs.other", brief(None), Timing::every(SECOND * 3), &bench.statistics);
    bench.plan.inputs.push(other);
    let pipeline = bench.start(Mode::Daemon).unwrap();
    bench.pass(10);
    let mut gathered = bench.next_batch();
    gathered.sort_unstable();
    assert_eq!(gathered, [(108, 1), (111, 2), (112, 2), (114, 3)]);
    drop(pipeline);
}

#[test]
fn a_full_batch_is_written_before_the_flush_is_due() {
    let mut bench = Bench::with_options(105, counting(), Timing::every(SECOND), 2);
    let pipeline = bench.start(Mode::Daemon).unwrap();
    bench.pass(3);
    assert_eq!(bench.next_batch().len(), 2);
    drop(pipeline);
}

#[test]
fn what_waits_is_flushed_at_the_end_and_what_fails_is_handed_back() {
    let mut bench = Bench::with_options(105, counting(), Timing::every(SECOND), 10);
    let pipeline = bench.start(Mode::Daemon).unwrap();
    bench.pass(3);
    bench.answers.send(Err(WriteError::retry("down"))).unwrap();
    let ended = pipeline.stop();
    let (name, unwritten) = &ended.unwritten[0];
    assert_eq!(name, "outputs.scripted");
    let unwritten = &unwritten.in_memory;
    assert!(rounds(unwritten).len() >= 2);
    assert_eq!(rounds(unwritten), bench.next_batch());
}

#[test]
fn metrics_of_an_earlier_pipeline_are_written_first() {
    let mut bench = Bench::new(105, counting());
    let plan = std::mem::replace(&mut bench.plan, empty_plan());
    let left = vec![Metric::new("count", Timestamp::from_seconds(1)).with_field("round", 99i64)];
    let unwritten = vec![("outputs.scripted".to_owned(), left)];
    let pipeline =
        Pipeline::start(plan, Mode::Daemon, unwritten, &bench.system, &bench.interrupted).unwrap();
    pipeline.flush();
    assert_eq!(bench.next_batch(), [(1, 99)]);
}

#[test]
fn a_panic_in_a_round_is_counted_and_the_next_round_goes_on() {
    let mut bench = Bench::new(105, CountingInput { panics_in: Some(1), ..counting() });
    let pipeline = bench.start(Mode::Daemon).unwrap();
    bench.pass(20);
    assert_eq!(bench.next_batch(), [(120, 2)]);
    let errors = bench.statistics.counter("gather", "errors", &[("input", "count")]).get();
    assert_eq!(errors, 1);
    drop(pipeline);
}

#[test]
fn one_round_is_enough_for_once_and_a_baseline_does_not_count() {
    let mut bench = Bench::new(105, CountingInput { differential: true, ..counting() });
    let pipeline = bench.start(Mode::Once { wait: Duration::ZERO }).unwrap();
    bench.clock.wait_for_timers(3);
    bench.clock.advance(SECOND / 2);
    assert!(pipeline.finished().recv_timeout(LIMIT).is_err_and(|error| error.is_disconnected()));
    pipeline.stop();
    // The time of 105.5 s is rounded half up.
    assert_eq!(bench.next_batch(), [(106, 2)]);
}

#[test]
fn a_test_run_prints_and_leaves_the_outputs_alone() {
    let mut bench = Bench::new(105, counting());
    let (printed, prints) = unbounded();
    let print = Box::new(move |metrics: Vec<Metric>| printed.send(metrics).unwrap());
    let pipeline = bench.start(Mode::Test { wait: Duration::ZERO, print }).unwrap();
    let metrics = prints.recv_timeout(LIMIT).unwrap();
    pipeline.stop();
    assert_eq!(metrics[0].tag("host"), Some("h"));
    assert!(bench.written.try_recv().is_err());
}

#[test]
fn aggregates_pass_their_own_processors_and_originals_may_end() {
    let mut bench = Bench::with_options(100, counting(), Timing::every(SECOND), 100);
    let statistics = bench.statistics.clone();
    let doubling = |name: &str| {
        let (log, filter) = (PluginLog::new(name), Filter::default());
        RunningProcessor::new(Box::new(Doubling), log, 0, filter, &statistics)
    };
    bench.plan.processors.push(doubling("processors.double"));
    bench.plan.aggregate_processors.push(doubling("processors.double"));
    let only_count = FilterOptions { namepass: vec!["count".into()], ..FilterOptions::default() };
    bench.plan.aggregators.push(RunningAggregator::new(
        Box::new(Sum::default()),
        PluginLog::new("aggregators.sum"),
        Filter::for_test(&only_count),
        Naming::default(),
        Aggregation {
            window: Window {
                period: SECOND * 60,
                delay: Duration::from_millis(100),
                grace: Duration::ZERO,
            },
            original: Original::Drop,
            precision: SECOND,
        },
        &bench.statistics,
    ));
    let pipeline = bench.start(Mode::Once { wait: Duration::ZERO }).unwrap();
    assert!(pipeline.finished().recv_timeout(LIMIT).is_err());
    pipeline.stop();
    let batch = bench.written.recv_timeout(LIMIT).unwrap();
    assert_eq!(names(&batch), ["sum", "sum"]);
    assert_eq!(batch[0].field("sum"), Some(&Value::Integer(2)), "the original came doubled");
}

#[test]
fn an_output_that_cannot_connect_twice_ends_the_start() {
    let mut bench = Bench::new(105, counting());
    let refused = || Err(ConnectError { retryable: true, source: "refused".into() });
    bench.connects.lock().unwrap().extend([refused(), refused()]);
    let clock = bench.clock.clone();
    let waiter = std::thread::spawn(move || {
        clock.wait_for_timers(1);
        clock.advance(SECOND * 15);
    });
    let error = bench.start(Mode::Daemon).err().expect("the start fails").to_string();
    waiter.join().unwrap();
    assert!(error.contains("outputs.scripted") && error.ends_with("refused"), "{error}");
}

#[test]
fn an_output_set_to_retry_connects_at_a_later_flush() {
    let mut bench = Bench::new(105, counting());
    bench.plan.outputs[0].startup_error_behavior = StartupErrorBehavior::Retry;
    let refused = || Err(ConnectError { retryable: true, source: "refused".into() });
    bench.connects.lock().unwrap().extend([refused(), refused()]);
    let pipeline = bench.start(Mode::Daemon).unwrap();
    bench.pass(10);
    assert!(bench.written.try_recv().is_err());
    bench.pass(10);
    assert_eq!(bench.next_batch().first(), Some(&(110, 1)));
    drop(pipeline);
}

#[test]
fn an_output_set_to_ignore_is_left_out() {
    let mut bench = Bench::new(105, counting());
    bench.plan.outputs[0].startup_error_behavior = StartupErrorBehavior::Ignore;
    bench
        .connects
        .lock()
        .unwrap()
        .push(Err(ConnectError { retryable: true, source: "refused".into() }));
    let pipeline = bench.start(Mode::Daemon).unwrap();
    pipeline.stop();
    assert!(bench.written.recv_timeout(LIMIT).is_err(), "the output was dropped");
}

/// An input that does not start.
struct Unstartable {
    retryable: bool,
}

impl Input for Unstartable {
    fn start(&mut self, _: ServiceAccumulator) -> Result<(), StartError> {
        Err(StartError { retryable: self.retryable, source: "no bus".into() })
    }

    fn gather(&mut self, _: &mut Accumulator<'_>) -> Result<(), PluginError> {
        panic!("an input that has not started is not gathered")
    }
}

fn with_unstartable(retryable: bool) -> Bench {
    let mut bench = Bench::new(105, counting());
    let (timing, input) = (Timing::every(SECOND * 10), Unstartable { retryable });
    let mut input = running("inputs.idle", input, timing, &bench.statistics);
    input.startup_error_behavior = StartupErrorBehavior::Ignore;
    bench.plan.inputs.push(input);
    bench
}

#[test]
fn an_input_set_to_ignore_is_left_out_if_it_might_start_later() {
    let mut bench = with_unstartable(true);
    let pipeline = bench.start(Mode::Daemon).unwrap();
    bench.pass(10);
    assert_eq!(bench.next_batch().first(), Some(&(110, 1)), "the other input runs");
    drop(pipeline);
}

#[test]
fn an_input_set_to_ignore_that_can_never_start_ends_the_start() {
    let mut bench = with_unstartable(false);
    let error = bench.start(Mode::Daemon).err().expect("the start fails").to_string();
    assert!(error.contains("inputs.idle") && error.ends_with("no bus"), "{error}");
}
