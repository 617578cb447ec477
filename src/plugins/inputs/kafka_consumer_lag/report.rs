//! The metrics that a round comes to.

use compact_str::{CompactString, format_compact};

use super::reading::{GroupReading, PartitionReading};
use super::verdict::Status;
use crate::metric::{Metric, Timestamp};
use crate::plugin::Accumulator;

/// Whether something is reported that can be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Reported,
    Left,
}

/// What is told of a partition beside what was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PartitionReport {
    /// How many records the group is behind.
    pub(super) lag: Option<u64>,
    /// How long ago the record was made that the group reads next.
    pub(super) lag_seconds: Option<f64>,
    pub(super) status: Status,
}

/// Makes metrics of one round.
pub(super) struct Reporter<'r, 'a> {
    pub(super) accumulator: &'r mut Accumulator<'a>,
    pub(super) now: Timestamp,
    pub(super) topics: Detail,
    pub(super) partitions: Detail,
}

impl Reporter<'_, '_> {
    /// Reports a group: as a whole, by topic, and by partition.
    pub(super) fn report(&mut self, group: &GroupReading, reports: &[PartitionReport]) {
        let both = || group.partitions.iter().zip(reports);
        if self.partitions == Detail::Reported {
            for (reading, report) in both() {
                self.accumulator.add(partition_metric(group, reading, *report, self.now));
            }
        }
        let mut topics = 0_i64;
        let mut rest: Vec<_> = both().collect();
        while let Some((first, _)) = rest.first() {
            let topic = first.topic.as_str();
            let end = rest.iter().position(|(reading, _)| reading.topic != topic);
            let behind = rest.split_off(end.unwrap_or(rest.len()));
            topics += 1;
            if self.topics == Detail::Reported {
                let metric = Metric::new("kafka_consumer_lag_topic", self.now)
                    .with_tag("group", group.name.as_str())
                    .with_tag("topic", topic);
                let reports = rest.iter().map(|(_, report)| **report);
                self.accumulator.add(with_totals(metric, reports));
            }
            rest = behind;
        }
        let mut metric = Metric::new("kafka_consumer_group", self.now)
            .with_tag("group", group.name.as_str())
            .with_field("state", group.state.as_str())
            .with_field("type", group.kind.as_str())
            .with_field("coordinator", i64::from(group.coordinator))
            .with_field("topics", topics);
        if let Some(members) = group.members {
            metric.set_field("members", count(members));
        }
        self.accumulator.add(with_totals(metric, reports.iter().copied()));
    }
}

fn partition_metric(
    group: &GroupReading,
    reading: &PartitionReading,
    report: PartitionReport,
    now: Timestamp,
) -> Metric {
    let partition: CompactString = format_compact!("{}", reading.partition);
    let mut metric = Metric::new("kafka_consumer_lag", now)
        .with_tag("group", group.name.as_str())
        .with_tag("topic", reading.topic.as_str())
        .with_tag("partition", partition)
        .with_field("committed_offset", reading.committed);
    if let Some(end) = reading.end {
        metric.set_field("end_offset", end);
    }
    if let Some(lag) = report.lag {
        metric.set_field("lag", number(lag));
    }
    if let Some(seconds) = report.lag_seconds {
        metric.set_field("lag_seconds", seconds);
    }
    with_status(metric, report.status)
}

/// Adds what partitions come to together. Sums count what is known: a partition without a leader
/// has no lag that anybody could know.
fn with_totals(metric: Metric, reports: impl Iterator<Item = PartitionReport> + Clone) -> Metric {
    let lags = reports.clone().filter_map(|report| report.lag);
    let seconds = reports.clone().filter_map(|report| report.lag_seconds);
    let sum = lags.clone().fold(0_u64, u64::saturating_add);
    let unknown = reports.clone().filter(|report| report.lag.is_none());
    let mut metric = metric
        .with_field("partitions", count(reports.clone().count()))
        .with_field("partitions_unknown", count(unknown.count()))
        .with_field("lag", number(sum))
        .with_field("lag_max", number(lags.max().unwrap_or(0)));
    if let Some(longest) = seconds.reduce(f64::max) {
        metric.set_field("lag_seconds", longest);
    }
    with_status(metric, Status::of_many(reports.map(|report| report.status)))
}

fn with_status(metric: Metric, status: Status) -> Metric {
    metric.with_field("status", status.name()).with_field("status_code", status.code())
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
