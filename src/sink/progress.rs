//! How far the threads have come, for the live line, the log and the summary.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::kafka::PartitionLag;
use crate::kafka::group::Partition;

/// How far one thread has come; it is kept up to date by the thread and read by others.
#[derive(Debug, Default)]
pub struct ThreadProgress {
    records: AtomicU64,
    bytes: AtomicU64,
    taken_out: AtomicU64,
    doubtful: AtomicU64,
    partitions: Mutex<Vec<PartitionProgress>>,
}

/// How far a partition has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The partition.
    pub partition: Partition,
    /// The offset that comes next.
    pub position: i64,
    /// How many records are behind it, as far as is known.
    pub lag: Option<u64>,
}

impl ThreadProgress {
    /// Counts records that are in the file.
    pub fn wrote(&self, records: u64, bytes: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts records that were taken out of the file again, because they were not committed.
    pub fn took_out(&self, records: u64) {
        self.taken_out.fetch_add(records, Ordering::Relaxed);
    }

    /// Counts records that may stand in the files more than once, or not at all.
    pub fn doubted(&self, records: u64) {
        self.doubtful.fetch_add(records, Ordering::Relaxed);
    }

    /// How many records were taken out of the files again.
    pub fn taken_out(&self) -> u64 {
        self.taken_out.load(Ordering::Relaxed)
    }

    /// How many records may stand in the files more than once, or not at all.
    pub fn doubtful(&self) -> u64 {
        self.doubtful.load(Ordering::Relaxed)
    }

    /// How many records and bytes are in the file by this run.
    pub fn written(&self) -> (u64, u64) {
        (self.records.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Replaces what is known of the partitions.
    pub fn set_partitions(&self, read: Vec<(Partition, i64)>, lags: &[PartitionLag]) {
        let partitions = positions_with_lag(read, lags);
        *self.partitions.lock().unwrap_or_else(PoisonError::into_inner) = partitions;
    }

    /// What is known of the partitions.
    pub fn partitions(&self) -> Vec<PartitionProgress> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Puts together what was read with what the library has counted; partitions of which nothing was
/// read yet count from where they are fetched.
fn positions_with_lag(
    read: Vec<(Partition, i64)>,
    lags: &[PartitionLag],
) -> Vec<PartitionProgress> {
    let mut all: Vec<_> = read
        .into_iter()
        .map(|(partition, position)| PartitionProgress { partition, position, lag: None })
        .collect();
    for PartitionLag { topic, partition: number, end_offset, next_offset } in lags {
        let partition = Partition { topic: topic.clone(), number: *number };
        let behind = |position: i64| u64::try_from(end_offset - position).unwrap_or(0);
        match all.iter_mut().find(|each| each.partition == partition) {
            Some(each) => each.lag = Some(behind(each.position)),
            None if *next_offset >= 0 => {
                let lag = Some(behind(*next_offset));
                all.push(PartitionProgress { partition, position: *next_offset, lag });
            }
            None => {}
        }
    }
    all.sort_by(|a, b| a.partition.cmp(&b.partition));
    all
}

/// All threads together at one moment.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Records in the files by this run.
    pub records: u64,
    /// Bytes in the files by this run.
    pub bytes: u64,
    /// Partitions that are being read.
    pub partitions: usize,
    /// Records that are still to come, as far as is known.
    pub lag: u64,
    /// Records that may stand in the files more than once, or not at all.
    pub doubtful: u64,
}

impl Totals {
    /// Adds all threads up.
    pub fn of<'t>(threads: impl IntoIterator<Item = &'t ThreadProgress>) -> Totals {
        let mut totals = Totals::default();
        for thread in threads {
            let (records, bytes) = thread.written();
            totals.records += records;
            totals.bytes += bytes;
            totals.doubtful += thread.doubtful();
            for partition in thread.partitions() {
                totals.partitions += 1;
                totals.lag += partition.lag.unwrap_or(0);
            }
        }
        totals
    }

    /// The line that tells what happened since `before`.
    pub fn line(&self, before: &Totals, span: Duration) -> String {
        let seconds = span.as_secs_f64().max(0.001);
        let rate = |now: u64, then: u64| (now.saturating_sub(then) as f64 / seconds) as u64;
        format!(
            "{} records/s, {}/s; {} records, {} in all; {} partitions, lag {}",
            rate(self.records, before.records),
            Bytes(rate(self.bytes, before.bytes)),
            self.records,
            Bytes(self.bytes),
            self.partitions,
            self.lag
        )
    }
}

/// A number of bytes for people.
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut amount = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while amount >= 1024.0 && unit + 1 < UNITS.len() {
            amount /= 1024.0;
            unit += 1;
        }
        write!(f, "{amount:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_counts_from_what_was_read_and_else_from_what_is_fetched() {
        let partition = |number| Partition { topic: "t".into(), number };
        let lag = |number, end_offset, next_offset| PartitionLag {
            topic: "t".into(),
            partition: number,
            end_offset,
            next_offset,
        };
        let all = positions_with_lag(
            vec![(partition(1), 90), (partition(2), 5)],
            &[lag(1, 100, 97), lag(0, 50, 50), lag(3, 9, -1001)],
        );
        let lags: Vec<_> = all.iter().map(|each| (each.partition.number, each.lag)).collect();
        assert_eq!(lags, [(0, Some(0)), (1, Some(10)), (2, None)]);
    }

    #[test]
    fn the_line_tells_rates_totals_and_lag() {
        let thread = ThreadProgress::default();
        thread.wrote(30, 3 * 1024 * 1024);
        let line = Totals::of([&thread]).line(&Totals::default(), Duration::from_secs(3));
        assert_eq!(
            line,
            "10 records/s, 1.0 MiB/s; 30 records, 3.0 MiB in all; 0 partitions, lag 0"
        );
    }
}
