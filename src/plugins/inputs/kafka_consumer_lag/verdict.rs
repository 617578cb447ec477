//! Whether a consumer keeps up, judged by what it has committed over a while rather than by a limit.
//!
//! # References
//! LinkedIn Burrow's "Consumer Lag Evaluation Rules", and for their order its `evaluator` in
//! version 1.2 and later.

use std::collections::VecDeque;

/// What is thought of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Status {
    /// It keeps up, or catches up.
    Ok,
    /// It reads, and falls behind.
    Warn,
    /// Of a group or a topic: one of its partitions is worse than slow.
    Error,
    /// Nothing was committed for longer than the window is long.
    Stop,
    /// It is there, and its offset does not move.
    Stall,
    /// Its offset has gone back.
    Rewind,
}

/// A commit, as far as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Commit {
    /// The offset that was committed.
    pub(super) offset: i64,
    /// When it was seen, in milliseconds of any clock.
    pub(super) time_ms: i64,
    /// How many records it was behind then, if the end of the partition was known.
    pub(super) lag: Option<u64>,
}

impl Status {
    /// Burrow's word for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::Warn => "WARN",
            Status::Error => "ERR",
            Status::Stop => "STOP",
            Status::Stall => "STALL",
            Status::Rewind => "REWIND",
        }
    }

    /// The number that Telegraf's `inputs.burrow` has for it, which has none for the last.
    pub(super) fn code(self) -> i64 {
        match self {
            Status::Ok => 1,
            Status::Warn => 3,
            Status::Error => 4,
            Status::Stop => 5,
            Status::Stall => 6,
            Status::Rewind => 7,
        }
    }

    /// What the worst of its partitions says of a group or a topic.
    pub(super) fn of_many(statuses: impl Iterator<Item = Status>) -> Status {
        statuses.max().unwrap_or(Status::Ok).min(Status::Error)
    }
}

/// Judges a partition by its commits, oldest first, and by the ends that it had meanwhile.
///
/// `lag` is how far the consumer is behind at `now_ms`; a partition of which the end is not known
/// counts as fine.
pub(super) fn judge(
    commits: &VecDeque<Commit>,
    ends: &VecDeque<i64>,
    lag: Option<u64>,
    now_ms: i64,
) -> Status {
    let (Some(first), Some(last), Some(1..)) = (commits.front(), commits.back(), lag) else {
        return Status::Ok;
    };
    // Before the others: what was committed long ago says nothing about now. Whoever was at the end
    // a moment ago had nothing to commit.
    let is_silent = now_ms - last.time_ms > last.time_ms - first.time_ms;
    if is_silent && ends.iter().all(|end| *end > last.offset) {
        return Status::Stop;
    }
    if commits.iter().any(|commit| commit.lag == Some(0)) {
        return Status::Ok;
    }
    let mut pairs = commits.iter().zip(commits.iter().skip(1));
    if pairs.clone().any(|(before, after)| after.offset < before.offset) {
        return Status::Rewind;
    }
    if pairs.all(|(before, after)| after.offset == before.offset) {
        return Status::Stall;
    }
    let lags: Vec<u64> = commits.iter().filter_map(|commit| commit.lag).collect();
    match lags.is_sorted() {
        true => Status::Warn,
        false => Status::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A consumer that commits every minute: offsets with the lags that they had.
    fn commits(series: &[(i64, i64)]) -> VecDeque<Commit> {
        let commit = |(minute, (offset, lag)): (i64, &(i64, i64))| Commit {
            offset: *offset,
            time_ms: minute * 60_000,
            lag: u64::try_from(*lag).ok(),
        };
        (0..).zip(series).map(commit).collect()
    }

    /// Judges a series so many minutes after its last commit, with the lag that has come to be.
    fn judged(series: &[(i64, i64)], minutes_later: i64, lag_now: u64) -> Status {
        let commits = commits(series);
        let ends =
            commits.iter().map(|commit| commit.offset + commit.lag.map_or(0, u64::cast_signed));
        let now_ms = (series.len() as i64 - 1 + minutes_later) * 60_000;
        judge(&commits, &ends.collect(), Some(lag_now), now_ms)
    }

    /// Series as consumers make them, one for each rule and its edges. A lag of -1 stands for a
    /// broker whose end was not known then.
    #[test]
    fn each_rule_finds_its_series() {
        type Series = &'static [(i64, i64)];
        let cases: [(&str, Series, i64, u64, Status); 19] = [
            ("keeps up", &[(10, 0), (20, 0), (30, 0)], 0, 0, Status::Ok),
            ("was at the end once", &[(10, 5), (20, 0), (20, 5), (20, 9)], 0, 9, Status::Ok),
            ("is at the end now", &[(10, 5), (10, 6), (10, 7)], 0, 0, Status::Ok),
            ("catches up", &[(10, 90), (50, 70), (90, 60)], 0, 60, Status::Ok),
            ("caught up once", &[(10, 50), (20, 60), (30, 55), (40, 70)], 0, 70, Status::Ok),
            ("falls behind", &[(10, 50), (20, 60), (30, 70)], 0, 70, Status::Warn),
            ("stays behind", &[(10, 50), (20, 50), (30, 50)], 0, 50, Status::Warn),
            ("moves a little", &[(10, 50), (10, 60), (11, 70)], 0, 70, Status::Warn),
            ("stands, lag fixed", &[(10, 50), (10, 50), (10, 50)], 0, 50, Status::Stall),
            ("stands, lag grows", &[(10, 50), (10, 60), (10, 70)], 0, 70, Status::Stall),
            ("was there at once", &[(10, 50)], 0, 50, Status::Stall),
            ("goes back", &[(10, 50), (20, 50), (15, 60), (25, 60)], 0, 60, Status::Rewind),
            ("goes back to the end", &[(10, 50), (5, 0), (15, 1)], 0, 1, Status::Ok),
            ("silent for less", &[(10, 50), (20, 45), (30, 40)], 2, 60, Status::Ok),
            ("silent for more", &[(10, 50), (20, 45), (30, 40)], 3, 60, Status::Stop),
            ("silent at the end", &[(10, 9), (20, 5), (30, 0)], 9, 0, Status::Ok),
            ("silent, was at the end", &[(10, 9), (20, 5), (30, 0)], 9, 7, Status::Ok),
            ("silent, went back", &[(30, 50), (20, 60), (10, 70)], 3, 70, Status::Stop),
            ("ends unknown between", &[(10, 50), (20, -1), (30, 70)], 0, 70, Status::Warn),
        ];
        for (name, series, minutes_later, lag_now, expected) in cases {
            assert_eq!(judged(series, minutes_later, lag_now), expected, "{name}");
        }
    }

    #[test]
    fn silence_counts_once_the_partition_has_grown_for_as_long_as_ends_are_kept() {
        let commits = commits(&[(10, 9), (20, 5), (30, 0)]);
        let judge =
            |ends: &[i64]| judge(&commits, &ends.iter().copied().collect(), Some(7), 600_000);
        assert_eq!(judge(&[30, 33, 37]), Status::Ok);
        assert_eq!(judge(&[31, 33, 37]), Status::Stop);
    }

    #[test]
    fn what_is_not_known_is_fine() {
        let commits = commits(&[(10, 50), (10, 50)]);
        assert_eq!(judge(&commits, &VecDeque::new(), None, 60_000), Status::Ok);
        assert_eq!(judge(&VecDeque::new(), &VecDeque::new(), Some(5), 0), Status::Ok);
    }

    #[test]
    fn a_group_is_as_bad_as_its_worst_partition_and_says_no_more_than_that() {
        for (partitions, group) in [
            (&[][..], Status::Ok),
            (&[Status::Ok, Status::Ok], Status::Ok),
            (&[Status::Ok, Status::Warn], Status::Warn),
            (&[Status::Stop, Status::Warn], Status::Error),
            (&[Status::Rewind], Status::Error),
            (&[Status::Stall, Status::Ok], Status::Error),
        ] {
            assert_eq!(Status::of_many(partitions.iter().copied()), group, "{partitions:?}");
        }
    }
}
