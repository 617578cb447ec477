//! The samples of a batch, brought together by family and labels.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use compact_str::CompactString;

use crate::metric::{Timestamp, ValueType};

/// A label of a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Label {
    pub(super) name: CompactString,
    pub(super) value: CompactString,
}

/// The labels of a series, shared by all fields of a metric.
pub(super) type Labels = Arc<[Label]>;

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
pub(super) struct Family {
    pub(super) name: CompactString,
    pub(super) value_type: ValueType,
    pub(super) series: Vec<Series>,
    places: HashMap<Labels, usize>,
}

/// What is known under one set of labels.
pub(super) struct Series {
    pub(super) labels: Labels,
    pub(super) time: Timestamp,
    pub(super) measured: Measured,
}

pub(super) enum Measured {
    Single(f64),
    Distribution(Distribution),
}

/// A histogram or summary.
#[derive(Default)]
pub(super) struct Distribution {
    pub(super) count: u64,
    pub(super) sum: f64,
    /// Upper bounds or quantiles, and the value of each.
    pub(super) points: Vec<(f64, f64)>,
}

/// All families, in the order they came.
#[derive(Default)]
pub(super) struct Collection {
    pub(super) families: Vec<Family>,
    places: HashMap<(CompactString, ValueType), usize>,
}

impl Collection {
    /// Takes a sample in; one that is older than what is there is passed over.
    pub(super) fn add(
        &mut self,
        name: CompactString,
        value_type: ValueType,
        labels: &Labels,
        time: Timestamp,
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
                series.time = time;
                series
            }
            Entry::Vacant(free) => {
                let place = *free.insert(family.series.len());
                let measured = match sample {
                    Sample::Single(value) => Measured::Single(value),
                    _ => Measured::Distribution(Distribution::default()),
                };
                family.series.push(Series { labels: labels.clone(), time, measured });
                &mut family.series[place]
            }
        };
        series.measured.take(sample);
    }

    /// Sorts families by name and series by labels, fewer ones first.
    pub(super) fn sort(&mut self) {
        self.families
            .sort_by(|a, b| a.name.cmp(&b.name).then(rank(a.value_type).cmp(&rank(b.value_type))));
        for family in &mut self.families {
            family.series.sort_by(|a, b| {
                a.labels.len().cmp(&b.labels.len()).then_with(|| a.labels.cmp(&b.labels))
            });
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
