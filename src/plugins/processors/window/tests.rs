//! Tests of the windows on a source that is read again after crashes, and of what is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::engine::{Counters, Course, Emit, Engine, Late, Originals};
use super::kept::KeptStream;
use super::spans::Shape;
use super::stream::{Bounds, ResultTime, Rules};
use super::summary::Function;
use crate::metric::{Accompany, Companion, Metric, Origin, Timestamp, Value};
use crate::plugin::event_time::Outbox;
use crate::plugin::{Patterns, PluginLog};

const SECOND: Duration = Duration::from_secs(1);

fn rules(period: i64, hop: i64, grace: i64) -> Rules {
    Rules {
        shape: Shape { period, hop },
        grace,
        keys: None,
        fields: None,
        functions: vec![Function::Count, Function::Sum],
        count_field: "".into(),
        name: "".into(),
        name_suffix: "".into(),
        time: ResultTime::Start,
        bounds: Bounds::None,
    }
}

fn course() -> Course {
    Course {
        emit: Emit::Final,
        originals: Originals::Drop,
        late: Late::Pass,
        late_name: "late".into(),
        mark: "window".into(),
    }
}

fn engine(rules: Rules, course: Course, most: usize) -> Engine {
    let outbox = Arc::new(Outbox::new(most));
    Engine::new(rules, course, outbox, Counters::default(), PluginLog::new("processors.window"))
}

fn metric(key: &str, time: i64, value: f64) -> Metric {
    Metric::new("m", Timestamp::from_nanos(time)).with_tag("key", key).with_field("v", value)
}

fn shown(metric: &Metric) -> String {
    let fields = metric.fields().iter().map(|field| match &field.value {
        Value::Float(value) => format!("{}={value}", field.key),
        value => format!("{}={value:?}", field.key),
    });
    let tags: String =
        metric.tags().iter().map(|tag| format!(",{}={}", tag.key, tag.value)).collect();
    let fields: Vec<_> = fields.collect();
    format!("{}{tags} {} {}", metric.name, fields.join(","), metric.time.nanos())
}

/// What an input knows of the records that it has read in one run.
#[derive(Debug, Default)]
struct Reading {
    done: Mutex<BTreeSet<i64>>,
    /// The process is dead, so that nothing counts any more.
    is_dead: AtomicBool,
}

/// A record on its way.
struct Record {
    position: i64,
    origin: Arc<Origin>,
    reading: Arc<Reading>,
    is_left: AtomicBool,
}

impl Accompany for Record {
    fn origin(&self) -> Option<&Arc<Origin>> {
        Some(&self.origin)
    }

    fn position(&self) -> Option<i64> {
        Some(self.position)
    }

    fn leave_behind(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.is_left.load(Ordering::Relaxed) && !self.reading.is_dead.load(Ordering::Relaxed) {
            self.reading.done.lock().unwrap().insert(self.position);
        }
    }
}

/// A source, and the outputs behind the windows, that crash.
struct World<'w> {
    /// Key and time of each metric; the position is the place, two metrics a record.
    metrics: &'w [(u8, i64)],
    make: &'w dyn Fn() -> Engine,
    engine: Engine,
    origin: Arc<Origin>,
    reading: Arc<Reading>,
    /// The position from which it is read.
    from: i64,
    next: i64,
    committed: (i64, BTreeMap<String, i64>),
    undelivered: Vec<Metric>,
    delivered: Vec<String>,
    /// Copies that other plugins have not done with.
    elsewhere: Vec<Companion>,
}

const PER_RECORD: usize = 2;

impl<'w> World<'w> {
    fn new(metrics: &'w [(u8, i64)], make: &'w dyn Fn() -> Engine) -> World<'w> {
        let origin = Arc::new(Origin::new("t [0]", BTreeMap::new()));
        World {
            metrics,
            make,
            engine: make(),
            origin,
            reading: Arc::default(),
            from: 0,
            next: 0,
            committed: (0, BTreeMap::new()),
            undelivered: Vec::new(),
            delivered: Vec::new(),
            elsewhere: Vec::new(),
        }
    }

    fn records(&self) -> i64 {
        self.metrics.len().div_ceil(PER_RECORD) as i64
    }

    fn read(&mut self, count: usize) {
        let mut group = Vec::new();
        for position in (self.next..self.records()).take(count) {
            let companion = Companion::new(Arc::new(Record {
                position,
                origin: self.origin.clone(),
                reading: self.reading.clone(),
                is_left: AtomicBool::new(false),
            }));
            if position % 3 == 0 {
                self.elsewhere.push(companion.clone());
            }
            let first = position as usize * PER_RECORD;
            for (at, (key, time)) in self.metrics.iter().enumerate().skip(first).take(PER_RECORD) {
                // Values tell metrics apart in any sum.
                let value = 2_f64.powi(at as i32 % 50) + at as f64 / 1000.0;
                let mut metric = metric(&key.to_string(), *time, value);
                metric.companion = companion.clone();
                group.push(metric);
            }
            self.next = position + 1;
        }
        self.engine.add(group, Duration::ZERO, &mut self.undelivered);
    }

    /// Delivers every metric whose place is not spared, of a part of the whole.
    fn deliver(&mut self, spare: usize) {
        let all = std::mem::take(&mut self.undelivered);
        let (delivered, left): (Vec<_>, Vec<_>) = all
            .into_iter()
            .enumerate()
            .partition(|(at, _)| spare == 0 || !at.is_multiple_of(spare));
        self.undelivered = left.into_iter().map(|(_, metric)| metric).collect();
        let left = self.elsewhere.len().min(spare);
        self.elsewhere.drain(left..);
        self.delivered.extend(delivered.iter().map(|(_, metric)| shown(metric)));
    }

    fn commit(&mut self) {
        let offset = {
            let done = self.reading.done.lock().unwrap();
            (self.from..).find(|position| !done.contains(position)).unwrap()
        };
        self.committed = (offset, self.origin.marks());
    }

    fn crash(&mut self) {
        self.reading.is_dead.store(true, Ordering::Relaxed);
        self.begin_anew();
    }

    /// An end in which outputs have no more time.
    fn stop(&mut self) {
        self.engine.stop();
        self.undelivered.iter().for_each(|metric| metric.companion.leave_behind());
        self.undelivered.clear();
        self.elsewhere.iter().for_each(Companion::leave_behind);
        self.commit();
        self.begin_anew();
    }

    /// Somebody else gets the partition, and gives it back.
    fn lose(&mut self) {
        self.commit();
        self.origin.give_up();
        self.restart_reading();
    }

    fn begin_anew(&mut self) {
        self.undelivered.clear();
        self.engine = (self.make)();
        self.restart_reading();
    }

    fn restart_reading(&mut self) {
        self.elsewhere.clear();
        let (from, marks) = self.committed.clone();
        self.origin = Arc::new(Origin::new("t [0]", marks));
        self.reading = Arc::default();
        (self.from, self.next) = (from, from);
    }

    fn finish(mut self) -> Vec<String> {
        // Nothing comes out of it by itself: each look is one into the outbox, too.
        loop {
            self.read(7);
            if self.next == self.records() && self.undelivered.is_empty() {
                break;
            }
            self.deliver(0);
        }
        self.delivered
    }
}

#[derive(Debug, Clone)]
enum Step {
    Read(usize),
    Deliver(usize),
    Commit,
    Crash,
    Stop,
    Lose,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1_usize..6).prop_map(Step::Read),
        6 => (0_usize..4).prop_map(Step::Deliver),
        4 => Just(Step::Commit),
        1 => Just(Step::Crash),
        1 => Just(Step::Stop),
        1 => Just(Step::Lose),
    ]
}

/// Times that mostly go on and sometimes lie far behind or ahead.
fn metrics() -> impl Strategy<Value = Vec<(u8, i64)>> {
    let one = (0_u8..3, prop_oneof![6 => -12_i64..6, 1 => -60_i64..0, 1 => 0_i64..40], 0_i64..3);
    prop::collection::vec(one, 1..120).prop_map(|all| {
        let mut now = 100;
        all.into_iter()
            .map(|(key, off, on)| {
                now += on;
                (key, now + off)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn results_after_crashes_are_those_of_one_run(
        metrics in metrics(),
        steps in prop::collection::vec(step(), 0..80),
        period in 1_i64..20,
        share in 1_i64..4,
        grace in 0_i64..15,
        most in 1_usize..8,
    ) {
        let make = || engine(rules(period, (period / share).max(1), grace), course(), most);
        let expected: BTreeSet<_> = World::new(&metrics, &make).finish().into_iter().collect();
        let mut world = World::new(&metrics, &make);
        for step in steps {
            match step {
                Step::Read(count) => world.read(count),
                Step::Deliver(spare) => world.deliver(spare),
                Step::Commit => world.commit(),
                Step::Crash => world.crash(),
                Step::Stop => world.stop(),
                Step::Lose => world.lose(),
            }
        }
        let found: BTreeSet<_> = world.finish().into_iter().collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn each_window_is_told_once_where_nothing_crashes(
        metrics in metrics(), period in 1_i64..20, share in 1_i64..4, grace in 0_i64..15,
    ) {
        let hop = (period / share).max(1);
        let make = || engine(rules(period, hop, grace), course(), 5);
        let told = World::new(&metrics, &make).finish();
        let distinct: BTreeSet<_> = told.iter().filter(|line| !line.starts_with("late")).collect();
        let results = told.iter().filter(|line| !line.starts_with("late")).count();
        prop_assert_eq!(distinct.len(), results);
        // Held against windows that are counted one by one.
        let mut highest = i64::MIN;
        let mut counts = BTreeMap::new();
        let mut late = 0;
        for (key, time) in &metrics {
            highest = highest.max(*time);
            let closed_to = highest - grace;
            let windows = Shape { period, hop }.starts(*time);
            let open: Vec<_> = windows.filter(|start| start + period > closed_to).collect();
            late += usize::from(open.is_empty());
            open.iter().for_each(|start| *counts.entry((*start, *key)).or_insert(0) += 1);
        }
        prop_assert_eq!(told.len() - results, late);
        let over = counts.into_iter().filter(|((start, _), _)| start + period <= highest - grace);
        let over: Vec<_> = over.collect();
        prop_assert_eq!(over.len(), results);
        for ((start, key), count) in over {
            let begin = format!("m,key={key} v_count={count},");
            let end = format!(" {start}");
            prop_assert!(told.iter().any(|line| line.starts_with(&begin) && line.ends_with(&end)));
        }
    }
}

fn results(engine: &mut Engine, metrics: Vec<Metric>) -> Vec<String> {
    let mut onward = Vec::new();
    engine.add(metrics, Duration::ZERO, &mut onward);
    onward.iter().map(shown).collect()
}

#[test]
fn a_window_is_over_when_the_time_is_beyond_its_end_and_the_grace() {
    let mut engine = engine(rules(10, 10, 5), course(), 100);
    let all = [metric("a", 1, 1.0), metric("b", 9, 2.0), metric("a", 14, 4.0), metric("a", 3, 8.0)];
    assert_eq!(results(&mut engine, all.into()), [""; 0]);
    assert_eq!(
        results(&mut engine, vec![metric("a", 15, 16.0), metric("a", 9, 32.0)]),
        ["late,key=a v=32 9", "m,key=a v_count=2,v_sum=9 0", "m,key=b v_count=1,v_sum=2 0"]
    );
}

#[test]
fn updates_come_with_each_metric_and_nothing_at_the_end() {
    let course = Course { emit: Emit::Updates, originals: Originals::Pass, ..course() };
    let mut engine = engine(rules(10, 5, 0), course, 100);
    assert_eq!(
        results(&mut engine, vec![metric("a", 7, 1.0), metric("a", 12, 2.0), metric("a", 30, 3.0)]),
        [
            "m,key=a v_count=1,v_sum=1 0",
            "m,key=a v_count=1,v_sum=1 5",
            "m,key=a v=1 7",
            "m,key=a v_count=2,v_sum=3 5",
            "m,key=a v_count=1,v_sum=2 10",
            "m,key=a v=2 12",
            "m,key=a v_count=1,v_sum=3 25",
            "m,key=a v_count=1,v_sum=3 30",
            "m,key=a v=3 30",
        ]
    );
}

#[test]
fn results_are_made_as_the_settings_say() {
    let keys = Patterns::new(&["k*".into()]).unwrap();
    let fields = Patterns::new(&["v".into()]).unwrap();
    let rules = Rules {
        keys,
        fields,
        functions: vec![Function::Max],
        count_field: "metrics".into(),
        name: "r".into(),
        name_suffix: "_x".into(),
        time: ResultTime::End,
        bounds: Bounds::Tags,
        ..rules(10_000_000, 10_000_000, 0)
    };
    let mut engine = engine(rules, course(), 100);
    let first = metric("a", 1, 1.0).with_tag("other", "1").with_field("w", 9.0);
    let second = metric("a", 2, 5.0).with_tag("other", "2").with_field("text", "t");
    let third = metric("b", 10_000_000, 0.0);
    assert_eq!(
        results(&mut engine, vec![first, second, third]),
        ["r_x,key=a,window_end=10,window_start=0 metrics=Integer(2),v_max=5 10000000"]
    );
}

#[test]
fn what_has_no_numbers_neither_counts_nor_moves_the_time() {
    let mut engine = engine(rules(10, 10, 0), course(), 100);
    let text = Metric::new("m", Timestamp::from_nanos(50)).with_field("v", "text");
    let no_number = metric("a", 60, f64::NAN);
    assert_eq!(results(&mut engine, vec![metric("a", 1, 1.0), text, no_number]), [""; 0]);
    assert_eq!(results(&mut engine, vec![metric("a", 10, 1.0)]), ["m,key=a v_count=1,v_sum=1 0"]);
}

#[test]
fn windows_end_when_nothing_has_come_for_long_enough() {
    let mut engine = engine(rules(10, 10, 0), course(), 100);
    assert_eq!(results(&mut engine, vec![metric("a", 1, 1.0)]), [""; 0]);
    let mut onward = Vec::new();
    engine.end_idle(SECOND, 2 * SECOND, &mut onward);
    assert!(onward.is_empty());
    engine.end_idle(2 * SECOND, 2 * SECOND, &mut onward);
    assert_eq!(onward.iter().map(shown).collect::<Vec<_>>(), ["m,key=a v_count=1,v_sum=1 0"]);
    assert_eq!(results(&mut engine, vec![metric("a", 2, 1.0)]), ["late,key=a v=1 2"]);
}

#[test]
fn a_second_processor_of_the_same_name_leaves_metrics_alone() {
    let (mut one, mut other) =
        (engine(rules(10, 10, 0), course(), 100), engine(rules(10, 10, 0), course(), 100));
    let origin = Arc::new(Origin::new("t [0]", BTreeMap::new()));
    let from_there = || {
        let record = Record {
            position: 0,
            origin: origin.clone(),
            reading: Arc::default(),
            is_left: AtomicBool::new(false),
        };
        let mut metric = metric("a", 1, 1.0);
        metric.companion = Companion::new(Arc::new(record));
        vec![metric]
    };
    assert_eq!(results(&mut one, from_there()), [""; 0]);
    assert_eq!(results(&mut other, from_there()), ["m,key=a v=1 1"]);
}

#[test]
fn open_windows_of_metrics_that_cannot_be_read_again_are_kept() {
    let shape = Shape { period: 10, hop: 5 };
    let mut one = engine(rules(10, 5, 3), course(), 100);
    let first = [metric("a", 7, 1.5), metric("b", 11, 0.25), metric("a", 15, 1e300)];
    let second = || vec![metric("a", 8, 2.5), metric("b", 9, 2.0), metric("c", 40, 1.0)];
    let before = results(&mut one, first.into());
    let json = serde_json::to_string(&KeptStream::of(one.local())).unwrap();
    let mut other = engine(rules(10, 5, 3), course(), 100);
    serde_json::from_str::<KeptStream>(&json).unwrap().restore(shape, other.local());
    let (expected, found) = (results(&mut one, second()), results(&mut other, second()));
    assert_eq!(found, expected);
    assert_eq!((before.len(), found.len()), (1, 5), "{found:?}");
}
