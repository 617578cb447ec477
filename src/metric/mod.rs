//! Metrics as plain values: a name, tags, fields and a time.
//!
//! # References
//! Telegraf's `metric.go` for the model; the InfluxDB line protocol reference for the types.

mod binary;
mod companion;
mod float;
mod origin;
mod parts;
mod timestamp;
mod value;

pub use binary::BinaryError;
pub use companion::{Accompany, Companion};
pub use float::{PlainFloat, push_plain_float};
pub use origin::{Origin, OriginalRecord, RecordHeader};
pub use parts::{free_spare_lists, spare_lists};
pub use timestamp::{Timestamp, seconds};
pub use value::Value;

use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};

use compact_str::CompactString;

use parts::Parts;

/// What kind of quantity the fields of a metric are; outputs such as Prometheus care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ValueType {
    /// Only ever grows, until it is reset.
    Counter,
    /// May go up and down.
    Gauge,
    /// Nothing is known.
    #[default]
    Untyped,
    /// Quantiles with sum and count.
    Summary,
    /// Buckets with sum and count.
    Histogram,
}

/// A key and a value that describe where a metric comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// The tag's key.
    pub key: CompactString,
    /// The tag's value.
    pub value: CompactString,
}

/// One measured value under its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The field's key.
    pub key: CompactString,
    /// What was measured.
    pub value: Value,
}

/// One metric: what was measured, where, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The measurement's name.
    pub name: CompactString,
    /// When it was measured.
    pub time: Timestamp,
    /// What kind of quantity the fields are.
    pub value_type: ValueType,
    /// What goes along with it until it is done with.
    pub companion: Companion,
    parts: Parts,
}

impl Metric {
    /// Makes a metric without tags and fields.
    pub fn new(name: impl Into<CompactString>, time: Timestamp) -> Metric {
        Metric {
            name: name.into(),
            time,
            value_type: ValueType::Untyped,
            companion: Companion::default(),
            parts: Parts::default(),
        }
    }

    /// Makes a metric from tags and fields in the order they were read.
    ///
    /// Where a key comes twice the last value wins; a field keeps the place of the first. Unlike
    /// setting one after the other this takes no quadratic time on input that holds very many.
    pub fn from_lists(
        name: impl Into<CompactString>,
        time: Timestamp,
        mut tags: Vec<Tag>,
        mut fields: Vec<Field>,
    ) -> Metric {
        if !tags.is_sorted_by(|a, b| a.key < b.key) {
            // The sort is stable: after the turn the last of equal keys stands first and is kept.
            tags.reverse();
            tags.sort_by(|a, b| a.key.cmp(&b.key));
            tags.dedup_by(|later, kept| later.key == kept.key);
        }
        if has_double_key(&fields) {
            fields = merge_double_keys(fields);
        }
        let (name, parts) = (name.into(), Parts { tags, fields });
        let (value_type, companion) = (ValueType::Untyped, Companion::default());
        Metric { name, time, value_type, companion, parts }
    }

    /// Sets the value type; for building a metric in one expression.
    #[must_use]
    pub fn with_type(mut self, value_type: ValueType) -> Metric {
        self.value_type = value_type;
        self
    }

    /// Sets a tag; for building a metric in one expression.
    #[must_use]
    pub fn with_tag(
        mut self,
        key: impl Into<CompactString>,
        value: impl Into<CompactString>,
    ) -> Metric {
        self.set_tag(key, value);
        self
    }

    /// Sets a field; for building a metric in one expression.
    #[must_use]
    pub fn with_field(mut self, key: impl Into<CompactString>, value: impl Into<Value>) -> Metric {
        self.set_field(key, value);
        self
    }

    /// The tags, sorted by key, each key once.
    pub fn tags(&self) -> &[Tag] {
        &self.parts.tags
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.find_tag(key).ok().map(|at| self.parts.tags[at].value.as_str())
    }

    /// Sets a tag, replacing the value it may have had.
    pub fn set_tag(&mut self, key: impl Into<CompactString>, value: impl Into<CompactString>) {
        let (key, value) = (key.into(), value.into());
        match self.find_tag(&key) {
            Ok(at) => self.parts.tags[at].value = value,
            Err(at) => self.parts.tags.insert(at, Tag { key, value }),
        }
    }

    /// The tags, by key, for changing their values in place.
    pub fn tag_values_mut(&mut self) -> impl Iterator<Item = (&str, &mut CompactString)> {
        self.parts.tags.iter_mut().map(|tag| (tag.key.as_str(), &mut tag.value))
    }

    /// Removes a tag and returns its value.
    pub fn remove_tag(&mut self, key: &str) -> Option<CompactString> {
        self.find_tag(key).ok().map(|at| self.parts.tags.remove(at).value)
    }

    /// Takes away the tag at a place in the list, which must be below its length.
    pub fn remove_tag_at(&mut self, at: usize) -> Tag {
        self.parts.tags.remove(at)
    }

    /// Keeps only the tags for which `keep` holds.
    pub fn retain_tags(&mut self, keep: impl FnMut(&Tag) -> bool) {
        self.parts.tags.retain(keep);
    }

    /// The fields, in the order they were added, each key once.
    pub fn fields(&self) -> &[Field] {
        &self.parts.fields
    }

    /// The fields for changing values in place; keys must stay distinct.
    pub fn fields_mut(&mut self) -> &mut [Field] {
        &mut self.parts.fields
    }

    /// The value of a field.
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.parts.fields.iter().find(|field| field.key == key).map(|field| &field.value)
    }

    /// Sets a field, replacing the value it may have had but keeping its place.
    pub fn set_field(&mut self, key: impl Into<CompactString>, value: impl Into<Value>) {
        let key = key.into();
        let value = value.into();
        match self.parts.fields.iter_mut().find(|field| field.key == key) {
            Some(field) => field.value = value,
            None => self.parts.fields.push(Field { key, value }),
        }
    }

    /// Removes a field and returns its value.
    pub fn remove_field(&mut self, key: &str) -> Option<Value> {
        let at = self.parts.fields.iter().position(|field| field.key == key)?;
        Some(self.parts.fields.remove(at).value)
    }

    /// Takes away the field at a place in the list, which must be below its length.
    pub fn remove_field_at(&mut self, at: usize) -> Field {
        self.parts.fields.remove(at)
    }

    /// Keeps only the fields for which `keep` holds.
    pub fn retain_fields(&mut self, keep: impl FnMut(&Field) -> bool) {
        self.parts.fields.retain(keep);
    }

    // A metric has a handful of tags, so a linear look beats a binary search.
    fn find_tag(&self, key: &str) -> Result<usize, usize> {
        for (at, tag) in self.parts.tags.iter().enumerate() {
            match tag.key.as_str().cmp(key) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(at),
                std::cmp::Ordering::Greater => return Err(at),
            }
        }
        Err(self.parts.tags.len())
    }
}

fn has_double_key(fields: &[Field]) -> bool {
    /// Up to this many fields comparing all pairs is faster than hashing.
    const FEW: usize = 24;
    if fields.len() <= FEW {
        return (1..fields.len())
            .any(|at| fields[..at].iter().any(|earlier| earlier.key == fields[at].key));
    }
    let mut seen = HashSet::with_capacity(fields.len());
    !fields.iter().all(|field| seen.insert(field.key.as_str()))
}

fn merge_double_keys(fields: Vec<Field>) -> Vec<Field> {
    let mut places = HashMap::with_capacity(fields.len());
    let mut merged: Vec<Field> = Vec::with_capacity(fields.len());
    for field in fields {
        match places.entry(field.key.clone()) {
            Entry::Occupied(place) => {
                let place: usize = *place.get();
                merged[place].value = field.value;
            }
            Entry::Vacant(free) => {
                free.insert(merged.len());
                merged.push(field);
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_as_if_set_one_after_the_other() {
        // 40 keys, each twice, is beyond the size at which keys are hashed.
        for count in [1_usize, 3, 40] {
            let keys: Vec<_> = (0..2 * count).map(|at| format!("k{}", (at * 7) % count)).collect();
            let tags = keys
                .iter()
                .enumerate()
                .map(|(at, key)| Tag { key: key.into(), value: at.to_string().into() });
            let fields = keys
                .iter()
                .enumerate()
                .map(|(at, key)| Field { key: key.into(), value: Value::Integer(at as i64) });
            let mut expected = Metric::new("m", Timestamp::EPOCH);
            tags.clone().for_each(|tag| expected.set_tag(tag.key, tag.value));
            fields.clone().for_each(|field| expected.set_field(field.key, field.value));
            let metric =
                Metric::from_lists("m", Timestamp::EPOCH, tags.collect(), fields.collect());
            assert_eq!(metric, expected);
        }
    }

    #[test]
    fn tags_stay_sorted_and_distinct() {
        let mut metric = Metric::new("m", Timestamp::EPOCH)
            .with_tag("b", "1")
            .with_tag("a", "2")
            .with_tag("c", "3");
        metric.set_tag("b", "4");
        let tags: Vec<_> =
            metric.tags().iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect();
        assert_eq!(tags, ["a=2", "b=4", "c=3"]);
        assert_eq!(metric.remove_tag("b").as_deref(), Some("4"));
        assert_eq!(metric.tag("b"), None);
    }

    #[test]
    fn a_field_set_again_keeps_its_place() {
        let mut metric =
            Metric::new("m", Timestamp::EPOCH).with_field("x", 1i64).with_field("y", 2i64);
        metric.set_field("x", 3.5);
        assert_eq!(metric.fields()[0].key, "x");
        assert_eq!(metric.field("x"), Some(&Value::Float(3.5)));
        assert_eq!(metric.fields().len(), 2);
    }
}
