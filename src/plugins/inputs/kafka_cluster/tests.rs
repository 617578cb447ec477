//! The metrics of a round that was written down.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::kafka::wire::{
    BrokerAddress, ClientQuota, LogDir, LogDirPartition, Metadata, PartitionMetadata,
    QuorumReplica, QuotaEntity, TopicMetadata,
};
use crate::metric::{Metric, Timestamp, Value};
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

fn metadata() -> Metadata {
    let broker = |id, rack: Option<&str>| BrokerAddress {
        id,
        host: format!("kafka-{id}"),
        port: 9092,
        rack: rack.map(str::to_owned),
    };
    let partitions = vec![PartitionMetadata {
        number: 0,
        leader: Some(1),
        replicas: vec![1, 2],
        in_sync: vec![1],
        offline: vec![2],
    }];
    let topic = |name: &str| TopicMetadata {
        error: None,
        name: name.to_owned(),
        is_internal: false,
        partitions: partitions.clone(),
    };
    Metadata {
        brokers: vec![broker(1, Some("east"))],
        cluster_id: Some("abc".to_owned()),
        controller: 1,
        topics: vec![topic("orders"), topic("other")],
    }
}

fn collect(report: impl FnOnce(&mut Reporter<'_, '_>)) -> Vec<Metric> {
    let (collected, clock) = (Collected::default(), FakeClock::at(Timestamp::default()));
    let metadata = metadata();
    let mut accumulator = Accumulator::new(&collected, &clock, Duration::ZERO);
    report(&mut Reporter::new(&mut accumulator, Timestamp::default(), &metadata, Detail::Reported));
    drop(accumulator);
    collected.0.into_inner().unwrap()
}

fn health() -> Health {
    let partition = LogDirPartition {
        topic: "orders".to_owned(),
        partition: 0,
        bytes: 700,
        is_on_the_move: false,
    };
    Health::of(
        &metadata(),
        &HashMap::from([("orders".to_owned(), 2)]),
        &[(1, vec![dir(partition)])],
    )
}

fn dir(partition: LogDirPartition) -> LogDir {
    LogDir {
        path: "/data".to_owned(),
        error: None,
        total_bytes: Some(1_000),
        usable_bytes: None,
        partitions: vec![partition],
    }
}

fn integer(metric: &Metric, field: &str) -> Option<i64> {
    match metric.field(field)? {
        Value::Integer(number) => Some(*number),
        other => panic!("{field} is {other:?}"),
    }
}

#[test]
fn the_cluster_is_told_with_its_controllers_and_the_brokers_that_are_away() {
    let quorum = Quorum {
        leader: Some(7),
        epoch: 3,
        high_watermark: 100,
        voters: vec![
            QuorumReplica { id: 7, end_offset: 100 },
            QuorumReplica { id: 8, end_offset: 90 },
        ],
        observers: vec![QuorumReplica { id: 1, end_offset: 95 }],
    };
    let registered =
        [(1, false), (2, true)].map(|(broker, is_fenced)| Registration { broker, is_fenced });
    let metrics = collect(|reporter| {
        reporter.cluster(&health(), Some(&quorum), Some(&registered));
        reporter.brokers(&health(), Some(&quorum));
    });
    let cluster = &metrics[0];
    assert_eq!(cluster.tag("cluster"), Some("abc"));
    for (field, expected) in [
        ("brokers", 1),
        ("brokers_missing", 1),
        ("brokers_registered", 2),
        ("brokers_fenced", 1),
        ("topics", 2),
        ("partitions", 2),
        ("under_replicated_partitions", 2),
        ("under_min_isr_partitions", 1),
        ("at_min_isr_partitions", 1),
        ("offline_partitions", 0),
        ("active_controllers", 1),
        ("controller", 7),
        ("controller_epoch", 3),
        ("controller_lag_max", 10),
        ("log_bytes", 700),
    ] {
        assert_eq!(integer(cluster, field), Some(expected), "{field}");
    }
    let brokers: Vec<_> = metrics[1..].iter().map(|broker| broker.tag("broker")).collect();
    assert_eq!(brokers, [Some("1"), Some("2")]);
    assert_eq!(metrics[1].tag("rack"), Some("east"));
    let told = |field| [&metrics[1], &metrics[2]].map(|broker| integer(broker, field));
    assert_eq!(told("up"), [Some(1), Some(0)]);
    assert_eq!(told("leaders"), [Some(2), Some(0)]);
    assert_eq!(told("replicas_out_of_sync"), [Some(0), Some(2)]);
    assert_eq!(told("metadata_lag"), [Some(5), None]);
    assert_eq!(told("log_bytes"), [Some(700), None]);
}

#[test]
fn without_a_quorum_the_controller_is_that_of_the_metadata() {
    let metrics = collect(|reporter| reporter.cluster(&health(), None, None));
    assert_eq!(integer(&metrics[0], "controller"), Some(1));
    assert_eq!(metrics[0].field("controller_epoch"), None);
    assert_eq!(metrics[0].field("brokers_fenced"), None);
}

#[test]
fn topics_that_are_left_out_count_in_the_sums() {
    let patterns = |list: &[&str]| {
        Patterns::new(&list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
    };
    let topics = |are| Topics { are, include: patterns(&["o*"]), exclude: patterns(&["oth*"]) };
    let told = |are| collect(|reporter| reporter.topics(&health(), &topics(are)));
    let metrics = told(Detail::Reported);
    assert_eq!(metrics.len(), 1);
    assert_eq!(metrics[0].tag("topic"), Some("orders"));
    assert_eq!(integer(&metrics[0], "min_insync_replicas"), Some(2));
    assert_eq!(integer(&metrics[0], "leader_log_bytes"), Some(700));
    assert!(told(Detail::Left).is_empty());
}

#[test]
fn folders_and_quotas_are_told_one_by_one() {
    let partition = LogDirPartition {
        topic: "orders".to_owned(),
        partition: 0,
        bytes: 700,
        is_on_the_move: true,
    };
    let broken = LogDir { error: Some(ErrorCode(56)), ..dir(partition.clone()) };
    let entity = |kind: &str, name: Option<&str>| QuotaEntity {
        kind: kind.to_owned(),
        name: name.map(str::to_owned),
    };
    let quota = ClientQuota {
        entities: vec![entity("user", Some("alice")), entity("client-id", None)],
        values: vec![("producer_byte_rate".to_owned(), 1_024.0)],
    };
    let none = ClientQuota { entities: vec![entity("ip", Some("::1"))], values: Vec::new() };
    let metrics = collect(|reporter| {
        reporter.log_dirs(2, &[dir(partition), broken]);
        reporter.quota(&quota);
        reporter.quota(&none);
    });
    assert_eq!(metrics.len(), 3);
    assert_eq!((metrics[0].tag("broker"), metrics[0].tag("path")), (Some("2"), Some("/data")));
    assert_eq!(integer(&metrics[0], "total_bytes"), Some(1_000));
    assert_eq!(integer(&metrics[0], "partitions_moving"), Some(1));
    assert_eq!(metrics[0].field("usable_bytes"), None);
    assert_eq!([&metrics[0], &metrics[1]].map(|dir| integer(dir, "online")), [Some(1), Some(0)]);
    assert_eq!(metrics[1].field("error"), Some(&Value::from("KAFKA_STORAGE_ERROR")));
    let quota = &metrics[2];
    assert_eq!((quota.tag("user"), quota.tag("client_id")), (Some("alice"), Some("<default>")));
    assert_eq!(quota.field("producer_byte_rate"), Some(&Value::Float(1_024.0)));
}
