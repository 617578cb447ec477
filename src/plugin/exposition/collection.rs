//! Samples, brought together by family and labels.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;

use crate::metric::{Timestamp, ValueType};

/// A label of a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// Its name, in which there are only characters that it may have.
    pub name: CompactString,
    /// Its value.
    pub value: CompactString,
}

/// The labels of a series, shared by all fields of a metric.
pub type Labels = Arc<[Label]>;

/// What one field says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Sample {
    Single(f64),
    Sum(f64),
    Count(u64),
    Bucket { bound: f64, count: u64 },
    Quantile { quantile: f64, value: f64 },
}

/// The series of one name and type.
pub struct Family {
    /// Its name, in which there are only characters that it may have.
    pub name: CompactString,
    /// What its series are.
    pub value_type: ValueType,
    /// Its series.
    pub series: Vec<Series>,
    places: HashMap<Labels, usize>,
}

/// What is known under one set of labels.
pub struct Series {
    /// The labels.
    pub labels: Labels,
    /// When it was measured.
    pub time: Timestamp,
    /// When it came, in elapsed time of some clock.
    pub came: Duration,
    /// What was measured.
    pub measured: Measured,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Measured {
    /// A number.
    Single(f64),
    /// A histogram or summary.
    Distribution(Distribution),
}

/// A histogram or summary.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distribution {
    /// How many values there were.
    pub count: u64,
    /// What they come to together.
    pub sum: f64,
    /// Upper bounds or quantiles, and the value of each.
    pub points: Vec<(f64, f64)>,
}

/// All families, in the order they came.
#[derive(Default)]
pub struct Collection {
    /// The families.
    pub families: Vec<Family>,
    places: HashMap<(CompactString, ValueType), usize>,
}

impl Collection {
    /// Takes a sample in; one that is older than what is there is passed over.
    pub(super) fn add(
        &mut self,
        (name, value_type): (CompactString, ValueType),
        labels: &Labels,
        time: Timestamp,
        came: Duration,
        sample: Sample,
    ) {
        let is_single = matches!(sample, Sample::Single(_));
        let may_be_single = !matches!(value_type, ValueType::Histogram | ValueType::Summary);
        if is_single != may_be_single {
            // A distribution that a setting says is a gauge or counter: there is no such form.
            return;
        }
        let family = match self.places.entry((name, value_type)) {
            Entry::Occupied(place) => &mut self.families[*place.get()],
            Entry::Vacant(free) => {
                let (name, value_type) = free.key().clone();
                free.insert(self.families.len());
                let (series, places) = (Vec::new(), HashMap::new());
                self.families.push(Family { name, value_type, series, places });
                let last = self.families.len() - 1;
                &mut self.families[last]
            }
        };
        let series = match family.places.entry(labels.clone()) {
            Entry::Occupied(place) => {
                let series = &mut family.series[*place.get()];
                if time < series.time {
                    return;
                }
                (series.time, series.came) = (time, came);
                series
            }
            Entry::Vacant(free) => {
                let place = *free.insert(family.series.len());
                let measured = match sample {
                    Sample::Single(value) => Measured::Single(value),
                    _ => Measured::Distribution(Distribution::default()),
                };
                family.series.push(Series { labels: labels.clone(), time, came, measured });
                &mut family.series[place]
            }
        };
        series.measured.take(sample);
    }

    /// Sorts families by name and series by labels, fewer ones first.
    pub fn sort(&mut self) {
        self.families
            .sort_by(|a, b| a.name.cmp(&b.name).then(rank(a.value_type).cmp(&rank(b.value_type))));
        for family in &mut self.families {
            family.series.sort_by(|a, b| {
                a.labels.len().cmp(&b.labels.len()).then_with(|| a.labels.cmp(&b.labels))
            });
        }
    }

    /// Forgets the series that came before `oldest`, and families without any.
    pub fn forget_before(&mut self, oldest: Duration) {
        let is_old = |series: &Series| series.came < oldest;
        let mut is_empty = false;
        for family in &mut self.families {
            if family.series.iter().any(is_old) {
                family.series.retain(|series| !is_old(series));
                let places = family.series.iter().enumerate();
                family.places = places.map(|(at, series)| (series.labels.clone(), at)).collect();
                is_empty |= family.series.is_empty();
            }
        }
        if is_empty {
            self.families.retain(|family| !family.series.is_empty());
            let places = self.families.iter().enumerate();
            self.places = places.map(|(at, f)| ((f.name.clone(), f.value_type), at)).collect();
        }
    }
}

/// The order that the original has types in.
fn rank(value_type: ValueType) -> u8 {
    match value_type {
        ValueType::Counter => 1,
        ValueType::Gauge => 2,
        ValueType::Untyped => 3,
        ValueType::Summary => 4,
        ValueType::Histogram => 5,
    }
}

impl Measured {
    fn take(&mut self, sample: Sample) {
        match (self, sample) {
            (Measured::Single(value), Sample::Single(new)) => *value = new,
            (Measured::Distribution(distribution), Sample::Sum(sum)) => distribution.sum = sum,
            (Measured::Distribution(distribution), Sample::Count(count)) => {
                distribution.count = count;
            }
            (Measured::Distribution(distribution), Sample::Bucket { bound, count }) => {
                distribution.set_point(bound, count as f64);
            }
            (Measured::Distribution(distribution), Sample::Quantile { quantile, value }) => {
                distribution.set_point(quantile, value);
            }
            // What a family holds is of the family's type.
            (Measured::Single(_) | Measured::Distribution(_), _) => {}
        }
    }
}

impl Distribution {
    fn set_point(&mut self, at: f64, value: f64) {
        match self.points.iter_mut().find(|(known, _)| *known == at) {
            Some((_, known)) => *known = value,
            None => self.points.push((at, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_forgotten_and_the_rest_is_found_again() {
        let mut collection = Collection::default();
        let add = |collection: &mut Collection, name: &str, label: &str, second| {
            let labels = Labels::from([Label { name: "l".into(), value: label.into() }]);
            let family = (CompactString::from(name), ValueType::Gauge);
            let sample = Sample::Single(second as f64);
            let came = Duration::from_secs(second);
            collection.add(family, &labels, Timestamp::EPOCH, came, sample);
        };
        for (name, label, second) in [("a", "1", 1), ("b", "1", 1), ("b", "2", 2), ("c", "1", 2)] {
            add(&mut collection, name, label, second);
        }
        collection.forget_before(Duration::from_secs(2));
        for name in ["b", "c"] {
            add(&mut collection, name, if name == "b" { "2" } else { "1" }, 3);
        }
        add(&mut collection, "b", "1", 3);
        let values = |family: &Family| {
            let values = family.series.iter().map(|series| series.measured.clone());
            (family.name.to_string(), values.collect::<Vec<_>>())
        };
        let single = Measured::Single(3.0);
        assert_eq!(
            collection.families.iter().map(values).collect::<Vec<_>>(),
            [
                ("b".to_owned(), vec![single.clone(), single.clone()]),
                ("c".to_owned(), vec![single])
            ]
        );
    }
}
