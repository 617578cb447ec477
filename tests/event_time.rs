//! Windows and tables of metric-agent on real topics: restarts, more than one agent, and
//! reading everything once more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Cluster, Program, Running, Topic, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

const PARTITIONS: i32 = 3;

/// What the first of the windows begins with, a multiple of their length.
const START_SECONDS: u64 = 1_700_000_000;

/// A folder with the configuration of one agent.
struct Agent {
    folder: TempDir,
}

impl Agent {
    /// An agent that reads topics, listed as in TOML, and writes one.
    fn new(cluster: &Cluster, group: &str, from: &str, to: &str, processors: &str) -> Agent {
        let brokers = cluster.addresses();
        let config = format!(
            "[agent]\n  interval = \"1s\"\n  flush_interval = \"200ms\"\n  omit_hostname = true\n  \
             debug = true\n  metric_buffer_limit = 100000\n\
             [[inputs.kafka_consumer]]\n  brokers = [\"{brokers}\"]\n  topics = [{from}]\n  \
             consumer_group = \"{group}\"\n  session_timeout = \"6s\"\n  \
             commit_interval = \"200ms\"\n\
             {processors}\n\
             [[outputs.kafka]]\n  brokers = [\"{brokers}\"]\n  topic = \"{to}\"\n  \
             routing_tag = \"key\"\n"
        );
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("telegraf.conf"), config).unwrap();
        Agent { folder }
    }

    fn start(&self) -> Running {
        Program::agent(self.folder.path())
            .args(["--config", "telegraf.conf", "--strict-env-handling"])
            .start()
    }
}

/// All distinct records, without line ends.
fn lines(topic: &Topic<'_>) -> BTreeSet<String> {
    topic.read_all().iter().map(|record| record.text().trim_end().to_owned()).collect()
}

/// Waits until a topic has these records at least.
fn wait_until(topic: &Topic<'_>, expected: &BTreeSet<String>) {
    wait_for("all results", LIMIT, || {
        let has_enough = topic.count() >= i64::try_from(expected.len()).unwrap();
        (has_enough && expected.is_subset(&lines(topic))).then_some(())
    });
}

/// A metric of one of the keys of a partition; some come up to three seconds late.
fn record(number: u64) -> (Option<i32>, Vec<u8>) {
    let partition = number % 3;
    let key = partition + 3 * (number / 3 % 7);
    let late = if number.is_multiple_of(5) { number % 4 } else { 0 };
    let seconds = START_SECONDS + 10 + number / 30 - late;
    let line = format!("m,key={key} v={number}i {seconds}000000000");
    (Some(i32::try_from(partition).unwrap()), line.into_bytes())
}

/// The results of windows of ten seconds that are over when these records have come.
fn expected(records: u64) -> BTreeSet<String> {
    let mut windows: BTreeMap<(u64, String), (u64, u64)> = BTreeMap::new();
    let mut highest = 0;
    for number in 0..records {
        let (_, line) = record(number);
        let line = String::from_utf8(line).unwrap();
        let mut words = line.split(' ');
        let (series, time) = (words.next().unwrap(), words.nth(1).unwrap());
        let seconds: u64 = time[..10].parse().unwrap();
        highest = highest.max(seconds);
        let totals = windows.entry((seconds / 10 * 10, series.to_owned())).or_default();
        *totals = (totals.0 + 1, totals.1 + number);
    }
    let over = windows.into_iter().filter(|((start, _), _)| start + 10 + 5 <= highest);
    over.map(|((start, series), (count, sum))| {
        format!("{series} v_count={count},v_sum={sum} {start}000000000")
    })
    .collect()
}

const WINDOW: &str = "[[processors.window]]\n  period = \"10s\"\n  grace = \"5s\"\n";

#[test]
fn one_agent_three_of_which_one_is_killed_and_a_second_reading_give_the_same_windows() {
    const HALF: u64 = 3_000;
    const ALL: u64 = 6_000;
    let cluster = Cluster::shared();
    let from = cluster.topic("windows-from", PARTITIONS);
    let tos = ["one", "three", "again"]
        .map(|name| cluster.topic(&format!("windows-to-{name}"), PARTITIONS));
    let [one, three, again] = &tos;
    let agent = |to: &Topic<'_>| {
        let group = format!("group-of-{}", to.name());
        Agent::new(cluster, &group, &format!("\"{}\"", from.name()), to.name(), WINDOW)
    };
    from.send((0..HALF).map(record));
    let half = expected(HALF);
    let single = agent(one);
    let mut running = single.start();
    wait_until(one, &half);
    let crew = [agent(three), agent(three), agent(three)];
    let mut crew = crew.each_ref().map(Agent::start);
    wait_until(three, &half);
    // All have windows open: those that have just begun.
    for member in &mut crew {
        member.wait_for_log("Partitions gained", LIMIT);
    }
    crew[1].signal(Signal::KILL);
    // The single one is stopped in the middle and started again.
    running.signal(Signal::TERM);
    assert!(running.wait_for_end(LIMIT).status.success());
    running = single.start();
    from.send((HALF..ALL).map(record));
    let all = expected(ALL);
    assert!(all.len() > 2 * half.len() - 60, "{} and {} windows", half.len(), all.len());
    wait_until(one, &all);
    wait_until(three, &all);
    let second = agent(again);
    let _second = second.start();
    wait_until(again, &all);
    // A window that is told twice is told the same: there are no other results.
    for topic in [one, three, again] {
        assert_eq!(lines(topic), all, "{}", topic.name());
    }
    drop(running);
}

/// Writes a record with a key and a value, or none.
fn put(cluster: &Cluster, topic: &str, key: &str, value: Option<&str>) {
    let producer: BaseProducer = cluster.client().create().unwrap();
    let mut record = BaseRecord::<str, str>::to(topic).key(key);
    record.payload = value;
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(LIMIT).unwrap();
}

#[test]
fn a_table_in_a_topic_is_complete_at_the_start_and_then_followed() {
    let cluster = Cluster::shared();
    let (from, to) = (cluster.topic("table-from", 1), cluster.topic("table-to", 1));
    let table = cluster.topic_with("table", 2, &[("cleanup.policy", "compact")]);
    put(cluster, table.name(), "a", Some(r#"{"rack":"r1","cores":4}"#));
    put(cluster, table.name(), "b", Some(r#"{"rack":"r2"}"#));
    put(cluster, table.name(), "b", None);
    let send = |line: &str| from.send([(Some(0), line.as_bytes().to_vec())]);
    send("m,key=a v=1i 1");
    send("m,key=b v=2i 2");
    let processors = format!(
        "[[processors.table]]\n  brokers = [\"{}\"]\n  topic = \"{}\"\n  key_tag = \"key\"\n  \
         tags = [\"rack\"]\n  fields = [\"cores\"]\n",
        cluster.addresses(),
        table.name()
    );
    let from_list = format!("\"{}\"", from.name());
    let agent = Agent::new(cluster, "group-of-table", &from_list, to.name(), &processors);
    let _running = agent.start();
    let first = ["m,key=a,rack=r1 v=1i,cores=4i 1", "m,key=b v=2i 2"];
    wait_until(&to, &first.map(str::to_owned).into());
    put(cluster, table.name(), "a", None);
    put(cluster, table.name(), "b", Some(r#"{"rack":"r3"}"#));
    let mut number = 10;
    wait_for("the changes to take effect", LIMIT, || {
        number += 1;
        send(&format!("m,key=a v={number}i 3"));
        send(&format!("m,key=b v={number}i 3"));
        let found = lines(&to);
        let has = |begin: &str| found.iter().any(|line| line.starts_with(begin));
        (has("m,key=a v=") && has("m,key=b,rack=r3 v=")).then_some(())
    });
}
