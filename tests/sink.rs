//! metric-sink as its users meet it, against a real Kafka: members, files, commits, faults.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Cluster, Ended, Program, Topic, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

/// A sink of `topic` that writes to `folder`, with a group named after the topic.
fn sink(cluster: &Cluster, topic: &Topic<'_>, folder: &Path) -> Program {
    let group = group(topic);
    Program::sink(folder).args([
        "--brokers",
        cluster.addresses(),
        "--topic",
        topic.name(),
        "--group",
        &group,
        "--report-interval",
        "1s",
        "--session-timeout",
        "6s",
    ])
}

fn group(topic: &Topic<'_>) -> String {
    format!("group-of-{}", topic.name())
}

/// The lines of all files below the folders whose names begin as those of data files.
fn lines(folders: &[&Path]) -> Vec<String> {
    let mut lines = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("consumer-thread-") {
                let text = fs::read_to_string(&path).unwrap();
                assert!(text.is_empty() || text.ends_with('\n'), "{} is torn", path.display());
                lines.extend(text.lines().map(str::to_owned));
            }
        }
    }
    lines
}

/// Waits until every number below `count` stands in the files.
fn wait_for_numbers(folders: &[&Path], count: u64) {
    let wanted: BTreeSet<String> = (0..count).map(Topic::numbered).collect();
    wait_for(&format!("{count} numbers in the files"), LIMIT * 2, || {
        // A file may be looked at in the middle of a write; the last look of a test is exact.
        let mut found = BTreeSet::new();
        for folder in folders {
            for number in 0..5 {
                let path = folder.join(format!("consumer-thread-{number}.csv"));
                let text = fs::read_to_string(path).unwrap_or_default();
                found.extend(text.lines().map(str::to_owned));
            }
        }
        wanted.is_subset(&found).then_some(())
    });
}

/// Requires every number below `count` in whole lines; returns how many lines are there twice.
fn require_numbers(folders: &[&Path], count: u64) -> usize {
    let lines = lines(folders);
    let found: BTreeSet<&str> = lines.iter().map(String::as_str).collect();
    let missing: Vec<u64> =
        (0..count).filter(|n| !found.contains(Topic::numbered(*n).as_str())).collect();
    assert_eq!(missing, [0u64; 0], "numbers are missing");
    assert_eq!(found.len() as u64, count, "something else than the numbers stands in the files");
    lines.len() - found.len()
}

/// The committed offset of each partition, as Kafka's own tool reports it.
fn committed(cluster: &Cluster, topic: &Topic<'_>) -> BTreeMap<i32, i64> {
    let described = cluster.describe_group(&group(topic));
    described
        .iter()
        .filter_map(|partition| Some((partition.partition, partition.committed?)))
        .collect()
}

fn require_clean_end(ended: &Ended) {
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stderr.trim_end().ends_with("I! Bye"), "{}", ended.stderr);
}

#[test]
fn five_members_hold_one_partition_each_and_stop_at_once() {
    let cluster = Cluster::shared();
    let topic = cluster.topic("five", 5);
    topic.produce(0..20_000);
    let folder = tempfile::tempdir().unwrap();
    let running = sink(cluster, &topic, folder.path()).start();
    wait_for("one partition for each of five members", LIMIT, || {
        let described = cluster.describe_group(&group(&topic));
        let owners: BTreeSet<_> =
            described.iter().filter_map(|partition| partition.client_id.clone()).collect();
        let expected: BTreeSet<_> = (0..5).map(|n| format!("consumer-thread-{n}")).collect();
        (described.len() == 5 && owners == expected).then_some(())
    });
    wait_for_numbers(&[folder.path()], 20_000);
    topic.produce(20_000..30_000);
    let start = Instant::now();
    let ended = running.stop(LIMIT);
    let took = start.elapsed();
    require_clean_end(&ended);
    assert!(took < Duration::from_secs(5), "stopping took {took:?}");
    let in_files = lines(&[folder.path()]).len() as i64;
    assert_eq!(committed(cluster, &topic).values().sum::<i64>(), in_files, "{}", ended.stderr);

    let again = sink(cluster, &topic, folder.path()).start();
    wait_for_numbers(&[folder.path()], 30_000);
    require_clean_end(&again.stop(LIMIT));
    assert_eq!(require_numbers(&[folder.path()], 30_000), 0, "a clean stop doubles nothing");
}

#[test]
fn a_member_that_joins_and_leaves_under_load_costs_no_record() {
    let cluster = Cluster::shared();
    let topic = cluster.topic("joins", 5);
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut first = sink(cluster, &topic, one.path()).start();
    first.wait_for_log("Partitions gained", LIMIT);
    topic.produce(0..30_000);
    let mut second = sink(cluster, &topic, two.path()).args(["--threads", "2"]).start();
    topic.produce(30_000..60_000);
    second.wait_for_log("Partitions gained: joins", LIMIT);
    topic.produce(60_000..90_000);
    require_clean_end(&second.stop(LIMIT));
    topic.produce(90_000..100_000);
    wait_for_numbers(&[one.path(), two.path()], 100_000);
    let ended = first.stop(LIMIT);
    require_clean_end(&ended);
    assert!(ended.stderr.contains("Partitions lost: joins"), "{}", ended.stderr);
    require_numbers(&[one.path(), two.path()], 100_000);
}

#[test]
fn a_sink_killed_under_load_loses_no_record_and_tears_no_line() {
    let cluster = Cluster::shared();
    let topic = cluster.topic("killed", 5);
    topic.produce(0..50_000);
    let folder = tempfile::tempdir().unwrap();
    for round in 0..4u64 {
        let running =
            sink(cluster, &topic, folder.path()).args(["--commit-interval", "50ms"]).start();
        let before = size(folder.path());
        topic.produce(50_000 + round * 20_000..50_000 + (round + 1) * 20_000);
        wait_for("some data", LIMIT, || (size(folder.path()) > before + 100_000).then_some(()));
        running.kill();
    }
    let last = sink(cluster, &topic, folder.path()).start();
    wait_for_numbers(&[folder.path()], 130_000);
    require_clean_end(&last.stop(LIMIT));
    require_numbers(&[folder.path()], 130_000);
}

fn size(folder: &Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn a_broker_that_is_killed_under_load_costs_no_record() {
    let cluster = Cluster::start(1);
    let topic = cluster.topic("broker", 5);
    let folder = tempfile::tempdir().unwrap();
    let mut running = sink(&cluster, &topic, folder.path()).start();
    topic.produce(0..30_000);
    running.wait_for_log("Partitions gained", LIMIT);
    cluster.kill_broker(1);
    cluster.start_broker(1);
    topic.produce(30_000..60_000);
    wait_for_numbers(&[folder.path()], 60_000);
    cluster.kill_broker(1);
    let start = Instant::now();
    let ended = running.stop(LIMIT);
    assert!(start.elapsed() < Duration::from_secs(10), "took {:?}", start.elapsed());
    assert!(ended.stderr.trim_end().ends_with("I! Bye"), "{}", ended.stderr);
    require_numbers(&[folder.path()], 60_000);
}

#[test]
fn a_file_moved_away_under_load_is_followed_by_a_new_one() {
    let cluster = Cluster::shared();
    let topic = cluster.topic("moved", 1);
    let folder = tempfile::tempdir().unwrap();
    let mut running = sink(cluster, &topic, folder.path()).args(["--threads", "1"]).start();
    topic.produce(0..1_000);
    wait_for_numbers(&[folder.path()], 1_000);
    let path = folder.path().join("consumer-thread-0.csv");
    fs::rename(&path, folder.path().join("consumer-thread-0.old")).unwrap();
    topic.produce(1_000..2_000);
    running.wait_for_log("was moved or removed; going on in a new file", LIMIT);
    wait_for("the new file", LIMIT, || {
        let text = fs::read_to_string(&path).ok()?;
        (text.lines().count() == 1_000).then_some(())
    });
    require_clean_end(&running.stop(LIMIT));
    assert_eq!(require_numbers(&[folder.path()], 2_000), 0);
}

#[test]
fn a_full_disk_holds_the_records_back_until_there_is_room() {
    let cluster = Cluster::shared();
    let topic = cluster.topic("full", 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consumer-thread-0.csv");
    symlink("/dev/full", &path).unwrap();
    let mut running = sink(cluster, &topic, folder.path()).args(["--threads", "1"]).start();
    topic.produce(0..500);
    let line = running.wait_for_log("No space left on device", LIMIT);
    assert!(line.contains("E! [consumer-thread-0] writing to "), "{line}");
    assert!(committed(cluster, &topic).values().all(|offset| *offset == 0));
    fs::remove_file(&path).unwrap();
    running.wait_for_log("nothing was lost", LIMIT);
    wait_for_numbers(&[folder.path()], 500);
    require_clean_end(&running.stop(LIMIT));
    assert_eq!(require_numbers(&[folder.path()], 500), 0);
    assert_eq!(committed(cluster, &topic).values().sum::<i64>(), 500);
}

#[test]
fn records_that_could_not_be_written_at_the_end_are_told_and_not_committed() {
    let cluster = Cluster::shared();
    let topic = cluster.topic("unwritten", 1);
    let folder = tempfile::tempdir().unwrap();
    symlink("/dev/full", folder.path().join("consumer-thread-0.csv")).unwrap();
    let mut running = sink(cluster, &topic, folder.path()).args(["--threads", "1"]).start();
    topic.produce(0..10);
    running.wait_for_log("No space left on device", LIMIT);
    let ended = running.stop(LIMIT);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("10 records could not be written"), "{}", ended.stderr);
    assert!(committed(cluster, &topic).values().all(|offset| *offset == 0));
}

#[test]
fn every_kind_of_value_becomes_whole_lines() {
    let cluster = Cluster::shared();
    let topic = cluster.topic_with("values", 1, &[("max.message.bytes", "20000000")]);
    let large = "x".repeat(10_000_000);
    let values: [&str; 6] = ["plain", "ended\n", "", "two\nlines", "\n", &large];
    topic.send(values.iter().map(|value| (Some(0), value.as_bytes().to_vec())));
    let folder = tempfile::tempdir().unwrap();
    let running = sink(cluster, &topic, folder.path()).args(["--threads", "1"]).start();
    let expected = format!("plain\nended\n\ntwo\nlines\n\n{large}\n");
    wait_for("all records", LIMIT, || {
        let text = fs::read_to_string(folder.path().join("consumer-thread-0.csv")).ok()?;
        (text == expected).then_some(())
    });
    require_clean_end(&running.stop(LIMIT));
}

#[test]
fn two_sinks_do_not_share_a_folder() {
    let cluster = Cluster::shared();
    let topic = cluster.topic("locked", 1);
    let folder = tempfile::tempdir().unwrap();
    let mut first = sink(cluster, &topic, folder.path()).start();
    first.wait_for_log("threads of group", LIMIT);
    wait_for("the lock", LIMIT, || folder.path().join(".metric-sink.lock").exists().then_some(()));
    let second = sink(cluster, &topic, folder.path()).run(LIMIT);
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stderr.contains(&format!("process {}", first.id())), "{}", second.stderr);
}

#[test]
fn a_start_can_be_the_end_or_a_time_and_committed_offsets_win() {
    let cluster = Cluster::shared();
    let topic = cluster.topic("from", 1);
    topic.produce(0..100);
    let folder = tempfile::tempdir().unwrap();
    let from =
        |from: &str| sink(cluster, &topic, folder.path()).args(["--from", from, "--threads", "1"]);
    let mut latest = from("latest").start();
    latest.wait_for_log("Partitions gained", LIMIT);
    wait_for("the end to be known", LIMIT, || {
        latest.log().iter().any(|line| line.contains("1 partitions, lag 0")).then_some(())
    });
    topic.produce(100..110);
    let path = folder.path().join("consumer-thread-0.csv");
    let count = || fs::read_to_string(&path).unwrap_or_default().lines().count();
    wait_for("what came later", LIMIT, || (count() == 10).then_some(()));
    require_clean_end(&latest.stop(LIMIT));

    topic.produce(110..120);
    let earliest = from("earliest").start();
    wait_for("what was not committed", LIMIT, || (count() == 20).then_some(()));
    require_clean_end(&earliest.stop(LIMIT));

    let other = tempfile::tempdir().unwrap();
    let times: Vec<i64> =
        topic.read_all().iter().filter_map(|record| record.timestamp_ms).collect();
    let middle = times[105];
    let later = times.iter().filter(|time| **time >= middle).count();
    let running = Program::sink(other.path())
        .args(["-b", cluster.addresses(), "-t", topic.name(), "--threads", "1", "--from"])
        .args([middle.to_string().as_str(), "--group", &format!("{}-at-a-time", topic.name())])
        .start();
    wait_for("records from a time on", LIMIT, || {
        let text = fs::read_to_string(other.path().join("consumer-thread-0.csv")).ok()?;
        (text.lines().count() == later).then_some(())
    });
    require_clean_end(&running.stop(LIMIT));
}

#[test]
fn members_of_the_new_protocol_and_static_ones_read_everything() {
    let cluster = Cluster::shared();
    for flags in [["--group-protocol", "consumer"].as_slice(), &["--static-membership"]] {
        let topic = cluster.topic("protocol", 5);
        topic.produce(0..1_000);
        let folder = tempfile::tempdir().unwrap();
        let running = sink(cluster, &topic, folder.path()).args(flags).start();
        wait_for_numbers(&[folder.path()], 1_000);
        require_clean_end(&running.stop(LIMIT));
        assert_eq!(require_numbers(&[folder.path()], 1_000), 0, "{flags:?}");
    }
}

#[test]
fn mistakes_are_told_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sink.toml"), "threds = 3\n").unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let run = |arguments: &[&str]| Program::sink(folder.path()).args(arguments).run(LIMIT);
    for (arguments, expected) in [
        (["--config", "sink.toml"].as_slice(), "did you mean `threads`?"),
        (&["-X", "enable.auto.commit=true"], "enable.auto.commit cannot be set"),
        (&["-X", "nosuch.property=1"], "nosuch.property"),
        (&["--output-dir", "file/below"], "file/below"),
        (&["--treads", "5"], "'--threads'"),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{arguments:?}: {}", ended.stderr);
    }
    let help = run(&["--help"]);
    assert!(help.status.success() && help.stdout.contains("--static-membership"));
}

#[test]
fn a_topic_and_a_broker_that_come_later_are_waited_for() {
    let cluster = Cluster::start_with(1, &["--property", "auto.create.topics.enable=false"]);
    let folder = tempfile::tempdir().unwrap();
    let topic = Topic::new(&cluster, "made-later".to_owned());
    let mut running = sink(&cluster, &topic, folder.path()).args(["--threads", "1"]).start();
    running.wait_for_log("made-later", LIMIT);
    cluster.tool("topics", &["--create", "--topic", "made-later", "--partitions", "1"]);
    topic.produce(0..100);
    wait_for_numbers(&[folder.path()], 100);
    require_clean_end(&running.stop(LIMIT));
}
