//! Tests of the processor on a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use super::{Aggregation, Config};
use crate::metric::{Metric, PlainFloat, Timestamp, Value};
use crate::plugin::settings::{self, Position, Table};
use crate::plugin::{Build, Context, PluginLog, Processor, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;
use crate::system::fake::FakeClock;

struct Bench {
    clock: Arc<FakeClock>,
    processor: Box<dyn Processor>,
}

impl Bench {
    fn new(config: Config) -> Bench {
        let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
        let system = System { clock: clock.clone(), ..System::real() };
        let table = Table::new("test".into(), "processors.topk", Position::default());
        let log = PluginLog::new("processors.topk");
        let context = Context::new(system, log, Statistics::default(), &table, FORMATS);
        Bench { clock, processor: config.build(&context).unwrap() }
    }

    /// What passes of a period in which these metrics come.
    fn period(&mut self, metrics: Vec<Metric>) -> Vec<String> {
        let (last, first) = metrics.split_last().unwrap();
        let early = self.processor.apply(first.to_vec());
        assert_eq!(early, [], "nothing passes before the period ends");
        self.clock.advance(Duration::from_secs(10));
        self.processor.apply(vec![last.clone()]).iter().map(shown).collect()
    }
}

fn metric(tag: &str, value: impl Into<Value>) -> Metric {
    Metric::new("m", Timestamp::EPOCH).with_tag("t", tag).with_field("value", value)
}

fn shown(metric: &Metric) -> String {
    let tags = metric.tags().iter().map(|tag| format!("{}={}", tag.key, tag.value));
    let fields = metric.fields().iter().map(|field| {
        let value = match &field.value {
            Value::Float(value) => PlainFloat(*value).to_string(),
            Value::Integer(value) => format!("{value}i"),
            value => format!("{value:?}"),
        };
        format!("{}={value}", field.key)
    });
    let (tags, fields): (Vec<_>, Vec<_>) = (tags.collect(), fields.collect());
    format!("{} {}", tags.join(","), fields.join(","))
}

fn metrics() -> Vec<Metric> {
    vec![
        metric("a", 1.0),
        metric("b", 10.0),
        metric("a", 4.0),
        metric("c", 3.0),
        metric("b", -10.0),
    ]
}

#[test]
fn the_highest_groups_pass_with_all_their_metrics() {
    for (aggregation, bottomk, passing) in [
        (Aggregation::Mean, false, "c=3 a=1 a=4"),
        (Aggregation::Mean, true, "b=10 b=-10 a=1 a=4"),
        (Aggregation::Sum, false, "a=1 a=4 c=3"),
        (Aggregation::Max, false, "b=10 b=-10 a=1 a=4"),
        (Aggregation::Min, false, "c=3 a=1 a=4"),
        (Aggregation::Min, true, "b=10 b=-10 a=1 a=4"),
    ] {
        let config = Config { k: 2, aggregation, bottomk, ..Config::default() };
        let found = Bench::new(config).period(metrics());
        let found = found.join(" ").replace("t=", "").replace(" value", "");
        assert_eq!(found, passing, "{aggregation:?} {bottomk}");
    }
}

#[test]
fn ranks_values_and_groups_are_added_where_that_is_asked_for() {
    let config = Config {
        k: 1,
        fields: vec!["value".into(), "other".into()],
        add_groupby_tag: "group".into(),
        add_rank_fields: vec!["value".into(), "other".into()],
        add_aggregate_fields: vec!["value".into(), "unasked".into()],
        ..Config::default()
    };
    let metrics = vec![
        metric("a", 1.0),
        metric("b", 2.0).with_field("other", 1_i64),
        metric("a", 2.0),
        metric("c", "text"),
    ];
    assert_eq!(
        Bench::new(config).period(metrics),
        [
            "group=m&t=b&,t=b value=2,other=1i,value_topk_aggregate=2,value_topk_rank=1i,other_topk_rank=1i"
        ]
    );
}

#[test]
fn groups_are_made_of_names_and_chosen_tags() {
    let config = |group_by: &[&str]| Config {
        group_by: group_by.iter().map(|tag| (*tag).to_owned()).collect(),
        add_groupby_tag: "g".into(),
        ..Config::default()
    };
    let metrics = vec![metric("a", 1.0).with_tag("t-2", "x"), metric("b", 5.0)];
    let groups = |group_by| Bench::new(config(group_by)).period(metrics.clone());
    assert_eq!(groups(&[]), ["g=m&,t=a,t-2=x value=1", "g=m&,t=b value=5"]);
    assert_eq!(groups(&["t*"]), ["g=m&t=b&,t=b value=5", "g=m&t-2=x&t=a&,t=a,t-2=x value=1"]);
}

#[test]
fn metrics_without_any_of_the_fields_are_dropped_and_periods_begin_anew() {
    let mut bench = Bench::new(Config { k: 1, ..Config::default() });
    let other = Metric::new("m", Timestamp::EPOCH).with_field("other", 1.0);
    assert_eq!(bench.period(vec![metric("a", 9.0), other.clone()]), ["t=a value=9"]);
    assert_eq!(bench.period(vec![other.clone(), metric("b", 1.0)]), ["t=b value=1"]);
    assert_eq!(bench.period(vec![other.clone(), other]), [""; 0]);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let table = Table::new("test".into(), "processors.topk", Position::default());
    let log = PluginLog::new("processors.topk");
    let context = Context::new(System::real(), log, Statistics::default(), &table, FORMATS);
    let error = |config: Config| config.build(&context).err().map(|error| error.to_string());
    assert!(error(Config { k: -1, ..Config::default() }).unwrap().starts_with("k is -1"));
    assert!(error(Config { group_by: vec!["[".into()], ..Config::default() }).is_some());
    assert_eq!(error(Config { period: settings::Duration::ZERO, ..Config::default() }), None);
}
