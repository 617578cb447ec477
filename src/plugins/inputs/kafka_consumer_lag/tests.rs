//! The input's options, and its metrics of rounds that were written down.

use std::sync::Mutex;
use std::time::Duration;

use super::history::Owner;
use super::reading::PartitionReading;
use super::verdict::Status;
use super::*;
use crate::metric::{Metric, Timestamp};
use crate::plugin::Deliver;
use crate::system::fake::FakeClock;

#[derive(Default)]
struct Collected(Mutex<Vec<Metric>>);

impl Deliver for Collected {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        self.0.lock().unwrap().append(metrics);
    }

    fn report(&self, error: &dyn std::error::Error) {
        panic!("{error}");
    }
}

fn partition(topic: &str, partition: i32, committed: i64, end: Option<i64>) -> PartitionReading {
    let (topic, leader) = (topic.to_owned(), Some(1));
    PartitionReading { topic, partition, committed, end, owner: Owner::Present, leader }
}

fn lines(reports: &[PartitionReport], topics: Detail, partitions: Detail) -> Vec<String> {
    let group = GroupReading {
        name: "readers".to_owned(),
        kind: "classic".to_owned(),
        state: "Stable".to_owned(),
        coordinator: 3,
        members: Some(2),
        partitions: vec![
            partition("a", 0, 10, Some(15)),
            partition("a", 1, 7, Some(7)),
            partition("b", 0, 1, None),
        ],
    };
    let collected = Collected::default();
    let clock = FakeClock::at(Timestamp::default());
    let mut accumulator = Accumulator::new(&collected, &clock, Duration::ZERO);
    let mut reporter =
        Reporter { accumulator: &mut accumulator, now: Timestamp::default(), topics, partitions };
    reporter.report(&group, reports);
    drop(accumulator);
    let shown = |metric: &Metric| {
        let tags = metric.tags().iter().map(|tag| format!(",{}={}", tag.key, tag.value));
        let fields =
            metric.fields().iter().map(|field| format!(" {}={:?}", field.key, field.value));
        format!("{}{}{}", metric.name, tags.collect::<String>(), fields.collect::<String>())
    };
    collected.0.lock().unwrap().iter().map(shown).collect()
}

fn reports() -> [PartitionReport; 3] {
    let report = |lag, lag_seconds, status| PartitionReport { lag, lag_seconds, status };
    [
        report(Some(5), Some(2.5), Status::Stall),
        report(Some(0), Some(0.0), Status::Ok),
        report(None, None, Status::Ok),
    ]
}

#[test]
fn a_group_is_reported_by_partition_by_topic_and_as_a_whole() {
    let lines = lines(&reports(), Detail::Reported, Detail::Reported);
    let starts = [
        "kafka_consumer_lag,group=readers,partition=0,topic=a ",
        "kafka_consumer_lag,group=readers,partition=1,topic=a ",
        "kafka_consumer_lag,group=readers,partition=0,topic=b ",
        "kafka_consumer_lag_topic,group=readers,topic=a ",
        "kafka_consumer_lag_topic,group=readers,topic=b ",
        "kafka_consumer_group,group=readers ",
    ];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    // What is not known is not made up.
    assert!(!lines[2].contains("end_offset") && !lines[2].contains(" lag="), "{}", lines[2]);
    assert!(lines[4].contains("partitions_unknown=Integer(1)"), "{}", lines[4]);
    let group = &lines[5];
    for field in ["lag=Integer(5)", "lag_max=Integer(5)", "members=Integer(2)", "topics=Integer(2)"]
    {
        assert!(group.contains(field), "{field} in {group}");
    }
    assert!(group.contains("ERR") && lines[0].contains("STALL"), "{group}");
}

#[test]
fn details_can_be_left() {
    let count = |topics, partitions| lines(&reports(), topics, partitions).len();
    assert_eq!(count(Detail::Left, Detail::Reported), 4);
    assert_eq!(count(Detail::Reported, Detail::Left), 3);
    assert_eq!(count(Detail::Left, Detail::Left), 1);
}

#[test]
fn an_error_stands_for_those_behind_it() {
    let first = WireError::NoBroker(4);
    let text = |others| Incomplete { first: first.clone(), others }.to_string();
    assert_eq!(text(0), "the cluster has no broker 4 now");
    assert_eq!(text(2), "the cluster has no broker 4 now (and 2 more)");
}
