//! What has been read, what of it is in the file, and what may be committed.
//!
//! A record's offset goes through three stages: *pending* while its bytes are in memory, *written*
//! once they are in the file, *flushed* once they are on the disk. Only flushed offsets are ever
//! committed.

use std::cmp::Ordering;
use std::sync::Arc;

use super::ownership::{History, Writer};
use crate::kafka::group::{Commit, Partition};

/// Stands for the offset of a partition of which this member has committed nothing.
const NOTHING: i64 = -1;

/// The offsets that follow the last record of each stage, by partition.
#[derive(Debug)]
pub struct Positions {
    writer: Writer,
    partitions: Vec<Stages>,
    /// The partition of the last record, where the next one most likely belongs too.
    current: usize,
}

/// The stages of one partition; each begins at the first record that was read.
#[derive(Debug)]
struct Stages {
    partition: Partition,
    /// Where this member began to read it, or begins again if nothing is committed.
    begin: i64,
    pending: i64,
    written: i64,
    flushed: i64,
    committed: i64,
    /// What goes with its commits: who owned what.
    metadata: Arc<str>,
}

/// How a record follows the one before it in its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By the next offset.
    Next,
    /// By a larger one. Those between may never have been anybody's to read, as where a topic is
    /// compacted; or they were removed.
    PassesOver {
        /// The first that did not come.
        from: i64,
    },
    /// By a smaller one: the partition was made anew, or has lost its end.
    BeginsAgain {
        /// The offset that was to come.
        before: i64,
    },
}

impl Stages {
    fn at(partition: Partition, offset: i64, committed: i64, history: &History) -> Stages {
        Stages {
            partition,
            begin: offset,
            pending: offset,
            written: offset,
            flushed: offset,
            committed,
            metadata: history.to_metadata().into(),
        }
    }
}

impl Positions {
    /// Begins without any partition.
    pub fn new(writer: Writer) -> Positions {
        Positions { writer, partitions: Vec::new(), current: 0 }
    }

    /// Notes where a partition begins, and what goes with its commits.
    ///
    /// The beginning is committed like a record's offset: whoever gets the partition next must not
    /// look for the beginning again, at a later time, and skip what came in between; and others learn
    /// who has it.
    pub fn start(&mut self, partition: Partition, offset: i64, history: &History) {
        self.partitions.retain(|each| each.partition != partition);
        self.partitions.push(Stages::at(partition, offset, NOTHING, history));
    }

    /// Counts a record as pending.
    pub fn read(&mut self, topic: &str, number: i32, offset: i64) -> Order {
        let is_it =
            |each: &Stages| each.partition.number == number && *each.partition.topic == *topic;
        if !self.partitions.get(self.current).is_some_and(is_it) {
            self.current = self.partitions.iter().position(is_it).unwrap_or_else(|| {
                let partition = Partition { topic: topic.into(), number };
                let history = History::begin(self.writer, offset);
                self.partitions.push(Stages::at(partition, offset, offset, &history));
                self.partitions.len() - 1
            });
        }
        let stages = &mut self.partitions[self.current];
        let before = std::mem::replace(&mut stages.pending, offset + 1);
        match offset.cmp(&before) {
            Ordering::Equal => Order::Next,
            Ordering::Greater => Order::PassesOver { from: before },
            Ordering::Less => {
                // Offsets of before mean other records, or none; they must not be committed any more.
                let history = History::begin(self.writer, offset);
                let again = Stages::at(stages.partition.clone(), offset, NOTHING, &history);
                *stages = Stages { pending: offset + 1, ..again };
                Order::BeginsAgain { before }
            }
        }
    }

    /// Where a partition was begun that this member holds.
    pub fn begin(&self, partition: &Partition) -> Option<i64> {
        self.partitions.iter().find(|each| each.partition == *partition).map(|each| each.begin)
    }

    /// All partitions.
    pub fn partitions(&self) -> Vec<Partition> {
        self.partitions.iter().map(|each| each.partition.clone()).collect()
    }

    /// Whether there is no partition.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Counts all pending records as written.
    pub fn wrote(&mut self) {
        self.partitions.iter_mut().for_each(|each| each.written = each.pending);
    }

    /// Counts all written records as flushed.
    pub fn flushed(&mut self) {
        self.partitions.iter_mut().for_each(|each| each.flushed = each.written);
    }

    /// The flushed offsets that are not committed yet.
    pub fn to_commit(&self) -> Vec<Commit> {
        self.partitions
            .iter()
            .filter(|each| each.flushed != each.committed)
            .map(|each| Commit {
                partition: each.partition.clone(),
                offset: each.flushed,
                metadata: each.metadata.clone(),
            })
            .collect()
    }

    /// Counts these offsets as committed.
    pub fn committed(&mut self, commits: &[Commit]) {
        for Commit { partition, offset, .. } in commits {
            let known = self.partitions.iter_mut().find(|each| each.partition == *partition);
            if let Some(each) = known {
                each.committed = *offset;
            }
        }
    }

    /// Forgets partitions that have gone to another member.
    pub fn forget(&mut self, gone: &[Partition]) {
        self.partitions.retain(|each| !gone.contains(&each.partition));
        self.current = 0;
    }

    /// Forgets all partitions.
    pub fn forget_all(&mut self) {
        self.partitions.clear();
        self.current = 0;
    }

    /// Forgets what is pending, and returns where partitions have to be read again from.
    pub fn take_back_pending(&mut self) -> Vec<(Partition, i64)> {
        self.partitions
            .iter_mut()
            .filter(|each| each.written != each.pending)
            .map(|each| {
                each.pending = each.written;
                (each.partition.clone(), each.written)
            })
            .collect()
    }

    /// Forgets what is pending and what was written since the last flush, and returns where
    /// partitions have to be read again from.
    pub fn take_back_unflushed(&mut self) -> Vec<(Partition, i64)> {
        self.partitions.iter_mut().for_each(|each| each.written = each.flushed);
        self.take_back_pending()
    }

    /// The offset that follows the last record that was read of each partition.
    pub fn read_offsets(&self) -> Vec<(Partition, i64)> {
        self.partitions.iter().map(|each| (each.partition.clone(), each.pending)).collect()
    }
}

/// Lists partitions for people.
pub fn names(partitions: &[Partition]) -> String {
    if partitions.is_empty() {
        return "none".to_owned();
    }
    partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::ownership::StoreId;

    const WRITER: Writer = Writer { store: StoreId::SAMPLE, thread: 3 };

    fn positions() -> Positions {
        Positions::new(WRITER)
    }

    /// What is to be committed, without the words that go with it.
    fn to_commit(positions: &Positions) -> Vec<(Partition, i64)> {
        let commits = positions.to_commit().into_iter();
        commits.map(|commit| (commit.partition, commit.offset)).collect()
    }

    fn partition(number: i32) -> Partition {
        Partition { topic: "t".into(), number }
    }

    #[test]
    fn only_what_is_on_the_disk_is_committed() {
        let mut positions = positions();
        positions.read("t", 0, 10);
        positions.read("t", 0, 11);
        assert_eq!(to_commit(&positions), []);
        positions.wrote();
        assert_eq!(to_commit(&positions), []);
        positions.flushed();
        positions.read("t", 0, 12);
        assert_eq!(to_commit(&positions), [(partition(0), 12)]);
        positions.committed(&positions.to_commit());
        assert_eq!(to_commit(&positions), []);
        positions.wrote();
        assert_eq!(to_commit(&positions), [], "written after the last flush");
    }

    #[test]
    fn a_beginning_is_committed_before_any_record_comes() {
        let mut positions = positions();
        positions.start(partition(0), 0, &History::begin(WRITER, 0));
        positions.start(partition(1), 7, &History::begin(WRITER, 7));
        assert_eq!(to_commit(&positions), [(partition(0), 0), (partition(1), 7)]);
        positions.committed(&positions.to_commit());
        positions.read("t", 1, 9);
        positions.wrote();
        positions.flushed();
        assert_eq!(to_commit(&positions), [(partition(1), 10)]);
    }

    #[test]
    fn partitions_are_told_apart_by_topic_and_number() {
        let mut positions = positions();
        for (topic, number, offset) in [("t", 0, 1), ("u", 0, 5), ("t", 1, 7), ("t", 0, 2)] {
            positions.read(topic, number, offset);
        }
        positions.wrote();
        positions.flushed();
        let mut commits = to_commit(&positions);
        commits.sort();
        let u = Partition { topic: "u".into(), number: 0 };
        assert_eq!(commits, [(partition(0), 3), (partition(1), 8), (u, 6)]);
    }

    #[test]
    fn what_has_gone_is_never_committed() {
        let mut positions = positions();
        positions.read("t", 0, 1);
        positions.read("t", 1, 1);
        positions.wrote();
        positions.flushed();
        positions.forget(&[partition(0)]);
        assert_eq!(to_commit(&positions), [(partition(1), 2)]);
        positions.read("t", 0, 9);
        positions.wrote();
        positions.flushed();
        assert_eq!(to_commit(&positions).len(), 2);
    }

    #[test]
    fn what_is_taken_back_is_read_again_from_where_its_stage_begins() {
        let mut positions = positions();
        positions.read("t", 0, 1);
        positions.wrote();
        positions.flushed();
        positions.read("t", 0, 2);
        positions.wrote();
        positions.read("t", 0, 3);
        positions.read("t", 1, 40);
        assert_eq!(positions.take_back_pending(), [(partition(0), 3), (partition(1), 40)]);
        assert_eq!(positions.take_back_pending(), []);
        assert_eq!(positions.take_back_unflushed(), [(partition(0), 2)]);
        assert_eq!(to_commit(&positions), [(partition(0), 2)]);
    }

    #[test]
    fn a_partition_that_begins_again_has_a_history_of_its_own() {
        let mut positions = positions();
        positions.start(partition(0), 900, &History::begin(WRITER, 500));
        assert_eq!(positions.read("t", 0, 900), Order::Next);
        positions.wrote();
        positions.flushed();
        assert_eq!(&*positions.to_commit()[0].metadata, "metric-sink/1 0000000000aa.3@500");
        positions.committed(&positions.to_commit());
        assert_eq!(positions.read("t", 0, 902), Order::PassesOver { from: 901 });
        positions.wrote();
        positions.flushed();
        assert_eq!(positions.read("t", 0, 0), Order::BeginsAgain { before: 903 });
        // What 903 stood for is gone, and must not be committed any more.
        assert_eq!(to_commit(&positions), [(partition(0), 0)]);
        assert_eq!(positions.begin(&partition(0)), Some(0));
        positions.wrote();
        positions.flushed();
        assert_eq!(to_commit(&positions), [(partition(0), 1)]);
        assert_eq!(&*positions.to_commit()[0].metadata, "metric-sink/1 0000000000aa.3@0");
    }

    #[test]
    fn one_that_begins_again_and_comes_as_far_as_before_is_committed() {
        let mut positions = positions();
        positions.start(partition(0), 0, &History::begin(WRITER, 0));
        for _ in 0..2 {
            for offset in 0..3 {
                positions.read("t", 0, offset);
            }
            positions.wrote();
            positions.flushed();
            assert_eq!(to_commit(&positions), [(partition(0), 3)]);
            positions.committed(&positions.to_commit());
        }
    }
}
