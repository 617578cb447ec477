//! Looking into a running sink: its socket, its port, and the command that asks.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use metric_agent::metric::Metric;
use metric_agent::plugin::settings::{Position, Table};
use metric_agent::plugin::{Context, PluginLog, Statistics};
use metric_agent::plugins::FORMATS;
use metric_agent::plugins::parsers::prometheus;
use metric_agent::system::System;
use rustix::process::Signal;
use serde_json::Value;

use super::{LIMIT, Scene, stop};
use crate::support::{Cluster, Ended, Program, Running, wait_for};

/// Asks the sink of a folder.
fn status(folder: &Path, flags: &[&str]) -> Ended {
    Program::sink(folder).args(["status"]).args(flags).run(LIMIT)
}

/// Waits until what a sink tells is as it should be, with that exit code, and returns it.
fn wait_for_status(
    scene: &Scene<'_>,
    code: i32,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    wait_for(what, LIMIT, || {
        let ended = status(scene.folder.path(), &["--json"]);
        let told: Value = serde_json::from_str(&ended.stdout).ok()?;
        (ended.status.code() == Some(code) && is_so(&told)).then_some(told)
    })
}

fn threads(told: &Value) -> &[Value] {
    told["threads"].as_array().unwrap()
}

fn partitions(told: &Value) -> Vec<&Value> {
    threads(told).iter().flat_map(|thread| thread["partitions"].as_array().unwrap()).collect()
}

fn sum(values: &[&Value], field: &str) -> i64 {
    values.iter().filter_map(|value| value[field].as_i64()).sum()
}

fn socket(scene: &Scene<'_>) -> PathBuf {
    scene.folder.path().join(".metric-sink.sock")
}

/// The address that a sink says it tells its status at.
fn http_address(sink: &mut Running) -> String {
    let line = sink.wait_for_log("Status at http://", LIMIT);
    let (_, rest) = line.split_once("http://").unwrap();
    rest.split(' ').next().unwrap().to_owned()
}

/// The status code and the body of an answer.
fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// What the agent's parser makes of a page of metrics.
fn parsed(page: &str) -> Vec<Metric> {
    let table = Table::new("inputs.test".into(), "", Position::default());
    let log = PluginLog::new("inputs.test");
    let context = Context::new(System::real(), log, Statistics::default(), &table, FORMATS);
    let mut parser = (prometheus::PLUGIN.build)(&context).unwrap();
    parser.parse(page.as_bytes()).unwrap()
}

/// The sum of all series of a name.
fn total(metrics: &[Metric], name: &str) -> f64 {
    let values = metrics.iter().filter_map(|metric| match metric.field(name) {
        Some(metric_agent::metric::Value::Float(value)) => Some(*value),
        _ => None,
    });
    values.sum()
}

#[test]
fn a_running_sink_tells_people_and_programs_how_far_it_is() {
    let scene = Scene::new(Cluster::shared(), "status", 2);
    scene.topic.produce(0..100);
    let flags = ["--threads", "3", "--report-interval", "200ms", "-X", "sasl.password=geheim"];
    let mut sink = scene.sink().args(flags).args(["--http", "127.0.0.1:0"]).start();
    let told = wait_for_status(&scene, 0, "all records committed", |told| {
        let partitions = partitions(told);
        sum(&partitions, "committed_offset") == 100
            && partitions.len() == 2
            && partitions.iter().all(|partition| partition["lag"] == 0)
    });
    assert_eq!(told["pid"], sink.id());
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&told["healthy"], &told["problems"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(told["group"], scene.group.as_str());
    assert_eq!(told["topics"][0], scene.topic.name());
    assert_eq!(told["totals"]["records"], 100);
    let written = fs::metadata(scene.file(0)).unwrap().len()
        + fs::metadata(scene.file(1)).unwrap().len()
        + fs::metadata(scene.file(2)).unwrap().len();
    assert_eq!(told["totals"]["bytes"], written);
    assert_eq!(sum(&partitions(&told), "position"), 100);
    assert_eq!(sum(&partitions(&told), "end_offset"), 100);
    let mut states: Vec<_> =
        threads(&told).iter().map(|thread| thread["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["idle", "reading", "reading"]);
    let mut length = 0;
    for thread in threads(&told) {
        length += sum(&[&thread["files"][0]], "bytes");
        assert!(Path::new(thread["files"][0]["path"].as_str().unwrap()).is_absolute(), "{thread}");
        let has_a_partition = thread["partitions"] != serde_json::json!([]);
        assert!(!has_a_partition || thread["last_commit"]["outcome"] == "ok", "{thread}");
    }
    assert_eq!(length as u64, written);

    let table = status(scene.folder.path(), &[]);
    assert_eq!(table.status.code(), Some(0), "{}", table.stderr);
    let first = table.stdout.lines().next().unwrap();
    assert!(first.contains(&format!("process {}", sink.id())), "{first}");
    assert!(first.ends_with(": healthy"), "{first}");
    assert!(table.stdout.contains("written  100 records, "), "{}", table.stdout);

    let address = http_address(&mut sink);
    let (code, page) = get(&address, "/metrics");
    let metrics = parsed(&page);
    assert_eq!(code, 200);
    assert_eq!(total(&metrics, "metric_sink_records_total"), 100.0);
    assert_eq!(total(&metrics, "metric_sink_written_bytes_total"), written as f64);
    assert_eq!(total(&metrics, "metric_sink_partition_committed_offset"), 100.0);
    assert_eq!(total(&metrics, "metric_sink_healthy"), 1.0);
    let lag = metrics.iter().find(|m| m.field("metric_sink_partition_lag_records").is_some());
    let lag = lag.unwrap_or_else(|| panic!("no lag in {page}"));
    assert_eq!(lag.tag("topic"), Some(scene.topic.name()));
    assert_eq!(get(&address, "/health"), (200, "ok\n".to_owned()));
    let (code, json) = get(&address, "/status");
    assert_eq!(code, 200);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["pid"], sink.id());
    for text in [&told.to_string(), &table.stdout, &page, &json] {
        assert!(!text.contains("geheim"), "{text}");
    }
    stop(sink);
}

#[test]
fn a_stuck_sink_tells_why_and_how_far_it_lags_until_it_goes_on() {
    let scene = Scene::new(Cluster::shared(), "status-stuck", 1);
    symlink("/dev/full", scene.file(0)).unwrap();
    scene.topic.produce(0..100);
    let flags = ["--threads", "1", "--batch-records", "10", "--report-interval", "200ms"];
    let mut sink = scene.sink().args(flags).args(["--http", "127.0.0.1:0"]).start();
    let address = http_address(&mut sink);
    let told = wait_for_status(&scene, 1, "a stuck thread that lags", |told| {
        sum(&partitions(told), "lag") == 90
    });
    let [thread] = threads(&told) else { panic!("{told}") };
    assert_eq!(thread["state"], "stuck");
    assert!(thread["reason"].as_str().unwrap().contains("No space left on device"), "{thread}");
    assert!(thread["counters"]["write_errors"].as_u64().unwrap() > 0, "{thread}");
    assert_eq!((&thread["records"], &thread["last_commit"]), (&0.into(), &Value::Null));
    assert_eq!(
        (&told["healthy"], &told["problems"].as_array().unwrap().len()),
        (&false.into(), &1)
    );

    let table = status(scene.folder.path(), &[]);
    assert_eq!(table.status.code(), Some(1));
    let mut lines = table.stdout.lines();
    assert!(lines.next().unwrap().ends_with(": not healthy"), "{}", table.stdout);
    assert!(lines.next().unwrap().contains("No space left on device"), "{}", table.stdout);
    let (code, reason) = get(&address, "/health");
    assert_eq!(code, 503);
    assert!(reason.starts_with("consumer-thread-0 is stuck for "), "{reason}");
    let metrics = parsed(&get(&address, "/metrics").1);
    assert_eq!(total(&metrics, "metric_sink_thread_stuck"), 1.0);
    assert_eq!(total(&metrics, "metric_sink_partition_lag_records"), 90.0);

    fs::remove_file(scene.file(0)).unwrap();
    wait_for_status(&scene, 0, "health", |told| told["totals"]["records"] == 100);
    assert_eq!(get(&address, "/health").0, 200);
    stop(sink);
}

#[test]
fn where_no_sink_answers_the_exit_code_and_the_words_say_so() {
    let scene = Scene::new(Cluster::shared(), "status-gone", 1);
    let folder = scene.folder.path();
    let says = |text: &str| {
        let ended = status(folder, &[]);
        assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains(text) && ended.stdout.is_empty(), "{}", ended.stderr);
    };
    says(".metric-sink.sock does not exist");

    let mut sink = scene.sink().start();
    sink.wait_for_log("Partitions gained: ", LIMIT);
    let mode = fs::metadata(socket(&scene)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    sink.signal(Signal::STOP);
    says("no answer within 5 s");
    sink.kill();
    says("nobody listens at");

    let mut sink = scene.sink().start();
    sink.wait_for_log("Partitions gained: ", LIMIT);
    let path = socket(&scene);
    let ended = status(Path::new("/"), &["--socket", path.to_str().unwrap()]);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    stop(sink);
    says("does not exist");
}

#[test]
fn strangers_who_say_nothing_keep_a_sink_neither_from_answering_nor_from_ending() {
    let scene = Scene::new(Cluster::shared(), "status-strangers", 1);
    let mut sink = scene.sink().args(["--threads", "1"]).start();
    sink.wait_for_log("Partitions gained: ", LIMIT);
    let mut strangers: Vec<_> =
        (0..40).map(|_| UnixStream::connect(socket(&scene)).unwrap()).collect();
    strangers[39].write_all(b"GET /sta").unwrap();
    let several: Vec<_> = (0..4)
        .map(|_| Program::sink(scene.folder.path()).args(["status", "--json"]).start())
        .collect();
    for one in several {
        let ended = one.wait_for_end(LIMIT);
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    }
    let start = Instant::now();
    let ended = sink.stop(Duration::from_secs(5));
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn the_commands_flags_are_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let help = status(folder.path(), &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(help.stdout.contains("Exit codes: 0 if the sink is healthy"), "{}", help.stdout);
    let wrong = status(folder.path(), &["--threads", "5"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(wrong.stderr.contains("metric-sink status --help"), "{}", wrong.stderr);
    let behind = Program::sink(folder.path()).args(["--threads", "5", "status"]).run(LIMIT);
    assert_eq!(behind.status.code(), Some(1));
    assert!(behind.stderr.contains("commands stand before all flags"), "{}", behind.stderr);
}
