//! Disks, files and brokers that fail.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use super::{LIMIT, Scene, assert_complete, stop};
use crate::support::{Cluster, wait_for};

#[test]
fn a_full_device_keeps_offsets_back_until_there_is_space_again() {
    let scene = Scene::new(Cluster::shared(), "full", 1);
    symlink("/dev/full", scene.file(0)).unwrap();
    scene.topic.produce(0..100);
    let mut sink = scene.sink().args(["--threads", "1"]).start();
    sink.wait_for_log("No space left on device", LIMIT);
    // The member stays in the group and commits nothing.
    wait_for("the partition to be held", LIMIT, || {
        let partitions = scene.cluster.describe_group(&scene.group);
        partitions.iter().any(|partition| partition.member.is_some()).then_some(())
    });
    assert_eq!(scene.committed(), 0);
    fs::remove_file(scene.file(0)).unwrap();
    sink.wait_for_log("again after", LIMIT);
    scene.topic.produce(100..200);
    scene.wait_for_numbers(200);
    let ended = sink.stop(Duration::from_secs(5));
    assert!(ended.status.success(), "{}", ended.stderr);
    let complaints = ended.stderr.lines().filter(|line| line.contains(" E! ")).count();
    assert_eq!(complaints, 1, "{}", ended.stderr);
    assert_eq!(assert_complete(&scene.lines(), 200), 0);
    assert_eq!(scene.committed(), 200);
}

#[test]
fn a_sink_that_ends_with_unwritten_records_says_so_and_commits_none_of_them() {
    let scene = Scene::new(Cluster::shared(), "full-end", 1);
    symlink("/dev/full", scene.file(0)).unwrap();
    scene.topic.produce(0..100);
    let mut sink = scene.sink().args(["--threads", "1"]).start();
    sink.wait_for_log("No space left on device", LIMIT);
    let ended = sink.stop(Duration::from_secs(5));
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("records could not be written"), "{}", ended.stderr);
    assert_eq!(scene.committed(), 0);
}

#[test]
fn a_write_that_fails_half_way_leaves_no_torn_line() {
    let scene = Scene::new(Cluster::shared(), "half", 1);
    let mut sink = scene.sink().args(["--threads", "1"]).start();
    sink.wait_for_log("Partitions gained: ", LIMIT);
    let id = Pid::from_raw(i32::try_from(sink.id()).unwrap());
    let limit = |bytes| Rlimit { current: bytes, maximum: None };
    prlimit(id, Resource::Fsize, limit(Some(10_000))).unwrap();
    scene.topic.produce(0..1_000);
    sink.wait_for_log("File too large", LIMIT);
    // Whole lines only, and no more of them than the limit allows.
    assert!(scene.lines().len() < 50);
    prlimit(id, Resource::Fsize, limit(None)).unwrap();
    scene.wait_for_numbers(1_000);
    stop(sink);
    assert_eq!(assert_complete(&scene.lines(), 1_000), 0);
}

#[test]
fn a_member_that_cannot_write_still_takes_part_in_rebalances() {
    let scene = Scene::new(Cluster::shared(), "full-group", 2);
    let elsewhere = tempfile::tempdir().unwrap();
    symlink("/dev/full", scene.file(0)).unwrap();
    scene.topic.produce(0..60_000);
    let mut stuck = scene.sink().args(["--threads", "1", "--batch-records", "1000"]).start();
    stuck.wait_for_log("No space left on device", LIMIT);
    let other = scene.sink_in(elsewhere.path()).args(["--threads", "1"]).start();
    stuck.wait_for_log("Partitions lost: ", LIMIT);
    wait_for("the other's share", LIMIT, || {
        (super::distinct_in(&[elsewhere.path()]) >= 30_000).then_some(())
    });
    assert_eq!(stuck.stop(Duration::from_secs(5)).status.code(), Some(1));
    wait_for("the rest", LIMIT, || {
        (super::distinct_in(&[elsewhere.path()]) >= 60_000).then_some(())
    });
    stop(other);
    assert_complete(&super::lines_in(elsewhere.path()), 60_000);
}

#[test]
fn a_file_that_is_renamed_or_removed_is_made_anew() {
    let scene = Scene::new(Cluster::shared(), "rotated", 1);
    let mut sink = scene.sink().args(["--threads", "1"]).start();
    scene.topic.produce(0..100);
    scene.wait_for_numbers(100);
    fs::rename(scene.file(0), scene.folder.path().join("rotated-away.csv")).unwrap();
    scene.topic.produce(100..200);
    scene.wait_for_numbers(200);
    sink.wait_for_log("was moved or removed", LIMIT);
    assert!(scene.file(0).exists());
    wait_for("the commit", LIMIT, || (scene.committed() == 200).then_some(()));
    fs::remove_file(scene.file(0)).unwrap();
    scene.topic.produce(200..300);
    wait_for("records in a new file", LIMIT, || {
        let text = fs::read_to_string(scene.file(0)).ok()?;
        (text.lines().count() == 100).then_some(())
    });
    stop(sink);
    assert_eq!(scene.committed(), 300);
}

#[test]
fn what_was_removed_before_it_was_committed_is_read_again() {
    let scene = Scene::new(Cluster::shared(), "removed", 2);
    scene.topic.produce(0..100);
    let mut sink = scene.sink().args(["--threads", "1", "--commit-interval", "1h"]).start();
    scene.wait_for_numbers(100);
    fs::remove_file(scene.file(0)).unwrap();
    scene.topic.produce(100..200);
    sink.wait_for_log("was removed with", LIMIT);
    scene.wait_for_numbers(200);
    assert_eq!(scene.committed(), 0);
    stop(sink);
    assert_eq!(assert_complete(&scene.lines(), 200), 0);
    assert_eq!(scene.committed(), 200);
}

#[test]
fn a_sink_waits_for_brokers_that_are_not_there_and_ends_without_them() {
    let cluster = Cluster::start(1);
    let scene = Scene::new(&cluster, "away", 1);
    scene.topic.produce(0..100);
    cluster.kill_broker(1);
    let mut sink = scene.sink().start();
    sink.wait_for_log("Connection refused", LIMIT);
    let start = Instant::now();
    let ended = sink.stop(Duration::from_secs(10));
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());

    let mut sink = scene.sink().start();
    sink.wait_for_log("Connection refused", LIMIT);
    cluster.start_broker(1);
    scene.wait_for_numbers(100);
    cluster.kill_broker(1);
    cluster.start_broker(1);
    scene.topic.produce(100..200);
    scene.wait_for_numbers(200);

    // The cluster goes away with a commit outstanding.
    cluster.pause_broker(1);
    let start = Instant::now();
    let ended = sink.stop(Duration::from_secs(10));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}\n{}", start.elapsed(), ended.stderr);
    assert!(ended.stderr.trim_end().ends_with("I! Bye"), "{}", ended.stderr);
    cluster.resume_broker(1);
    let sink = scene.sink().start();
    scene.topic.produce(200..300);
    scene.wait_for_numbers(300);
    stop(sink);
    assert_complete(&scene.lines(), 300);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let cluster = Cluster::start(1);
    let scene = Scene::new(&cluster, "twice", 1);
    scene.topic.produce(0..100);
    let sink = scene.sink().args(["--commit-interval", "1h"]).start();
    scene.wait_for_numbers(100);
    // With nobody to answer, the end takes as long as it may.
    cluster.pause_broker(1);
    sink.signal(Signal::INT);
    sink.signal(Signal::TERM);
    let ended = sink.wait_for_end(Duration::from_secs(1));
    assert!(matches!(ended.status.code(), Some(130 | 143)), "{:?}", ended.status);
    cluster.resume_broker(1);
}

#[test]
fn a_topic_that_is_made_later_is_waited_for() {
    let cluster = Cluster::shared();
    let scene = Scene::new(cluster, "later", 1);
    let name = format!("{}-still-missing", scene.topic.name());
    let mut sink = scene.sink().args(["--topic", &name]).start();
    sink.wait_for_log(&name, LIMIT);
    sink.wait_for_log("Subscribed topic not available", LIMIT);
    scene.topic.produce(0..10);
    scene.wait_for_numbers(10);
    cluster.tool("topics", &["--create", "--topic", &name, "--partitions", "2"]);
    let line = sink.wait_for_log(&format!("gained: {name}"), LIMIT);
    assert!(line.contains("[0]") || line.contains("[1]"), "{line}");
    stop(sink);
}
