//! What aggregators and processors remember of each series: of metrics with the same name and
//! the same tags.
//!
//! Looking a known series up allocates nothing: the hash is taken over the metric as it stands,
//! and names and tags are copied only when a series is seen for the first time. Inputs bring their
//! series in the same order, round after round, so that each is looked for behind the one that was
//! found before it, and mostly there is no need of a hash.

mod fields;

use std::hash::{BuildHasher, Hash, Hasher};

use compact_str::CompactString;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::metric::{Field, Metric, Tag, Timestamp};
pub use fields::FieldMap;

/// A value for each series, in the order in which they were first seen.
///
/// `D` tells apart what is not one series although name and tags are the same; [`SeriesMap`] of
/// timestamps holds a value for each series and time.
#[derive(Debug)]
pub struct SeriesMap<T, D = ()> {
    places: HashTable<usize>,
    hashing: DefaultHashBuilder,
    entries: Vec<Series<T, D>>,
    /// The place behind that of the series found last.
    next: usize,
}

/// One series and what is known of it.
#[derive(Debug)]
pub struct Series<T, D = ()> {
    /// The name of its metrics.
    pub name: CompactString,
    /// The tags of its metrics, sorted by key.
    pub tags: Vec<Tag>,
    /// What is known of it.
    pub value: T,
    distinction: D,
    hash: u64,
}

impl<T, D> Default for SeriesMap<T, D> {
    fn default() -> SeriesMap<T, D> {
        SeriesMap {
            places: HashTable::new(),
            hashing: DefaultHashBuilder::default(),
            entries: Vec::new(),
            next: 0,
        }
    }
}

impl<T> SeriesMap<T> {
    /// The value of the metric's series, if it has been seen.
    pub fn get_mut(&mut self, metric: &Metric) -> Option<&mut T> {
        let place = self.find(metric, &()).ok()?;
        self.next = place + 1;
        Some(&mut self.entries[place].value)
    }

    /// The value of the metric's series, which is made where it is seen for the first time.
    pub fn get_or_insert_with(&mut self, metric: &Metric, make: impl FnOnce() -> T) -> &mut T {
        self.get_or_insert_distinct(metric, (), make)
    }
}

impl<T, D: Hash + Eq> SeriesMap<T, D> {
    /// The value of the metric's series of this distinction, which is made where it is seen for
    /// the first time.
    pub fn get_or_insert_distinct(
        &mut self,
        metric: &Metric,
        distinction: D,
        make: impl FnOnce() -> T,
    ) -> &mut T {
        let place = match self.find(metric, &distinction) {
            Ok(place) => place,
            Err(hash) => {
                let place = self.entries.len();
                let entries = &self.entries;
                self.places.insert_unique(hash, place, |place| entries[*place].hash);
                self.entries.push(Series {
                    name: metric.name.clone(),
                    tags: metric.tags().to_vec(),
                    value: make(),
                    distinction,
                    hash,
                });
                place
            }
        };
        self.next = place + 1;
        &mut self.entries[place].value
    }

    /// The place of a series, or its hash where it has none.
    fn find(&self, metric: &Metric, distinction: &D) -> Result<usize, u64> {
        let next = if self.next < self.entries.len() { self.next } else { 0 };
        if self.entries.get(next).is_some_and(|entry| entry.is_of(metric, distinction)) {
            return Ok(next);
        }
        let mut hasher = self.hashing.build_hasher();
        metric.name.hash(&mut hasher);
        for tag in metric.tags() {
            tag.hash(&mut hasher);
        }
        distinction.hash(&mut hasher);
        let hash = hasher.finish();
        let is_it = |place: &usize| {
            let entry = &self.entries[*place];
            // Hashes may be equal by chance, so that only the names tell.
            entry.hash == hash && entry.is_of(metric, distinction)
        };
        self.places.find(hash, is_it).copied().ok_or(hash)
    }
}

impl<T, D> SeriesMap<T, D> {
    /// How many series there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The series in the order in which they were first seen.
    pub fn iter(&self) -> impl Iterator<Item = &Series<T, D>> {
        self.entries.iter()
    }

    /// The series for changing what is known of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Series<T, D>> {
        self.entries.iter_mut()
    }

    /// Takes all series out; room for as many stays.
    pub fn drain(&mut self) -> impl Iterator<Item = Series<T, D>> {
        self.places.clear();
        self.entries.drain(..)
    }

    /// Forgets all series; room for as many stays.
    pub fn clear(&mut self) {
        self.places.clear();
        self.entries.clear();
    }

    /// Keeps only the series for which `keep` holds.
    pub fn retain(&mut self, keep: impl FnMut(&mut Series<T, D>) -> bool) {
        let count = self.entries.len();
        self.entries.retain_mut(keep);
        if self.entries.len() == count {
            return;
        }
        self.places.clear();
        let entries = &self.entries;
        for (place, entry) in entries.iter().enumerate() {
            self.places.insert_unique(entry.hash, place, |place| entries[*place].hash);
        }
    }
}

impl<T, D: Eq> Series<T, D> {
    fn is_of(&self, metric: &Metric, distinction: &D) -> bool {
        // What tells series apart is mostly the value of a tag.
        let is_same = |(own, other): (&Tag, &Tag)| own.value == other.value && own.key == other.key;
        self.tags.len() == metric.tags().len()
            && self.tags.iter().zip(metric.tags()).all(is_same)
            && self.name == metric.name
            && self.distinction == *distinction
    }
}

impl<T, D> Series<T, D> {
    /// What tells the series from others of its name and tags.
    pub fn distinction(&self) -> &D {
        &self.distinction
    }

    /// A metric of this series.
    pub fn metric(&self, time: Timestamp, fields: Vec<Field>) -> Metric {
        Metric::from_lists(self.name.clone(), time, self.tags.clone(), fields)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metric(name: &str, tags: &[(&str, &str)]) -> Metric {
        let mut metric = Metric::new(name, Timestamp::EPOCH);
        tags.iter().for_each(|(key, value)| metric.set_tag(*key, *value));
        metric
    }

    #[test]
    fn name_and_tags_make_a_series_whatever_the_order_of_tags() {
        let mut counts = SeriesMap::<u32>::default();
        for metric in [
            metric("a", &[("x", "1"), ("y", "2")]),
            metric("a", &[("y", "2"), ("x", "1")]),
            metric("a", &[("x", "1")]),
            metric("ax", &[("", "1")]),
            metric("a", &[("x1", "y2")]),
        ] {
            *counts.get_or_insert_with(&metric, || 0) += 1;
        }
        let counts: Vec<_> = counts.iter().map(|series| series.value).collect();
        assert_eq!(counts, [2, 1, 1, 1]);
    }

    #[test]
    fn a_time_can_tell_series_apart() {
        let mut counts = SeriesMap::<u32, Timestamp>::default();
        for seconds in [1, 2, 1] {
            let time = Timestamp::from_seconds(seconds);
            *counts.get_or_insert_distinct(&metric("a", &[]), time, || 0) += 1;
        }
        let counts: Vec<_> =
            counts.iter().map(|series| (series.distinction().seconds(), series.value)).collect();
        assert_eq!(counts, [(1, 2), (2, 1)]);
    }

    #[test]
    fn what_is_cleared_is_not_found_again() {
        let mut counts = SeriesMap::<u32>::default();
        counts.get_or_insert_with(&metric("a", &[]), || 1);
        assert!(counts.get_mut(&metric("a", &[])).is_some());
        counts.clear();
        assert!(counts.get_mut(&metric("a", &[])).is_none() && counts.is_empty());
    }

    proptest! {
        #[test]
        fn a_map_of_series_is_a_map(
            keys in prop::collection::vec((0u8..8, 0u8..8), 0..200),
            modulus in 1u8..4,
        ) {
            let mut ours = SeriesMap::<u32>::default();
            let mut theirs = std::collections::BTreeMap::new();
            for (at, (name, tag)) in keys.iter().enumerate() {
                let metric = metric(&name.to_string(), &[("t", &tag.to_string())]);
                *ours.get_or_insert_with(&metric, || 0) += 1;
                *theirs.entry((*name, *tag)).or_insert(0) += 1;
                if at == keys.len() / 2 {
                    ours.retain(|series| series.value % u32::from(modulus) == 0);
                    theirs.retain(|_, count| *count % u32::from(modulus) == 0);
                }
            }
            prop_assert_eq!(ours.len(), theirs.len());
            for ((name, tag), count) in theirs {
                let metric = metric(&name.to_string(), &[("t", &tag.to_string())]);
                prop_assert_eq!(ours.get_mut(&metric).copied(), Some(count));
            }
        }
    }
}
