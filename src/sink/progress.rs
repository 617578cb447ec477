//! What a thread notes of its work while it does it, for whoever asks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::ConsumerError;
use super::positions::Positions;
use super::rate::RateMeter;
use super::status::{
    CommitOutcome, CommitStatus, Counters, FileStatus, PartitionStatus, ThreadState, ThreadStatus,
};
use super::stuck::Step;
use crate::kafka::PartitionLag;
use crate::kafka::group::{Commit, CommitError, Partition, Rebalance};
use crate::system::UtcTime;

/// How far one thread has come; it is kept up to date by the thread and read by others.
///
/// Times are the clock's elapsed time. The lock is held for moments only: nothing is waited for
/// under it.
#[derive(Debug, Default)]
pub struct ThreadProgress {
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    records: u64,
    bytes: u64,
    rates: RateMeter,
    /// When the thread last came round.
    seen_at: Option<Duration>,
    membership: Membership,
    assigned: Vec<Partition>,
    read: Vec<(Partition, i64)>,
    lags: Vec<PartitionLag>,
    /// What this run has committed.
    committed: BTreeMap<Partition, i64>,
    stuck: Option<(Duration, String)>,
    commit_began: Option<Duration>,
    last_commit: Option<EndedCommit>,
    last_success: Option<Duration>,
    counters: Counters,
    files: Vec<PathBuf>,
    /// Why the thread has ended, once it has.
    end: Option<Option<String>>,
}

/// Whether the group has said which partitions are the thread's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Membership {
    #[default]
    Joining,
    Member,
}

#[derive(Debug)]
struct EndedCommit {
    at: Duration,
    took: Duration,
    outcome: CommitOutcome,
    error: Option<String>,
}

/// The moment of which a status is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// In the clock's elapsed time.
    pub(super) elapsed: Duration,
    /// On the wall.
    pub(super) now: crate::metric::Timestamp,
    /// After how long a thread counts as silent that has not come round.
    pub(super) silent_after: Duration,
}

impl Moment {
    fn since(&self, then: Duration) -> f64 {
        self.elapsed.saturating_sub(then).as_secs_f64()
    }

    fn wall_time(&self, then: Duration) -> UtcTime {
        let ago = self.elapsed.saturating_sub(then).as_nanos();
        let ago = i64::try_from(ago).unwrap_or(i64::MAX);
        let then = self.now.nanos().saturating_sub(ago);
        UtcTime::from(crate::metric::Timestamp::from_nanos(then))
    }
}

impl ThreadProgress {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the files that the thread writes to; whoever asks may be in another folder.
    pub(super) fn set_files(&self, paths: Vec<PathBuf>) {
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        self.noted().files = paths.into_iter().map(absolute).collect();
    }

    /// Counts records that are in the file.
    pub(super) fn wrote(&self, records: u64, bytes: u64, now: Duration) {
        let mut noted = self.noted();
        noted.records += records;
        noted.bytes += bytes;
        noted.rates.add(records, bytes, now);
    }

    /// Notes that the thread came round to look after everything, up to where it has read, and what
    /// the library has counted.
    pub(super) fn came_round(&self, now: Duration, positions: &Positions, lags: Vec<PartitionLag>) {
        let read = positions.read_offsets();
        let mut noted = self.noted();
        noted.seen_at = Some(now);
        noted.read = read;
        noted.lags = lags;
    }

    /// Notes a rebalance that has taken effect.
    pub(super) fn rebalanced(&self, rebalance: &Rebalance) {
        let mut noted = self.noted();
        let Noted { membership, assigned, committed, counters, .. } = &mut *noted;
        counters.rebalances += 1;
        match rebalance {
            Rebalance::Assigned(partitions) => {
                assigned.retain(|partition| !partitions.contains(partition));
                assigned.extend_from_slice(partitions);
                *membership = Membership::Member;
            }
            Rebalance::Revoked(partitions) | Rebalance::Lost(partitions) => {
                assigned.retain(|partition| !partitions.contains(partition));
                committed.retain(|partition, _| !partitions.contains(partition));
                if assigned.is_empty() {
                    *membership = Membership::Joining;
                }
            }
        }
    }

    /// Notes that a step has failed and is tried again.
    pub(super) fn failed(&self, step: Step, reason: String, now: Duration) {
        let mut noted = self.noted();
        match step {
            Step::Write => noted.counters.write_errors += 1,
            Step::Flush => noted.counters.flush_errors += 1,
        }
        let since = noted.stuck.as_ref().map_or(now, |(since, _)| *since);
        noted.stuck = Some((since, reason));
    }

    /// Notes that nothing fails any more.
    pub(super) fn unstuck(&self) {
        self.noted().stuck = None;
    }

    /// Counts that records were taken back, if any partition has to be read again.
    pub(super) fn took_back(&self, again: &[(Partition, i64)]) {
        self.noted().counters.taken_back += u64::from(!again.is_empty());
    }

    /// Counts records that were taken out of the file again, because they were not committed.
    pub(super) fn took_out(&self, records: u64) {
        self.noted().counters.records_taken_out += records;
    }

    /// Counts records that may stand in the files more than once, or not at all.
    pub(super) fn doubted(&self, records: u64) {
        self.noted().counters.records_doubtful += records;
    }

    /// Notes that a commit has begun.
    pub(super) fn commit_began(&self, now: Duration) {
        self.noted().commit_began = Some(now);
    }

    /// Notes how the commit of these offsets has ended.
    pub(super) fn commit_ended(
        &self,
        offsets: &[Commit],
        result: &Result<(), CommitError>,
        now: Duration,
    ) {
        let mut noted = self.noted();
        let outcome = match result {
            Ok(()) => {
                let offsets = offsets.iter().map(|each| (each.partition.clone(), each.offset));
                noted.committed.extend(offsets);
                noted.last_success = Some(now);
                noted.counters.commits += 1;
                CommitOutcome::Ok
            }
            Err(CommitError::MovedOn(_)) => {
                noted.counters.commits_refused += 1;
                CommitOutcome::Refused
            }
            Err(CommitError::Unanswered(_) | CommitError::Other(_)) => {
                noted.counters.commits_failed += 1;
                CommitOutcome::Failed
            }
        };
        let began = noted.commit_began.take().unwrap_or(now);
        noted.last_commit = Some(EndedCommit {
            at: now,
            took: now.saturating_sub(began),
            outcome,
            error: result.as_ref().err().map(ToString::to_string),
        });
    }

    /// Notes that the thread has ended.
    pub(super) fn ended(&self, result: &Result<(), ConsumerError>) {
        self.noted().end = Some(result.as_ref().err().map(ToString::to_string));
    }

    /// The thread at this moment; the lengths of its files are left open.
    pub(super) fn status(&self, name: &str, moment: Moment) -> ThreadStatus {
        let noted = self.noted();
        let (state, reason, since) = noted.state(moment);
        let rates = noted.rates.rates(moment.elapsed);
        ThreadStatus {
            name: name.to_owned(),
            state,
            reason,
            stuck_seconds: since.map(|since| moment.since(since)),
            records: noted.records,
            bytes: noted.bytes,
            records_per_second: rates.records,
            bytes_per_second: rates.bytes,
            partitions: noted.partitions(),
            last_commit: noted.last_commit.as_ref().map(|commit| CommitStatus {
                ended_at: moment.wall_time(commit.at),
                seconds_ago: moment.since(commit.at),
                duration_seconds: commit.took.as_secs_f64(),
                outcome: commit.outcome,
                error: commit.error.clone(),
            }),
            last_successful_commit_at: noted.last_success.map(|at| moment.wall_time(at)),
            commit_under_way_seconds: noted.commit_began.map(|began| moment.since(began)),
            counters: noted.counters,
            files: noted
                .files
                .iter()
                .map(|path| FileStatus { path: path.display().to_string(), bytes: None })
                .collect(),
        }
    }
}

impl Noted {
    /// What the thread is doing, why, and since when that is so.
    fn state(&self, moment: Moment) -> (ThreadState, Option<String>, Option<Duration>) {
        if let Some(reason) = &self.end {
            return (ThreadState::Ended, reason.clone(), None);
        }
        if let Some(seen) = self.seen_at
            && moment.elapsed.saturating_sub(seen) > moment.silent_after
        {
            let reason = "it has not come back from what it began".to_owned();
            return (ThreadState::Silent, Some(reason), Some(seen));
        }
        if let Some((since, reason)) = &self.stuck {
            return (ThreadState::Stuck, Some(reason.clone()), Some(*since));
        }
        let state = match (self.membership, self.assigned.is_empty()) {
            (Membership::Joining, _) => ThreadState::Joining,
            (Membership::Member, true) => ThreadState::Idle,
            (Membership::Member, false) => ThreadState::Reading,
        };
        (state, None, None)
    }

    /// Puts together what the thread has read and committed with what the library has counted.
    ///
    /// Where nothing was read yet, the position is where the library fetches.
    fn partitions(&self) -> Vec<PartitionStatus> {
        let mut all: BTreeMap<(&str, i32), PartitionStatus> = BTreeMap::new();
        for partition in &self.assigned {
            let Partition { topic, number } = partition;
            all.insert(
                (topic, *number),
                PartitionStatus {
                    topic: topic.as_ref().to_owned(),
                    partition: *number,
                    position: None,
                    committed_offset: self.committed.get(partition).copied(),
                    end_offset: None,
                    lag: None,
                },
            );
        }
        for (Partition { topic, number }, position) in &self.read {
            if let Some(known) = all.get_mut(&(&**topic, *number)) {
                known.position = Some(*position);
            }
        }
        for lag in &self.lags {
            let Some(known) = all.get_mut(&(&*lag.topic, lag.partition)) else { continue };
            known.end_offset = Some(lag.end_offset);
            known.committed_offset = known.committed_offset.or(lag.committed_offset);
            known.position = known.position.or(Some(lag.next_offset).filter(|offset| *offset >= 0));
            let behind = known.position.map(|position| lag.end_offset - position);
            // The count may be older than what was read since.
            known.lag = behind.map(|behind| u64::try_from(behind).unwrap_or(0));
        }
        all.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::sink::ownership::{StoreId, Writer};

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Moment {
        Moment {
            elapsed: u32::try_from(seconds).unwrap() * SECOND,
            now: Timestamp::from_seconds(1_000_000 + seconds as i64),
            silent_after: 30 * SECOND,
        }
    }

    fn partition(number: i32) -> Partition {
        Partition { topic: "t".into(), number }
    }

    fn state(progress: &ThreadProgress, seconds: u64) -> ThreadState {
        progress.status("thread", at(seconds)).state
    }

    fn positions() -> Positions {
        Positions::new(Writer { store: StoreId::new(7), thread: 0 })
    }

    #[test]
    fn the_lag_counts_from_what_was_read_and_else_from_what_is_fetched() {
        let lag = |partition, end_offset, next_offset| PartitionLag {
            topic: "t".into(),
            partition,
            end_offset,
            next_offset,
            committed_offset: (partition == 1).then_some(80),
        };
        let progress = ThreadProgress::default();
        progress.rebalanced(&Rebalance::Assigned((0..=3).map(partition).collect()));
        // Of partition 9, which has gone, the library still tells for a while.
        let mut positions = positions();
        for (number, last) in [(1, 89), (2, 4), (9, 0)] {
            positions.read("t", number, last);
        }
        let lags = vec![lag(1, 100, 97), lag(0, 50, 50), lag(3, 9, -1001), lag(9, 7, 7)];
        progress.came_round(SECOND, &positions, lags);
        let told: Vec<_> = progress
            .status("thread", at(1))
            .partitions
            .iter()
            .map(|each| (each.partition, each.position, each.committed_offset, each.lag))
            .collect();
        assert_eq!(
            told,
            [
                (0, Some(50), None, Some(0)),
                (1, Some(90), Some(80), Some(10)),
                (2, Some(5), None, None),
                (3, None, None, None),
            ]
        );
    }

    #[test]
    fn what_this_run_has_committed_is_newer_than_what_the_library_counts() {
        let progress = ThreadProgress::default();
        progress.rebalanced(&Rebalance::Assigned(vec![partition(0)]));
        progress.commit_began(SECOND);
        let commit = Commit { partition: partition(0), offset: 7, metadata: "".into() };
        progress.commit_ended(&[commit], &Ok(()), 3 * SECOND);
        let committed = |progress: &ThreadProgress| {
            progress.status("thread", at(5)).partitions.first().and_then(|p| p.committed_offset)
        };
        assert_eq!(committed(&progress), Some(7));
        let status = progress.status("thread", at(5));
        let commit = status.last_commit.unwrap();
        assert_eq!((commit.outcome, commit.duration_seconds), (CommitOutcome::Ok, 2.0));
        assert_eq!((commit.seconds_ago, commit.ended_at.seconds()), (2.0, 1_000_003.0));
        // Somebody else may have committed more before it comes back.
        progress.rebalanced(&Rebalance::Revoked(vec![partition(0)]));
        progress.rebalanced(&Rebalance::Assigned(vec![partition(0)]));
        assert_eq!(committed(&progress), None);
    }

    #[test]
    fn a_refused_commit_leaves_the_last_success_standing() {
        let progress = ThreadProgress::default();
        progress.commit_ended(&[], &Ok(()), SECOND);
        progress.commit_began(2 * SECOND);
        assert_eq!(progress.status("t", at(4)).commit_under_way_seconds, Some(2.0));
        progress.commit_ended(&[], &Err(CommitError::MovedOn("it has".into())), 5 * SECOND);
        let status = progress.status("t", at(6));
        let commit = status.last_commit.unwrap();
        assert_eq!(commit.outcome, CommitOutcome::Refused);
        assert!(commit.error.unwrap().contains("it has"));
        assert_eq!(status.last_successful_commit_at.unwrap().seconds(), 1_000_001.0);
        assert_eq!(status.commit_under_way_seconds, None);
        assert_eq!((status.counters.commits, status.counters.commits_refused), (1, 1));
    }

    #[test]
    fn a_thread_joins_reads_gets_stuck_goes_on_and_ends() {
        let progress = ThreadProgress::default();
        assert_eq!(state(&progress, 0), ThreadState::Joining);
        progress.rebalanced(&Rebalance::Assigned(Vec::new()));
        assert_eq!(state(&progress, 0), ThreadState::Idle);
        progress.rebalanced(&Rebalance::Assigned(vec![partition(0)]));
        assert_eq!(state(&progress, 0), ThreadState::Reading);
        progress.failed(Step::Write, "no space".into(), SECOND);
        progress.failed(Step::Write, "no space at all".into(), 2 * SECOND);
        let status = progress.status("thread-0", at(4));
        assert_eq!((status.state, status.stuck_seconds), (ThreadState::Stuck, Some(3.0)));
        assert_eq!(status.counters.write_errors, 2);
        assert_eq!(status.problem().unwrap(), "thread-0 is stuck for 3 s: no space at all");
        progress.unstuck();
        assert_eq!(state(&progress, 4), ThreadState::Reading);
        progress.rebalanced(&Rebalance::Lost(vec![partition(0)]));
        assert_eq!(state(&progress, 4), ThreadState::Joining);
        progress.ended(&Ok(()));
        assert_eq!(progress.status("t", at(4)).problem().unwrap(), "t has ended");
    }

    #[test]
    fn a_thread_that_does_not_come_round_is_silent() {
        let progress = ThreadProgress::default();
        progress.rebalanced(&Rebalance::Assigned(vec![partition(0)]));
        progress.came_round(10 * SECOND, &positions(), Vec::new());
        assert_eq!(state(&progress, 40), ThreadState::Reading);
        let status = progress.status("thread-0", at(50));
        assert_eq!((status.state, status.stuck_seconds), (ThreadState::Silent, Some(40.0)));
        progress.came_round(50 * SECOND, &positions(), Vec::new());
        assert_eq!(state(&progress, 51), ThreadState::Reading);
    }

    #[test]
    fn why_a_thread_has_ended_is_told() {
        let progress = ThreadProgress::default();
        progress.ended(&Err(ConsumerError::ShutOut("fenced".into())));
        let problem = progress.status("thread-0", at(1)).problem().unwrap();
        assert_eq!(problem, "thread-0 has ended: the group has shut this member out: fenced");
    }
}
