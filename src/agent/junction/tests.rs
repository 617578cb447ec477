//! Tests of when aggregators are pushed, and of what goes past them.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, unbounded};

use super::*;
use crate::agent::filter::Filter;
use crate::agent::naming::Naming;
use crate::agent::running_aggregator::{Aggregation, Window};
use crate::plugin::{Accumulator, Aggregator, PluginLog, Processor, Statistics};
use crate::system::fake::FakeClock;
use crate::system::thread::{Thread, spawn};

const SECOND: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(10);

/// Counts metrics, under its own name.
struct Count(&'static str, i64);

impl Aggregator for Count {
    fn add(&mut self, _: &Metric) {
        self.1 += 1;
    }

    fn push(&mut self, accumulator: &mut Accumulator<'_>) {
        let now = accumulator.now();
        accumulator.add(Metric::new(self.0, now).with_field("count", self.1));
    }

    fn reset(&mut self) {
        self.1 = 0;
    }
}

/// Appends to names.
struct Append(&'static str);

impl Processor for Append {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        metrics.iter_mut().for_each(|metric| metric.name.push_str(self.0));
        metrics
    }
}

struct Bench {
    clock: Arc<FakeClock>,
    to_junction: Option<Sender<Vec<Metric>>>,
    written: Receiver<Vec<Metric>>,
    junction: Option<Thread>,
}

impl Bench {
    /// A junction that begins at 100 s with aggregators of these names and periods in seconds.
    fn new(aggregators: &[(&'static str, u32)], original: Original) -> Bench {
        let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(100)));
        let system = System { clock: clock.clone(), ..System::real() };
        let aggregators = aggregators.iter().map(|(name, period)| {
            let window = Window { period: SECOND * *period, delay: Duration::ZERO, grace: SECOND };
            RunningAggregator::new(
                Box::new(Count(name, 0)),
                PluginLog::new(format!("aggregators.{name}")),
                Filter::default(),
                Naming::default(),
                Aggregation { window, original, precision: SECOND },
                &Statistics::default(),
            )
        });
        let append = |text| {
            let log = PluginLog::new("processors.append");
            let (filter, statistics) = (Filter::default(), Statistics::default());
            vec![RunningProcessor::new(Box::new(Append(text)), log, 0, filter, &statistics)]
        };
        let (to_writer, written) = unbounded();
        let print = Box::new(move |metrics| to_writer.send(metrics).unwrap());
        let (to_junction, from_inputs) = bounded(10);
        let mut junction = Junction::new(
            append("-before"),
            aggregators.collect(),
            append("-after"),
            Destination::Print(print),
        );
        let start = Timestamp::from_seconds(100);
        let thread = spawn("junction", move || {
            junction.run(&from_inputs, &never(), start, Alignment::Clock, &system);
        });
        Bench { clock, to_junction: Some(to_junction), written, junction: Some(thread.unwrap()) }
    }

    fn send(&self, seconds: i64) {
        let metric = Metric::new("m", Timestamp::from_seconds(seconds)).with_field("v", 1i64);
        self.to_junction.as_ref().unwrap().send(vec![metric]).unwrap();
    }

    /// Lets time pass once the junction waits.
    fn pass(&self, span: Duration) {
        self.clock.wait_for_timers(1);
        self.clock.advance(span);
    }

    /// The next group: name, time in seconds and count.
    fn next(&self) -> (String, i64, i64) {
        let metrics = self.written.recv_timeout(LIMIT).unwrap();
        let metric = &metrics[0];
        let count = match metric.field("count") {
            Some(crate::metric::Value::Integer(count)) => *count,
            _ => -1,
        };
        (metric.name.to_string(), metric.time.seconds(), count)
    }

    fn stop(&mut self) {
        drop(self.to_junction.take());
        drop(self.junction.take());
    }
}

fn aggregate(name: &str, seconds: i64, count: i64) -> (String, i64, i64) {
    (name.to_owned(), seconds, count)
}

#[test]
fn each_aggregator_is_pushed_at_the_end_of_its_own_period() {
    let bench = Bench::new(&[("two", 2), ("five", 5)], Original::Pass);
    for (seconds, expected) in [
        (2, &[aggregate("two-after", 102, 0)][..]),
        (2, &[aggregate("two-after", 104, 0)]),
        (1, &[aggregate("five-after", 105, 0)]),
        (1, &[aggregate("two-after", 106, 0)]),
        (2, &[aggregate("two-after", 108, 0)]),
        (2, &[aggregate("two-after", 110, 0), aggregate("five-after", 110, 0)]),
    ] {
        bench.pass(SECOND * seconds);
        expected.iter().for_each(|expected| assert_eq!(bench.next(), *expected));
    }
}

#[test]
fn aggregates_pass_the_second_processors_and_originals_the_first() {
    let mut bench = Bench::new(&[("count", 10)], Original::Pass);
    bench.send(101);
    assert_eq!(bench.next(), aggregate("m-before", 101, -1));
    bench.stop();
    assert_eq!(bench.next(), aggregate("count-after", 100, 1));
}

#[test]
fn one_that_drops_is_enough_and_every_aggregator_sees_the_metric() {
    let mut bench = Bench::new(&[("a", 10), ("b", 20)], Original::Drop);
    bench.send(101);
    bench.send(1);
    bench.stop();
    assert_eq!(bench.next(), aggregate("a-after", 100, 1));
    assert_eq!(bench.next(), aggregate("b-after", 100, 1));
    assert!(bench.written.recv_timeout(LIMIT).is_err(), "nothing else comes");
}

#[test]
fn what_comes_at_the_end_of_a_window_belongs_to_the_next() {
    let bench = Bench::new(&[("count", 10)], Original::Pass);
    bench.clock.wait_for_timers(1);
    for seconds in [101, 102] {
        bench.send(seconds);
        assert_eq!(bench.next(), aggregate("m-before", seconds, -1));
    }
    // Whether the timer or the metric is seen first is left to chance.
    bench.clock.advance(SECOND * 10);
    bench.send(110);
    assert_eq!(bench.next(), aggregate("count-after", 110, 2));
    assert_eq!(bench.next(), aggregate("m-before", 110, -1));
    bench.pass(SECOND * 10);
    assert_eq!(bench.next(), aggregate("count-after", 120, 1));
}

#[test]
fn a_clock_that_is_set_back_delays_no_push() {
    let bench = Bench::new(&[("count", 10)], Original::Pass);
    bench.clock.wait_for_timers(1);
    bench.clock.jump_to(Timestamp::from_seconds(50));
    bench.clock.advance(SECOND * 10);
    assert_eq!(bench.next(), aggregate("count-after", 60, 0));
    // The next window is the one that the clock stands in.
    bench.pass(SECOND * 10);
    assert_eq!(bench.next(), aggregate("count-after", 70, 0));
}
