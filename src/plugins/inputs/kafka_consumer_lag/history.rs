//! What is remembered of a partition from round to round.

use std::collections::VecDeque;

use super::verdict::{Commit, Status, judge};

/// What was seen of a group's offset in a partition, over a window of rounds.
#[derive(Debug)]
pub(super) struct History {
    commits: VecDeque<Commit>,
    ends: VecDeque<i64>,
    /// In how many rounds it was seen.
    rounds: usize,
    /// When the record at an offset was made, in milliseconds since 1970: the last that was asked.
    record: Option<(i64, i64)>,
    /// The last round in which it was seen.
    pub(super) last_round: u64,
}

/// What a round shows of a group's offset in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sight {
    /// The offset that is committed.
    pub(super) committed: i64,
    /// The end of the partition, if it is known.
    pub(super) end: Option<i64>,
    /// Whether a member of the group has the partition.
    pub(super) owner: Owner,
}

/// Whether a member of a group has a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// One has.
    Present,
    /// None has, or it cannot be known.
    Absent,
}

impl Sight {
    /// How many records the group is behind. One that has committed more than the broker has told
    /// of a moment ago is not.
    pub(super) fn lag(&self) -> Option<u64> {
        Some(u64::try_from(self.end? - self.committed).unwrap_or(0))
    }
}

impl History {
    /// A history in which nothing was seen.
    pub(super) fn new() -> History {
        History {
            commits: VecDeque::new(),
            ends: VecDeque::new(),
            rounds: 0,
            record: None,
            last_round: 0,
        }
    }

    /// Adds what a round shows, forgets what is older than `window` rounds, and judges.
    ///
    /// Brokers tell the offset that is committed and not when that was done. One that has moved was
    /// committed since the last round; of one that has not, a member that has the partition counts
    /// as committing it again, as consumers do that live. Where there is no member nobody commits.
    ///
    /// Before a whole window was seen everything counts as fine.
    pub(super) fn add(&mut self, sight: Sight, now_ms: i64, window: usize) -> Status {
        let lag = sight.lag();
        let has_moved = self.commits.back().is_none_or(|last| last.offset != sight.committed);
        if has_moved || sight.owner == Owner::Present {
            push(
                &mut self.commits,
                window,
                Commit { offset: sight.committed, time_ms: now_ms, lag },
            );
        }
        if let Some(end) = sight.end {
            push(&mut self.ends, window, end);
        }
        self.rounds = self.rounds.saturating_add(1);
        match self.rounds < window {
            true => Status::Ok,
            false => judge(&self.commits, &self.ends, lag, now_ms),
        }
    }

    /// When the record at an offset was made, if that was asked before.
    pub(super) fn record_time(&self, offset: i64) -> Option<i64> {
        self.record.filter(|(at, _)| *at == offset).map(|(_, time_ms)| time_ms)
    }

    /// Remembers when the record at an offset was made.
    pub(super) fn set_record_time(&mut self, offset: i64, time_ms: i64) {
        self.record = Some((offset, time_ms));
    }
}

fn push<T>(list: &mut VecDeque<T>, most: usize, item: T) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: usize = 4;

    /// What is thought after each of these rounds, which are ten seconds apart.
    fn statuses(rounds: &[(i64, i64, Owner)]) -> Vec<Status> {
        let mut history = History::new();
        let judged = (1..).zip(rounds).map(|(round, (committed, end, owner))| {
            let sight = Sight { committed: *committed, end: Some(*end), owner: *owner };
            history.add(sight, round * 10_000, WINDOW)
        });
        judged.collect()
    }

    #[test]
    fn nothing_is_wrong_before_a_window_was_seen() {
        let stalls = [(5, 10, Owner::Present); 6];
        let mut expected = [Status::Ok; 6];
        expected[3..].fill(Status::Stall);
        assert_eq!(statuses(&stalls), expected);
    }

    #[test]
    fn with_a_member_an_offset_that_stands_stalls_and_without_one_it_has_stopped() {
        for (owner, expected) in [(Owner::Present, Status::Stall), (Owner::Absent, Status::Stop)] {
            let rounds: Vec<_> = (0..5).map(|round| (5, 10 + round, owner)).collect();
            assert_eq!(statuses(&rounds).last(), Some(&expected), "{owner:?}");
        }
    }

    #[test]
    fn a_member_that_dies_has_stopped_after_another_window() {
        let mut rounds: Vec<_> =
            (0..4).map(|round| (round * 5, 100 + round * 4, Owner::Present)).collect();
        rounds.extend((0..4).map(|round| (15, 120 + round, Owner::Absent)));
        let statuses = statuses(&rounds);
        assert_eq!(statuses[3..7], [Status::Ok; 4]);
        assert_eq!(statuses[7], Status::Stop);
    }

    #[test]
    fn a_member_without_anything_to_read_is_fine_until_it_leaves_records_lie() {
        let mut rounds = vec![(7, 7, Owner::Absent); 6];
        rounds.extend((1..=5).map(|more| (7, 7 + more, Owner::Absent)));
        let statuses = statuses(&rounds);
        assert_eq!(statuses[..9], [Status::Ok; 9]);
        assert_eq!(statuses[9..], [Status::Stop; 2]);
    }

    #[test]
    fn an_offset_beyond_the_end_that_was_told_is_no_lag() {
        let sight = |committed, end| Sight { committed, end, owner: Owner::Present };
        assert_eq!(sight(10, Some(8)).lag(), Some(0));
        assert_eq!(sight(10, Some(18)).lag(), Some(8));
        assert_eq!(sight(10, None).lag(), None);
    }

    #[test]
    fn the_time_of_a_record_is_remembered_for_its_offset() {
        let mut history = History::new();
        history.set_record_time(5, 1_000);
        assert_eq!((history.record_time(5), history.record_time(6)), (Some(1_000), None));
    }
}
