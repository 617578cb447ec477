//! The five types a field can have.

use compact_str::CompactString;

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A 64-bit floating point number; NaN and infinities may occur and are left out by serializers.
    Float(f64),
    /// A signed 64-bit integer.
    Integer(i64),
    /// An unsigned 64-bit integer.
    Unsigned(u64),
    /// True or false.
    Boolean(bool),
    /// Text.
    String(CompactString),
}

impl Value {
    /// The value as a float if it is a number of any type.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Float(value) => Some(*value),
            Value::Integer(value) => Some(*value as f64),
            Value::Unsigned(value) => Some(*value as f64),
            Value::Boolean(_) | Value::String(_) => None,
        }
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Float(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Integer(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Value {
        Value::Unsigned(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Boolean(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::String(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::String(value.into())
    }
}

impl From<CompactString> for Value {
    fn from(value: CompactString) -> Value {
        Value::String(value)
    }
}
