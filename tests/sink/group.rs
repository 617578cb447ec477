//! Members of a consumer group that come, go, die and stand still.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{LIMIT, Scene, assert_complete, distinct_in, lines_in, stop};
use crate::support::{Cluster, wait_for};

/// Runs `work` while numbered records are written to the topic; returns how many there are.
pub(super) fn under_load(scene: &Scene<'_>, work: impl FnOnce(&AtomicU64)) -> u64 {
    let (is_over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let from = sent.load(Ordering::Relaxed);
                scene.topic.produce(from..from + 2_000);
                sent.store(from + 2_000, Ordering::Relaxed);
            }
        });
        work(&sent);
        is_over.store(true, Ordering::Relaxed);
    });
    sent.into_inner()
}

/// Waits until so many records more than now are written.
fn wait_for_more(sent: &AtomicU64, more: u64) {
    let until = sent.load(Ordering::Relaxed) + more;
    wait_for("load", LIMIT, || (sent.load(Ordering::Relaxed) >= until).then_some(()));
}

#[test]
fn five_members_hold_one_partition_each_and_commit_what_is_in_their_files() {
    let scene = Scene::new(Cluster::shared(), "five", 5);
    scene.topic.produce(0..5_000);
    let sink = scene.sink().start();
    scene.wait_for_numbers(5_000);
    let partitions = wait_for("one partition each", LIMIT, || {
        let partitions = scene.cluster.describe_group(&scene.group);
        let holders: BTreeSet<_> =
            partitions.iter().filter_map(|partition| partition.client_id.clone()).collect();
        let are_committed = partitions.iter().all(|partition| partition.lag == Some(0));
        (holders.len() == 5 && are_committed).then_some(partitions)
    });
    let mut holders: Vec<_> =
        partitions.iter().filter_map(|partition| partition.client_id.as_deref()).collect();
    holders.sort_unstable();
    let names: Vec<_> = (0..5).map(|number| format!("consumer-thread-{number}")).collect();
    assert_eq!(holders, names);
    let ended = sink.stop(Duration::from_secs(5));
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(ended.stderr.trim_end().ends_with("I! Bye"), "{}", ended.stderr);
    assert!(ended.stderr.contains("Partitions gained: "), "{}", ended.stderr);
    assert_eq!(assert_complete(&scene.lines(), 5_000), 0);
}

#[test]
fn a_clean_stop_under_load_is_quick_and_the_next_start_goes_on_exactly_there() {
    let scene = Scene::new(Cluster::shared(), "stopped", 5);
    let total = under_load(&scene, |sent| {
        for _ in 0..3 {
            let sink = scene.sink().start();
            let before = distinct_in(&[scene.folder.path()]);
            wait_for("records in the files", LIMIT, || {
                (distinct_in(&[scene.folder.path()]) > before + 1_000).then_some(())
            });
            wait_for_more(sent, 2_000);
            let start = Instant::now();
            let ended = sink.stop(Duration::from_secs(10));
            let took = start.elapsed();
            assert!(ended.status.success(), "{}", ended.stderr);
            assert!(took < Duration::from_secs(1), "{took:?}\n{}", ended.stderr);
            assert_eq!(scene.committed(), scene.lines().len() as i64, "{}", ended.stderr);
        }
    });
    let sink = scene.sink().start();
    scene.wait_for_numbers(total);
    stop(sink);
    assert_eq!(assert_complete(&scene.lines(), total), 0);
}

#[test]
fn after_a_sink_was_killed_under_load_nothing_is_missing_and_no_line_is_torn() {
    let scene = Scene::new(Cluster::shared(), "killed", 5);
    let total = under_load(&scene, |sent| {
        for _ in 0..3 {
            let sink = scene.sink().start();
            let before = distinct_in(&[scene.folder.path()]);
            wait_for("records in the files", LIMIT, || {
                (distinct_in(&[scene.folder.path()]) > before).then_some(())
            });
            wait_for_more(sent, 2_000);
            sink.kill();
        }
    });
    let sink = scene.sink().start();
    scene.wait_for_numbers(total);
    stop(sink);
    assert_complete(&scene.lines(), total);
}

#[test]
fn members_join_and_leave_under_load_and_hand_over_without_doubles() {
    let scene = Scene::new(Cluster::shared(), "joining", 5);
    let elsewhere = tempfile::tempdir().unwrap();
    let folders = [scene.folder.path(), elsewhere.path()];
    let mut first = scene.sink().start();
    first.wait_for_log("Partitions gained: ", LIMIT);
    let total = under_load(&scene, |sent| {
        for _ in 0..2 {
            let before = lines_count(elsewhere.path());
            let second = scene.sink_in(elsewhere.path()).args(["--threads", "2"]).start();
            wait_for("records of the second sink", LIMIT, || {
                (lines_count(elsewhere.path()) > before).then_some(())
            });
            wait_for_more(sent, 2_000);
            let ended = second.stop(Duration::from_secs(5));
            assert!(ended.status.success(), "{}", ended.stderr);
        }
    });
    wait_for("all records in the files", LIMIT, || (distinct_in(&folders) >= total).then_some(()));
    let ended = first.stop(Duration::from_secs(5));
    assert!(ended.stderr.contains("Partitions lost: "), "{}", ended.stderr);
    let lines: Vec<_> = folders.iter().flat_map(|folder| lines_in(folder)).collect();
    assert_eq!(assert_complete(&lines, total), 0, "{}", ended.stderr);
}

fn lines_count(folder: &Path) -> u64 {
    distinct_in(&[folder])
}

#[test]
fn a_sink_that_stood_still_past_its_session_commits_nothing_of_what_others_have() {
    let scene = Scene::new(Cluster::shared(), "stopped-still", 5);
    let elsewhere = tempfile::tempdir().unwrap();
    let folders = [scene.folder.path(), elsewhere.path()];
    let mut first = scene.sink().start();
    scene.topic.produce(0..5_000);
    scene.wait_for_numbers(5_000);
    first.signal(Signal::STOP);
    let mut second = scene.sink_in(elsewhere.path()).start();
    second.wait_for_log("Partitions gained: ", LIMIT);
    scene.topic.produce(5_000..10_000);
    wait_for("all records in the files", LIMIT, || (distinct_in(&folders) >= 10_000).then_some(()));
    let seen = first.log().len();
    first.signal(Signal::CONT);
    first.wait_for_log_after(seen, "Partitions gained: ", LIMIT);
    scene.topic.produce(10_000..15_000);
    wait_for("all records in the files", LIMIT, || (distinct_in(&folders) >= 15_000).then_some(()));
    stop(first);
    stop(second);
    let lines: Vec<_> = folders.iter().flat_map(|folder| lines_in(folder)).collect();
    assert_complete(&lines, 15_000);
    assert_eq!(scene.committed(), 15_000);
}

#[test]
fn static_members_come_back_to_their_partitions_without_a_rebalance() {
    let scene = Scene::new(Cluster::shared(), "static", 5);
    scene.topic.produce(0..1_000);
    let flags = ["--static-membership", "--session-timeout", "30s"];
    let sink = scene.sink().args(flags).start();
    scene.wait_for_numbers(1_000);
    sink.kill();
    scene.topic.produce(1_000..2_000);
    let start = Instant::now();
    let sink = scene.sink().args(flags).start();
    scene.wait_for_numbers(2_000);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    stop(sink);
    assert_complete(&scene.lines(), 2_000);
}

#[test]
fn the_protocol_of_kip_848_serves_as_well() {
    let scene = Scene::new(Cluster::shared(), "kip-848", 5);
    scene.topic.produce(0..2_000);
    let sink = scene.sink().args(["--group-protocol", "consumer"]).start();
    scene.wait_for_numbers(2_000);
    let ended = sink.stop(Duration::from_secs(5));
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(scene.committed(), 2_000);
    assert_complete(&scene.lines(), 2_000);
}
