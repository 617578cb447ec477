//! Metrics as plain values: a name, tags, fields and a time.
//!
//! # References
//! Telegraf's `metric.go` for the model; the InfluxDB line protocol reference for the types.

mod timestamp;
mod value;

pub use timestamp::Timestamp;
pub use value::Value;

use compact_str::CompactString;

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
    tags: Vec<Tag>,
    fields: Vec<Field>,
}

impl Metric {
    /// Makes a metric without tags and fields.
    pub fn new(name: impl Into<CompactString>, time: Timestamp) -> Metric {
        Metric {
            name: name.into(),
            time,
            value_type: ValueType::Untyped,
            tags: Vec::new(),
            fields: Vec::new(),
        }
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
        &self.tags
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.find_tag(key).ok().map(|at| self.tags[at].value.as_str())
    }

    /// Sets a tag, replacing the value it may have had.
    pub fn set_tag(&mut self, key: impl Into<CompactString>, value: impl Into<CompactString>) {
        let (key, value) = (key.into(), value.into());
        match self.find_tag(&key) {
            Ok(at) => self.tags[at].value = value,
            Err(at) => self.tags.insert(at, Tag { key, value }),
        }
    }

    /// Removes a tag and returns its value.
    pub fn remove_tag(&mut self, key: &str) -> Option<CompactString> {
        self.find_tag(key).ok().map(|at| self.tags.remove(at).value)
    }

    /// Keeps only the tags for which `keep` holds.
    pub fn retain_tags(&mut self, keep: impl FnMut(&Tag) -> bool) {
        self.tags.retain(keep);
    }

    /// The fields, in the order they were added, each key once.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The fields for changing values in place; keys must stay distinct.
    pub fn fields_mut(&mut self) -> &mut [Field] {
        &mut self.fields
    }

    /// The value of a field.
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.fields.iter().find(|field| field.key == key).map(|field| &field.value)
    }

    /// Sets a field, replacing the value it may have had but keeping its place.
    pub fn set_field(&mut self, key: impl Into<CompactString>, value: impl Into<Value>) {
        let key = key.into();
        let value = value.into();
        match self.fields.iter_mut().find(|field| field.key == key) {
            Some(field) => field.value = value,
            None => self.fields.push(Field { key, value }),
        }
    }

    /// Removes a field and returns its value.
    pub fn remove_field(&mut self, key: &str) -> Option<Value> {
        let at = self.fields.iter().position(|field| field.key == key)?;
        Some(self.fields.remove(at).value)
    }

    /// Keeps only the fields for which `keep` holds.
    pub fn retain_fields(&mut self, keep: impl FnMut(&Field) -> bool) {
        self.fields.retain(keep);
    }

    // A metric has a handful of tags, so a linear look beats a binary search.
    fn find_tag(&self, key: &str) -> Result<usize, usize> {
        for (at, tag) in self.tags.iter().enumerate() {
            match tag.key.as_str().cmp(key) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(at),
                std::cmp::Ordering::Greater => return Err(at),
            }
        }
        Err(self.tags.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
