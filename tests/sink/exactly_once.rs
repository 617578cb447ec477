//! Every record once over all files, after sinks were killed, stopped and replaced at any moment.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::group::under_load;
use super::{LIMIT, Scene, assert_complete, distinct_in, lines_in, stop};
use crate::support::{Cluster, Running, wait_for};

/// Moments that look like chance and are the same in every run.
struct Moments {
    random: fastrand::Rng,
}

impl Moments {
    fn new(seed: u64) -> Moments {
        eprintln!("seed {seed}");
        Moments { random: fastrand::Rng::with_seed(seed) }
    }

    /// Waits for a time up to `most`.
    fn wait(&mut self, most: Duration) {
        thread::park_timeout(most.mul_f64(self.random.f64()));
    }
}

/// Waits until the sinks in these folders have written all, and each record only once.
fn assert_once(folders: &[&Path], total: u64) {
    wait_for("all records in the files", LIMIT, || (distinct_in(folders) >= total).then_some(()));
    let lines: Vec<_> = folders.iter().flat_map(|folder| lines_in(folder)).collect();
    assert_eq!(assert_complete(&lines, total), 0, "records stand twice");
}

/// Fails unless the records of each partition stand in each file in the order of their offsets.
fn assert_order(folder: &Path, partitions: u64) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let number = line.split("number=").nth(1).unwrap().split('i').next().unwrap();
            let number: u64 = number.parse().unwrap();
            let before = last.insert(number % partitions, number);
            assert!(before < Some(number), "{}: {number} after {before:?}", path.display());
        }
    }
}

fn wait_for_more_records(folders: &[&Path]) {
    let before = distinct_in(folders);
    wait_for("more records", LIMIT, || (distinct_in(folders) > before).then_some(()));
}

#[test]
fn a_sink_that_is_killed_again_and_again_under_load_leaves_each_record_once() {
    let scene = Scene::new(Cluster::shared(), "once-killed", 5);
    let mut moments = Moments::new(1);
    let folder = scene.folder.path();
    let total = under_load(&scene, |_| {
        for _ in 0..6 {
            let sink =
                scene.sink().args(["--static-membership", "--commit-interval", "50ms"]).start();
            wait_for_more_records(&[folder]);
            moments.wait(Duration::from_millis(700));
            sink.kill();
        }
    });
    let sink = scene.sink().args(["--static-membership"]).start();
    scene.wait_for_numbers(total);
    stop(sink);
    assert_once(&[folder], total);
    assert_order(folder, 5);
    assert_eq!(scene.committed(), i64::try_from(total).unwrap());
}

#[test]
fn records_whose_commit_was_never_made_are_taken_out_again_and_said_so() {
    let scene = Scene::new(Cluster::shared(), "once-uncommitted", 2);
    scene.topic.produce(0..1_000);
    let sink = scene.sink().args(["--commit-interval", "1h"]).start();
    scene.wait_for_numbers(1_000);
    sink.kill();
    let mut sink = scene.sink().start();
    sink.wait_for_log("that were never committed; they are cut off", LIMIT);
    scene.wait_for_numbers(1_000);
    stop(sink);
    assert_once(&[scene.folder.path()], 1_000);
}

#[test]
fn fewer_threads_than_before_settle_what_the_others_left() {
    let scene = Scene::new(Cluster::shared(), "once-fewer", 5);
    let folder = scene.folder.path();
    let total = under_load(&scene, |_| {
        for threads in ["5", "2", "3"] {
            let sink =
                scene.sink().args(["--threads", threads, "--commit-interval", "50ms"]).start();
            wait_for_more_records(&[folder]);
            sink.kill();
        }
    });
    let sink = scene.sink().args(["--threads", "1"]).start();
    scene.wait_for_numbers(total);
    stop(sink);
    assert_once(&[folder], total);
    assert_order(folder, 5);
}

#[test]
fn a_sink_that_stood_still_past_its_session_takes_out_what_others_have_read() {
    let scene = Scene::new(Cluster::shared(), "once-still", 5);
    let elsewhere = tempfile::tempdir().unwrap();
    let folders = [scene.folder.path(), elsewhere.path()];
    // Commits as often as can be: however many were made, few can be in doubt when it stands still.
    let mut first = scene.sink().args(["--commit-interval", "10ms"]).start();
    first.wait_for_log("Partitions gained: ", LIMIT);
    let total = under_load(&scene, |_: &AtomicU64| {
        wait_for_more_records(&folders[..1]);
        first.signal(Signal::STOP);
        let second = scene.sink_in(elsewhere.path()).start();
        wait_for_more_records(&folders[1..]);
        let seen = first.log().len();
        first.signal(Signal::CONT);
        first.wait_for_log_after(seen, "Partitions lost without notice", LIMIT);
        first.wait_for_log_after(seen, "Partitions gained: ", LIMIT);
        wait_for_more_records(&folders[..1]);
        stop(second);
    });
    wait_for("all records", LIMIT, || (distinct_in(&folders) >= total).then_some(()));
    stop(first);
    assert_once(&folders, total);
    assert_order(folders[0], 5);
    assert_order(folders[1], 5);
}

#[test]
fn when_another_host_has_taken_over_each_record_stands_once_as_soon_as_the_first_is_back() {
    let scene = Scene::new(Cluster::shared(), "once-hosts", 5);
    let elsewhere = tempfile::tempdir().unwrap();
    let folders = [scene.folder.path(), elsewhere.path()];
    let mut moments = Moments::new(2);
    let start = |folder: &Path| -> Running {
        scene.sink_in(folder).args(["--threads", "2", "--commit-interval", "100ms"]).start()
    };
    let total = under_load(&scene, |_| {
        let first = start(folders[0]);
        wait_for_more_records(&folders[..1]);
        moments.wait(Duration::from_millis(300));
        first.kill();
        let second = start(folders[1]);
        wait_for_more_records(&folders[1..]);
        let first = start(folders[0]);
        wait_for_more_records(&folders[..1]);
        moments.wait(Duration::from_millis(300));
        second.kill();
        stop(first);
    });
    let first = start(folders[0]);
    let mut second = start(folders[1]);
    second.wait_for_log("Partitions gained: ", LIMIT);
    wait_for("all records", LIMIT, || (distinct_in(&folders) >= total).then_some(()));
    stop(first);
    stop(second);
    assert_once(&folders, total);
}

#[test]
fn a_broker_that_is_killed_under_load_costs_no_record_and_doubles_none() {
    let cluster = Cluster::start(1);
    let scene = Scene::new(&cluster, "once-broker", 5);
    scene.topic.produce(0..50_000);
    let sink = scene.sink().args(["--commit-interval", "20ms", "--batch-records", "100"]).start();
    wait_for_more_records(&[scene.folder.path()]);
    cluster.kill_broker(1);
    cluster.start_broker(1);
    // A sink that ends before the group is whole again takes out what it could not commit.
    wait_for("all records to be committed", LIMIT, || (scene.committed() == 50_000).then_some(()));
    stop(sink);
    assert_once(&[scene.folder.path()], 50_000);
}

#[test]
fn the_protocol_of_kip_848_leaves_each_record_once_after_a_kill_too() {
    // The sessions of the dead members have to end before theirs is settled; by default after 45 s.
    let cluster = Cluster::start_with(
        1,
        &[
            "--property",
            "group.consumer.min.session.timeout.ms=4000",
            "--property",
            "group.consumer.session.timeout.ms=4000",
            "--property",
            "group.consumer.min.heartbeat.interval.ms=500",
            "--property",
            "group.consumer.heartbeat.interval.ms=500",
        ],
    );
    let scene = Scene::new(&cluster, "once-848", 3);
    let flags = ["--group-protocol", "consumer", "--threads", "2", "--commit-interval", "50ms"];
    let folder = scene.folder.path();
    let total = under_load(&scene, |_| {
        let sink = scene.sink().args(flags).start();
        wait_for_more_records(&[folder]);
        sink.kill();
        let sink = scene.sink().args(flags).start();
        wait_for_more_records(&[folder]);
        stop(sink);
    });
    let sink = scene.sink().args(flags).start();
    scene.wait_for_numbers(total);
    stop(sink);
    assert_once(&[folder], total);
}
