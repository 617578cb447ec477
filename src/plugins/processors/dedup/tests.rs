//! Tests of the processor on a clock that is moved by hand.

use std::sync::Arc;

use serde_json::Value as Json;

use super::PLUGIN;
use crate::metric::{Metric, Timestamp};
use crate::plugin::settings::{Position, Table};
use crate::plugin::{Context, PluginLog, Processor, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;
use crate::system::fake::FakeClock;

const START_SECONDS: i64 = 1_000_000;

struct Bench {
    clock: Arc<FakeClock>,
    dedup: Box<dyn Processor>,
}

impl Bench {
    fn new() -> Bench {
        let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(START_SECONDS)));
        let system = System { clock: clock.clone(), ..System::real() };
        let table = Table::new("test".into(), "processors.dedup", Position::default());
        let log = PluginLog::new("processors.dedup");
        let context = Context::new(system, log, Statistics::default(), &table, FORMATS);
        Bench { clock, dedup: (PLUGIN.build)(&context).unwrap() }
    }

    /// Whether a metric passes at its own time.
    fn passes(&mut self, seconds: i64, metric: impl Fn(Timestamp) -> Metric) -> bool {
        let time = Timestamp::from_seconds(START_SECONDS + seconds);
        self.clock.jump_to(time);
        !self.dedup.apply(vec![metric(time)]).is_empty()
    }

    fn state(&mut self) -> Json {
        self.dedup.stateful().unwrap().state()
    }
}

fn value(value: f64) -> impl Fn(Timestamp) -> Metric {
    move |time| Metric::new("m", time).with_tag("t", "x").with_field("v", value)
}

fn other(time: Timestamp) -> Metric {
    Metric::new("m", time).with_tag("t", "y").with_field("v", 1.0)
}

#[test]
fn a_value_is_repeated_only_once_the_interval_has_passed() {
    let mut bench = Bench::new();
    for (seconds, number, passes) in [
        (0, 1.0, true),
        (10, 1.0, false),
        (20, 2.0, true),
        (30, 2.0, false),
        // The age is that of the metric kept, which repetitions do not renew.
        (619, 2.0, false),
        (620, 2.0, true),
        (630, 2.0, false),
    ] {
        assert_eq!(bench.passes(seconds, value(number)), passes, "{seconds}");
    }
}

#[test]
fn series_that_end_are_forgotten() {
    let mut bench = Bench::new();
    bench.passes(0, value(1.0));
    bench.passes(599, other);
    let both = bench.state().as_str().unwrap().len();
    bench.passes(600, other);
    assert!(bench.state().as_str().unwrap().len() < both);
}

#[test]
fn what_is_not_a_number_is_always_news() {
    let mut bench = Bench::new();
    assert!(bench.passes(0, value(f64::NAN)) && bench.passes(1, value(f64::NAN)));
}

#[test]
fn what_is_remembered_outlives_the_agent() {
    let mut bench = Bench::new();
    bench.passes(0, value(1.0));
    bench.passes(1, other);
    let state = bench.state();
    // m,t=x v=1 1000000000000000 and m,t=y v=1 1000001000000000
    let lines = "bSx0PXggdj0xIDEwMDAwMDAwMDAwMDAwMDAKbSx0PXkgdj0xIDEwMDAwMDEwMDAwMDAwMDAK";
    assert_eq!(state, Json::from(lines));
    let mut next = Bench::new();
    next.dedup.stateful().unwrap().set_state(state).unwrap();
    assert!(!next.passes(10, value(1.0)) && next.passes(11, value(2.0)) && !next.passes(12, other));
    for (state, is_state) in [(Json::Null, true), ("".into(), true), ("!".into(), false)] {
        let result = next.dedup.stateful().unwrap().set_state(state);
        assert_eq!(result.is_ok(), is_state);
    }
}
