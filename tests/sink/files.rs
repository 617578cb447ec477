//! What stands in the files, and from where on.

use std::fs;
use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{LIMIT, Scene, stop};
use crate::support::{Cluster, Topic, wait_for};

#[test]
fn every_record_is_one_line_or_the_lines_that_it_has() {
    let scene = Scene::new(Cluster::shared(), "lines", 1);
    let values = ["plain", "ended\n", "", "two\nlines", "two\nended\n", "\n", "last"];
    scene.topic.send(values.map(|value| (Some(0), value.as_bytes().to_vec())));
    let expected = "plain\nended\n\ntwo\nlines\ntwo\nended\n\nlast\n";
    let sink = scene.sink().args(["--threads", "1"]).start();
    wait_for("all lines", LIMIT, || {
        (fs::read_to_string(scene.file(0)).ok()? == expected).then_some(())
    });
    stop(sink);
    assert_eq!(scene.committed(), values.len() as i64);
}

#[test]
fn a_record_without_a_value_leaves_an_empty_line() {
    let scene = Scene::new(Cluster::shared(), "tombstones", 1);
    let producer: BaseProducer = scene.cluster.client().create().unwrap();
    for key in ["a", "b"] {
        producer.send(BaseRecord::<str, [u8]>::to(scene.topic.name()).key(key)).unwrap();
    }
    producer.flush(LIMIT).unwrap();
    let sink = scene.sink().args(["--threads", "1"]).start();
    wait_for("two lines", LIMIT, || {
        (fs::read_to_string(scene.file(0)).ok()? == "\n\n").then_some(())
    });
    stop(sink);
    assert_eq!(scene.committed(), 2);
}

#[test]
fn records_of_ten_megabytes_pass_between_small_ones() {
    let cluster = Cluster::shared();
    let topic = cluster.topic_with("large", 1, &[("max.message.bytes", "20000000")]);
    let scene = Scene { topic, ..Scene::new(cluster, "large-unused", 1) };
    let large = vec![b'x'; 10_000_000];
    scene.topic.send([
        (Some(0), b"before".to_vec()),
        (Some(0), large.clone()),
        (Some(0), large),
        (Some(0), b"after".to_vec()),
    ]);
    let sink = scene.sink().args(["--threads", "1"]).start();
    wait_for("the last line", LIMIT, || {
        fs::read(scene.file(0)).ok()?.ends_with(b"after\n").then_some(())
    });
    let ended = sink.stop(Duration::from_secs(5));
    assert!(ended.status.success(), "{}", ended.stderr);
    let lengths: Vec<_> = scene.lines().iter().map(String::len).collect();
    assert_eq!(lengths, [6, 10_000_000, 10_000_000, 5]);
    assert_eq!(scene.committed(), 4);
}

#[test]
fn what_is_read_stands_in_the_file_at_once_and_not_when_it_is_committed() {
    let scene = Scene::new(Cluster::shared(), "at-once", 1);
    let mut sink = scene.sink().args(["--threads", "1", "--commit-interval", "1h"]).start();
    sink.wait_for_log("Partitions gained: ", LIMIT);
    scene.topic.produce(0..10);
    scene.wait_for_numbers(10);
    assert_eq!(scene.committed(), 0);
    stop(sink);
    assert_eq!(scene.committed(), 10);
}

#[test]
fn a_group_without_offsets_begins_where_it_is_told() {
    let scene = Scene::new(Cluster::shared(), "from", 1);
    let producer: BaseProducer = scene.cluster.client().create().unwrap();
    for (time_ms, value) in [(1_000, "old"), (2_000, "middle"), (3_000, "young")] {
        let record = BaseRecord::<(), _>::to(scene.topic.name()).payload(value).timestamp(time_ms);
        producer.send(record).unwrap();
    }
    producer.flush(LIMIT).unwrap();
    for (number, from, begins) in [
        (0, "earliest", "old"),
        (1, "1970-01-01T00:00:01.500Z", "middle"),
        (2, "3000", "young"),
        (3, "2200-01-01T00:00:00Z", "new"),
        (4, "latest", "new"),
    ] {
        let scene = Scene {
            topic: Topic::new(scene.cluster, scene.topic.name().to_owned()),
            group: format!("{}-{number}", scene.group),
            folder: tempfile::tempdir().unwrap(),
            cluster: scene.cluster,
        };
        let flags = ["--threads", "1", "--from", from];
        let mut sink = scene.sink().args(flags).start();
        sink.wait_for_log("Partitions gained: ", LIMIT);
        if begins == "new" {
            // Stopped before anything came: the place has to be kept all the same.
            wait_for("the beginning to be committed", LIMIT, || {
                (scene.committed() > 0).then_some(())
            });
        } else {
            wait_for("a line", LIMIT, || (!scene.lines().is_empty()).then_some(()));
        }
        stop(sink);
        let new = format!("new for {from}");
        scene.topic.send([(Some(0), new.clone().into_bytes())]);
        let sink = scene.sink().args(flags).start();
        wait_for("the new line", LIMIT, || scene.lines().contains(&new).then_some(()));
        stop(sink);
        let lines = scene.lines();
        if begins == "new" {
            assert_eq!(lines, [new]);
        } else {
            assert_eq!(lines[0], begins, "--from {from}");
        }
    }
}

#[test]
fn what_retention_took_before_it_was_read_is_passed_over_and_nothing_more() {
    for from in ["earliest", "latest"] {
        let scene = Scene::new(Cluster::shared(), "retention", 1);
        let flags = ["--threads", "1", "--from", from];
        let mut sink = scene.sink().args(flags).start();
        sink.wait_for_log("Partitions gained: ", LIMIT);
        scene.topic.produce(0..50);
        scene.wait_for_numbers(50);
        stop(sink);
        assert_eq!(scene.committed(), 50);

        scene.topic.produce(50..100);
        let plan = format!(
            r#"{{"version": 1, "partitions": [{{"topic": "{}", "partition": 0, "offset": 70}}]}}"#,
            scene.topic.name()
        );
        let plan_file = scene.folder.path().join("plan.json");
        fs::write(&plan_file, plan).unwrap();
        scene.cluster.tool("delete-records", &["--offset-json-file", plan_file.to_str().unwrap()]);

        let sink = scene.sink().args(flags).start();
        scene.wait_for_numbers(80);
        stop(sink);
        let expected: Vec<_> = (0..50).chain(70..100).map(Topic::numbered).collect();
        assert_eq!(scene.lines(), expected, "--from {from}");
        assert_eq!(scene.committed(), 100);
    }
}

#[test]
fn the_librarys_own_debug_lines_come_on_request() {
    let scene = Scene::new(Cluster::shared(), "debug", 1);
    let mut sink = scene.sink().args(["--threads", "1", "-X", "debug=cgrp", "--debug"]).start();
    sink.wait_for_log("JoinGroup", LIMIT);
    stop(sink);
}

#[test]
fn several_topics_go_to_the_same_files() {
    let scene = Scene::new(Cluster::shared(), "first", 2);
    let other = scene.cluster.topic("second", 2);
    scene.topic.produce(0..100);
    other.produce(100..200);
    let sink = scene.sink().args(["--threads", "2", "--topic", other.name()]).start();
    scene.wait_for_numbers(200);
    stop(sink);
    assert_eq!(scene.committed(), 200);
}
