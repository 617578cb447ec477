//! The partitions that the input reads now, and what was committed of each.

use std::sync::Arc;

use super::delivery::{Delivery, Room};
use super::marks;
use crate::kafka::group::{Commit, CommittedOffset, Partition};
use crate::metric::Origin;

/// A partition for as long as this member has it.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) partition: Partition,
    pub(super) delivery: Arc<Delivery>,
    /// What the group has, as far as this member knows.
    committed: Option<(i64, Arc<str>)>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    all: Vec<Assigned>,
    /// The place of the one whose record came last: records come many of a partition in a row.
    last: usize,
}

impl Partitions {
    /// Begins with a partition at an offset, if that is known, and with what was committed of it.
    pub(super) fn add(
        &mut self,
        committed: CommittedOffset,
        position: Option<i64>,
        room: &Arc<Room>,
    ) {
        let CommittedOffset { partition, offset, metadata } = committed;
        let origin = Origin::new(partition.to_string(), marks::read(&metadata));
        let origin = Arc::new(origin.with_partition(partition.number));
        let delivery = Arc::new(Delivery::new(origin, room.clone(), position));
        let committed = offset.map(|offset| (offset, metadata.into()));
        self.all.push(Assigned { partition, delivery, committed });
    }

    /// The partition of a record, if it is one of these.
    pub(super) fn find(&mut self, topic: &str, number: i32) -> Option<&Assigned> {
        let is_it =
            |each: &Assigned| each.partition.number == number && *each.partition.topic == *topic;
        if !self.all.get(self.last).is_some_and(is_it) {
            self.last = self.all.iter().position(is_it)?;
        }
        self.all.get(self.last)
    }

    /// All partitions.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Assigned> {
        self.all.iter()
    }

    /// Whether nothing of these partitions is under way.
    pub(super) fn are_complete(&self, partitions: &[Partition]) -> bool {
        let mut concerned = self.all.iter().filter(|each| partitions.contains(&each.partition));
        concerned.all(|each| each.delivery.is_complete())
    }

    /// What has to be committed: each partition of which the group has something else.
    ///
    /// What marks take more bytes than brokers keep cannot be committed; `refused` is told of it.
    pub(super) fn to_commit(&self, mut refused: impl FnMut(&Partition, usize)) -> Vec<Commit> {
        let commit = |each: &Assigned| {
            // The position goes first: a mark that is set before a record is done with is there
            // when the position says that it is.
            let offset = each.delivery.position()?;
            let metadata = marks::written(&each.delivery.origin().marks());
            if metadata.len() > marks::MOST_BYTES {
                refused(&each.partition, metadata.len());
                return None;
            }
            let is_known = each
                .committed
                .as_ref()
                .is_some_and(|(at, with)| *at == offset && **with == *metadata);
            let partition = || each.partition.clone();
            (!is_known).then(|| Commit {
                partition: partition(),
                offset,
                metadata: metadata.into(),
            })
        };
        self.all.iter().filter_map(commit).collect()
    }

    /// Takes note of what was committed.
    pub(super) fn committed(&mut self, commits: Vec<Commit>) {
        for Commit { partition, offset, metadata } in commits {
            if let Some(each) = self.all.iter_mut().find(|each| each.partition == partition) {
                each.committed = Some((offset, metadata));
            }
        }
    }

    /// Gives partitions up: whatever others keep of them is worth nothing from now on.
    pub(super) fn give_up(&mut self, gone: &[Partition]) {
        self.all.retain(|each| {
            let is_gone = gone.contains(&each.partition);
            if is_gone {
                each.delivery.origin().give_up();
            }
            !is_gone
        });
    }

    /// Gives all partitions up.
    pub(super) fn give_up_all(&mut self) {
        self.all.drain(..).for_each(|each| each.delivery.origin().give_up());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> Partition {
        Partition { topic: "t".into(), number }
    }

    fn committed(number: i32, offset: Option<i64>, metadata: &str) -> CommittedOffset {
        CommittedOffset { partition: partition(number), offset, metadata: metadata.to_owned() }
    }

    fn commits(partitions: &Partitions) -> Vec<(i32, i64, String)> {
        let commits = partitions.to_commit(|_, _| panic!("all marks fit"));
        commits
            .iter()
            .map(|each| (each.partition.number, each.offset, each.metadata.to_string()))
            .collect()
    }

    #[test]
    fn what_the_group_has_already_is_not_committed_again() {
        let (room, _freed) = Room::new(9);
        let mut partitions = Partitions::default();
        partitions.add(committed(0, Some(5), "metric-agent/1 w=1"), Some(5), &room);
        partitions.add(committed(1, None, ""), Some(0), &room);
        partitions.add(committed(2, None, ""), None, &room);
        assert_eq!(commits(&partitions), [(1, 0, "metric-agent/1".to_owned())]);
        drop(partitions.find("t", 2).unwrap().delivery.begin(7, None));
        partitions.find("t", 0).unwrap().delivery.origin().set_mark("w", 2);
        let expected =
            [(0, 5, "metric-agent/1 w=2"), (1, 0, "metric-agent/1"), (2, 8, "metric-agent/1")];
        assert_eq!(commits(&partitions), expected.map(|(n, at, with)| (n, at, with.to_owned())));
        let all = partitions.to_commit(|_, _| {});
        partitions.committed(all);
        assert_eq!(commits(&partitions), []);
    }

    #[test]
    fn marks_of_the_owner_before_are_known() {
        let (room, _freed) = Room::new(9);
        let mut partitions = Partitions::default();
        partitions.add(committed(0, Some(5), "metric-agent/1 w=9"), Some(5), &room);
        let origin = partitions.find("t", 0).unwrap().delivery.origin();
        assert_eq!((origin.name(), origin.mark("w")), ("t [0]", Some(9)));
    }

    #[test]
    fn what_is_given_up_is_told_so_and_gone() {
        let (room, _freed) = Room::new(9);
        let mut partitions = Partitions::default();
        partitions.add(committed(0, Some(5), ""), Some(5), &room);
        partitions.add(committed(1, Some(5), ""), Some(5), &room);
        let origin = partitions.find("t", 1).unwrap().delivery.origin().clone();
        partitions.give_up(&[partition(1)]);
        assert!(origin.is_given_up() && partitions.find("t", 1).is_none());
        assert!(partitions.find("t", 0).is_some());
    }

    #[test]
    fn marks_that_are_too_long_are_refused_and_commit_nothing() {
        let (room, _freed) = Room::new(9);
        let mut partitions = Partitions::default();
        partitions.add(committed(0, None, ""), Some(5), &room);
        let origin = partitions.find("t", 0).unwrap().delivery.origin().clone();
        origin.set_mark(&"x".repeat(marks::MOST_BYTES), 1);
        let mut refused = Vec::new();
        let commits =
            partitions.to_commit(|partition, bytes| refused.push((partition.number, bytes)));
        assert!(commits.is_empty() && refused.len() == 1, "{commits:?} {refused:?}");
    }
}
