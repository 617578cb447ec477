//! Tests of joins on two sources that are read again after crashes, side by side in any way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::engine::{Counters, Engine, Originals, Sides};
use super::group::{Kind, Rules};
use super::result::ResultRules;
use crate::metric::{Accompany, Companion, Metric, Origin, Timestamp};
use crate::plugin::event_time::Outbox;
use crate::plugin::{Patterns, PluginLog};

fn engine(kind: Kind, before: i64, after: i64, grace: i64) -> Engine {
    let one = |text: &str| Patterns::new(&[text.to_owned()]).unwrap();
    let rules = Rules {
        kind,
        // A bucket is a millisecond at least.
        before: before * MILLI,
        after: after * MILLI,
        grace: grace * MILLI,
        idle: None,
        results: ResultRules {
            name: "j".into(),
            keys: one("key"),
            prefixes: ["l_".into(), "r_".into()],
        },
    };
    let sides = Sides { tag: String::new(), left: one("l"), right: one("r") };
    let outbox = Arc::new(Outbox::new(7));
    let log = PluginLog::new("processors.join");
    let counters = Counters::default();
    Engine::new(rules, sides, Originals::Drop, "join".into(), outbox, counters, log)
}

const MILLI: i64 = 1_000_000;

fn metric(name: &str, key: &str, time: i64, value: i64) -> Metric {
    let time = Timestamp::from_nanos(time * MILLI);
    Metric::new(name, time).with_tag("key", key).with_field("v", value)
}

fn shown(metric: &Metric) -> String {
    let fields = metric.fields().iter().map(|field| format!("{}={:?}", field.key, field.value));
    let tags = metric.tags().iter().map(|tag| format!("{}={}", tag.key, tag.value));
    let (tags, fields): (Vec<_>, Vec<_>) = (tags.collect(), fields.collect());
    let (tags, fields) = (tags.join(","), fields.join(","));
    format!("{} {tags} {fields} {}", metric.name, metric.time.millis())
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

/// One of the two topics.
struct Topic<'w> {
    name: &'static str,
    metrics: &'w [(u8, i64)],
    origin: Arc<Origin>,
    reading: Arc<Reading>,
    /// The position from which it is read.
    from: i64,
    next: i64,
    committed: (i64, BTreeMap<String, i64>),
}

impl<'w> Topic<'w> {
    fn new(name: &'static str, metrics: &'w [(u8, i64)]) -> Topic<'w> {
        let origin = Arc::new(Origin::new(name, BTreeMap::new()).with_partition(0));
        let committed = (0, BTreeMap::new());
        Topic { name, metrics, origin, reading: Arc::default(), from: 0, next: 0, committed }
    }

    fn is_at_end(&self) -> bool {
        self.next as usize == self.metrics.len()
    }

    fn read(&mut self, count: usize, group: &mut Vec<Metric>) {
        let rest = self.metrics.iter().enumerate().skip(self.next as usize);
        for (at, (key, time)) in rest.take(count) {
            let position = at as i64;
            let mut metric = metric(self.name, &key.to_string(), *time, position);
            metric.companion = Companion::new(Arc::new(Record {
                position,
                origin: self.origin.clone(),
                reading: self.reading.clone(),
                is_left: AtomicBool::new(false),
            }));
            group.push(metric);
            self.next = position + 1;
        }
    }

    fn commit(&mut self) {
        let done = self.reading.done.lock().unwrap();
        let offset = (self.from..).find(|position| !done.contains(position)).unwrap();
        self.committed = (offset, self.origin.marks());
    }

    fn begin_anew(&mut self) {
        let (from, marks) = self.committed.clone();
        self.origin = Arc::new(Origin::new(self.name, marks).with_partition(0));
        self.reading = Arc::default();
        (self.from, self.next) = (from, from);
    }
}

/// Two topics, and the outputs behind the join, that crash.
struct World<'w> {
    topics: [Topic<'w>; 2],
    make: &'w dyn Fn() -> Engine,
    engine: Engine,
    undelivered: Vec<Metric>,
    delivered: BTreeSet<String>,
}

impl<'w> World<'w> {
    fn new(
        left: &'w [(u8, i64)],
        right: &'w [(u8, i64)],
        make: &'w dyn Fn() -> Engine,
    ) -> World<'w> {
        World {
            topics: [Topic::new("l", left), Topic::new("r", right)],
            make,
            engine: make(),
            undelivered: Vec::new(),
            delivered: BTreeSet::new(),
        }
    }

    fn read(&mut self, of: usize, count: usize) {
        let mut group = Vec::new();
        self.topics[of].read(count, &mut group);
        self.engine.add(group, Duration::ZERO, &mut self.undelivered);
    }

    fn deliver(&mut self, spare: usize) {
        let all = std::mem::take(&mut self.undelivered);
        let (delivered, left): (Vec<_>, Vec<_>) = all
            .into_iter()
            .enumerate()
            .partition(|(at, _)| spare == 0 || !at.is_multiple_of(spare));
        self.undelivered = left.into_iter().map(|(_, metric)| metric).collect();
        self.delivered.extend(delivered.iter().map(|(_, metric)| shown(metric)));
    }

    fn crash(&mut self) {
        for topic in &self.topics {
            topic.reading.is_dead.store(true, Ordering::Relaxed);
        }
        self.begin_anew();
    }

    /// An end in which outputs have no more time.
    fn stop(&mut self) {
        self.engine.stop();
        self.undelivered.iter().for_each(|metric| metric.companion.leave_behind());
        self.undelivered.clear();
        self.topics.iter_mut().for_each(Topic::commit);
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        self.undelivered.clear();
        self.engine = (self.make)();
        self.topics.iter_mut().for_each(Topic::begin_anew);
    }

    fn finish(mut self) -> BTreeSet<String> {
        loop {
            self.read(0, 3);
            self.read(1, 2);
            if self.topics.iter().all(Topic::is_at_end) && self.undelivered.is_empty() {
                break;
            }
            self.deliver(0);
        }
        self.delivered
    }
}

#[derive(Debug, Clone)]
enum Step {
    Read(usize, usize),
    Deliver(usize),
    Commit(usize),
    Crash,
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0_usize..2, 1_usize..6).prop_map(|(of, count)| Step::Read(of, count)),
        6 => (0_usize..4).prop_map(Step::Deliver),
        5 => (0_usize..2).prop_map(Step::Commit),
        1 => Just(Step::Crash),
        1 => Just(Step::Stop),
    ]
}

/// Times that mostly go on and sometimes lie far behind or ahead.
fn metrics() -> impl Strategy<Value = Vec<(u8, i64)>> {
    let one = (0_u8..12, prop_oneof![6 => -9_i64..6, 1 => -60_i64..0, 1 => 0_i64..40], 0_i64..3);
    prop::collection::vec(one, 1..80).prop_map(|all| {
        let mut now = 100;
        all.into_iter()
            .map(|(key, off, on)| {
                now += on;
                (key, now + off)
            })
            .collect()
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Inner), Just(Kind::Left), Just(Kind::Outer)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn results_after_crashes_are_those_of_one_run(
        (left, right) in (metrics(), metrics()),
        steps in prop::collection::vec(step(), 0..80),
        kind in kind(),
        before in 0_i64..9,
        after in 0_i64..9,
        grace in 0_i64..9,
    ) {
        let make = || engine(kind, before, after, grace);
        let expected = World::new(&left, &right, &make).finish();
        let mut world = World::new(&left, &right, &make);
        for step in steps {
            match step {
                Step::Read(of, count) => world.read(of, count),
                Step::Deliver(spare) => world.deliver(spare),
                Step::Commit(of) => world.topics[of].commit(),
                Step::Crash => world.crash(),
                Step::Stop => world.stop(),
            }
        }
        prop_assert_eq!(world.finish(), expected);
    }

    #[test]
    fn pairs_are_those_that_are_close_and_in_time(
        (left, right) in (metrics(), metrics()),
        before in 0_i64..9,
        after in 0_i64..9,
        grace in 0_i64..9,
    ) {
        let make = || engine(Kind::Outer, before, after, grace);
        let found = World::new(&left, &right, &make).finish();
        let in_time = |all: &[(u8, i64)], reach: i64| {
            let mut highest = i64::MIN;
            let mut in_time = Vec::new();
            for (at, (key, time)) in all.iter().enumerate() {
                highest = highest.max(*time);
                if *time == highest || highest < time + reach + grace {
                    in_time.push((at as i64, *key, *time));
                }
            }
            in_time
        };
        let (lefts, rights) = (in_time(&left, after), in_time(&right, before));
        let mut pairs = BTreeSet::new();
        for (at, key, time) in &lefts {
            for (other, of, then) in &rights {
                if key == of && time - before <= *then && *then <= time + after {
                    let time = time.max(then);
                    pairs.insert(format!(
                        "j key={key} l_v=Integer({at}),r_v=Integer({other}) {time}"
                    ));
                }
            }
        }
        let both = found.iter().filter(|line| line.contains("l_v=") && line.contains("r_v="));
        prop_assert_eq!(both.cloned().collect::<BTreeSet<_>>(), pairs);
        // What has a match has no result without one.
        let lone = found.iter().filter(|line| line.contains("l_v=") != line.contains("r_v="));
        for line in lone {
            let value = line.split(' ').nth(2).unwrap();
            let matched = found.iter().any(|other| {
                other != line && other.split(' ').nth(2).unwrap().split(',').any(|v| v == value)
            });
            prop_assert!(!matched, "{}", line);
        }
    }
}

fn results(engine: &mut Engine, metrics: Vec<Metric>) -> Vec<String> {
    let mut onward = Vec::new();
    engine.add(metrics, Duration::ZERO, &mut onward);
    onward.iter().map(shown).collect()
}

#[test]
fn what_matches_is_told_at_once_and_what_does_not_when_nothing_can() {
    let mut engine = engine(Kind::Outer, 5, 5, 0);
    let right = metric("r", "a", 104, 2).with_tag("t", "x");
    assert_eq!(
        results(&mut engine, vec![metric("l", "a", 100, 1), right]),
        ["j key=a,r_t=x l_v=Integer(1),r_v=Integer(2) 104"]
    );
    let lone = vec![metric("l", "b", 101, 3), metric("r", "c", 102, 4)];
    assert_eq!(results(&mut engine, lone), [""; 0]);
    assert_eq!(
        results(&mut engine, vec![metric("l", "a", 200, 5)]),
        ["j key=b l_v=Integer(3) 101", "j key=c r_v=Integer(4) 102"]
    );
}

#[test]
fn metrics_of_neither_side_pass() {
    let mut engine = engine(Kind::Inner, 5, 5, 0);
    assert_eq!(results(&mut engine, vec![metric("x", "a", 100, 1)]), ["x key=a v=Integer(1) 100"]);
}

#[test]
fn what_waits_and_cannot_be_read_again_is_kept() {
    let (mut one, mut other) = (engine(Kind::Outer, 5, 5, 0), engine(Kind::Outer, 5, 5, 0));
    let first = vec![metric("l", "a", 100, 1), metric("r", "a", 104, 2), metric("l", "b", 101, 3)];
    results(&mut one, first);
    let state = serde_json::to_string(&one.kept_local().unwrap()).unwrap();
    other.restore_local(serde_json::from_str(&state).unwrap()).unwrap();
    let rest =
        || vec![metric("r", "b", 103, 4), metric("l", "z", 200, 5), metric("r", "z", 201, 6)];
    let expected = results(&mut one, rest());
    assert_eq!(results(&mut other, rest()), expected);
    assert_eq!(expected.len(), 2, "{expected:?}");
}
