//! What the columns mean.

use compact_str::CompactString;

use super::Config;
use crate::metric::Value;
use crate::plugin::go::{NumberError, parse_bool, parse_float, parse_integer};

/// Why a value does not fit its column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// It is no whole number.
    #[error("column type: parse int error {0}")]
    Integer(NumberError),
    /// It is no number.
    #[error("column type: parse float error {0}")]
    Float(NumberError),
    /// It is neither true nor false.
    #[error("column type: parse bool error {0}")]
    Boolean(NumberError),
    /// There are more columns than types.
    #[error("column type: column count exceeded")]
    NoType,
}

/// The columns in their order.
pub(super) struct Columns {
    pub(super) list: Vec<Column>,
    /// How many of them are tags.
    pub(super) tags: usize,
}

pub(super) struct Column {
    pub(super) key: CompactString,
    pub(super) role: Role,
}

/// What becomes of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Ignored,
    Tag,
    Field(ColumnType),
    Time,
    Name(ColumnType),
    TimeAndName,
}

/// What the values of a column are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// Whatever each value looks like.
    Guessed,
    Integer,
    Float,
    Boolean,
    Text,
    /// The types that are set do not go so far.
    Missing,
}

impl Columns {
    pub(super) fn new(names: impl Iterator<Item = CompactString>, config: &Config) -> Columns {
        let list: Vec<_> = names
            .enumerate()
            .map(|(at, key)| Column { role: role(at, &key, config), key })
            .collect();
        let tags = list.iter().filter(|column| column.role == Role::Tag).count();
        Columns { list, tags }
    }
}

fn role(at: usize, name: &str, config: &Config) -> Role {
    let column_type = ColumnType::of(at, &config.csv_column_types);
    let is_name = name == config.csv_measurement_column;
    if config.csv_tag_columns.iter().any(|tag| tag == name) {
        Role::Tag
    } else if name.is_empty()
        && (config.csv_timestamp_column.is_empty() || config.csv_measurement_column.is_empty())
    {
        // A name that is not set is taken for one that is empty, and the column for that one.
        Role::Ignored
    } else if name == config.csv_timestamp_column {
        if is_name { Role::TimeAndName } else { Role::Time }
    } else if is_name {
        Role::Name(column_type)
    } else {
        Role::Field(column_type)
    }
}

impl ColumnType {
    fn of(at: usize, types: &[String]) -> ColumnType {
        match types.get(at).map(String::as_str) {
            None if types.is_empty() => ColumnType::Guessed,
            None => ColumnType::Missing,
            Some("int") => ColumnType::Integer,
            Some("float") => ColumnType::Float,
            Some("bool") => ColumnType::Boolean,
            Some(_) => ColumnType::Text,
        }
    }

    pub(super) fn read(self, text: &str) -> Result<Value, ValueError> {
        Ok(match self {
            ColumnType::Guessed => guessed(text),
            ColumnType::Integer => parse_integer(text, 10).map_err(ValueError::Integer)?.into(),
            ColumnType::Float => parse_float(text).map_err(ValueError::Float)?.into(),
            ColumnType::Boolean => parse_bool(text).map_err(ValueError::Boolean)?.into(),
            ColumnType::Text => text.into(),
            ColumnType::Missing => return Err(ValueError::NoType),
        })
    }
}

/// The first type that the text is of; most texts show in their first character that they are no
/// numbers.
fn guessed(text: &str) -> Value {
    let may_be_number = text.starts_with(|c: char| {
        c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'i' | 'I' | 'n' | 'N')
    });
    if may_be_number {
        if let Ok(value) = parse_integer(text, 10) {
            return Value::Integer(value);
        }
        if let Ok(value) = parse_float(text) {
            return Value::Float(value);
        }
    }
    parse_bool(text).map_or_else(|_| text.into(), Value::Boolean)
}
