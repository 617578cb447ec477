//! Which records a reader has done with.

use std::ops::Range;

/// A set of record numbers that grows from below: all under `next`, and ranges beyond.
///
/// Records are mostly done with in order, so that the ranges are few or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Done {
    next: u64,
    /// Ascending, not empty, and with a gap before each.
    beyond: Vec<Range<u64>>,
}

impl Done {
    /// All below `next`, and these ranges.
    pub(super) fn new(next: u64, beyond: impl IntoIterator<Item = Range<u64>>) -> Done {
        let mut done = Done { next, beyond: Vec::new() };
        for range in beyond {
            done.mark(range);
        }
        done
    }

    /// The first that is not done with.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The ranges beyond the first that is not done with.
    pub(super) fn beyond(&self) -> &[Range<u64>] {
        &self.beyond
    }

    /// The number after the last that is done with.
    pub(super) fn end(&self) -> u64 {
        self.beyond.last().map_or(self.next, |last| last.end)
    }

    /// Whether a record is done with.
    pub(super) fn contains(&self, number: u64) -> bool {
        number < self.next || {
            let at = self.beyond.partition_point(|range| range.end <= number);
            self.beyond.get(at).is_some_and(|range| range.start <= number)
        }
    }

    /// How many of these are not done with.
    pub(super) fn missing(&self, range: Range<u64>) -> u64 {
        let start = range.start.max(self.next);
        if start >= range.end {
            return 0;
        }
        let from = self.beyond.partition_point(|each| each.end <= start);
        let done: u64 = self.beyond[from..]
            .iter()
            .take_while(|each| each.start < range.end)
            .map(|each| each.end.min(range.end) - each.start.max(start))
            .sum();
        range.end - start - done
    }

    /// Adds these, and returns how many of them were not done with before.
    pub(super) fn mark(&mut self, range: Range<u64>) -> u64 {
        let news = self.missing(range.clone());
        if news == 0 {
            return 0;
        }
        let start = range.start.max(self.next);
        let from = self.beyond.partition_point(|each| each.end < start);
        let to = self.beyond.partition_point(|each| each.start <= range.end);
        let joined = match self.beyond.get(from..to) {
            Some([first, .., last]) => start.min(first.start)..range.end.max(last.end),
            Some([only]) => start.min(only.start)..range.end.max(only.end),
            _ => start..range.end,
        };
        if joined.start == self.next {
            self.next = joined.end;
            self.beyond.drain(..to);
        } else {
            self.beyond.splice(from..to, [joined]);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(
            next in 0u64..5,
            ranges in prop::collection::vec((0u64..40, 0u64..6), 0..30),
        ) {
            let mut model: BTreeSet<u64> = (0..next).collect();
            let mut done = Done::new(next, []);
            for (start, length) in ranges {
                let range = start..start + length;
                let news = range.clone().filter(|number| !model.contains(number)).count() as u64;
                prop_assert_eq!(done.missing(range.clone()), news);
                prop_assert_eq!(done.mark(range.clone()), news);
                model.extend(range);
                let first = (0..).find(|number| !model.contains(number)).unwrap();
                prop_assert_eq!(done.next(), first);
                for number in 0..50 {
                    prop_assert_eq!(done.contains(number), model.contains(&number));
                }
                let mut before = done.next();
                for each in done.beyond() {
                    prop_assert!(before < each.start && each.start < each.end);
                    before = each.end;
                }
                prop_assert_eq!(done.end(), model.last().map_or(0, |last| last + 1).max(done.next()));
                prop_assert_eq!(&Done::new(done.next(), done.beyond().iter().cloned()), &done);
            }
        }
    }
}
