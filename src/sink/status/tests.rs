//! One snapshot in all its forms.

use super::*;
use crate::metric::Timestamp;
use crate::plugins::parsers::prometheus::PLUGIN;
use crate::plugins::tests::parsed;

fn time(seconds: i64) -> UtcTime {
    UtcTime::from(Timestamp::from_seconds(seconds))
}

/// A sink with a thread that reads, one that is stuck, and one that has ended.
fn snapshot() -> Snapshot {
    let idle = ThreadStatus {
        name: "consumer-thread-0".into(),
        state: ThreadState::Reading,
        reason: None,
        stuck_seconds: None,
        records: 1_000,
        bytes: 300_000,
        records_per_second: 12.5,
        bytes_per_second: 3_750.0,
        partitions: vec![PartitionStatus {
            topic: "metrics".into(),
            partition: 0,
            position: Some(1_000),
            committed_offset: Some(990),
            end_offset: Some(1_007),
            lag: Some(7),
        }],
        last_commit: Some(CommitStatus {
            ended_at: time(1_136_214_305),
            seconds_ago: 0.25,
            duration_seconds: 0.003,
            outcome: CommitOutcome::Ok,
            error: None,
        }),
        last_successful_commit_at: Some(time(1_136_214_305)),
        commit_under_way_seconds: None,
        counters: Counters { commits: 60, rebalances: 1, ..Counters::default() },
        files: vec![FileStatus { path: "/data/a\"b.csv".into(), bytes: Some(2_097_152) }],
    };
    let stuck = ThreadStatus {
        name: "consumer-thread-1".into(),
        state: ThreadState::Stuck,
        reason: Some("writing to /data/1.csv: No space left on device".into()),
        stuck_seconds: Some(12.4),
        records: 0,
        bytes: 0,
        records_per_second: 0.0,
        bytes_per_second: 0.0,
        partitions: vec![PartitionStatus {
            topic: "metrics".into(),
            partition: 10,
            position: None,
            committed_offset: None,
            end_offset: None,
            lag: None,
        }],
        last_commit: Some(CommitStatus {
            ended_at: time(1_136_214_300),
            seconds_ago: 75.0,
            duration_seconds: 0.5,
            outcome: CommitOutcome::Refused,
            error: Some("the group has moved on".into()),
        }),
        last_successful_commit_at: None,
        commit_under_way_seconds: Some(2.0),
        counters: Counters { commits_refused: 1, write_errors: 12, ..Counters::default() },
        files: vec![FileStatus { path: "/data/1.csv".into(), bytes: None }],
    };
    let ended = ThreadStatus {
        name: "consumer-thread-2".into(),
        state: ThreadState::Ended,
        reason: None,
        stuck_seconds: None,
        partitions: Vec::new(),
        last_commit: None,
        commit_under_way_seconds: None,
        counters: Counters::default(),
        files: Vec::new(),
        ..stuck.clone()
    };
    let threads = vec![idle, stuck, ended];
    let problems: Vec<_> = threads.iter().filter_map(ThreadStatus::problem).collect();
    Snapshot {
        version: "1.2.3".into(),
        pid: 4711,
        started_at: time(1_136_214_245),
        uptime_seconds: 61.0,
        healthy: problems.is_empty(),
        problems,
        group: "metric-consumers".into(),
        topics: vec!["metrics".into(), "more".into()],
        brokers: vec!["kafka1:9092".into()],
        output_dir: "/data".into(),
        totals: Totals::of(&threads),
        threads,
    }
}

#[test]
fn people_see_problems_first_and_columns_in_line() {
    assert_eq!(
        table(&snapshot()),
        "\
metric-sink 1.2.3, process 4711, up 1 min 1 s: not healthy
  consumer-thread-1 is stuck for 12 s: writing to /data/1.csv: No space left on device
  consumer-thread-2 has ended
  started  2006-01-02T15:04:05.000Z
  group    metric-consumers
  topics   metrics, more
  brokers  kafka1:9092
  folder   /data
  written  1000 records, 293.0 KiB; now 12 records/s, 3.7 KiB/s
  lag      7 records in 2 partitions, of which 1 are not counted yet

THREAD             STATE    RECORDS  RECORDS/S  BYTES/S  LAG  FAULTS                               LAST COMMIT
consumer-thread-0  reading     1000         12  3.7 KiB    7  none                                 0.2 s ago, 3 ms
consumer-thread-1  stuck          0          0      0 B    -  12 failed writes, 1 refused commits  1 min 15 s ago, 500 ms, refused: the group has moved on; the next under way for 2.0 s
consumer-thread-2  ended          0          0      0 B    -  none                                 -

THREAD             TOPIC    PARTITION  POSITION  COMMITTED   END  LAG
consumer-thread-0  metrics          0      1000        990  1007    7
consumer-thread-1  metrics         10         -          -     -    -

THREAD              LENGTH  FILE
consumer-thread-0  2.0 MiB  /data/a\"b.csv
consumer-thread-1        -  /data/1.csv

"
    );
}

#[test]
fn spans_and_rates_are_as_long_as_they_have_to_be() {
    let mut snapshot = snapshot();
    for (seconds, text) in [
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (59.9, "59 s"),
        (7_380.0, "2 h 3 min"),
        (180_000.0, "2 d 2 h"),
    ] {
        snapshot.uptime_seconds = seconds;
        let first = table(&snapshot).lines().next().unwrap().to_owned();
        assert!(first.contains(&format!(", up {text}: ")), "{first}");
    }
    snapshot.totals.records_per_second = 0.3;
    assert!(table(&snapshot).contains("now 0.3 records/s"));
}

#[test]
fn json_holds_all_of_it_and_is_read_again() {
    let json = snapshot().to_json().unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), snapshot());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["threads"][1]["state"], "stuck");
    assert_eq!(json["threads"][1]["last_commit"]["outcome"], "refused");
    assert_eq!(json["threads"][0]["partitions"][0]["committed_offset"], 990);
    assert_eq!(json["started_at"], "2006-01-02T15:04:05.000Z");
    assert_eq!(json["healthy"], false);
}

#[test]
fn json_of_a_newer_sink_is_understood() {
    let json = snapshot().to_json().unwrap();
    let newer =
        json.replace("\"stuck\"", "\"pondering\"").replace("\"pid\"", "\"mood\": 1, \"pid\"");
    let snapshot: Snapshot = serde_json::from_str(&newer).unwrap();
    assert_eq!(snapshot.threads[1].state, ThreadState::Unknown);
}

#[test]
fn prometheus_is_told_what_the_own_parser_understands() {
    let text = String::from_utf8(prometheus(&snapshot())).unwrap();
    let described = |kind: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(kind));
        lines.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(described("# HELP "), described("# TYPE "));
    let lines = parsed(&PLUGIN, "", &text).unwrap();
    for expected in [
        "prometheus,group=metric-consumers,version=1.2.3 metric_sink_info=1 ",
        "prometheus metric_sink_healthy=0 ",
        "prometheus metric_sink_start_time_seconds=1136214245 ",
        "prometheus,state=reading,thread=consumer-thread-0 metric_sink_thread_state=1 ",
        "prometheus,state=joining,thread=consumer-thread-0 metric_sink_thread_state=0 ",
        "prometheus,thread=consumer-thread-1 metric_sink_thread_stuck=1 ",
        "prometheus,thread=consumer-thread-0 metric_sink_records_total=1000 ",
        "prometheus,thread=consumer-thread-0 metric_sink_written_bytes_total=300000 ",
        "prometheus,path=/data/a\"b.csv,thread=consumer-thread-0 metric_sink_file_bytes=2097152 ",
        "prometheus,outcome=refused,thread=consumer-thread-1 metric_sink_commits_total=1 ",
        "prometheus,thread=consumer-thread-0 metric_sink_last_commit_timestamp_seconds=1136214305 ",
        "prometheus,thread=consumer-thread-1 metric_sink_last_commit_duration_seconds=0.5 ",
        "prometheus,partition=0,thread=consumer-thread-0,topic=metrics metric_sink_partition_lag_records=7 ",
        "prometheus,partition=0,thread=consumer-thread-0,topic=metrics metric_sink_partition_position=1000 ",
        "prometheus,step=write,thread=consumer-thread-1 metric_sink_file_errors_total=12 ",
        "prometheus,thread=consumer-thread-0 metric_sink_rebalances_total=1 ",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(expected)), "{expected}\n{text}");
    }
    // What is not known is left out rather than told as 0.
    assert!(!text.contains("partition=\"10\""), "{text}");
}
