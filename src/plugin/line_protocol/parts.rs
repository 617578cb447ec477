//! What a line is made of, and the metric that its parts come to.

use compact_str::CompactString;

use super::error::Reason;
use super::number::Number;
use super::text::Text;
use crate::metric::{Field, Metric, Tag, Timestamp, Value, spare_lists};

/// Takes the parts of a line in the order in which they stand there: the name, tags, fields.
pub trait Parts {
    /// Takes the measurement's name.
    fn name(&mut self, name: Text<'_>);

    /// Takes a tag.
    fn tag(&mut self, key: Text<'_>, value: Text<'_>);

    /// Takes a field.
    ///
    /// # Errors
    /// If its number is none, or does not fit; the line is faulty then.
    fn field(&mut self, key: Text<'_>, value: FieldValue<'_>) -> Result<(), Reason>;
}

/// A field's value as it stands in a line.
#[derive(Debug, Clone, Copy)]
pub enum FieldValue<'i> {
    /// A string.
    String(Text<'i>),
    /// True or false.
    Boolean(bool),
    /// What looks like a number.
    Number(Number<'i>),
}

/// The name and the keys of a line: the next one most likely has the same.
///
/// To copy a short text that is there already takes far less than to make it.
#[derive(Default)]
pub(super) struct LastLine {
    name: CompactString,
    /// Tags without values.
    tags: Vec<Tag>,
    /// Fields with values of no meaning.
    fields: Vec<Field>,
}

/// Makes a metric of a line.
pub(super) struct MetricParts<'l> {
    last: &'l mut LastLine,
    tags: Vec<Tag>,
    fields: Vec<Field>,
}

impl MetricParts<'_> {
    /// Begins a line behind another one.
    pub(super) fn behind(last: &mut LastLine) -> MetricParts<'_> {
        let (tags, fields) = (Vec::new(), Vec::new());
        MetricParts { last, tags, fields }
    }

    pub(super) fn into_metric(self, time: Timestamp) -> Metric {
        Metric::from_lists(self.last.name.clone(), time, self.tags, self.fields)
    }
}

impl Parts for MetricParts<'_> {
    fn name(&mut self, name: Text<'_>) {
        name.write_to(&mut self.last.name);
        (self.tags, self.fields) = spare_lists();
        self.tags.reserve_exact(self.last.tags.len());
        self.fields.reserve_exact(self.last.fields.len().max(1));
    }

    fn tag(&mut self, key: Text<'_>, value: Text<'_>) {
        let place = self.tags.len();
        if place == self.last.tags.len() {
            let (key, value) = (CompactString::default(), CompactString::default());
            self.last.tags.push(Tag { key, value });
        }
        let last = &mut self.last.tags[place];
        key.write_to(&mut last.key);
        self.tags.extend_from_slice(std::slice::from_ref(last));
        value.write_to(&mut self.tags[place].value);
    }

    fn field(&mut self, key: Text<'_>, value: FieldValue<'_>) -> Result<(), Reason> {
        let place = self.fields.len();
        if place == self.last.fields.len() {
            let (key, value) = (CompactString::default(), Value::Float(0.0));
            self.last.fields.push(Field { key, value });
        }
        let last = &mut self.last.fields[place];
        key.write_to(&mut last.key);
        self.fields.extend_from_slice(std::slice::from_ref(last));
        self.fields[place].value = match value {
            FieldValue::String(text) => Value::String(text.into()),
            FieldValue::Boolean(value) => Value::Boolean(value),
            FieldValue::Number(number) => number.value()?,
        };
        Ok(())
    }
}
