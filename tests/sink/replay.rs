//! Dead letters on their way back into a topic.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::LIMIT;
use crate::support::{Cluster, Ended, Program, Record, Topic};

/// A topic and a folder with a file of dead letters.
struct Letters<'c> {
    cluster: &'c Cluster,
    topic: Topic<'c>,
    folder: tempfile::TempDir,
}

impl<'c> Letters<'c> {
    fn new(cluster: &'c Cluster, subject: &str, partitions: i32) -> Letters<'c> {
        let topic = cluster.topic(subject, partitions);
        Letters { cluster, topic, folder: tempfile::tempdir().unwrap() }
    }

    fn line(&self, offset: i64, parts: &str) -> String {
        let topic = self.topic.name();
        format!(
            "{{\"topic\":\"{topic}\",\"partition\":0,\"offset\":{offset},\"reason\":\"r\",{parts}}}\n"
        )
    }

    fn write(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("consumer-thread-0.dead-letters.jsonl");
        fs::write(&path, text).unwrap();
        path
    }

    fn replay(&self, arguments: &[&str]) -> Ended {
        let file = "consumer-thread-0.dead-letters.jsonl";
        Program::sink(self.folder.path())
            .args(["replay", file, "--brokers", self.cluster.addresses()])
            .args(arguments)
            .run(LIMIT)
    }
}

#[test]
fn letters_come_back_with_all_that_belongs_to_a_record() {
    let letters = Letters::new(Cluster::shared(), "replayed", 3);
    let bytes = [0, 159, 146, 150];
    letters.write(&[
        letters.line(
            7,
            &format!(
                "\"timestamp\":1700000000123,\"key\":\"k\",\"headers\":[{{\"key\":\"h\",\"value\":\"1\"}},\
                 {{\"key\":\"h\",\"value\":{{\"base64\":\"{0}\"}}}}],\"value\":{{\"base64\":\"{0}\"}}",
                STANDARD.encode(bytes)
            ),
        ),
        letters.line(9, "\"timestamp\":1700000000456,\"key\":\"gone\",\"value\":null"),
    ].concat());
    let ended = letters.replay(&[]);
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(ended.stderr.contains("2 records produced"), "{}", ended.stderr);
    let mut records = letters.topic.read_all();
    records.sort_by_key(|record| record.timestamp_ms);
    let expected = [
        Record {
            partition: records[0].partition,
            offset: records[0].offset,
            key: Some(b"k".to_vec()),
            value: Some(bytes.to_vec()),
            timestamp_ms: Some(1_700_000_000_123),
            headers: vec![("h".into(), b"1".to_vec()), ("h".into(), bytes.to_vec())],
        },
        Record {
            partition: records[1].partition,
            offset: records[1].offset,
            key: Some(b"gone".to_vec()),
            value: None,
            timestamp_ms: Some(1_700_000_000_456),
            headers: Vec::new(),
        },
    ];
    assert_eq!(records, expected);
}

#[test]
fn lines_that_are_damaged_are_named_and_the_others_produced() {
    let letters = Letters::new(Cluster::shared(), "damaged", 1);
    let good = |offset| letters.line(offset, "\"timestamp\":null,\"key\":null,\"value\":\"v\"");
    letters.write(&format!("{}{{\"topic\"\n{}{}", good(1), good(2), &good(3)[..30]));
    let ended = letters.replay(&[]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    for text in [
        "consumer-thread-0.dead-letters.jsonl: line 2 is damaged",
        "line 4 is torn off",
        "2 records produced",
        "0 records were not produced, and 2 lines or files could not be read",
    ] {
        assert!(ended.stderr.contains(text), "{text} in {}", ended.stderr);
    }
    assert_eq!(letters.topic.count(), 2);
}

#[test]
fn what_a_topic_does_not_take_is_kept_for_another_try() {
    let cluster = Cluster::shared();
    let letters = Letters::new(cluster, "origin", 1);
    let narrow = cluster.topic_with("narrow", 1, &[("max.message.bytes", "1000")]);
    let line = |offset, length| {
        let value = "x".repeat(length);
        letters.line(offset, &format!("\"timestamp\":null,\"key\":null,\"value\":\"{value}\""))
    };
    letters.write(&[line(1, 10), line(2, 5_000), line(3, 10)].concat());
    let ended = letters.replay(&["--topic", narrow.name(), "--rest", "rest.jsonl"]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("line 2 ("), "{}", ended.stderr);
    assert!(ended.stderr.contains("larger than allowed"), "{}", ended.stderr);
    assert_eq!((narrow.count(), letters.topic.count()), (2, 0));
    let rest = fs::read_to_string(letters.folder.path().join("rest.jsonl")).unwrap();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(json(&rest), json(&line(2, 5_000)));
    // What is left goes to where it came from.
    fs::write(letters.folder.path().join("consumer-thread-0.dead-letters.jsonl"), rest).unwrap();
    let ended = letters.replay(&[]);
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(letters.topic.read_all()[0].text().len(), 5_000);
}

#[test]
fn a_dry_run_prints_what_would_be_produced_and_asks_no_cluster() {
    let letters = Letters::new(Cluster::shared(), "dry", 1);
    letters.write(&letters.line(1, "\"timestamp\":null,\"key\":\"k\",\"value\":\"four\""));
    let ended = letters.replay(&["--dry-run", "--brokers", "127.0.0.1:1"]);
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(ended.stdout, format!("{}: 4 bytes, key \"k\"\n", letters.topic.name()));
    assert_eq!(letters.topic.count(), 0);
}

#[test]
fn mistakes_on_the_command_line_of_a_replay_are_told() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, answer) in [
        (vec!["replay"], "no file is named"),
        (vec!["replay", "missing.jsonl", "--dry-run"], "opening missing.jsonl"),
        (vec!["replay", "a", "--topics", "t"], "'--topic'"),
        (vec!["replay", "a", "-X", "oops"], "KEY=VALUE"),
        (vec!["--topic", "t", "replay", "a"], "commands stand before all flags"),
    ] {
        let ended = Program::sink(folder.path()).args(&arguments).run(LIMIT);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(answer), "{arguments:?}: {}", ended.stderr);
    }
    let help = Program::sink(folder.path()).args(["replay", "--help"]).run(LIMIT);
    assert!(help.stdout.contains("metric-sink replay [FLAGS] FILE…"), "{}", help.stdout);
}
