//! A snapshot in the text format of Prometheus.

use super::{CommitOutcome, Snapshot, ThreadState, ThreadStatus};
use crate::metric::{Timestamp, ValueType};
use crate::plugin::exposition::{FamilyWriter, Label, Measured, Style, TextWriter};

/// The labels of a series beside the thread's name.
type Pairs<'p> = &'p [(&'p str, &'p str)];

/// Writes a snapshot as metrics.
pub fn prometheus(snapshot: &Snapshot) -> Vec<u8> {
    let mut out = Vec::new();
    let mut page = Page { writer: TextWriter::new(Style::default(), &mut out) };
    page.of_sink(snapshot);
    page.of_threads(&snapshot.threads);
    page.of_commits(&snapshot.threads);
    page.of_partitions(&snapshot.threads);
    page.of_faults(&snapshot.threads);
    out
}

struct Page<'w> {
    writer: TextWriter<'w>,
}

impl Page<'_> {
    /// A family of which each thread has whatever series `write` writes.
    fn family(
        &mut self,
        name: &str,
        value_type: ValueType,
        help: &str,
        threads: &[ThreadStatus],
        mut write: impl FnMut(&ThreadStatus, &mut dyn FnMut(Pairs<'_>, f64)),
    ) {
        let mut family = self.writer.family(name, value_type, help);
        for thread in threads {
            write(thread, &mut |pairs, value| {
                let of_thread = [("thread", thread.name.as_str())];
                add(&mut family, of_thread.iter().chain(pairs), value);
            });
        }
    }

    fn of_sink(&mut self, snapshot: &Snapshot) {
        let mut single = |name: &str, help: &str, pairs: Pairs<'_>, value: f64| {
            add(&mut self.writer.family(name, ValueType::Gauge, help), pairs, value);
        };
        let about = [("version", snapshot.version.as_str()), ("group", snapshot.group.as_str())];
        single("metric_sink_info", "Version and consumer group.", &about, 1.0);
        single(
            "metric_sink_start_time_seconds",
            "When the sink was started, in seconds since 1970.",
            &[],
            snapshot.started_at.seconds(),
        );
        single(
            "metric_sink_healthy",
            "1 while every thread is at work or waits for work, else 0.",
            &[],
            f64::from(u8::from(snapshot.healthy)),
        );
    }

    fn of_threads(&mut self, threads: &[ThreadStatus]) {
        use ValueType::{Counter, Gauge};
        self.family(
            "metric_sink_thread_state",
            Gauge,
            "1 for the state that the thread is in, 0 for the others.",
            threads,
            |thread, add| {
                for state in ThreadState::ALL {
                    let is_it = f64::from(u8::from(thread.state == state));
                    add(&[("state", state.word())], is_it);
                }
            },
        );
        self.family(
            "metric_sink_thread_stuck",
            Gauge,
            "1 while the thread cannot write or flush, or is silent.",
            threads,
            |thread, add| {
                let is_stuck = matches!(thread.state, ThreadState::Stuck | ThreadState::Silent);
                add(&[], f64::from(u8::from(is_stuck)));
            },
        );
        self.family(
            "metric_sink_records_total",
            Counter,
            "Records that were written to files; those that were taken back count again.",
            threads,
            |thread, add| add(&[], thread.records as f64),
        );
        self.family(
            "metric_sink_written_bytes_total",
            Counter,
            "Bytes that were written to files.",
            threads,
            |thread, add| add(&[], thread.bytes as f64),
        );
        self.family(
            "metric_sink_file_bytes",
            Gauge,
            "Length of the files that are written to.",
            threads,
            |thread, add| {
                for file in &thread.files {
                    if let Some(bytes) = file.bytes {
                        add(&[("path", &file.path)], bytes as f64);
                    }
                }
            },
        );
    }

    fn of_commits(&mut self, threads: &[ThreadStatus]) {
        use ValueType::{Counter, Gauge};
        self.family(
            "metric_sink_commits_total",
            Counter,
            "Offset commits by how they ended.",
            threads,
            |ThreadStatus { counters, .. }, add| {
                for (outcome, count) in [
                    (CommitOutcome::Ok, counters.commits),
                    (CommitOutcome::Refused, counters.commits_refused),
                    (CommitOutcome::Failed, counters.commits_failed),
                ] {
                    add(&[("outcome", outcome.word())], count as f64);
                }
            },
        );
        self.family(
            "metric_sink_last_commit_timestamp_seconds",
            Gauge,
            "When a commit last succeeded, in seconds since 1970.",
            threads,
            |thread, add| {
                if let Some(at) = thread.last_successful_commit_at {
                    add(&[], at.seconds());
                }
            },
        );
        self.family(
            "metric_sink_last_commit_duration_seconds",
            Gauge,
            "How long the last commit took, however it ended.",
            threads,
            |thread, add| {
                if let Some(commit) = &thread.last_commit {
                    add(&[], commit.duration_seconds);
                }
            },
        );
    }

    fn of_partitions(&mut self, threads: &[ThreadStatus]) {
        type Number = fn(&super::PartitionStatus) -> Option<f64>;
        let families: [(&str, &str, Number); 4] = [
            ("metric_sink_partition_position", "The offset that is read next.", |partition| {
                partition.position.map(|offset| offset as f64)
            }),
            (
                "metric_sink_partition_committed_offset",
                "The offset that the group goes on at.",
                |partition| partition.committed_offset.map(|offset| offset as f64),
            ),
            (
                "metric_sink_partition_end_offset",
                "The offset that the next record written to the partition will have.",
                |partition| partition.end_offset.map(|offset| offset as f64),
            ),
            (
                "metric_sink_partition_lag_records",
                "Records between the position and the end.",
                |partition| partition.lag.map(|lag| lag as f64),
            ),
        ];
        for (name, help, number) in families {
            self.family(name, ValueType::Gauge, help, threads, |thread, add| {
                for partition in &thread.partitions {
                    if let Some(value) = number(partition) {
                        let written = partition.partition.to_string();
                        add(&[("topic", &partition.topic), ("partition", &written)], value);
                    }
                }
            });
        }
    }

    fn of_faults(&mut self, threads: &[ThreadStatus]) {
        use ValueType::Counter;
        self.family(
            "metric_sink_file_errors_total",
            Counter,
            "Writes and flushes that failed; they are tried again.",
            threads,
            |ThreadStatus { counters, .. }, add| {
                add(&[("step", "write")], counters.write_errors as f64);
                add(&[("step", "flush")], counters.flush_errors as f64);
            },
        );
        self.family(
            "metric_sink_taken_back_total",
            Counter,
            "How often records were taken back, to be read again.",
            threads,
            |thread, add| add(&[], thread.counters.taken_back as f64),
        );
        self.family(
            "metric_sink_records_taken_out_total",
            Counter,
            "Records that were taken out of the files again because they were not committed.",
            threads,
            |thread, add| add(&[], thread.counters.records_taken_out as f64),
        );
        self.family(
            "metric_sink_records_doubtful_total",
            Counter,
            "Records that may stand in the files more than once, or not at all; the log names them.",
            threads,
            |thread, add| add(&[], thread.counters.records_doubtful as f64),
        );
        self.family(
            "metric_sink_rebalances_total",
            Counter,
            "How often the group has changed which partitions are the thread's.",
            threads,
            |thread, add| add(&[], thread.counters.rebalances as f64),
        );
    }
}

fn add<'p>(
    family: &mut FamilyWriter<'_>,
    pairs: impl IntoIterator<Item = &'p (&'p str, &'p str)>,
    value: f64,
) {
    let label =
        |(name, value): &(&str, &str)| Label { name: (*name).into(), value: (*value).into() };
    let labels: Vec<Label> = pairs.into_iter().map(label).collect();
    family.series(&labels, Timestamp::EPOCH, &Measured::Single(value));
}
