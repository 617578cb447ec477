//! What a check has come to, as a table for people and as JSON.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::finding::{Finding, Weight};
use super::judging::OfCluster;
use super::reading::Held;
use crate::kafka::group::Partition;

/// What stands for something that is not known, or is none.
const NOTHING: &str = "-";

/// What a check has come to. Its fields, as JSON names them, are part of the interface: they are
/// added to, and neither renamed nor removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The folders that were looked through.
    pub folders: Vec<PathBuf>,
    /// Whether nothing is wrong.
    pub all_well: bool,
    /// Whether a sink was writing to one of them.
    pub running: bool,
    /// Each partition.
    pub partitions: Vec<PartitionReport>,
    /// What was found, faults first.
    pub findings: Vec<Finding>,
}

/// What the files hold of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionReport {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The first offset in the files.
    pub first: Option<i64>,
    /// The offset behind the last one in the files.
    pub next: Option<i64>,
    /// How many records are in the files, each counted once.
    pub records: u64,
    /// How many offsets stand there twice.
    pub doubles: u64,
    /// How many records are missing, as the topic says; how many offsets if it was not asked.
    pub missing: u64,
    /// How many offsets are not confirmed yet.
    pub in_flight: u64,
    /// The oldest offset of the topic.
    pub log_start: Option<i64>,
    /// The offset that comes next in the topic.
    pub log_end: Option<i64>,
    /// What the group has committed.
    pub committed: Option<i64>,
    /// The writer that had the partition last, by the commit's metadata.
    pub owner: Option<String>,
}

impl PartitionReport {
    /// Sums up; `counts` are offsets that stand twice, offsets in flight and missing records.
    pub(super) fn new(
        partition: &Partition,
        held: &Held,
        cluster: Option<&OfCluster>,
        counts: (u64, u64, u64),
    ) -> PartitionReport {
        let (doubles, in_flight, missing) = counts;
        let extent = held.coverage.extent();
        let gaps = || {
            let gaps = extent.as_ref().map(|extent| held.coverage.gaps(extent));
            gaps.iter().flatten().map(|gap| gap.end.abs_diff(gap.start)).sum()
        };
        let committed = cluster.map(|cluster| &cluster.committed);
        let owner = committed.and_then(|committed| committed.history.as_ref()?.owner());
        PartitionReport {
            topic: partition.topic.to_string(),
            partition: partition.number,
            first: extent.as_ref().map(|extent| extent.start),
            next: extent.as_ref().map(|extent| extent.end),
            records: held.coverage.records(),
            doubles,
            missing: if cluster.is_some() { missing } else { gaps() },
            in_flight,
            log_start: cluster.map(|cluster| cluster.log.start),
            log_end: cluster.map(|cluster| cluster.log.end),
            committed: committed.and_then(|committed| committed.offset),
            owner: owner.map(|owner| owner.to_string()),
        }
    }
}

impl Report {
    pub(super) fn new(
        folders: &[PathBuf],
        running: bool,
        partitions: Vec<PartitionReport>,
        findings: Vec<Finding>,
    ) -> Report {
        let all_well = findings.iter().all(|finding| finding.weight == Weight::Note);
        Report { folders: folders.to_vec(), all_well, running, partitions, findings }
    }

    /// Lays it out for people: the partitions, then what was found.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let is_compared = self.partitions.iter().any(|partition| partition.log_end.is_some());
        let mut head =
            vec!["PARTITION", "FIRST", "NEXT", "RECORDS", "DOUBLES", "MISSING", "IN FLIGHT"];
        if is_compared {
            head.extend(["LOG START", "LOG END", "COMMITTED", "OWNER"]);
        }
        let row = |partition: &PartitionReport| {
            let mut row = vec![
                format!("{} [{}]", partition.topic, partition.partition),
                number(partition.first),
                number(partition.next),
                partition.records.to_string(),
                partition.doubles.to_string(),
                partition.missing.to_string(),
                partition.in_flight.to_string(),
            ];
            if is_compared {
                let owner = partition.owner.clone().unwrap_or_else(|| NOTHING.to_owned());
                row.extend(
                    [partition.log_start, partition.log_end, partition.committed].map(number),
                );
                row.push(owner);
            }
            row
        };
        let rows: Vec<Vec<String>> = self.partitions.iter().map(row).collect();
        push_table(&mut text, &head, &rows);
        let (faults, notes): (Vec<_>, Vec<_>) =
            self.findings.iter().partition(|finding| finding.weight == Weight::Fault);
        for (title, findings) in [("Findings", &faults), ("Notes", &notes)] {
            if findings.is_empty() {
                continue;
            }
            // Writing to a string never fails.
            let _ = writeln!(text, "\n{title}:");
            for finding in findings {
                let _ = writeln!(text, "  {finding}");
                if !finding.advice.is_empty() {
                    let _ = writeln!(text, "    -> {}", finding.advice);
                }
            }
        }
        let records: u64 = self.partitions.iter().map(|partition| partition.records).sum();
        let verdict = match (faults.len(), is_compared) {
            (0, true) => "every record stands in the files once".to_owned(),
            (0, false) => "no double, no gap; --brokers compares with the topic, too".to_owned(),
            (1, _) => "1 finding".to_owned(),
            (count, _) => format!("{count} findings"),
        };
        let running = if self.running { "; a sink is running" } else { "" };
        let _ = writeln!(text, "\n{records} records: {verdict}{running}");
        text
    }
}

fn number(number: Option<i64>) -> String {
    number.map_or_else(|| NOTHING.to_owned(), |number| number.to_string())
}

/// Lays columns out: the first and the last to the left, numbers to the right.
fn push_table(text: &mut String, head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let is_text = column == 0 || head.get(column).is_some_and(|word| word == "OWNER");
            let separator = if column == 0 { "" } else { "  " };
            // Writing to a string never fails.
            let _ = match is_text {
                true => write!(text, "{separator}{cell:<width$}"),
                false => write!(text, "{separator}{cell:>width$}"),
            };
        }
        let length = text.trim_end_matches(' ').len();
        text.truncate(length);
        text.push('\n');
    }
}
