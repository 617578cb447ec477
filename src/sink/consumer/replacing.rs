//! Putting a new member into the place of one whose commit has no answer.
//!
//! The client library answers every commit, if only to say that nobody coordinates the group. But
//! when brokers went away with one on its way, it has been seen to answer never; and since a member
//! takes part in no rebalance before it has the answer, its thread would stand still for good. A
//! new member of the same group is what a new process would be: the group gives it no partition
//! before the old one can commit no more, and what the commit has come to is settled then, by what
//! the group has stored.
//!
//! Cutting off a commit that would have been answered after all does no harm either. So there is no
//! need to tell the one from the other, and a limit on the time is enough.

use std::time::Duration;

use super::super::error::ConsumerError;
use super::Worker;
use super::rebalancing::Standing;
use crate::kafka::group::{CommitError, GroupMember, Rebalance};

/// How many session time-outs a commit may take. After one the group has given the partitions to
/// others, and the library has given up waiting for a coordinator.
const SESSIONS: u32 = 3;

impl Worker {
    /// How much longer the commit that is under way may take.
    pub(super) fn commit_may_take(&self) -> Option<Duration> {
        let since = self.committing.as_ref()?.since;
        let overdue = since + self.settings.session_timeout * SESSIONS;
        Some(overdue.saturating_sub(self.clock.elapsed()))
    }

    /// Joins the group anew if a commit has been without an answer for too long.
    pub(super) fn replace_member_if_unanswered(&mut self) -> Result<(), ConsumerError> {
        if self.commit_may_take() != Some(Duration::ZERO) {
            return Ok(());
        }
        let Some(committing) = self.committing.take() else { return Ok(()) };
        let waited = self.clock.elapsed().saturating_sub(committing.since);
        let error = CommitError::Unanswered(waited);
        self.progress.commit_ended(&committing.offsets, &Err(error.clone()), self.clock.elapsed());
        self.warn(format_args!("Commit given up: {error}; joining the group as a new member"));
        let member = GroupMember::connect(&self.group, &self.name, self.clock.clone())
            .map_err(ConsumerError::Join)?;
        std::mem::replace(&mut self.member, member).abandon();
        let gone = self.assigned.own().to_vec();
        self.unaccepted = None;
        self.take_back_batch(&gone);
        self.let_go(&gone);
        self.positions.forget_all();
        self.unflushed_since = None;
        self.lost_place = None;
        self.standing = Standing::InDoubt;
        self.progress.rebalanced(&Rebalance::Lost(gone));
        self.member.join().map_err(ConsumerError::Join)
    }
}
