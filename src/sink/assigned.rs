//! What the members of one sink were assigned, seen by all of them.

use std::sync::{Arc, Mutex, PoisonError};

use crate::kafka::group::Partition;

/// The partitions that one thread was assigned and has not given up, and those of all threads.
///
/// Where the group fences members one by one, it assigns a partition when whoever had it before is
/// fenced, and not earlier: a dead process too, of whose members it says nothing else.
#[derive(Debug, Clone, Default)]
pub(super) struct Assigned {
    own: Vec<Partition>,
    /// A partition stands here twice while one thread has it already and another has not heard yet
    /// that it is gone.
    all: Arc<Mutex<Vec<Partition>>>,
}

impl Assigned {
    pub(super) fn add(&mut self, partitions: &[Partition]) {
        self.own.extend_from_slice(partitions);
        self.all.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(partitions);
    }

    pub(super) fn remove(&mut self, partitions: &[Partition]) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = self.own.extract_if(.., |each| partitions.contains(each));
        for partition in gone {
            if let Some(at) = all.iter().position(|each| *each == partition) {
                all.swap_remove(at);
            }
        }
    }

    /// What the thread itself has.
    pub(super) fn own(&self) -> &[Partition] {
        &self.own
    }

    /// Whether any thread has it.
    pub(super) fn contains(&self, partition: &Partition) -> bool {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).contains(partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_two_threads_have_for_a_moment_stays_with_the_second() {
        let partition = Partition { topic: "t".into(), number: 0 };
        let partitions = std::slice::from_ref(&partition);
        let mut first = Assigned::default();
        let mut second = first.clone();
        first.add(partitions);
        second.add(partitions);
        first.remove(partitions);
        // Twice is as good as once.
        first.remove(partitions);
        assert!(first.own().is_empty());
        assert!(first.contains(&partition));
        second.remove(partitions);
        assert!(!first.contains(&partition));
    }
}
