//! Where metrics come from that can be read again, and what they were read as.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// A place that metrics were read from in order and can be read from again, such as a partition of
/// a topic for as long as this agent has it.
///
/// Whoever keeps something of the metrics beyond their own way keeps it by origin: it is worth
/// nothing once the origin was given up, because somebody else reads the same metrics then.
/// What is to be known when they are read again, here or elsewhere, is left as a *mark*, which the
/// input keeps together with how far was read. A mark that is set before a metric's companion is
/// dropped is kept before, or together with, the fact that the metric is done with.
#[derive(Debug)]
pub struct Origin {
    name: String,
    partition: Option<i32>,
    is_given_up: AtomicBool,
    marks: Mutex<BTreeMap<String, i64>>,
    /// Who has claimed to set marks.
    claims: Mutex<BTreeSet<String>>,
}

impl Origin {
    /// An origin of which these marks are known from before.
    pub fn new(name: impl Into<String>, marks: BTreeMap<String, i64>) -> Origin {
        Origin {
            name: name.into(),
            partition: None,
            is_given_up: AtomicBool::new(false),
            marks: Mutex::new(marks),
            claims: Mutex::default(),
        }
    }

    /// Says which partition of its topic it is; what has one key is in the partition of one number
    /// in all topics that are partitioned alike.
    #[must_use]
    pub fn with_partition(self, number: i32) -> Origin {
        Origin { partition: Some(number), ..self }
    }

    /// The number of the partition that it is, if it is one.
    pub fn partition(&self) -> Option<i32> {
        self.partition
    }

    /// What it is called in logs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether somebody else may read the same metrics by now.
    pub fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::Acquire)
    }

    /// Takes note that somebody else may read the same metrics.
    pub fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Release);
    }

    /// The mark that `of` has set last, be it in an agent before this one.
    pub fn mark(&self, of: &str) -> Option<i64> {
        self.locked().get(of).copied()
    }

    /// Sets the mark of `of`.
    pub fn set_mark(&self, of: &str, mark: i64) {
        self.set_marks([(of, mark)]);
    }

    /// Sets several marks at one stroke: whoever looks finds all of them or none.
    pub fn set_marks<'m>(&self, new: impl IntoIterator<Item = (&'m str, i64)>) {
        let mut marks = self.locked();
        for (of, mark) in new {
            match marks.get_mut(of) {
                Some(old) => *old = mark,
                None => {
                    marks.insert(of.to_owned(), mark);
                }
            }
        }
    }

    /// Claims the marks of `of`; false if somebody else has done so, who would overwrite them.
    pub fn claim(&self, of: &str) -> bool {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).insert(of.to_owned())
    }

    /// All marks, by who has set them.
    pub fn marks(&self) -> BTreeMap<String, i64> {
        self.locked().clone()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, i64>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a header, and its value if it has one.
pub type RecordHeader = (Box<str>, Option<Box<[u8]>>);

/// A record as it came, to be passed on unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OriginalRecord {
    /// Its key, if it has one.
    pub key: Option<Box<[u8]>>,
    /// Its value; none for a tombstone.
    pub value: Option<Box<[u8]>>,
    /// Its headers, in order.
    pub headers: Vec<RecordHeader>,
    /// Its time, in milliseconds since 1970, if it has one.
    pub timestamp_ms: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_what_was_set_last_or_known_before() {
        let known = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
        let origin = Origin::new("topic [0]", known);
        origin.set_mark("b", 3);
        origin.set_mark("c", 4);
        let marks = ["a", "b", "c", "d"].map(|of| origin.mark(of));
        assert_eq!(marks, [Some(1), Some(3), Some(4), None]);
        assert_eq!(origin.marks().len(), 3);
    }

    #[test]
    fn marks_are_claimed_once() {
        let origin = Origin::new("topic [3]", BTreeMap::new()).with_partition(3);
        assert!(origin.claim("a") && origin.claim("b") && !origin.claim("a"));
        assert_eq!(origin.partition(), Some(3));
        assert!(origin.marks().is_empty());
    }

    #[test]
    fn an_origin_is_given_up_once_and_for_all() {
        let origin = Origin::new("topic [0]", BTreeMap::new());
        assert!(!origin.is_given_up());
        origin.give_up();
        assert!(origin.is_given_up());
    }
}
