//! Tests of what aggregators remember from one period to the next; single periods are in their
//! testcases.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::metric::{Metric, PlainFloat, Timestamp, Value};
use crate::plugin::settings::{self, Data, Position, Table};
use crate::plugin::{Accumulator, Context, Deliver, PluginLog, Shown, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;
use crate::system::fake::FakeClock;

const AT: Position = Position { line: 1, column: 1 };

fn text(text: &str) -> Data {
    Data::String { text: text.to_owned(), substituted: false }
}

fn list(items: impl IntoIterator<Item = Data>) -> Data {
    Data::Array(items.into_iter().map(|data| settings::Value { position: AT, data }).collect())
}

fn table<'a>(options: impl IntoIterator<Item = (&'a str, Data)>) -> Table {
    let mut table = Table::new("test.conf".into(), "aggregators.test", AT);
    for (key, data) in options {
        table.push(key, AT, settings::Value { position: AT, data });
    }
    table
}

#[derive(Default)]
struct Pushed(Mutex<Vec<Metric>>);

impl Deliver for Pushed {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        self.0.lock().unwrap().append(metrics);
    }

    fn report(&self, error: &dyn std::error::Error) {
        panic!("{error}");
    }
}

/// An aggregator at 1000 s.
struct Bench {
    aggregator: Box<dyn Aggregator>,
    clock: Arc<FakeClock>,
}

impl Bench {
    fn new<'a>(name: &str, options: impl IntoIterator<Item = (&'a str, Data)>) -> Bench {
        let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(1_000)));
        let system = System { clock: clock.clone(), ..System::real() };
        let settings = table(options);
        let log = PluginLog::new(format!("aggregators.{name}"));
        let context = Context::new(system, log, Statistics::default(), &settings, FORMATS);
        let declaration = ALL.iter().find(|plugin| plugin.name == name).unwrap();
        let aggregator = (declaration.build)(&context).unwrap();
        assert!(settings.unknown().is_empty());
        Bench { aggregator, clock }
    }

    fn add(&mut self, name: &str, seconds: i64, value: f64) {
        let metric = Metric::new(name, Timestamp::from_seconds(seconds)).with_field("v", value);
        self.aggregator.add(&metric);
    }

    /// Ends a period after 10 s; what is pushed, one metric after the other.
    fn push(&mut self) -> Vec<String> {
        self.clock.advance(Duration::from_secs(10));
        let pushed = Pushed::default();
        let precision = Duration::from_secs(1);
        self.aggregator.push(&mut Accumulator::new(&pushed, self.clock.as_ref(), precision));
        self.aggregator.reset();
        pushed.0.into_inner().unwrap().iter().map(shown).collect()
    }
}

/// Name, tags, fields and time in seconds.
fn shown(metric: &Metric) -> String {
    let tags = metric.tags().iter().map(|tag| format!(",{}={}", tag.key, tag.value));
    let fields = metric.fields().iter().map(|field| {
        let value = match &field.value {
            Value::Float(value) => PlainFloat(*value).to_string(),
            other => Shown(other).to_string(),
        };
        format!(" {}={value}", field.key)
    });
    let (tags, fields) = (tags.collect::<String>(), fields.collect::<String>());
    let seconds = metric.time.nanos() as f64 / 1e9;
    format!("{}{tags}{fields} {}", metric.name, PlainFloat(seconds))
}

#[test]
fn each_period_begins_anew() {
    for (name, stats, expected) in [
        ("basicstats", Some("sum"), "a v_sum=3 1010"),
        ("minmax", None, "a v_min=1 v_max=2 1010"),
        ("quantile", None, "a v_025=1.25 v_050=1.5 v_075=1.75 1010"),
    ] {
        let stats = stats.map(|stat| ("stats", list([text(stat)])));
        let mut bench = Bench::new(name, stats);
        bench.add("a", 1_001, 1.0);
        bench.add("a", 1_002, 2.0);
        assert_eq!(bench.push(), [expected]);
        assert_eq!(bench.push(), [""; 0], "{name}");
        bench.add("b", 1_021, 5.0);
        assert!(bench.push()[0].starts_with("b v_"), "{name}");
    }
}

#[test]
fn series_come_in_the_order_in_which_they_were_seen() {
    let mut bench = Bench::new("basicstats", [("stats", list([text("count")]))]);
    ["z", "a", "m", "a"].iter().for_each(|name| bench.add(name, 1_001, 1.0));
    let expected = ["z v_count=1 1010", "a v_count=2 1010", "m v_count=1 1010"];
    assert_eq!(bench.push(), expected);
}

#[test]
fn a_series_is_final_when_its_last_metric_is_old_enough() {
    let mut bench = Bench::new("final", [("series_timeout", text("15s"))]);
    bench.add("a", 1_001, 1.0);
    bench.add("b", 990, 2.0);
    assert_eq!(bench.push(), ["b v_final=2 990"]);
    // Whatever is added last counts, also if its time is earlier.
    bench.add("a", 1_000, 3.0);
    assert_eq!(bench.push(), ["a v_final=3 1000"]);
    assert_eq!(bench.push(), [""; 0]);
}

#[test]
fn final_metrics_of_a_period_come_once() {
    let mut bench = Bench::new(
        "final",
        [("output_strategy", text("periodic")), ("keep_original_field_names", Data::Boolean(true))],
    );
    bench.add("a", 1_001, 1.0);
    bench.add("a", 1_002, 2.0);
    assert_eq!(bench.push(), ["a v=2 1002"]);
    assert_eq!(bench.push(), [""; 0]);
}

#[test]
fn merged_metrics_are_forgotten_with_their_period() {
    let mut bench = Bench::new("merge", [("round_timestamp_to", text("4s"))]);
    bench.add("a", 1_001, 1.0);
    bench.add("a", 1_002, 2.0);
    // Half up, counted from year 1.
    assert_eq!(bench.push(), ["a v=1 1000", "a v=2 1004"]);
    assert_eq!(bench.push(), [""; 0]);
}

fn histogram<'a>(options: impl IntoIterator<Item = (&'a str, Data)>) -> Bench {
    let rule = [("measurement_name", text("a")), ("buckets", list([Data::Float(1.0)]))];
    let rule = ("config", list([Data::Table(table(rule))]));
    Bench::new("histogram", options.into_iter().chain([rule]))
}

#[test]
fn histograms_count_on_unless_they_are_reset() {
    let mut bench = histogram([]);
    bench.add("a", 1_001, 0.5);
    let once = ["a,le=1 v_bucket=1 1010", "a,le=+Inf v_bucket=1 1010"];
    assert_eq!(bench.push(), once);
    bench.add("a", 1_011, 5.0);
    bench.add("other", 1_011, 5.0);
    assert_eq!(bench.push(), ["a,le=1 v_bucket=1 1020", "a,le=+Inf v_bucket=2 1020"]);

    let mut bench = histogram([("reset", Data::Boolean(true))]);
    bench.add("a", 1_001, 0.5);
    assert_eq!(bench.push(), once);
    assert_eq!(bench.push(), [""; 0]);
}

#[test]
fn histograms_without_news_may_be_left_out() {
    let mut bench = histogram([("push_only_on_update", Data::Boolean(true))]);
    bench.add("a", 1_001, 0.5);
    assert_eq!(bench.push().len(), 2);
    assert_eq!(bench.push(), [""; 0]);
    bench.add("a", 1_021, 0.5);
    assert_eq!(bench.push(), ["a,le=1 v_bucket=2 1030", "a,le=+Inf v_bucket=2 1030"]);
}

#[test]
fn histograms_expire() {
    let mut bench = histogram([("expiration_interval", text("15s"))]);
    bench.add("a", 1_001, 0.5);
    assert_eq!(bench.push().len(), 2);
    assert_eq!(bench.push(), [""; 0], "added at 1000 s, gone at 1020 s");
    bench.add("a", 1_021, 5.0);
    assert_eq!(bench.push(), ["a,le=1 v_bucket=0 1030", "a,le=+Inf v_bucket=1 1030"]);
}

#[test]
fn the_last_metric_of_a_period_is_the_first_of_the_next() {
    let mut bench = Bench::new("derivative", [("max_roll_over", Data::Integer(2))]);
    bench.add("a", 1_001, 10.0);
    assert_eq!(bench.push(), [""; 0], "one metric has no rate");
    bench.add("a", 1_011, 30.0);
    assert_eq!(bench.push(), ["a v_rate=2 1020"]);
    assert_eq!(bench.push(), [""; 0]);
    bench.add("a", 1_041, 0.0);
    assert_eq!(bench.push(), ["a v_rate=-1 1040"]);
}

#[test]
fn a_series_that_rolls_over_too_often_is_forgotten() {
    let mut bench = Bench::new("derivative", [("max_roll_over", Data::Integer(1))]);
    bench.add("a", 1_001, 10.0);
    bench.push();
    bench.push();
    bench.add("a", 1_021, 30.0);
    assert_eq!(bench.push(), [""; 0]);
}

#[test]
fn values_are_counted_by_period() {
    let mut bench = Bench::new("valuecounter", [("fields", list([text("v"), text("v")]))]);
    bench.add("a", 1_001, 2.0);
    bench.add("a", 1_001, 1e6);
    assert_eq!(bench.push(), ["a v_1e+06=2 v_2=2 1010"], "a field named twice counts twice");
    assert_eq!(bench.push(), [""; 0]);
}
