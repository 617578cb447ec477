//! Giving partitions up and taking them over.
//!
//! Two rules carry exactly-once. A member takes no part in a rebalance while a commit of its own is
//! under way, because it would go out under the new generation and undo another's. And it begins to
//! read a partition only at the offset that it has read itself, after it has settled what it left
//! unconfirmed when it last had it. ARCHITECTURE.md has the argument.

use super::super::journaled::SettleError;
use super::super::ownership::{Beginning, Committed, Verdict};
use super::super::positions::names;
use super::super::recovery::{CommittedOffsets, Ruling};
use super::super::stuck::{Attempt, Step};
use super::committing::Patience;
use super::{RETRY_WAIT, Worker};
use crate::kafka::group::{Fencing, Fetching, GroupError, Partition, Rebalance, StartOffset};

/// Whether the ends of the files can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// What is not confirmed is this member's to commit.
    Sound,
    /// Something is not confirmed and may be another's: nothing is appended before it is settled.
    InDoubt,
}

/// Why the files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// The group has assigned partitions, perhaps none, and waits for an answer.
    Assignment,
    /// Something is in doubt, and what settles it may have happened meanwhile.
    Doubt,
}

/// Why partitions could not be taken over yet.
#[derive(Debug, thiserror::Error)]
enum TakeoverError {
    #[error("{0}")]
    Group(#[from] GroupError),
    #[error("{0}")]
    Settle(#[from] SettleError),
    #[error("the group may still accept a commit of {0} by the process that was here before")]
    NotFenced(Partition),
}

impl Worker {
    pub(super) fn rebalance(&mut self, rebalance: Rebalance) {
        self.turn.end(self.clock.elapsed());
        // One that could not be carried out is superseded.
        self.unaccepted = None;
        match &rebalance {
            Rebalance::Assigned(partitions) => {
                self.info(format_args!("Partitions gained: {}", names(partitions)));
                self.assigned.add(partitions);
            }
            Rebalance::Revoked(partitions) => {
                self.write();
                if self.output.waiting() > 0 {
                    self.take_back_batch(partitions);
                }
                self.commit_everything(Patience::UntilAnswered);
                self.turn.wait_for_others(&self.stop, self.clock.as_ref());
                self.info(format_args!("Partitions lost: {}", names(partitions)));
                self.let_go(partitions);
            }
            Rebalance::Lost(partitions) => {
                self.warn(format_args!(
                    "Partitions lost without notice: {}; what was not committed is read again by \
                     their new owners",
                    names(partitions)
                ));
                self.take_back_batch(partitions);
                self.wait_for_answer(Patience::UntilAnswered);
                self.let_go(partitions);
            }
        }
        if self.committing.is_some() {
            // The cluster does not answer. Another member takes this one's place, or none if the sink
            // is to end; the group will miss it.
            return;
        }
        self.accept(rebalance, Attempt::First);
    }

    /// Lets go of the batch, which others will read; what stays with this member is read again.
    pub(super) fn take_back_batch(&mut self, gone: &[Partition]) {
        self.output.drop_batch();
        let mut again = self.positions.take_back_pending();
        again.retain(|(partition, _)| !gone.contains(partition));
        self.read_again(again);
        if self.is_stuck_at(Step::Write) {
            // Nothing is left to try again with; the next records will show how it stands.
            self.stuck = None;
            self.progress.unstuck();
            self.set_fetching(Fetching::Running);
        }
    }

    /// Forgets partitions, and takes back what was written of them and was never tried to commit.
    pub(super) fn let_go(&mut self, gone: &[Partition]) {
        self.assigned.remove(gone);
        if self.unflushed_bytes > 0 {
            if let Err(error) = self.output.take_back_open() {
                self.error(format_args!("{error}; it is tried again before anything is written"));
                self.standing = Standing::InDoubt;
            }
            self.output.drop_batch();
            let mut again = self.positions.take_back_unflushed();
            again.retain(|(partition, _)| !gone.contains(partition));
            self.read_again(again);
            self.unflushed_bytes = 0;
        }
        if self.output.has_unconfirmed_of(gone) {
            self.standing = Standing::InDoubt;
        }
        self.positions.forget(gone);
        if self.standing == Standing::InDoubt && !self.positions.is_empty() {
            self.set_fetching(Fetching::Paused);
        }
    }

    pub(super) fn accept(&mut self, rebalance: Rebalance, attempt: Attempt) {
        let accepted = match &rebalance {
            Rebalance::Assigned(partitions) => self.take_over(partitions, Occasion::Assignment),
            Rebalance::Revoked(partitions) | Rebalance::Lost(partitions) => {
                self.member.give_up(partitions).map_err(TakeoverError::from)
            }
        };
        let Err(error) = accepted else {
            self.progress.rebalanced(&rebalance);
            return;
        };
        if attempt == Attempt::First {
            self.warn(format_args!("Rebalance not carried out: {error}; trying again"));
        }
        self.next_takeover = self.clock.elapsed() + RETRY_WAIT;
        self.unaccepted = Some(rebalance);
    }

    /// Tries again what could not be carried out. A group that fences members one by one may give
    /// no other sign that what is in doubt can be settled.
    pub(super) fn try_again_to_take_over(&mut self) {
        if self.clock.elapsed() < self.next_takeover {
            return;
        }
        if let Some(rebalance) = self.unaccepted.take() {
            self.accept(rebalance, Attempt::Again);
        } else if self.standing == Standing::InDoubt && self.member.fencing() == Fencing::Members {
            self.next_takeover = self.clock.elapsed() + RETRY_WAIT;
            if let Err(error) = self.take_over(&[], Occasion::Doubt) {
                log::debug!(target: &self.name, "Not settled yet: {error}");
            }
        }
    }

    /// Settles the ends of the files, and begins to read partitions where the group has come to.
    fn take_over(
        &mut self,
        partitions: &[Partition],
        occasion: Occasion,
    ) -> Result<(), TakeoverError> {
        let held = self.positions.partitions();
        let has_to_settle = self.standing == Standing::InDoubt || held.is_empty();
        let mut asked = partitions.to_vec();
        if has_to_settle {
            asked.extend(self.output.partitions_to_settle());
            asked.extend(held.iter().cloned());
        }
        asked.sort();
        asked.dedup();
        let beginning = match self.settings.from {
            StartOffset::Earliest => Beginning::Oldest,
            StartOffset::Latest | StartOffset::At { .. } => Beginning::Later,
        };
        let committed: CommittedOffsets = self
            .member
            .committed_offsets(&asked)?
            .into_iter()
            .map(|known| {
                let committed = Committed::new(known.offset, &known.metadata);
                (known.partition, Committed { beginning, ..committed })
            })
            .collect();
        let has_settled = match self.settle_if(has_to_settle, &committed) {
            // The group waits for an answer before it goes on; until then nothing is read.
            Err(error @ TakeoverError::NotFenced(_)) if occasion == Occasion::Assignment => {
                self.info(format_args!("Nothing is read yet: {error}"));
                false
            }
            result => result?,
        };
        let offset_of = |partition: &Partition| committed.get(partition).and_then(|it| it.offset);
        let is_new = |partition: &&Partition| offset_of(partition).is_none();
        let new: Vec<_> = partitions.iter().filter(is_new).cloned().collect();
        let mut starts = self.member.first_offsets(&new)?;
        if occasion == Occasion::Assignment {
            self.say_what_has_expired(&starts);
        }
        let known = partitions.iter().filter(|partition| !is_new(partition));
        starts.extend(known.map(|partition| (partition.clone(), offset_of(partition))));
        if occasion == Occasion::Assignment {
            if self.standing == Standing::InDoubt {
                self.set_fetching(Fetching::Paused);
            }
            self.member.accept_from(&starts)?;
        }
        let writer = self.output.writer();
        if has_settled && !held.is_empty() {
            // What was taken out of the file is read again; from where it was begun if there is no
            // commit yet.
            let begin = |each: &Partition| offset_of(each).or_else(|| self.positions.begin(each));
            let again = held.into_iter().filter_map(|each| begin(&each).map(|begin| (each, begin)));
            let again: Vec<_> = again.collect();
            starts.extend(again.iter().map(|(each, begin)| (each.clone(), Some(*begin))));
            self.positions.forget_all();
            self.read_again(again);
        }
        if self.standing == Standing::InDoubt || self.is_stuck_at(Step::Write) {
            self.set_fetching(Fetching::Paused);
        } else if has_settled && self.member.fetching() == Fetching::Paused {
            self.set_fetching(Fetching::Running);
        }
        for (partition, start) in starts {
            if let (Some(offset), Some(committed)) = (start, committed.get(&partition)) {
                let history = committed.taken_over(writer, offset);
                self.positions.start(partition, offset, &history);
                self.unflushed_since.get_or_insert(self.clock.elapsed());
            }
        }
        let is_committing = self.committing.is_some() || self.standing == Standing::InDoubt;
        if beginning == Beginning::Later && !new.is_empty() && !is_committing {
            // If this process died with records of theirs in its files and nothing committed, they
            // would begin later next time, and nobody could tell whether somebody has them.
            self.flush_and_commit();
            self.wait_for_answer(Patience::UntilAnswered);
        }
        Ok(())
    }

    /// Settles the ends of the files if that is called for; tells whether it was.
    fn settle_if(
        &mut self,
        has_to_settle: bool,
        committed: &CommittedOffsets,
    ) -> Result<bool, TakeoverError> {
        if !has_to_settle {
            return Ok(false);
        }
        if self.member.fencing() == Fencing::Members {
            for (writer, partition) in self.output.unsettled() {
                let owner = committed
                    .get(partition)
                    .and_then(|known| known.history.as_ref())
                    .and_then(|history| history.owner());
                let is_fenced =
                    self.assigned.contains(partition) || owner.is_some_and(|owner| owner != writer);
                if !is_fenced {
                    return Err(TakeoverError::NotFenced(partition.clone()));
                }
            }
        }
        let settled = self.output.settle(committed);
        self.report_findings();
        for ruling in settled? {
            self.report(&ruling);
        }
        self.standing = Standing::Sound;
        Ok(true)
    }

    fn report(&self, ruling: &Ruling) {
        let Ruling { partition, offsets, records, .. } = ruling;
        let (first, last) = (offsets.start, offsets.end - 1);
        match ruling.verdict {
            Verdict::Unconfirmed => {
                self.progress.took_out(*records);
                self.info(format_args!(
                    "Taken out again: {records} records of {partition}, offsets {first} to {last}, which \
                     were not committed; they are read again by whoever has the partition"
                ));
            }
            Verdict::Confirmed => self.info(format_args!(
                "Kept: {records} records of {partition}, offsets {first} to {last}, whose commit had no \
                 answer; it was accepted"
            )),
            // Told as a finding.
            Verdict::Undecided => {}
        }
    }

    /// Says what was found in the files.
    pub(super) fn report_findings(&mut self) {
        for finding in self.output.take_findings() {
            self.progress.doubted(finding.doubtful_records());
            self.warn(format_args!("{finding}"));
        }
    }
}
