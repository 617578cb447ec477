//! Tests of windows, filters, names and counters of an aggregator.

use std::sync::Arc;

use super::*;
use crate::agent::options::{FilterOptions, NamingOptions};
use crate::metric::Value;
use crate::plugin::Statistics;
use crate::system::fake::FakeClock;

/// Adds up the field `v` and tells the sum and how many metrics there were.
#[derive(Default)]
struct Sum {
    sum: f64,
    count: i64,
}

impl Aggregator for Sum {
    fn add(&mut self, metric: &Metric) {
        assert_ne!(metric.name, "bomb");
        self.sum += metric.field("v").and_then(Value::as_f64).unwrap_or(0.0);
        self.count += 1;
    }

    fn push(&mut self, accumulator: &mut Accumulator<'_>) {
        let now = accumulator.now();
        let metric = Metric::new("sum", now).with_field("sum", self.sum);
        accumulator.add(metric.with_field("count", self.count));
    }

    fn reset(&mut self) {
        *self = Sum::default();
    }
}

struct Bench {
    clock: Arc<FakeClock>,
    system: System,
    statistics: Statistics,
    aggregator: RunningAggregator,
}

const SECOND: Duration = Duration::from_secs(1);

impl Bench {
    /// An aggregator with a period of 10 s, opened at `now` seconds.
    fn new(now: i64, alignment: Alignment, original: Original, filter: FilterOptions) -> Bench {
        let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(now)));
        let system = System { clock: clock.clone(), ..System::real() };
        let statistics = Statistics::default();
        let window = Window { period: SECOND * 10, delay: SECOND / 10, grace: SECOND * 2 };
        let naming = NamingOptions {
            name_prefix: "all_".into(),
            tags: [("from".to_owned(), "here".to_owned())].into(),
            ..NamingOptions::default()
        };
        let mut aggregator = RunningAggregator::new(
            Box::new(Sum::default()),
            PluginLog::new("aggregators.sum::alias"),
            Filter::for_test(&filter),
            Naming::new(naming, Vec::new()),
            Aggregation { window, original, precision: SECOND },
            &statistics,
        );
        aggregator.open(system.clock.now(), alignment);
        Bench { clock, system, statistics, aggregator }
    }

    fn aligned(now: i64) -> Bench {
        Bench::new(now, Alignment::Clock, Original::Pass, FilterOptions::default())
    }

    fn add(&mut self, millis: i64) -> Original {
        let time = Timestamp::from_millis(millis);
        self.aggregator.add(&Metric::new("m", time).with_field("v", 1.0))
    }

    /// The sum that is pushed.
    fn push(&mut self) -> (i64, f64) {
        let metrics = self.aggregator.push(&self.system);
        assert_eq!(metrics.len(), 1);
        let sum = metrics[0].field("sum").and_then(Value::as_f64).unwrap();
        (metrics[0].time.seconds(), sum)
    }

    fn counter(&self, field: &'static str) -> u64 {
        let tags = [("aggregator", "sum"), ("alias", "alias")];
        self.statistics.counter("aggregate", field, &tags).get()
    }
}

#[test]
fn windows_fall_on_multiples_of_the_period_or_begin_at_the_start() {
    let end = |now, alignment| {
        let filter = FilterOptions::default();
        Bench::new(now, alignment, Original::Pass, filter).aggregator.end().seconds()
    };
    assert_eq!(end(103, Alignment::Clock), 110);
    assert_eq!(end(110, Alignment::Clock), 120);
    assert_eq!(end(103, Alignment::Start), 113);
}

#[test]
fn a_window_takes_what_is_within_grace_and_delay() {
    let mut bench = Bench::aligned(103);
    // The window goes from 100 to 110 s, grace from 98, delay to 110.1.
    for millis in [97_999, 98_000, 100_000, 105_000, 110_000, 110_100, 110_101] {
        assert_eq!(bench.add(millis), Original::Pass);
    }
    assert_eq!(bench.push(), (103, 5.0));
    assert_eq!(bench.counter("metrics_dropped"), 2);
    assert_eq!(bench.counter("metrics_pushed"), 1);
}

#[test]
fn windows_follow_one_another() {
    let mut bench = Bench::aligned(103);
    bench.add(105_000);
    bench.clock.advance(SECOND * 7);
    assert_eq!(bench.push(), (110, 1.0));
    assert_eq!(bench.aggregator.end().seconds(), 120);
    bench.add(115_000);
    bench.add(107_000);
    bench.clock.advance(SECOND * 10);
    assert_eq!(bench.push(), (120, 1.0), "what was reset is not counted again");
}

#[test]
fn a_clock_that_jumped_opens_the_window_around_now() {
    for now in [500, 42] {
        let mut bench = Bench::aligned(103);
        bench.clock.jump_to(Timestamp::from_seconds(now));
        bench.push();
        assert_eq!(bench.aggregator.end().seconds(), now / 10 * 10 + 10);
        bench.add(now * 1_000);
        assert_eq!(bench.push().1, 1.0);
    }
}

#[test]
fn a_push_before_the_end_is_that_of_a_stop() {
    let mut bench = Bench::aligned(103);
    bench.add(104_000);
    bench.clock.advance(SECOND + SECOND / 2);
    // 104.5 s, rounded half up to the precision.
    assert_eq!(bench.push(), (105, 1.0));
}

#[test]
fn dropping_the_original_takes_all_that_is_selected() {
    let filter = FilterOptions {
        namepass: vec!["m".into()],
        fieldexclude: vec!["gone".into()],
        ..FilterOptions::default()
    };
    let mut bench = Bench::new(103, Alignment::Clock, Original::Drop, filter);
    assert_eq!(bench.add(104_000), Original::Drop);
    assert_eq!(bench.add(1_000), Original::Drop, "outside the window");
    let time = Timestamp::from_seconds(104);
    let bare = Metric::new("m", time).with_field("gone", 1.0);
    assert_eq!(bench.aggregator.add(&bare), Original::Drop, "without a field left");
    let other = Metric::new("other", time).with_field("v", 1.0);
    assert_eq!(bench.aggregator.add(&other), Original::Pass, "not selected");
    assert_eq!(bench.push().1, 1.0);
    assert_eq!(bench.counter("metrics_filtered"), 1);
}

#[test]
fn aggregates_get_names_and_tags_of_their_plugin() {
    let mut bench = Bench::aligned(103);
    let metrics = bench.aggregator.push(&bench.system);
    assert_eq!(metrics[0].name, "all_sum");
    assert_eq!(metrics[0].tag("from"), Some("here"));
}

#[test]
fn a_panic_is_counted_and_the_rest_goes_on() {
    let mut bench = Bench::aligned(103);
    let bomb = Metric::new("bomb", Timestamp::from_seconds(104)).with_field("v", 1.0);
    assert_eq!(bench.aggregator.add(&bomb), Original::Pass);
    bench.add(104_000);
    assert_eq!(bench.push().1, 1.0);
    assert_eq!(bench.counter("errors"), 1);
}
