//! How far a file holds records that were committed and that nobody judges any more.

use std::ops::Range;

use hashbrown::HashMap;

use super::entry::Part;
use crate::kafka::group::Partition;
use crate::sink::recovery::CommittedOffsets;

/// The offset that follows the last such record, by partition.
///
/// It is there to notice that a group has lost more commits than are looked at again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeptOffsets(HashMap<Partition, i64>);

impl KeptOffsets {
    /// Nobody judges these any more.
    pub fn keep(&mut self, parts: Vec<Part>) {
        for part in parts {
            self.0.insert(part.partition, part.offsets.end);
        }
    }

    /// These come next; if their offsets are smaller, they were set back or mean other records.
    pub fn come_to(&mut self, part: &Part) {
        if self.0.get(&part.partition).is_some_and(|end| part.offsets.start < *end) {
            self.0.remove(&part.partition);
        }
    }

    /// Nothing is known any more.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// Takes those out behind which sinks of the group have gone back, with the offsets that are
    /// read again. Whoever sets offsets by hand knows that.
    pub fn behind(&mut self, committed: &CommittedOffsets) -> Vec<(Partition, Range<i64>)> {
        let offset = |partition: &Partition| {
            let known = committed.get(partition)?;
            known.history.as_ref().and(known.offset)
        };
        let gone_back =
            self.0.extract_if(|partition, end| offset(partition).is_some_and(|at| at < *end));
        let mut found: Vec<_> = gone_back
            .filter_map(|(partition, end)| offset(&partition).map(|at| (partition, at..end)))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }
}
