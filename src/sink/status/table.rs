//! A snapshot as text for people.

use std::fmt::Write as _;

use super::{Bytes, CommitOutcome, Snapshot, ThreadStatus, Totals};
use crate::status::{Span, UNKNOWN, columns};

/// Lays a snapshot out as lines and tables, problems first.
pub fn table(snapshot: &Snapshot) -> String {
    let totals = &snapshot.totals;
    let mut text = format!(
        "metric-sink {}, process {}, up {}: {}\n",
        snapshot.version,
        snapshot.pid,
        Span(snapshot.uptime_seconds),
        if snapshot.healthy { "healthy" } else { "not healthy" }
    );
    for problem in &snapshot.problems {
        push(&mut text, format_args!("  {problem}\n"));
    }
    let facts = [
        ("started", snapshot.started_at.to_string()),
        ("group", snapshot.group.clone()),
        ("topics", snapshot.topics.join(", ")),
        ("brokers", snapshot.brokers.join(", ")),
        ("folder", snapshot.output_dir.clone()),
        (
            "written",
            format!(
                "{} records, {}; now {} records/s, {}/s",
                totals.records,
                Bytes(totals.bytes),
                rate(totals.records_per_second),
                Bytes(totals.bytes_per_second as u64)
            ),
        ),
        ("lag", lag(snapshot)),
    ];
    for (name, value) in facts {
        push(&mut text, format_args!("  {name:8} {value}\n"));
    }
    text.push('\n');
    text.push_str(&threads(&snapshot.threads));
    text.push_str(&partitions(&snapshot.threads));
    text.push_str(&files(&snapshot.threads));
    text
}

fn lag(snapshot: &Snapshot) -> String {
    let Totals { lag, uncounted, partitions, .. } = snapshot.totals;
    match uncounted {
        0 => format!("{lag} records in {partitions} partitions"),
        _ => format!(
            "{lag} records in {partitions} partitions, of which {uncounted} are not counted yet"
        ),
    }
}

fn threads(threads: &[ThreadStatus]) -> String {
    let head =
        ["THREAD", "STATE", "<RECORDS", "<RECORDS/S", "<BYTES/S", "<LAG", "FAULTS", "LAST COMMIT"];
    let row = |thread: &ThreadStatus| {
        let lags: Vec<u64> = thread.partitions.iter().filter_map(|each| each.lag).collect();
        vec![
            thread.name.clone(),
            thread.state.word().to_owned(),
            thread.records.to_string(),
            rate(thread.records_per_second),
            Bytes(thread.bytes_per_second as u64).to_string(),
            if lags.is_empty() { UNKNOWN.to_owned() } else { lags.iter().sum::<u64>().to_string() },
            faults(thread),
            last_commit(thread),
        ]
    };
    columns(head, threads.iter().map(row).collect())
}

fn last_commit(thread: &ThreadStatus) -> String {
    let mut text = match &thread.last_commit {
        None => UNKNOWN.to_owned(),
        Some(commit) => {
            let took = (commit.duration_seconds * 1000.0).round();
            let mut text = format!("{} ago, {took} ms", Span(commit.seconds_ago));
            if commit.outcome != CommitOutcome::Ok {
                push(&mut text, format_args!(", {}", commit.outcome.word()));
                if let Some(error) = &commit.error {
                    push(&mut text, format_args!(": {error}"));
                }
            }
            text
        }
    };
    // One that has begun this moment is nothing to look at.
    if let Some(seconds) = thread.commit_under_way_seconds.filter(|seconds| *seconds >= 1.0) {
        push(&mut text, format_args!("; the next under way for {}", Span(seconds)));
    }
    text
}

fn faults(thread: &ThreadStatus) -> String {
    let counters = &thread.counters;
    let faults: Vec<_> = [
        (counters.write_errors, "failed writes"),
        (counters.flush_errors, "failed flushes"),
        (counters.commits_refused, "refused commits"),
        (counters.commits_failed, "failed commits"),
        (counters.taken_back, "times taken back"),
        (counters.records_taken_out, "records taken out"),
        (counters.records_doubtful, "doubtful records"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    if faults.is_empty() { "none".to_owned() } else { faults.join(", ") }
}

fn partitions(threads: &[ThreadStatus]) -> String {
    let head = ["THREAD", "TOPIC", "<PARTITION", "<POSITION", "<COMMITTED", "<END", "<LAG"];
    let offset = |offset: Option<i64>| offset.map_or(UNKNOWN.to_owned(), |at| at.to_string());
    let rows = threads.iter().flat_map(|thread| {
        thread.partitions.iter().map(move |partition| {
            vec![
                thread.name.clone(),
                partition.topic.clone(),
                partition.partition.to_string(),
                offset(partition.position),
                offset(partition.committed_offset),
                offset(partition.end_offset),
                partition.lag.map_or(UNKNOWN.to_owned(), |lag| lag.to_string()),
            ]
        })
    });
    columns(head, rows.collect())
}

fn files(threads: &[ThreadStatus]) -> String {
    let rows = threads.iter().flat_map(|thread| {
        thread.files.iter().map(|file| {
            let length = file.bytes.map_or(UNKNOWN.to_owned(), |bytes| Bytes(bytes).to_string());
            vec![thread.name.clone(), length, file.path.clone()]
        })
    });
    columns(["THREAD", "<LENGTH", "FILE"], rows.collect())
}

/// Small rates with a place behind the point, so that they are not taken for none.
fn rate(a_second: f64) -> String {
    if a_second > 0.0 && a_second < 10.0 {
        format!("{a_second:.1}")
    } else {
        format!("{a_second:.0}")
    }
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _ = text.write_fmt(more);
}
