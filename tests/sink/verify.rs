//! Checking what sinks have written, against a real topic.

use std::fs;
use std::time::Duration;

use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use super::{LIMIT, Scene, stop};
use crate::support::{Cluster, Ended, Program, wait_for};

/// Checks the scene's folder against its topic.
fn verify(scene: &Scene<'_>, flags: &[&str]) -> Ended {
    Program::sink(scene.folder.path())
        .args(["verify", ".", "--brokers", scene.cluster.addresses()])
        .args(["--group", &scene.group, "--topic", scene.topic.name()])
        .args(flags)
        .run(LIMIT)
}

/// Runs a sink until the group has committed so much.
fn write_until(scene: &Scene<'_>, committed: i64) {
    let sink = scene.sink().args(["--threads", "2"]).start();
    wait_for("the commits", LIMIT, || (scene.committed() == committed).then_some(()));
    stop(sink);
}

#[test]
fn what_a_sink_has_written_is_all_well_while_it_runs_and_afterwards() {
    let scene = Scene::new(Cluster::shared(), "verified", 3);
    scene.topic.produce(0..3_000);
    let sink = scene.sink().args(["--threads", "2"]).start();
    scene.wait_for_numbers(3_000);
    let ended = verify(&scene, &[]);
    assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.ends_with("; a sink is running\n"), "{}", ended.stdout);
    stop(sink);
    let ended = verify(&scene, &["--deep", "--json"]);
    assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&report["all_well"], &report["running"]), (&true.into(), &false.into()));
    assert_eq!(report["findings"], serde_json::json!([]));
    for partition in report["partitions"].as_array().unwrap() {
        assert_eq!(
            (&partition["records"], &partition["committed"]),
            (&1_000.into(), &1_000.into())
        );
    }
}

#[test]
fn what_is_missing_or_damaged_is_named_with_its_place() {
    let scene = Scene::new(Cluster::shared(), "verified-missing", 1);
    scene.topic.produce(0..100);
    write_until(&scene, 100);
    // As if somebody had set the offset forward.
    scene.topic.produce(100..150);
    let topic = format!("{}:0", scene.topic.name());
    scene.cluster.tool(
        "consumer-groups",
        &[
            "--reset-offsets",
            "--to-offset",
            "120",
            "--execute",
            "--group",
            &scene.group,
            "--topic",
            &topic,
        ],
    );
    let ended = verify(&scene, &[]);
    assert_eq!(ended.status.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
    let expected = format!(
        "{} [0], offsets 100 to 119: 20 records are in the topic and in no file",
        scene.topic.name()
    );
    assert!(ended.stdout.contains(&expected), "{}", ended.stdout);

    let file =
        (0..2).map(|thread| scene.file(thread)).find(|path| fs::metadata(path).unwrap().len() > 0);
    let file = file.unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[1_000] ^= 1;
    fs::write(&file, bytes).unwrap();
    let ended = Program::sink(scene.folder.path()).args(["verify", "."]).run(LIMIT);
    assert_eq!(ended.status.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("is not what was written there"), "{}", ended.stdout);
    let ended = verify(&scene, &["--deep"]);
    let expected = "the record is not what the topic holds at this offset";
    assert!(ended.stdout.contains(expected), "{}", ended.stdout);
}

#[test]
fn offsets_that_markers_of_transactions_take_are_no_gaps() {
    let scene = Scene::new(Cluster::shared(), "verified-transactions", 1);
    let mut config = scene.cluster.client();
    config.set("transactional.id", scene.topic.name());
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
    producer.init_transactions(LIMIT).unwrap();
    for number in 0..20 {
        producer.begin_transaction().unwrap();
        let value = format!("value {number}");
        producer.send(BaseRecord::<(), _>::to(scene.topic.name()).payload(&value)).unwrap();
        producer.flush(LIMIT).unwrap();
        producer.commit_transaction(LIMIT).unwrap();
    }
    let sink = scene.sink().args(["--threads", "1", "--commit-interval", "20ms"]).start();
    wait_for("all records", LIMIT, || (scene.lines().len() == 20).then_some(()));
    wait_for("the commit", LIMIT, || (scene.committed() >= 39).then_some(()));
    stop(sink);
    let ended = verify(&scene, &["--deep"]);
    assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn what_was_never_confirmed_waits_for_its_sink() {
    let scene = Scene::new(Cluster::shared(), "verified-unsettled", 2);
    scene.topic.produce(0..1_000);
    let sink = scene.sink().args(["--commit-interval", "1h"]).start();
    scene.wait_for_numbers(1_000);
    sink.kill();
    let ended = Program::sink(scene.folder.path()).args(["verify", "."]).run(LIMIT);
    assert_eq!(ended.status.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("of a sink that was killed"), "{}", ended.stdout);
    assert!(ended.stdout.contains("start the sink of this folder"), "{}", ended.stdout);
    let sink = scene.sink().start();
    wait_for("the commits", LIMIT, || (scene.committed() == 1_000).then_some(()));
    stop(sink);
    assert_eq!(verify(&scene, &["--deep"]).status.code(), Some(0));
}

#[test]
fn what_cannot_be_checked_is_said_with_a_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    for (arguments, answer) in [
        (vec!["verify"], "no folder is named"),
        (vec!["verify", "missing"], "reading missing"),
        (vec!["verify", "empty"], "no output folder of metric-sink"),
        (vec!["verify", "empty", "--deep"], "need --brokers"),
        (vec!["verify", "empty", "--broker", "x"], "'--brokers'"),
    ] {
        let ended = Program::sink(folder.path()).args(&arguments).run(LIMIT);
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(answer), "{arguments:?}: {}", ended.stderr);
    }
    let scene = Scene::new(Cluster::shared(), "verified-away", 1);
    scene.topic.produce(0..10);
    write_until(&scene, 10);
    let ended = Program::sink(scene.folder.path())
        .args([
            "verify",
            ".",
            "--brokers",
            "127.0.0.1:1",
            "-X",
            "socket.connection.setup.timeout.ms=1000",
        ])
        .run(Duration::from_secs(40));
    assert_eq!(ended.status.code(), Some(2), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("127.0.0.1:1"), "{}", ended.stderr);
}
