//! Metrics while they are made.
//!
//! An object's metric is shared by all that is made of its keys: a field that comes later is in what
//! came before as well. So metrics are told by their place in a list, and copied only where one
//! becomes several.

use compact_str::CompactString;

use crate::metric::{Metric, Timestamp, Value};

/// The place of a metric in the list.
pub(super) type Place = usize;

/// The list of metrics.
pub(super) struct Drafts {
    name: CompactString,
    list: Vec<Metric>,
}

impl Drafts {
    pub(super) fn new(name: CompactString) -> Drafts {
        Drafts { name, list: Vec::new() }
    }

    /// Adds a metric without tags and fields.
    pub(super) fn add(&mut self, time: Timestamp) -> Place {
        self.list.push(Metric::new(self.name.clone(), time));
        self.list.len() - 1
    }

    pub(super) fn set_time(&mut self, place: Place, time: Timestamp) {
        self.list[place].time = time;
    }

    pub(super) fn set_field(&mut self, place: Place, key: CompactString, value: Value) {
        self.list[place].set_field(key, value);
    }

    pub(super) fn set_tag(&mut self, place: Place, key: CompactString, value: CompactString) {
        self.list[place].set_tag(key, value);
    }

    /// Whether a metric has a tag or field of that key.
    pub(super) fn has_key(&self, place: Place, key: &str) -> bool {
        self.list[place].field(key).is_some() || self.list[place].tag(key).is_some()
    }

    /// Adds a metric that is another as it is now.
    pub(super) fn copy(&mut self, place: Place) -> Place {
        self.list.push(self.list[place].clone());
        self.list.len() - 1
    }

    /// Sets all tags and fields that one metric has in another.
    pub(super) fn merge(&mut self, from: Place, into: Place) {
        if from == into || self.is_empty(from) {
            return;
        }
        let from = self.list[from].clone();
        merge(&from, &mut self.list[into]);
    }

    fn is_empty(&self, place: Place) -> bool {
        self.list[place].fields().is_empty() && self.list[place].tags().is_empty()
    }

    /// Combines each of some metrics with each of others, whose values count where both have one.
    pub(super) fn product(&mut self, some: &[Place], others: Vec<Place>) -> Vec<Place> {
        if some.is_empty() {
            return others;
        }
        if others.is_empty() || some == others {
            // What is combined with itself stays as it is.
            return some.to_vec();
        }
        let mut places = Vec::with_capacity(some.len() * others.len());
        for one in some {
            for other in &others {
                let mut combined = self.list[*one].clone();
                merge(&self.list[*other], &mut combined);
                places.push(self.list.len());
                self.list.push(combined);
            }
        }
        places
    }

    /// Gives the metrics at these places.
    pub(super) fn into_metrics(self, places: &[Place]) -> Vec<Metric> {
        places.iter().map(|place| self.list[*place].clone()).collect()
    }
}

fn merge(from: &Metric, into: &mut Metric) {
    for field in from.fields() {
        into.set_field(field.key.clone(), field.value.clone());
    }
    for tag in from.tags() {
        into.set_tag(tag.key.clone(), tag.value.clone());
    }
}
