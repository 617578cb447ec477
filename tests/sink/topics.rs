//! Topics that grow, go and come again, and offsets that the brokers do not have any more.

use super::{LIMIT, Scene, assert_complete, stop};
use crate::support::{Cluster, Program, Topic};

/// A sink that soon hears of what happens to its topic.
fn attentive(scene: &Scene<'_>) -> Program {
    scene.sink().args(["--threads", "1", "-X", "topic.metadata.refresh.interval.ms=300"])
}

#[test]
fn partitions_that_come_to_a_topic_are_read_from_their_first_record() {
    let scene = Scene::new(Cluster::shared(), "grown", 1);
    let mut sink = attentive(&scene).start();
    sink.wait_for_log("Partitions gained: ", LIMIT);
    scene.cluster.grow_topic(scene.topic.name(), 3);
    scene.topic.produce(0..600);
    sink.wait_for_log("[2]", LIMIT);
    scene.wait_for_commit(600);
    stop(sink);
    assert_eq!(assert_complete(&scene.lines(), 600), 0);
    scene.assert_all_well();
}

#[test]
fn a_topic_that_is_deleted_and_made_anew_is_read_anew() {
    let scene = Scene::new(Cluster::shared(), "anew", 2);
    let mut sink = attentive(&scene).start();
    scene.topic.produce(0..1_000);
    scene.wait_for_commit(1_000);
    scene.cluster.delete_topic(scene.topic.name());
    sink.wait_for_log("Partitions lost", LIMIT);
    let seen = sink.log().len();
    scene.cluster.create_topic(scene.topic.name(), 2, &[]);
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
    scene.cluster.delete_topic(scene.topic.name());
    scene.cluster.create_topic(scene.topic.name(), 1, &[]);
    scene.topic.produce(1_000..1_400);
    scene.wait_for_numbers(1_400);
    scene.wait_for_commit(400);
    assert!(sink.log().iter().skip(seen).any(|line| line.contains("made anew")));
    stop(sink);
    assert_eq!(assert_complete(&scene.lines(), 1_400), 0);
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
    scene.cluster.delete_records(scene.topic.name(), 0, 70);
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
        scene.cluster.delete_group(&scene.group);
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
    for (from, before, said) in [
        ("earliest", 0, "Taken out again: 50 records"),
        ("latest", 10, "undecided: whether 50 records"),
    ] {
        let scene = Scene::new(Cluster::shared(), "expired-killed", 1);
        // What `latest` passes over; where it begins is committed at once.
        scene.topic.produce(1_000..1_000 + before);
        let before = i64::try_from(before).unwrap();
        let flags = ["--threads", "1", "--from", from, "--session-timeout", "2s"];
        let sink = scene.sink().args(flags).start();
        scene.wait_for_commit(before);
        scene.topic.produce(0..50);
        scene.wait_for_commit(before + 50);
        // That this was accepted is in memory only.
        sink.kill();
        scene.cluster.delete_group(&scene.group);
        let mut sink = scene.sink().args(flags).start();
        sink.wait_for_log(said, LIMIT);
        scene.topic.produce(50..100);
        scene.wait_for_commit(before + 100);
        stop(sink);
        assert_eq!(assert_complete(&scene.lines(), 100), 0, "--from {from}");
    }
}
