//! What the agent reports of a Kafka cluster, held against Kafka's own tools.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Cluster, Program, Topic, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

/// A metric as line protocol has it, of values without spaces and commas.
#[derive(Debug, Clone)]
struct Line {
    name: String,
    tags: BTreeMap<String, String>,
    fields: BTreeMap<String, String>,
}

impl Line {
    fn parse(line: &str) -> Line {
        let mut parts = line.split(' ');
        let pairs = |text: &str| -> BTreeMap<String, String> {
            let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
            pairs.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())).collect()
        };
        let series = parts.next().unwrap();
        let (name, tags) = series.split_once(',').unwrap();
        let fields = pairs(parts.next().unwrap());
        Line { name: name.to_owned(), tags: pairs(tags), fields }
    }

    fn integer(&self, field: &str) -> i64 {
        let value = self.fields.get(field).unwrap_or_else(|| panic!("no {field} in {self:?}"));
        value.strip_suffix('i').unwrap().parse().unwrap()
    }

    fn float(&self, field: &str) -> f64 {
        self.fields[field].parse().unwrap()
    }
}

/// The metrics of a single round, by the name of their measurement.
struct Round(Vec<Line>);

impl Round {
    fn run(inputs: &str) -> Round {
        let folder = folder(inputs, "");
        let arguments = ["--config", "telegraf.conf", "--test"];
        let ended = Program::agent(folder.path()).args(arguments).run(LIMIT);
        assert!(ended.status.success(), "{}", ended.stderr);
        let lines = ended.stdout.lines().filter_map(|line| line.strip_prefix("> "));
        Round(lines.map(Line::parse).collect())
    }

    fn all<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r Line> {
        self.0.iter().filter(move |line| line.name == name)
    }

    /// The metrics that have a tag of this value.
    fn tagged<'r>(&'r self, name: &'r str, tag: &'r str, value: &'r str) -> Vec<&'r Line> {
        let lines = self.all(name);
        lines.filter(|line| line.tags.get(tag).is_some_and(|tag| tag == value)).collect()
    }

    fn only<'r>(&'r self, name: &'r str, tag: &'r str, value: &'r str) -> &'r Line {
        let lines = self.tagged(name, tag, value);
        assert_eq!(lines.len(), 1, "{name} with {tag}={value}");
        lines[0]
    }
}

fn folder(inputs: &str, agent: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = "[[outputs.file]]\n  files = [\"metrics\"]\n";
    let text = format!("[agent]\n  omit_hostname = true\n{agent}\n{inputs}\n{file}");
    fs::write(folder.path().join("telegraf.conf"), text).unwrap();
    folder
}

fn quoted(addresses: &str) -> String {
    let quoted: Vec<_> = addresses.split(',').map(|address| format!("{address:?}")).collect();
    format!("[{}]", quoted.join(", "))
}

fn consumer(cluster: &Cluster, group: &str) -> BaseConsumer {
    let mut config = cluster.client();
    config.set("group.id", group).set("enable.auto.commit", "false");
    config.create().unwrap()
}

/// Commits offsets of a group, by partition, as somebody who has joined nothing.
fn commit(cluster: &Cluster, group: &str, topic: &Topic<'_>, offsets: &[(i32, i64)]) {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        list.add_partition_offset(topic.name(), *partition, Offset::Offset(*offset)).unwrap();
    }
    consumer(cluster, group).commit(&list, CommitMode::Sync).unwrap();
}

fn partition_lines(text: &str) -> i64 {
    i64::try_from(text.lines().filter(|line| line.contains("Partition: ")).count()).unwrap()
}

#[test]
fn with_one_of_three_brokers_dead_the_numbers_are_those_of_kafkas_own_tools() {
    let cluster = Cluster::start(3);
    let orders = cluster.topic_with("orders", 3, &[("min.insync.replicas", "3")]);
    let events = cluster.topic_with("events", 4, &[("min.insync.replicas", "2")]);
    orders.produce(0..300);
    events.produce(0..40);
    let group = format!("readers-of-{}", orders.name());
    commit(&cluster, &group, &orders, &[(0, 40), (1, 100), (2, 0)]);
    commit(&cluster, &group, &events, &[(1, 3)]);
    let rates = "producer_byte_rate=4096,request_percentage=12.5";
    let somebody = ["--entity-type", "users", "--entity-name", "somebody"];
    cluster.tool("configs", &[&["--alter", "--add-config", rates][..], &somebody].concat());

    cluster.kill_broker(2);
    let describe = |option: &str| cluster.tool("topics", &["--describe", option]);
    wait_for("the dead broker to be missed", LIMIT, || {
        let own = describe("--under-replicated-partitions");
        // Each topic has copies on all brokers.
        (own.matches(orders.name()).count() >= 3 && own.matches(events.name()).count() >= 4)
            .then_some(())
    });

    let brokers = quoted(cluster.addresses());
    let round = Round::run(&format!(
        "[[inputs.kafka_cluster]]\n  brokers = {brokers}\n\
         [[inputs.kafka_consumer_lag]]\n  brokers = {brokers}\n  groups_include = [\"readers-*\"]\n"
    ));

    let own = cluster.describe_group(&group);
    assert_eq!(own.len(), 4);
    let reported = round.tagged("kafka_consumer_lag", "group", &group);
    assert_eq!(reported.len(), 4);
    for own in &own {
        let number = own.partition.to_string();
        let line = reported
            .iter()
            .find(|line| line.tags["topic"] == own.topic && line.tags["partition"] == number);
        let line = line.unwrap();
        assert_eq!(Some(line.integer("committed_offset")), own.committed);
        assert_eq!(Some(line.integer("end_offset")), own.end);
        assert_eq!(Some(line.integer("lag")), own.lag);
        // The records were made since this test began.
        let seconds = line.float("lag_seconds");
        assert_eq!(seconds > 0.0, own.lag > Some(0), "{line:?}");
        assert!(seconds < 300.0, "{line:?}");
    }
    let total: i64 = own.iter().filter_map(|partition| partition.lag).sum();
    let whole = round.only("kafka_consumer_group", "group", &group);
    assert_eq!((whole.integer("lag"), whole.integer("partitions")), (total, 4));
    assert_eq!((whole.integer("members"), whole.fields["state"].as_str()), (0, "Empty"));
    let of_orders = round.tagged("kafka_consumer_lag_topic", "topic", orders.name());
    assert_eq!(of_orders[0].integer("lag"), 60 + 100);

    let health = round.all("kafka_cluster").next().unwrap();
    for (field, option) in [
        ("under_replicated_partitions", "--under-replicated-partitions"),
        ("under_min_isr_partitions", "--under-min-isr-partitions"),
        ("at_min_isr_partitions", "--at-min-isr-partitions"),
        ("offline_partitions", "--unavailable-partitions"),
    ] {
        assert_eq!(health.integer(field), partition_lines(&describe(option)), "{field}");
    }
    assert!(health.integer("under_min_isr_partitions") >= 3);
    assert_eq!((health.integer("brokers"), health.integer("brokers_missing")), (2, 1));
    assert_eq!(health.integer("brokers_registered"), 3);
    let status = cluster.tool("metadata-quorum", &["describe", "--status"]);
    let leader = status.lines().find_map(|line| line.strip_prefix("LeaderId:")).unwrap();
    assert_eq!(health.integer("controller"), leader.trim().parse::<i64>().unwrap());
    assert!(status.contains(&format!("ClusterId:              {}", health.tags["cluster"])));

    let dead = round.only("kafka_broker", "broker", "2");
    assert_eq!((dead.integer("up"), dead.integer("leaders")), (0, 0));
    let described = cluster.tool("topics", &["--describe"]);
    for broker in ["1", "3"] {
        let leads = described.lines().filter(|line| line.contains(&format!("Leader: {broker}\t")));
        let line = round.only("kafka_broker", "broker", broker);
        assert_eq!(line.integer("leaders"), i64::try_from(leads.count()).unwrap(), "{broker}");
    }

    let own = cluster.tool("log-dirs", &["--describe", "--topic-list", orders.name()]);
    let json: Value = own
        .lines()
        .filter(|line| line.starts_with('{'))
        .find_map(|line| serde_json::from_str(line).ok())
        .unwrap();
    let dirs = json["brokers"].as_array().unwrap().iter();
    let dirs = dirs.flat_map(|broker| broker["logDirs"].as_array().unwrap());
    let sizes = dirs.flat_map(|dir| dir["partitions"].as_array().unwrap());
    let sum: i64 = sizes.filter_map(|partition| partition["size"].as_i64()).sum();
    let topic = round.only("kafka_topic", "topic", orders.name());
    assert!(sum > 0);
    assert_eq!(topic.integer("log_bytes"), sum);
    assert_eq!(topic.integer("min_insync_replicas"), 3);
    assert_eq!(round.all("kafka_log_dir").count(), 2);

    let quota = round.only("kafka_client_quota", "user", "somebody");
    assert_eq!(quota.float("producer_byte_rate"), 4096.0);
    assert_eq!(quota.float("request_percentage"), 12.5);
}

#[test]
fn a_group_that_nobody_reads_for_has_stopped_and_one_that_hangs_stalls() {
    let cluster = Cluster::shared();
    let topic = cluster.topic("verdicts", 1);
    topic.produce(0..20);
    let [gone, hanging] = ["gone", "hanging"].map(|kind| format!("{kind}-{}", topic.name()));
    commit(cluster, &gone, &topic, &[(0, 5)]);
    commit(cluster, &hanging, &topic, &[(0, 5)]);
    let member = consumer(cluster, &hanging);
    member.subscribe(&[topic.name()]).unwrap();
    wait_for("the member to have the partition", LIMIT, || {
        let _ = member.poll(Duration::from_millis(50));
        member.assignment().is_ok_and(|assigned| assigned.count() == 1).then_some(())
    });

    let input = format!(
        "[[inputs.kafka_consumer_lag]]\n  brokers = {}\n  groups_include = [\"*-{}\"]\n  window = 3\n",
        quoted(cluster.addresses()),
        topic.name()
    );
    let agent = "  interval = \"300ms\"\n  flush_interval = \"300ms\"\n  round_interval = false\n";
    let folder = folder(&input, agent);
    let running = Program::agent(folder.path()).args(["--config", "telegraf.conf"]).start();
    for (group, verdict) in [(&gone, "STOP"), (&hanging, "STALL")] {
        wait_for(&format!("{verdict} of {group}"), LIMIT, || {
            let _ = member.poll(Duration::from_millis(10));
            let lines = written(folder.path());
            let of_group =
                |line: &&Line| line.name == "kafka_consumer_lag" && line.tags["group"] == **group;
            lines.iter().filter(of_group).any(|line| line.fields["status"] == verdict).then_some(())
        });
        let lines = written(folder.path());
        let mut wholes = lines
            .iter()
            .filter(|line| line.name == "kafka_consumer_group" && line.tags["group"] == **group);
        assert!(wholes.clone().any(|line| line.fields["status"] == "OK"), "{group}");
        let members = i64::from(verdict == "STALL");
        assert_eq!(wholes.next_back().unwrap().integer("members"), members);
    }
    assert!(running.stop(LIMIT).status.success());
}

/// What the agent has written so far, whole lines.
fn written(folder: &Path) -> Vec<Line> {
    let text = fs::read_to_string(folder.join("metrics")).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter(|line| !line.is_empty()).map(Line::parse).collect()
}

#[test]
fn both_inputs_log_in_over_tls() {
    let cluster = Cluster::start_with(1, &["--security"]);
    let topic = cluster.topic("guarded", 1);
    topic.produce(0..3);
    commit(&cluster, "guests", &topic, &[(0, 1)]);
    let ca = cluster.folder().join("tls/ca.pem");
    let round = |password: &str| {
        let options = format!(
            "  brokers = {}\n  tls_ca = {ca:?}\n  sasl_mechanism = \"SCRAM-SHA-512\"\n  \
             sasl_username = \"metric\"\n  sasl_password = {password:?}\n",
            quoted(&cluster.file("bootstrap-sasl-tls"))
        );
        format!("[[inputs.kafka_cluster]]\n{options}[[inputs.kafka_consumer_lag]]\n{options}")
    };
    let told = Round::run(&round("metric-secret"));
    assert_eq!(told.all("kafka_cluster").next().unwrap().integer("brokers"), 1);
    assert_eq!(told.only("kafka_consumer_group", "group", "guests").integer("lag"), 2);

    let folder = folder(&round("wrong"), "");
    let arguments = ["--config", "telegraf.conf", "--test"];
    let refused = Program::agent(folder.path()).args(arguments).run(LIMIT);
    let logged = refused.stderr.matches("refuses the login with SCRAM-SHA-512").count();
    assert!(logged >= 2 && !refused.stderr.contains("wrong"), "{}", refused.stderr);
}
