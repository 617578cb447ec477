//! What a line is made of, and the metric that its parts come to.

use compact_str::CompactString;

use super::error::Reason;
use super::text::Text;
use crate::metric::{Field, Metric, Tag, Timestamp, Value};

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

/// A number as it stands in a line, without the letter behind it that tells its type.
#[derive(Debug, Clone, Copy)]
pub enum Number<'i> {
    /// A number with or without a fraction.
    Float(&'i [u8]),
    /// A whole number.
    Integer(&'i [u8]),
    /// A whole number without a sign.
    Unsigned(&'i [u8]),
}

impl Number<'_> {
    /// Its value.
    ///
    /// # Errors
    /// If it only looked like a number, or is out of range.
    pub fn value(&self) -> Result<Value, Reason> {
        let (Number::Float(text) | Number::Integer(text) | Number::Unsigned(text)) = self;
        let text = std::str::from_utf8(text).map_err(|_| Reason::Syntax)?;
        let value = match self {
            Number::Integer(_) => text.parse().ok().map(Value::Integer),
            Number::Unsigned(_) => text.parse().ok().map(Value::Unsigned),
            Number::Float(_) => match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Some(Value::Float(value)),
                Ok(_) => None,
                Err(_) => return Err(Reason::Syntax),
            },
        };
        value.ok_or(Reason::Range)
    }
}

/// Makes a metric of a line.
pub(super) struct MetricParts {
    expected: (usize, usize),
    name: CompactString,
    tags: Vec<Tag>,
    fields: Vec<Field>,
}

impl MetricParts {
    /// Expects so many tags and fields.
    pub(super) fn expecting(expected: (usize, usize)) -> MetricParts {
        let (tags, fields) = (Vec::new(), Vec::new());
        MetricParts { expected, name: CompactString::default(), tags, fields }
    }

    /// How many tags and fields there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.tags.len(), self.fields.len())
    }

    pub(super) fn into_metric(self, time: Timestamp) -> Metric {
        Metric::from_lists(self.name, time, self.tags, self.fields)
    }
}

impl Parts for MetricParts {
    fn name(&mut self, name: Text<'_>) {
        self.name = name.into();
        self.tags.reserve_exact(self.expected.0);
        self.fields.reserve_exact(self.expected.1.max(1));
    }

    fn tag(&mut self, key: Text<'_>, value: Text<'_>) {
        self.tags.push(Tag { key: key.into(), value: value.into() });
    }

    fn field(&mut self, key: Text<'_>, value: FieldValue<'_>) -> Result<(), Reason> {
        let value = match value {
            FieldValue::String(text) => Value::String(text.into()),
            FieldValue::Boolean(value) => Value::Boolean(value),
            FieldValue::Number(number) => number.value()?,
        };
        self.fields.push(Field { key: key.into(), value });
        Ok(())
    }
}
