//! That `scripts/kafka` gives the other tests a Kafka to rely on.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};

use crate::support::{Cluster, Topic, wait_for};

#[test]
fn a_broker_that_was_killed_comes_back_at_its_address_with_its_records() {
    let cluster = Cluster::start(1);
    let topic = cluster.topic("survives", 5);
    topic.produce(0..1_000);
    cluster.kill_broker(1);
    cluster.start_broker(1);
    assert_eq!(cluster.addresses(), cluster.file("bootstrap"));
    let numbers: BTreeSet<_> = topic.read_all().iter().map(|r| r.text().to_owned()).collect();
    assert_eq!(numbers, (0..1_000).map(Topic::numbered).collect());
    topic.produce(1_000..1_100);
    assert_eq!(topic.count(), 1_100);
}

#[test]
fn two_of_three_brokers_go_on_without_the_third() {
    let cluster = Cluster::start(3);
    assert_eq!(cluster.addresses().split(',').count(), 3);
    let topic = cluster.topic("replicated", 5);
    topic.produce(0..100);
    cluster.kill_broker(2);
    topic.produce(100..200);
    assert_eq!(topic.read_all().len(), 200);
    cluster.start_broker(2);
    wait_for("all replicas to be in sync", Duration::from_secs(60), || {
        let arguments = ["--describe", "--topic", topic.name(), "--under-replicated-partitions"];
        cluster.tool("topics", &arguments).trim().is_empty().then_some(())
    });
}

#[test]
fn a_paused_broker_says_nothing_until_it_goes_on() {
    let cluster = Cluster::start(1);
    let topic = cluster.topic("paused", 1);
    let client: BaseConsumer = cluster.client().create().unwrap();
    client.fetch_metadata(None, Duration::from_secs(30)).unwrap();
    cluster.pause_broker(1);
    wait_for("the broker to be silent", Duration::from_secs(30), || {
        client.fetch_metadata(None, Duration::from_secs(1)).is_err().then_some(())
    });
    cluster.resume_broker(1);
    topic.produce(0..10);
    assert_eq!(topic.read_all().len(), 10);
}

#[test]
fn kafkas_own_tool_reports_who_reads_a_partition_and_how_far() {
    let cluster = Cluster::shared();
    let topic = cluster.topic("described", 2);
    topic.produce(0..20);
    let group = format!("readers-of-{}", topic.name());
    let mut config = cluster.client();
    config.set("group.id", &group).set("client.id", "the-reader");
    config.set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[topic.name()]).unwrap();
    let mut read = 0;
    wait_for("all records to be read", Duration::from_secs(60), || {
        while consumer.poll(Duration::from_millis(50)).is_some_and(|record| record.is_ok()) {
            read += 1;
        }
        (read == 20).then_some(())
    });
    consumer.commit_consumer_state(CommitMode::Sync).unwrap();

    let partitions = cluster.describe_group(&group);
    assert_eq!(partitions.len(), 2);
    for (partition, number) in partitions.iter().zip(0..) {
        assert_eq!((partition.topic.as_str(), partition.partition), (topic.name(), number));
        assert_eq!((partition.committed, partition.end), (Some(10), Some(10)));
        assert_eq!(partition.lag, Some(0));
        assert_eq!(partition.client_id.as_deref(), Some("the-reader"));
        assert!(partition.member.as_deref().unwrap().starts_with("the-reader-"));
    }
}

#[test]
fn the_listeners_with_logins_and_with_tls_let_the_right_clients_in() {
    let cluster = Cluster::start_with(1, &["--security"]);
    let tls = cluster.folder().join("tls");
    let file = |name: &str| tls.join(name).to_str().unwrap().to_owned();
    let login = |mechanism: &str, password: &str| {
        vec![
            ("security.protocol", "SASL_PLAINTEXT".to_owned()),
            ("sasl.mechanism", mechanism.to_owned()),
            ("sasl.username", "metric".to_owned()),
            ("sasl.password", password.to_owned()),
        ]
    };
    let trusting = |protocol: &str| {
        vec![("security.protocol", protocol.to_owned()), ("ssl.ca.location", file("ca.pem"))]
    };
    let certified = vec![
        ("ssl.certificate.location", file("client.pem")),
        ("ssl.key.location", file("client.key")),
    ];
    let both = [&login("SCRAM-SHA-512", "metric-secret")[1..], &trusting("SASL_SSL")].concat();
    for (listener, settings, is_let_in) in [
        ("bootstrap-sasl", login("PLAIN", "metric-secret"), true),
        ("bootstrap-sasl", login("SCRAM-SHA-256", "metric-secret"), true),
        ("bootstrap-sasl", login("SCRAM-SHA-512", "metric-secret"), true),
        ("bootstrap-sasl", login("PLAIN", "wrong"), false),
        ("bootstrap-tls", trusting("SSL"), true),
        ("bootstrap-tls", [trusting("SSL"), certified].concat(), true),
        ("bootstrap-tls", vec![("security.protocol", "SSL".to_owned())], false),
        ("bootstrap-sasl-tls", both, true),
    ] {
        let mut config = cluster.client();
        config.set("bootstrap.servers", cluster.file(listener)).set("group.id", "guests");
        for (key, value) in &settings {
            config.set(*key, value);
        }
        let client: BaseConsumer = config.create().unwrap();
        let limit = Duration::from_secs(if is_let_in { 30 } else { 3 });
        let answer = client.fetch_metadata(None, limit);
        assert_eq!(answer.is_ok(), is_let_in, "{listener} {settings:?}: {:?}", answer.err());
    }
}

#[test]
fn a_folder_with_other_files_is_not_taken_for_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "data").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/kafka");
    for command in ["start", "remove", "status"] {
        let output = Command::new(script).arg(command).arg("--dir").arg(folder.path()).output();
        let output = output.unwrap();
        assert!(!output.status.success(), "{command}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("precious")).unwrap(), "data");
}
