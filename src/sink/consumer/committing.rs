//! Flushing and committing what is in the file.

use std::time::Duration;

use crossbeam_channel::{never, select};

use super::super::file::{FileError, Place};
use super::super::last_commits::END_COMMIT_LIMIT;
use super::super::stuck::Step;
use super::Worker;
use super::rebalancing::Standing;
use crate::kafka::group::{Commit, CommitError, Partition};

/// A commit that is under way.
pub(super) struct Committing {
    /// The last batch that it covers.
    number: u64,
    pub(super) offsets: Vec<Commit>,
    pub(super) since: Duration,
}

/// How long to wait for a commit. When the thread is to end, it is never long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Until it has ended, however that may be, or is given up.
    UntilAnswered,
    /// This long.
    AtMost(Duration),
}

/// How waiting for a commit has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Accepted,
    Refused,
    /// It has not come, or nothing was under way.
    None,
}

impl Worker {
    pub(super) fn is_commit_due(&self) -> bool {
        let Some(since) = self.unflushed_since else { return false };
        self.standing == Standing::Sound
            && self.committing.is_none()
            && (self.unflushed_bytes >= self.settings.commit_bytes
                || self.clock.elapsed() >= since + self.settings.commit_interval)
    }

    /// Flushes what is in the file and begins to commit it.
    pub(super) fn flush_and_commit(&mut self) {
        if self.output.place() == Place::Removed {
            self.take_back_removed();
        }
        let number = match self.output.flush() {
            Ok(number) => number,
            Err(error) => {
                self.flush_failed(&error);
                return;
            }
        };
        self.unstick(Step::Flush);
        self.positions.flushed();
        self.unflushed_since = None;
        self.unflushed_bytes = 0;
        let offsets = self.positions.to_commit();
        if !offsets.is_empty() {
            let since = self.clock.elapsed();
            self.progress.commit_began(since);
            self.member.commit_with_metadata(&offsets);
            self.committing = Some(Committing { number, offsets, since });
        }
    }

    /// Takes back what may not have reached the disk, and reads it again.
    ///
    /// After a failed flush the kernel counts the data as clean although it may be lost, so that a
    /// second flush would succeed without proving anything.
    pub(super) fn flush_failed(&mut self, error: &FileError) {
        self.stick(
            Step::Flush,
            format_args!(
                "{error}; what was written since the last flush is taken back and read again"
            ),
        );
        if let Err(error) = self.output.take_back_open() {
            self.error(format_args!("{error}; it is tried again before anything is written"));
        }
        self.take_back_unflushed();
    }

    pub(super) fn take_back_unflushed(&mut self) {
        self.output.drop_batch();
        let again = self.positions.take_back_unflushed();
        self.read_again(again);
        self.unflushed_since = None;
        self.unflushed_bytes = 0;
    }

    pub(super) fn read_again(&mut self, offsets: Vec<(Partition, i64)>) {
        self.progress.took_back(&offsets);
        if let Err(error) = self.member.seek(offsets) {
            self.lost_place = Some(error);
        }
    }

    pub(super) fn note_commit_result(&mut self) {
        if let Ok(result) = self.member.committed().try_recv() {
            self.commit_ended(result);
        }
    }

    pub(super) fn commit_ended(&mut self, result: Result<(), CommitError>) {
        let Some(Committing { number, offsets, .. }) = self.committing.take() else { return };
        self.progress.commit_ended(&offsets, &result, self.clock.elapsed());
        match result {
            Ok(()) => {
                self.positions.committed(&offsets);
                self.output.confirmed(number);
            }
            Err(error @ CommitError::MovedOn(_)) => {
                self.warn(format_args!("Commit refused: {error}"));
                // A rebalance follows, and says which partitions are still this member's.
                self.unflushed_since.get_or_insert(self.clock.elapsed());
            }
            Err(error @ (CommitError::Unanswered(_) | CommitError::Other(_))) => {
                self.warn(format_args!("Commit failed: {error}; trying again"));
                self.unflushed_since.get_or_insert(self.clock.elapsed());
            }
        }
    }

    /// Flushes and commits, and waits for it, or less when the thread is to end; tells whether all is
    /// committed.
    pub(super) fn commit_everything(&mut self, patience: Patience) -> bool {
        loop {
            if self.committing.is_none() && self.standing == Standing::Sound {
                self.flush_and_commit();
            }
            if self.committing.is_none() {
                return self.positions.to_commit().is_empty();
            }
            if self.wait_for_answer(patience) != Answer::Accepted {
                return false;
            }
        }
    }

    /// Waits for the commit that is under way, or less when the thread is to end.
    pub(super) fn wait_for_answer(&mut self, patience: Patience) -> Answer {
        let (mut deadline, when_stopped) = match patience {
            Patience::UntilAnswered => {
                let limit = self.commit_may_take().unwrap_or_default();
                (self.clock.after(limit), END_COMMIT_LIMIT)
            }
            Patience::AtMost(limit) => (self.clock.after(limit), limit.min(END_COMMIT_LIMIT)),
        };
        let mut stop = self.stop.clone();
        while self.committing.is_some() {
            select! {
                recv(self.member.committed()) -> result => {
                    let Ok(result) = result else { return Answer::None };
                    let answer = if result.is_ok() { Answer::Accepted } else { Answer::Refused };
                    self.commit_ended(result);
                    return answer;
                }
                recv(stop) -> _ => {
                    stop = never();
                    deadline = self.clock.after(when_stopped);
                }
                recv(deadline) -> _ => return Answer::None,
            }
        }
        Answer::None
    }
}
