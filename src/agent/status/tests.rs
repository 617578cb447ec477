//! Snapshots of an agent, as JSON and as a table.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::agent::activity::Activity;
use crate::agent::health::Health;
use crate::agent::watch::{Subject, Watched};
use crate::metric::Timestamp;
use crate::plugin::Statistics;
use crate::system::fake::FakeClock;

const TEN: Duration = Duration::from_secs(10);

fn watched(name: &str, id: &str) -> (Arc<Watched>, Arc<Health>) {
    let health = Arc::<Health>::default();
    let subject = Subject { name: name.to_owned(), id: id.to_owned(), health: health.clone() };
    (Watched::new(subject, TEN, TEN, || {}), health)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

/// An agent with two inputs of one name, and an output that has seen everything.
fn snapshot() -> Snapshot {
    let statistics = Statistics::default();
    let count = |id: &str, name: &str, counts: &[(&'static str, u64)]| {
        let own = statistics.of_instance(id).of_plugin(name);
        counts.iter().for_each(|(field, count)| own.counter(field).add(*count));
        own.average_time("write_time_ns").add(TEN);
    };
    count("a", "inputs.cpu", &[("metrics_gathered", 7)]);
    count("b", "inputs.cpu", &[("metrics_gathered", 9), ("errors", 1)]);
    count(
        "c",
        "outputs.kafka::main",
        &[
            ("metrics_added", 100),
            ("metrics_written", 60),
            ("buffer_size", 30),
            ("metrics_rejected", 4),
            ("metrics_dropped", 5),
            ("metrics_dropped_expired", 1),
            ("write_errors", 2),
        ],
    );
    let clock = Arc::new(FakeClock::at(at(0)));
    let board = Board::new(statistics.clone(), clock.clone());
    board.starts(&["telegraf.conf".to_owned()]);
    let ((first, first_health), (second, second_health)) =
        (watched("inputs.cpu", "a"), watched("inputs.cpu", "b"));
    let (kafka, kafka_health) = watched("outputs.kafka::main", "c");
    board.runs(Activity::new(vec![vec![first], vec![second]], vec![kafka]));
    first_health.failed(at(1), &"long ago");
    first_health.succeeded(at(2));
    second_health.failed(at(3), &"no such file\nat all");
    kafka_health.succeeded(at(4));
    kafka_health.set_in_flight(10);
    board.reload_ended(Some("a.conf: line 1: no".to_owned()));
    clock.advance(Duration::from_secs(75));
    let snapshot = board.snapshot();
    let averages = statistics.all().into_iter().filter(|each| each.field == "write_time_ns");
    assert!(averages.map(|each| each.number.take()).all(|nanos| nanos > 0));
    snapshot
}

#[test]
fn each_plugin_has_its_own_numbers_and_they_add_up() {
    let snapshot = snapshot();
    let gathered: Vec<_> =
        snapshot.inputs.iter().map(|input| (input.gathered, input.errors)).collect();
    assert_eq!(gathered, [(7, 0), (9, 1)]);
    let kafka = &snapshot.outputs[0];
    assert_eq!((kafka.waiting, kafka.in_flight, kafka.write_errors), (20, 10, 2));
    let dropped: u64 = kafka.dropped.values().sum();
    assert_eq!(kafka.received, kafka.written + kafka.waiting + kafka.in_flight + dropped);
    let reasons: Vec<_> = kafka.dropped.keys().map(String::as_str).collect();
    assert_eq!(reasons, ["expired", "overflow", "rejected"]);
}

#[test]
fn problems_are_what_has_not_been_well_since() {
    let snapshot = snapshot();
    assert!(!snapshot.healthy);
    assert_eq!(
        snapshot.problems,
        ["the last reload was refused: a.conf: line 1: no", "inputs.cpu: no such file\nat all"]
    );
}

#[test]
fn a_snapshot_is_read_back_from_its_json() {
    let snapshot = snapshot();
    let json = snapshot.to_json().unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), snapshot);
    let newer = json.replace("\"running\"", "\"dreaming\"");
    assert_eq!(serde_json::from_str::<Snapshot>(&newer).unwrap().phase, Phase::Unknown);
}

#[test]
fn people_get_tables() {
    let text = table(&snapshot()).replace(&std::process::id().to_string(), "PID");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        text,
        format!(
            "metric-agent {version}, process PID, up 1 min 15 s: running, not healthy
  the last reload was refused: a.conf: line 1: no
  inputs.cpu: no such file…
  started    2023-11-14T22:13:20.000Z
  configured 2023-11-14T22:13:20.000Z
  files      telegraf.conf
  reload     2023-11-14T22:13:20.000Z refused, the one before keeps running: a.conf: line 1: no

INPUT       STATE  GATHERED  ERRORS  LAST GATHER               LAST ERROR
inputs.cpu  waits         7       0  2023-11-14T22:13:22.000Z  2023-11-14T22:13:21.000Z long ago
inputs.cpu  waits         9       1  -                         2023-11-14T22:13:23.000Z no such file…

OUTPUT               STATE  RECEIVED  WRITTEN  WAITING  IN FLIGHT  DROPPED                            LAST SUCCESS              LAST ERROR
outputs.kafka::main  waits       100       60       20         10  1 expired, 5 overflow, 4 rejected  2023-11-14T22:13:24.000Z  -

"
        )
    );
}
