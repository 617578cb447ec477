//! What the members of one sink were assigned, seen by all of them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::kafka::group::Partition;

/// The partitions that threads of this sink were assigned and have not given up.
///
/// Where the group fences members one by one, it assigns a partition when whoever had it before is
/// fenced, and not earlier: a dead process too, of whose members it says nothing else.
#[derive(Debug, Clone, Default)]
pub(super) struct Assigned(Arc<Mutex<HashSet<Partition>>>);

impl Assigned {
    pub(super) fn add(&self, partitions: &[Partition]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(partitions.iter().cloned());
    }

    pub(super) fn remove(&self, partitions: &[Partition]) {
        let mut assigned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assigned.retain(|each| !partitions.contains(each));
    }

    pub(super) fn contains(&self, partition: &Partition) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(partition)
    }
}
