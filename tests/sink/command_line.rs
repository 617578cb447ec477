//! Flags, settings and the lock: what is refused, and in what words.

use std::fs;
use std::time::Duration;

use super::{LIMIT, Scene, stop};
use crate::support::{Cluster, Program};

/// Runs a sink that is to refuse its arguments, and returns what it says.
fn refused(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let ended = Program::sink(folder.path()).args(arguments).run(LIMIT);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "files were made");
    ended.stderr
}

#[test]
fn mistakes_are_answered_with_what_would_be_right() {
    for (arguments, answer) in [
        (vec!["--thread", "5"], "--threads"),
        (vec!["--from", "yesterday"], "2026-01-31T12:00:00Z"),
        (vec!["-X", "enable.auto.commit=true"], "only after the data is on the disk"),
        (vec!["-X", "group.id=other"], "use --group"),
        (vec!["--config", "missing.toml"], "missing.toml"),
        (vec!["--fsync", "sometimes"], "sometimes"),
        (vec!["--http", "localhost"], "neither a port nor HOST:PORT"),
        (vec!["stats"], "metric-sink --help"),
    ] {
        let said = refused(&arguments);
        assert!(said.contains(answer), "{arguments:?}: {said}");
    }
}

#[test]
fn a_mistake_in_the_settings_file_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sink.toml");
    fs::write(&path, "group = \"g\"\nthreds = 2\n").unwrap();
    let said = refused(&["--config", path.to_str().unwrap()]);
    assert!(said.contains("sink.toml:2:1") && said.contains("`threads`"), "{said}");
}

#[test]
fn a_mistyped_property_is_named_and_its_value_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Program::sink(folder.path()).args(["-X", "sasl.passwort=geheim"]);
    let ended = sink.run(LIMIT);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("sasl.passwort"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("geheim"), "{}", ended.stderr);
}

#[test]
fn help_and_version_go_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let help = Program::sink(folder.path()).args(["--help"]).run(LIMIT);
    assert!(help.status.success());
    for text in ["--static-membership", "Exit codes", "consumer-thread-N.csv", "[default: 5]"] {
        assert!(help.stdout.contains(text), "{text} in {}", help.stdout);
    }
    let version = Program::sink(folder.path()).args(["--version"]).run(LIMIT);
    assert_eq!(version.stdout, concat!("metric-sink ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn the_second_sink_of_a_folder_is_refused_and_told_about_the_first() {
    let scene = Scene::new(Cluster::shared(), "locked", 1);
    let mut first = scene.sink().start();
    first.wait_for_log("Partitions gained: ", LIMIT);
    let second = scene.sink().run(LIMIT);
    assert_eq!(second.status.code(), Some(1));
    let process = format!("process {}", first.id());
    assert!(second.stderr.contains(&process), "{}", second.stderr);
    first.kill();
    let third = scene.sink().start();
    scene.topic.produce(0..10);
    scene.wait_for_numbers(10);
    stop(third);
}

#[test]
fn a_folder_that_cannot_be_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let ended = Program::sink(folder.path()).args(["--output-dir", "file/below"]).run(LIMIT);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("file/below"), "{}", ended.stderr);
}

#[test]
fn progress_is_logged_each_interval_and_summed_up_at_the_end() {
    let scene = Scene::new(Cluster::shared(), "progress", 1);
    scene.topic.produce(0..100);
    let mut sink = scene.sink().args(["--threads", "1", "--report-interval", "200ms"]).start();
    sink.wait_for_log("100 records, ", LIMIT);
    sink.wait_for_log("1 partitions, lag 0", LIMIT);
    let ended = sink.stop(Duration::from_secs(5));
    let summary = format!("{} [0] at 100 (lag 0)", scene.topic.name());
    assert!(ended.stderr.contains(&summary), "{}", ended.stderr);
}
