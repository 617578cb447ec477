//! Metrics that an output can never write: kept in files, and sent again by `metric-agent replay`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Cluster, Ended, Program, Topic, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

const SMALL_LINE: &str = "small n=1i 1700000000000000000\n";

/// A line that is larger than the smallest record that an output may be limited to.
fn large_line(number: usize) -> String {
    format!("large,host=a n={number}u,text=\"{}\" 1700000000000000000\n", "x".repeat(3_000))
}

/// A folder with a configuration for a topic, of which the largest record can be changed.
struct Bench<'c> {
    folder: TempDir,
    topic: Topic<'c>,
    cluster: &'c Cluster,
}

impl<'c> Bench<'c> {
    fn new(subject: &str) -> Bench<'c> {
        let cluster = Cluster::shared();
        let topic = cluster.topic(subject, 1);
        let bench = Bench { folder: tempfile::tempdir().unwrap(), topic, cluster };
        fs::write(bench.path("lines"), format!("{SMALL_LINE}{}", large_line(1))).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, agent: &str, most_bytes: usize) {
        let topic = self.topic.name();
        let brokers: Vec<_> = self.cluster.addresses().split(',').collect();
        let config = format!(
            "[agent]\n  interval = \"100ms\"\n  flush_interval = \"100ms\"\n  omit_hostname = true\n{agent}\n\
             [[inputs.file]]\n  files = [\"lines\"]\n  data_format = \"influx\"\n\
             [[outputs.kafka]]\n  alias = \"main\"\n  brokers = {brokers:?}\n  topic = {topic:?}\n  \
             max_message_bytes = {most_bytes}\n  influx_uint_support = true\n"
        );
        fs::write(self.path("telegraf.conf"), config).unwrap();
    }

    fn agent(&self) -> Program {
        let arguments = ["--config", "telegraf.conf", "--strict-env-handling"];
        Program::agent(self.folder.path()).args(arguments)
    }

    fn replay(&self, arguments: &[&str]) -> Ended {
        Program::agent(self.folder.path())
            .args(["replay", "--config", "telegraf.conf", "--strict-env-handling"])
            .args(arguments)
            .run(LIMIT)
    }

    fn texts(&self) -> Vec<String> {
        self.topic.read_all().iter().map(|record| record.text().to_owned()).collect()
    }
}

/// How many metrics a replay has sent, as it says itself.
fn n_sent(ended: &Ended) -> usize {
    let line = ended.stderr.lines().find(|line| line.ends_with(" metrics sent")).unwrap();
    line.split(' ').rev().nth(2).unwrap().parse().unwrap()
}

fn letters(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_record_too_large_for_kafka_arrives_once_when_the_limit_was_raised() {
    let bench = Bench::new("dead-letters");
    bench.configure("  dead_letter_directory = \"letters\"\n", 2_000);
    let ended = bench.agent().args(["--once"]).run(LIMIT);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    let file = "letters/outputs.kafka.main.dead-letters.jsonl";
    let path = bench.path(file);
    let kept = letters(&path);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0]["output"], "outputs.kafka::main");
    assert!(
        kept[0]["reason"].as_str().unwrap().contains("larger than allowed"),
        "{}",
        kept[0]["reason"]
    );
    assert_eq!(kept[0]["metric"].as_str().unwrap(), large_line(1).trim_end());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(bench.texts(), [SMALL_LINE]);

    // Before the fix it is refused as before, and stays.
    let ended = bench.replay(&[file]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 metrics were given up again"), "{}", ended.stderr);
    assert_eq!(letters(&path).len(), 1);

    bench.configure("", 100_000);
    let ended = bench.replay(&["--dry-run", file]);
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(ended.stdout, format!("outputs.kafka::main <- {}", large_line(1)));
    assert!(ended.stderr.contains("1 metrics would be sent"), "{}", ended.stderr);
    assert_eq!(bench.texts().len(), 1);

    let ended = bench.replay(&[file]);
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 metrics sent"), "{}", ended.stderr);
    assert_eq!(bench.texts(), [SMALL_LINE, &large_line(1)]);
    assert_eq!(fs::read_dir(bench.path("letters")).unwrap().count(), 0);

    let ended = bench.replay(&[file]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("opening letters/outputs.kafka.main"), "{}", ended.stderr);
}

#[test]
fn a_running_agent_goes_on_keeping_letters_while_its_file_is_replayed() {
    let bench = Bench::new("dead-letters-live");
    bench.configure("", 2_000);
    fs::create_dir(bench.path("state")).unwrap();
    let agent = bench.agent().env("STATE_DIRECTORY", bench.path("state")).start();
    let file = "state/dead-letters/outputs.kafka.main.dead-letters.jsonl";
    let path = bench.path(file);
    let count = || fs::read_to_string(&path).unwrap_or_default().lines().count();
    wait_for("letters", LIMIT, || (count() >= 3).then_some(()));

    let ended = bench.replay(&["--output", "nosuch", file]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("no output \"nosuch\""), "{}", ended.stderr);

    // The one that runs keeps its own limit until it is told otherwise.
    bench.configure("", 100_000);
    let ended = bench.replay(&["--output", "main", file]);
    assert!(ended.status.success(), "{}", ended.stderr);
    wait_for("letters in a new file", LIMIT, || (count() >= 1).then_some(()));
    assert_eq!(agent.stop(LIMIT).status.code(), Some(0));
    let n_left = count();
    let last = bench.replay(&[file]);
    assert!(last.status.success(), "{}", last.stderr);
    assert!(last.stderr.contains(&format!("{n_left} metrics sent")), "{}", last.stderr);
    let n_first = n_sent(&ended);
    assert!(n_first >= 3, "{n_first}");
    // Each that was given up, before and after the file was taken, is there once.
    let n_large = bench.texts().iter().filter(|text| text.starts_with("large")).count();
    assert_eq!(n_large, n_first + n_left);
    assert!(!path.exists());
}

#[test]
fn single_rounds_and_an_agent_without_a_state_folder_keep_no_letters_unless_told_to() {
    let bench = Bench::new("no-letters");
    bench.configure("", 2_000);
    let before = fs::read_dir(bench.folder.path()).unwrap().count();
    let ended =
        bench.agent().args(["--once"]).env("STATE_DIRECTORY", bench.folder.path()).run(LIMIT);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    let mut agent = bench.agent().start();
    agent.wait_for_log("Gave up a metric that can never be written", LIMIT);
    assert_eq!(agent.stop(LIMIT).status.code(), Some(0));
    assert_eq!(fs::read_dir(bench.folder.path()).unwrap().count(), before);
    let ended = bench.agent().args(["replay"]).run(LIMIT);
    assert!(ended.stderr.contains("replay stands before all flags"), "{}", ended.stderr);
    let ended = Program::agent(bench.folder.path()).args(["replay", "--help"]).run(LIMIT);
    assert!(ended.stdout.contains("--dry-run"), "{}", ended.stdout);
}
