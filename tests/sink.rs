//! metric-sink as its users meet it.

mod brokers;
mod chaos;
mod clock;
mod command_line;
mod disks;
mod exactly_once;
mod faults;
mod files;
mod group;
mod replay;
mod status;
mod tables;
mod topics;
mod verify;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;

use crate::support::{Cluster, Ended, Program, Running, Topic, wait_for};

/// How long anything may take that has no limit of its own.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder, a topic and a group for the sinks of one test.
struct Scene<'c> {
    cluster: &'c Cluster,
    topic: Topic<'c>,
    group: String,
    folder: TempDir,
}

impl<'c> Scene<'c> {
    fn new(cluster: &'c Cluster, subject: &str, partitions: i32) -> Scene<'c> {
        let topic = cluster.topic(subject, partitions);
        let group = format!("group-of-{}", topic.name());
        Scene { cluster, topic, group, folder: tempfile::tempdir().unwrap() }
    }

    /// A sink that reads the topic and writes to the folder.
    fn sink(&self) -> Program {
        self.sink_in(self.folder.path())
    }

    /// A sink that reads the topic and writes elsewhere.
    fn sink_in(&self, folder: &Path) -> Program {
        Program::sink(folder)
            .args(["--brokers", self.cluster.addresses()])
            .args(["--topic", self.topic.name(), "--group", &self.group])
            .args(["--session-timeout", "6s", "--commit-interval", "200ms"])
    }

    /// The file of a thread.
    fn file(&self, thread: u32) -> PathBuf {
        self.folder.path().join(format!("consumer-thread-{thread}.csv"))
    }

    /// All lines of all files.
    fn lines(&self) -> Vec<String> {
        lines_in(self.folder.path())
    }

    /// Waits until the files hold the numbers from 0 up to `end`.
    fn wait_for_numbers(&self, end: u64) {
        let folder = self.folder.path();
        wait_for("all records in the files", LIMIT, || {
            (distinct_in(&[folder]) >= end).then_some(())
        });
    }

    /// Fails unless `metric-sink verify` finds each record of the topic once in the folder.
    fn assert_all_well(&self) {
        let ended = self.verify();
        assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    }

    /// What `metric-sink verify` says.
    fn verify(&self) -> Ended {
        Program::sink(self.folder.path())
            .args(["verify", ".", "--deep", "--brokers", self.cluster.addresses()])
            .args(["--group", &self.group, "--topic", self.topic.name()])
            .run(LIMIT)
    }

    /// Waits until so much is committed, summed up over the partitions.
    fn wait_for_commit(&self, offsets: i64) {
        wait_for("the commit", LIMIT, || (self.committed_now() == offsets).then_some(()));
    }

    /// The same as [`Scene::committed`], asked without starting a tool for it.
    fn committed_now(&self) -> i64 {
        let mut config = self.cluster.client();
        config.set("group.id", &self.group).set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut asked = TopicPartitionList::new();
        for number in self.topic.ends().into_keys() {
            asked.add_partition(self.topic.name(), number);
        }
        // The coordinator may be on its way to another broker.
        let answers = wait_for("the committed offsets", LIMIT, || {
            consumer.committed_offsets(asked.clone(), Duration::from_secs(5)).ok()
        });
        let offset = |offset| match offset {
            Offset::Offset(offset) => offset,
            _ => 0,
        };
        answers.elements().iter().map(|element| offset(element.offset())).sum()
    }

    /// The offset that follows what is committed, summed up over the partitions.
    fn committed(&self) -> i64 {
        let partitions = self.cluster.describe_group(&self.group);
        partitions.iter().filter_map(|partition| partition.committed).sum()
    }
}

/// Stops a sink as its users do; fails if it does not end well.
fn stop(sink: Running) {
    let ended = sink.stop(Duration::from_secs(5));
    assert!(ended.status.success(), "{}", ended.stderr);
}

/// All lines of all data files in a folder; fails if one does not end in a line end.
fn lines_in(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "csv") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.is_empty() || text.ends_with('\n'), "{} is torn", path.display());
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    lines
}

/// How many different whole lines are in the data files of these folders, which may be growing.
fn distinct_in(folders: &[&Path]) -> u64 {
    let mut lines = BTreeSet::new();
    for folder in folders {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "csv") {
                let text = fs::read(&path).unwrap();
                let whole = text.split_inclusive(|byte| *byte == b'\n');
                lines.extend(whole.filter(|line| line.ends_with(b"\n")).map(<[u8]>::to_vec));
            }
        }
    }
    lines.len() as u64
}

/// Fails unless the lines are the records numbered from 0 up to `end`, each at least once; returns
/// how many stand there more than once.
fn assert_complete(lines: &[String], end: u64) -> u64 {
    let expected: BTreeSet<String> = (0..end).map(Topic::numbered).collect();
    let found: BTreeSet<String> = lines.iter().cloned().collect();
    let missing: Vec<_> = expected.difference(&found).take(5).collect();
    assert!(missing.is_empty(), "missing, among others: {missing:?}");
    let foreign: Vec<_> = found.difference(&expected).take(5).collect();
    assert!(foreign.is_empty(), "no records: {foreign:?}");
    lines.len() as u64 - end
}
