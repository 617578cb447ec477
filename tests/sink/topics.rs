//! Topics that grow, go and come again, and offsets that the brokers do not have any more.

use std::fs;
use std::time::{Duration, Instant};

use super::{LIMIT, Scene, assert_complete, distinct_in, stop};
use crate::support::{Cluster, Program, Running, Topic, wait_for};

/// A sink that soon hears of what happens to its topic.
fn attentive(scene: &Scene<'_>) -> Program {
    scene.sink().args(["--threads", "1", "-X", "topic.metadata.refresh.interval.ms=300"])
}

#[test]
fn partitions_that_come_to_a_topic_are_read_from_their_first_record() {
    let scene = Scene::new(Cluster::shared(), "grown", 1);
    for from in ["earliest", "latest"] {
        let folder = tempfile::tempdir().unwrap();
        let partitions = scene.topic.ends().len() as u64;
        let group = format!("{}-{from}", scene.group);
        let mut sink = Program::sink(folder.path())
            .args(["--brokers", scene.cluster.addresses(), "--topic", scene.topic.name()])
            .args(["--group", &group, "--session-timeout", "6s", "--commit-interval", "200ms"])
            .args(["--threads", "2", "--from", from])
            .args(["-X", "topic.metadata.refresh.interval.ms=300"])
            .start();
        sink.wait_for_log("Partitions gained: ", LIMIT);
        let last = format!("[{}]", partitions - 1);
        wait_for("the partitions", LIMIT, || {
            sink.log()
                .iter()
                .any(|line| line.contains("gained") && line.contains(&last))
                .then_some(())
        });
        let more = (2 * partitions).to_string();
        scene
            .cluster
            .tool("topics", &["--alter", "--topic", scene.topic.name(), "--partitions", &more]);
        let new = format!("[{}]", 2 * partitions - 1);
        wait_for("the new partitions", LIMIT, || {
            sink.log()
                .iter()
                .any(|line| line.contains("gained") && line.contains(&new))
                .then_some(())
        });
        let begin = 1_000 * partitions;
        scene.topic.produce(begin..begin + 400);
        wait_for("the records", LIMIT, || (distinct_in(&[folder.path()]) >= 400).then_some(()));
        stop(sink);
        let numbers: Vec<_> = (begin..begin + 400).map(Topic::numbered).collect();
        let mut lines = super::lines_in(folder.path());
        lines.retain(|line| numbers.contains(line));
        assert_eq!(lines.len(), 400, "--from {from}");
        let ended = Program::sink(folder.path())
            .args(["verify", ".", "--deep", "--brokers", scene.cluster.addresses()])
            .args(["--group", &group, "--topic", scene.topic.name()])
            .run(LIMIT);
        assert!(ended.status.success(), "--from {from}: {}{}", ended.stdout, ended.stderr);
    }
}

#[test]
fn a_topic_that_is_deleted_and_made_anew_is_read_anew() {
    let scene = Scene::new(Cluster::shared(), "anew", 2);
    let mut sink = attentive(&scene).start();
    scene.topic.produce(0..1_000);
    scene.wait_for_commit(1_000);
    scene.cluster.tool("topics", &["--delete", "--topic", scene.topic.name()]);
    sink.wait_for_log("Partitions lost", LIMIT);
    let seen = sink.log().len();
    make_anew(&scene, 2);
    sink.wait_for_log_after(seen, "Partitions gained: anew", LIMIT);
    scene.topic.produce(1_000..1_400);
    scene.wait_for_numbers(1_400);
    scene.wait_for_commit(400);
    sink.wait_for_log_after(seen, "or the topic was made anew", LIMIT);
    stop(sink);
    assert_eq!(assert_complete(&scene.lines(), 1_400), 0);
}

#[test]
fn a_topic_that_is_made_anew_before_anybody_has_seen_it_gone_is_read_anew() {
    let scene = Scene::new(Cluster::shared(), "swapped", 1);
    let sink = scene.sink().args(["--threads", "1"]).start();
    scene.topic.produce(0..1_000);
    scene.wait_for_commit(1_000);
    let seen = sink.log().len();
    scene.cluster.tool("topics", &["--delete", "--topic", scene.topic.name()]);
    make_anew(&scene, 1);
    scene.topic.produce(1_000..1_400);
    scene.wait_for_numbers(1_400);
    scene.wait_for_commit(400);
    assert!(sink.log().iter().skip(seen).any(|line| line.contains("made anew")));
    stop(sink);
    assert_eq!(assert_complete(&scene.lines(), 1_400), 0);
}

/// Creates the topic of a scene once it is really gone.
fn make_anew(scene: &Scene<'_>, partitions: i32) {
    let partitions = partitions.to_string();
    wait_for("the topic to be gone", LIMIT, || {
        let topics = scene.cluster.tool("topics", &["--list"]);
        (!topics.lines().any(|line| line == scene.topic.name())).then_some(())
    });
    let name = scene.topic.name();
    scene.cluster.tool("topics", &["--create", "--topic", name, "--partitions", &partitions]);
}

fn delete_records(scene: &Scene<'_>, before: i64) {
    let plan = format!(
        r#"{{"version": 1, "partitions": [{{"topic": "{}", "partition": 0, "offset": {before}}}]}}"#,
        scene.topic.name()
    );
    let plan_file = scene.folder.path().join("plan.json");
    fs::write(&plan_file, plan).unwrap();
    scene.cluster.tool("delete-records", &["--offset-json-file", plan_file.to_str().unwrap()]);
}

fn doubtful(scene: &Scene<'_>) -> u64 {
    let asked = Program::sink(scene.folder.path()).args(["status", "--json"]).run(LIMIT);
    let status: serde_json::Value = serde_json::from_str(&asked.stdout).unwrap();
    status["threads"][0]["counters"]["records_doubtful"].as_u64().unwrap()
}

#[test]
fn what_was_removed_from_the_topic_before_it_was_read_is_named_and_counted() {
    let scene = Scene::new(Cluster::shared(), "removed-records", 1);
    let sink = scene.sink().args(["--threads", "1"]).start();
    scene.topic.produce(0..50);
    scene.wait_for_commit(50);
    stop(sink);
    // While it was down.
    scene.topic.produce(50..100);
    delete_records(&scene, 70);
    let mut sink = scene.sink().args(["--threads", "1"]).start();
    let lost = format!("Lost: offsets 50 to 69 of {} [0]", scene.topic.name());
    sink.wait_for_log(&lost, LIMIT);
    scene.wait_for_commit(100);
    assert_eq!(doubtful(&scene), 20);
    stop(sink);
    let expected: Vec<_> = (0..50).chain(70..100).map(Topic::numbered).collect();
    assert_eq!(scene.lines(), expected);
    let report = scene.verify();
    let expected = format!(
        "{} [0], offsets 50 to 69: they stand in no file, and the topic does not hold them any more",
        scene.topic.name()
    );
    assert!(report.stdout.contains(&expected), "{}", report.stdout);
    assert!(report.stdout.ends_with("80 records: 1 finding\n"), "{}", report.stdout);
}

/// Makes the brokers forget what a group has committed.
fn forget_offsets(scene: &Scene<'_>) {
    // A member that has left may still be known.
    wait_for("the end of the group", LIMIT, || {
        let arguments = ["--delete", "--group", &scene.group];
        let told = scene.cluster.tool("consumer-groups", &arguments);
        told.contains("was successful").then_some(())
    });
}

#[test]
fn offsets_that_have_expired_are_missed_and_what_that_means_is_said() {
    for (from, said, records) in [
        ("earliest", "It is read from offset 0 on; what is in it is read again", 100),
        ("latest", "It is read from offset 150 on; what comes between is not read", 50),
    ] {
        let scene = Scene::new(Cluster::shared(), "expired", 1);
        let flags = ["--threads", "1", "--from", from];
        let mut sink = scene.sink().args(flags).start();
        sink.wait_for_log("Partitions gained: ", LIMIT);
        scene.topic.produce(0..100);
        scene.wait_for_commit(100);
        stop(sink);
        scene.topic.produce(100..150);
        forget_offsets(&scene);
        let mut sink = scene.sink().args(flags).start();
        let line = sink.wait_for_log("Nothing is committed of", LIMIT);
        assert!(line.contains("offsets up to 99") && line.contains(said), "{line}");
        scene.topic.produce(150..200);
        scene.wait_for_commit(200);
        assert_eq!(doubtful(&scene), records, "--from {from}");
        stop(sink);
        let expected: Vec<_> = match from {
            "earliest" => (0..100).chain(0..200).map(Topic::numbered).collect(),
            _ => (0..100).chain(150..200).map(Topic::numbered).collect(),
        };
        assert_eq!(scene.lines(), expected, "--from {from}");
    }
}

#[test]
fn what_was_not_confirmed_when_offsets_expired_is_kept_unless_it_is_read_again() {
    for (from, said) in
        [("earliest", "Taken out again: 50 records"), ("latest", "undecided: whether 50 records")]
    {
        let scene = Scene::new(Cluster::shared(), "expired-killed", 1);
        let flags = ["--threads", "1", "--from", from];
        let mut sink = scene.sink().args(flags).start();
        sink.wait_for_log("Partitions gained: ", LIMIT);
        if from == "latest" {
            wait_for_beginning(&scene);
        }
        scene.topic.produce(0..50);
        scene.wait_for_numbers(50);
        // The answer to its commit has come, and is in memory only.
        scene.wait_for_commit(50);
        sink.kill();
        let mut sink: Running = {
            // A dead member holds the group until its session is over.
            forget_offsets_of_killed(&scene);
            scene.sink().args(flags).start()
        };
        sink.wait_for_log(said, LIMIT);
        scene.topic.produce(50..100);
        scene.wait_for_commit(100);
        stop(sink);
        assert_eq!(assert_complete(&scene.lines(), 100), 0, "--from {from}");
    }
}

/// Waits until a sink that begins at the end has committed where that is.
fn wait_for_beginning(scene: &Scene<'_>) {
    wait_for("the beginning", LIMIT, || {
        let partitions = scene.cluster.describe_group(&scene.group);
        partitions.iter().any(|partition| partition.committed.is_some()).then_some(())
    });
}

fn forget_offsets_of_killed(scene: &Scene<'_>) {
    let start = Instant::now();
    wait_for("the session to end", LIMIT, || {
        (start.elapsed() > Duration::from_secs(7)).then_some(())
    });
    forget_offsets(scene);
}
