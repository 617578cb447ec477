//! metric-agent between topics: what it reads from Kafka, and what it commits.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Cluster, Program, Record, Running, Topic, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

/// A topic that is read, one that is written, and a folder for each agent.
struct Scene<'c> {
    cluster: &'c Cluster,
    from: Topic<'c>,
    to: Topic<'c>,
    group: String,
    /// Where metrics wait.
    buffer: &'static str,
}

impl<'c> Scene<'c> {
    fn new(subject: &str, partitions: i32) -> Scene<'c> {
        let cluster = Cluster::shared();
        let from = cluster.topic(&format!("{subject}-from"), partitions);
        let to = cluster.topic(&format!("{subject}-to"), partitions);
        let group = format!("group-of-{}", from.name());
        Scene { cluster, from, to, group, buffer: "memory" }
    }

    /// An agent of the group that writes what it reads to the other topic.
    fn agent(&self, input: &str) -> Agent {
        self.agent_with(input, &self.to_kafka("producer_timestamp = \"now\""))
    }

    fn to_kafka(&self, options: &str) -> String {
        let (brokers, topic) = (self.cluster.addresses(), self.to.name());
        format!(
            "[[outputs.kafka]]\n  brokers = [\"{brokers}\"]\n  topic = \"{topic}\"\n  {options}\n"
        )
    }

    fn agent_with(&self, input: &str, outputs: &str) -> Agent {
        let (brokers, group, buffer) = (self.cluster.addresses(), &self.group, self.buffer);
        let topics = match input.contains("topic_regexps") {
            true => String::new(),
            false => format!("topics = [\"{}\"]", self.from.name()),
        };
        let config = format!(
            "[agent]\n  interval = \"1s\"\n  flush_interval = \"200ms\"\n  omit_hostname = true\n  \
             debug = true\n  metric_buffer_limit = 100000\n  buffer_strategy = \"{buffer}\"\n  \
             buffer_directory = \"buffers\"\n\
             [[inputs.kafka_consumer]]\n  brokers = [\"{brokers}\"]\n  {topics}\n  \
             consumer_group = \"{group}\"\n  session_timeout = \"6s\"\n  \
             commit_interval = \"200ms\"\n  {input}\n{outputs}"
        );
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("telegraf.conf"), config).unwrap();
        Agent { folder }
    }

    /// What the group has committed, added up.
    fn committed(&self) -> i64 {
        let partitions = self.cluster.describe_group(&self.group);
        partitions.iter().filter_map(|partition| partition.committed).sum()
    }

    fn wait_until_written(&self, count: i64) {
        wait_for("records in the other topic", LIMIT, || (self.to.count() >= count).then_some(()));
    }

    fn wait_until_committed(&self, count: i64) {
        wait_for("the offsets to be committed", LIMIT, || {
            (self.committed() >= count).then_some(())
        });
    }

    /// How often each value stands in a topic.
    fn values(topic: &Topic<'_>) -> BTreeMap<String, usize> {
        let mut values = BTreeMap::new();
        for record in topic.read_all() {
            *values.entry(record.text().trim_end().to_owned()).or_default() += 1;
        }
        values
    }
}

struct Agent {
    folder: TempDir,
}

impl Agent {
    fn start(&self) -> Running {
        Program::agent(self.folder.path())
            .args(["--config", "telegraf.conf", "--strict-env-handling"])
            .start()
    }

    fn start_and_join(&self) -> Running {
        let mut running = self.start();
        running.wait_for_log("Partitions gained", LIMIT);
        running
    }
}

/// The records with these numbers, as line protocol with a time.
fn send(topic: &Topic<'_>, numbers: std::ops::Range<u64>) {
    topic.send(numbers.map(|number| (None, line(number).into_bytes())));
}

fn line(number: u64) -> String {
    format!("m,host=a n={number}i 1700000000000000000")
}

#[test]
fn an_agent_that_is_stopped_has_committed_what_it_wrote_and_reads_nothing_twice() {
    let scene = Scene::new("stopped", 3);
    send(&scene.from, 0..2_000);
    let agent = scene.agent("");
    let running = agent.start_and_join();
    scene.wait_until_written(1_000);
    running.signal(Signal::TERM);
    assert!(running.wait_for_end(LIMIT).status.success());
    // Whatever was read was written and committed: no more and no less.
    assert_eq!(scene.committed(), scene.to.count());
    let running = agent.start_and_join();
    scene.wait_until_written(2_000);
    running.signal(Signal::TERM);
    running.wait_for_end(LIMIT);
    let values = Scene::values(&scene.to);
    assert_eq!(values, (0..2_000).map(|number| (line(number), 1)).collect());
    assert_eq!(scene.committed(), 2_000);
}

#[test]
fn nothing_is_lost_when_an_agent_is_killed() {
    let scene = Scene::new("killed", 3);
    send(&scene.from, 0..20_000);
    let agent = scene.agent("");
    for least in [1_000, 5_000] {
        let running = agent.start_and_join();
        scene.wait_until_written(least);
        running.signal(Signal::KILL);
        running.wait_for_end(LIMIT);
    }
    let _running = agent.start_and_join();
    scene.wait_until_committed(20_000);
    let values = Scene::values(&scene.to);
    assert_eq!(values.len(), 20_000);
}

#[test]
fn an_output_that_is_down_holds_the_committed_offset() {
    let scene = Scene::new("held", 1);
    send(&scene.from, 0..500);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let down = format!(
        "[[outputs.http]]\n  url = \"http://127.0.0.1:{port}/\"\n  data_format = \"influx\"\n"
    );
    let outputs = format!("{}{down}", scene.to_kafka("producer_timestamp = \"now\""));
    let running = scene.agent_with("max_undelivered_messages = 200", &outputs).start_and_join();
    scene.wait_until_written(200);
    running.signal(Signal::TERM);
    let ended = running.wait_for_end(LIMIT);
    assert!(
        ended
            .stderr
            .contains("200 metrics could not be delivered to outputs.http; they are read again"),
        "{}",
        ended.stderr
    );
    assert_eq!(scene.committed(), 0);
    assert_eq!(scene.to.count(), 200, "no more is read than may be under way");
    let _running = scene.agent("").start_and_join();
    scene.wait_until_committed(500);
    assert_eq!(Scene::values(&scene.to).len(), 500);
}

#[test]
fn two_agents_share_the_partitions_and_lose_nothing_when_one_comes_and_goes() {
    for strategy in ["range", "cooperative-sticky"] {
        let scene = Scene::new(strategy, 4);
        let input = format!("balance_strategy = \"{strategy}\"");
        let (first, second) = (scene.agent(&input), scene.agent(&input));
        send(&scene.from, 0..3_000);
        let first = first.start_and_join();
        scene.wait_until_written(1_000);
        let mut second = second.start();
        second.wait_for_log("Partitions gained", LIMIT);
        send(&scene.from, 3_000..6_000);
        scene.wait_until_committed(6_000);
        first.signal(Signal::TERM);
        first.wait_for_end(LIMIT);
        send(&scene.from, 6_000..9_000);
        scene.wait_until_committed(9_000);
        second.signal(Signal::TERM);
        second.wait_for_end(LIMIT);
        let values = Scene::values(&scene.to);
        // What was under way was waited for, so that nothing is there twice either.
        assert_eq!(values, (0..9_000).map(|number| (line(number), 1)).collect(), "{strategy}");
    }
}

#[test]
fn topics_that_match_are_read_also_if_they_come_later() {
    let scene = Scene::new("matching", 1);
    send(&scene.from, 0..10);
    let stem = scene.from.name().to_owned();
    let input = format!(
        "topic_regexps = [\"^{stem}(-later)?$\"]\n  topic_refresh_interval = \"200ms\"\n  \
         topic_tag = \"topic\""
    );
    let _running = scene.agent(&input).start_and_join();
    scene.wait_until_written(10);
    let later = format!("{stem}-later");
    scene.cluster.create_topic(&later, 1, &[]);
    send(&Topic::new(scene.cluster, later.clone()), 10..20);
    scene.wait_until_written(20);
    let topics: std::collections::BTreeSet<_> = Scene::values(&scene.to)
        .into_keys()
        .map(|value| value.split("topic=").nth(1).unwrap().split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(topics, [stem, later].into());
}

#[test]
fn records_are_passed_on_byte_for_byte_also_through_a_buffer_on_the_disk() {
    for buffer in ["memory", "disk"] {
        let scene = Scene { buffer, ..Scene::new(buffer, 2) };
        let values: Vec<Vec<u8>> = (0..500)
            .map(|n| {
                format!("{{ \"hostname\":\"h{n}\",\t\"v\": {n}.0,  \"x\":\"\u{e9}\"}}\r\n")
                    .into_bytes()
            })
            .collect();
        scene.from.send(values.iter().cloned().map(|value| (None, value)));
        let outputs = scene.to_kafka("record = \"original\"\n  producer_timestamp = \"record\"");
        let input = "keep_record = true\n  data_format = \"json\"\n  tag_keys = [\"hostname\"]";
        let _running = scene.agent_with(input, &outputs).start_and_join();
        scene.wait_until_committed(500);
        let key = |record: &Record| (record.value.clone(), record.timestamp_ms);
        let mut sent: Vec<_> = scene.from.read_all().iter().map(key).collect();
        let mut passed: Vec<_> = scene.to.read_all().iter().map(key).collect();
        sent.sort();
        passed.sort();
        assert_eq!(passed, sent, "{buffer}");
    }
}

#[test]
fn what_cannot_be_parsed_goes_to_the_topic_of_dead_letters_and_stops_nothing() {
    let scene = Scene::new("dead", 1);
    let dead = scene.cluster.topic("dead-letters", 1);
    scene.from.send([
        (None, line(1).into_bytes()),
        (None, b"no line protocol".to_vec()),
        (None, line(2).into_bytes()),
    ]);
    let input = format!("dead_letter_topic = \"{}\"", dead.name());
    let _running = scene.agent(&input).start_and_join();
    scene.wait_until_committed(3);
    assert_eq!(Scene::values(&scene.to).len(), 2);
    let letters = dead.read_all();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].text(), "no line protocol");
    let headers: BTreeMap<_, _> = letters[0].headers.iter().cloned().collect();
    let header = |name: &str| String::from_utf8_lossy(&headers[name]).into_owned();
    assert_eq!(header("dead-letter.topic"), scene.from.name());
    assert_eq!(
        (header("dead-letter.partition"), header("dead-letter.offset")),
        ("0".into(), "1".into())
    );
    assert!(header("dead-letter.reason").contains("metric parse error"));
}

#[test]
fn dead_letters_in_a_file_are_fed_back_by_the_sink() {
    let scene = Scene::new("letters", 1);
    scene.from.send([(None, b"no line protocol".to_vec()), (None, line(2).into_bytes())]);
    let agent = scene.agent("dead_letter_file = \"dead.jsonl\"");
    let running = agent.start_and_join();
    scene.wait_until_committed(2);
    running.signal(Signal::TERM);
    running.wait_for_end(LIMIT);
    let fed = Program::sink(agent.folder.path())
        .args(["replay", "dead.jsonl", "--brokers", scene.cluster.addresses()])
        .args(["--topic", scene.to.name()])
        .run(LIMIT);
    assert!(fed.status.success(), "{}", fed.stderr);
    let values = Scene::values(&scene.to);
    assert_eq!(values, [("no line protocol".to_owned(), 1), (line(2), 1)].into());
}
