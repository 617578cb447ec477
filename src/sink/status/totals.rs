//! All threads added up, and how amounts are written for people.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ThreadStatus;

/// All threads together at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Records in the files by this run.
    pub records: u64,
    /// Bytes in the files by this run.
    pub bytes: u64,
    /// Records a second over the last ten seconds.
    pub records_per_second: f64,
    /// Bytes a second over the last ten seconds.
    pub bytes_per_second: f64,
    /// Partitions that are being read.
    pub partitions: usize,
    /// Records that are still to come, as far as is known.
    pub lag: u64,
    /// Partitions of which the lag is not known yet.
    pub uncounted: usize,
    /// Records that may stand in the files more than once, or not at all.
    pub doubtful: u64,
}

impl Totals {
    /// Adds threads up.
    pub fn of(threads: &[ThreadStatus]) -> Totals {
        let mut totals = Totals::default();
        for thread in threads {
            totals.records += thread.records;
            totals.bytes += thread.bytes;
            totals.records_per_second += thread.records_per_second;
            totals.bytes_per_second += thread.bytes_per_second;
            totals.partitions += thread.partitions.len();
            totals.doubtful += thread.counters.records_doubtful;
            for partition in &thread.partitions {
                match partition.lag {
                    Some(lag) => totals.lag += lag,
                    None => totals.uncounted += 1,
                }
            }
        }
        totals
    }

    /// The line that tells what happened since `before`.
    pub fn line(&self, before: &Totals, span: Duration) -> String {
        let seconds = span.as_secs_f64().max(0.001);
        let rate = |now: u64, then: u64| (now.saturating_sub(then) as f64 / seconds) as u64;
        format!(
            "{} records/s, {}/s; {} records, {} in all; {} partitions, {}",
            rate(self.records, before.records),
            Bytes(rate(self.bytes, before.bytes)),
            self.records,
            Bytes(self.bytes),
            self.partitions,
            self.lag_in_words()
        )
    }

    /// The lag for people, who must not take what is unknown for nothing.
    pub fn lag_in_words(&self) -> String {
        match self.uncounted {
            0 => format!("lag {}", self.lag),
            all if all == self.partitions => "lag unknown yet".to_owned(),
            some => format!("lag {} and {some} partitions unknown yet", self.lag),
        }
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
    fn the_line_tells_rates_totals_and_lag() {
        let totals = Totals {
            records: 30,
            bytes: 3 * 1024 * 1024,
            partitions: 2,
            lag: 7,
            ..Totals::default()
        };
        assert_eq!(
            totals.line(&Totals::default(), Duration::from_secs(3)),
            "10 records/s, 1.0 MiB/s; 30 records, 3.0 MiB in all; 2 partitions, lag 7"
        );
    }

    #[test]
    fn a_lag_that_is_not_known_is_not_called_nothing() {
        let words = |lag, uncounted| {
            Totals { partitions: 3, lag, uncounted, ..Totals::default() }.lag_in_words()
        };
        assert_eq!(words(0, 0), "lag 0");
        assert_eq!(words(7, 1), "lag 7 and 1 partitions unknown yet");
        assert_eq!(words(0, 3), "lag unknown yet");
    }
}
