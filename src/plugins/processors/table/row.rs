//! Rows of the table: what a metric gets from one, and how it is read.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use compact_str::CompactString;
use serde_json::Value as Json;

use crate::metric::{Field, Metric, PlainFloat, Tag, Timestamp, Value};
use crate::plugin::{Parser, Patterns, PluginError};

/// What metrics get that have the row's key.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    pub(super) tags: Vec<Tag>,
    pub(super) fields: Vec<Field>,
}

/// All rows by their keys, shared with whoever keeps them up to date.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows(Arc<RwLock<HashMap<CompactString, Row>>>);

impl Rows {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, HashMap<CompactString, Row>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, HashMap<CompactString, Row>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which columns of a row metrics get, and as what.
#[derive(Debug)]
pub(super) struct Columns {
    /// None for no column.
    pub(super) tags: Option<Patterns>,
    pub(super) fields: Option<Patterns>,
    pub(super) prefix: String,
}

impl Columns {
    /// Makes a row of columns; of those that come twice the last one counts.
    pub(super) fn row(&self, columns: impl IntoIterator<Item = (CompactString, Value)>) -> Row {
        let mut row = Metric::new("", Timestamp::EPOCH);
        let is_in = |patterns: &Option<Patterns>, name: &str| {
            patterns.as_ref().is_some_and(|patterns| patterns.match_any(name))
        };
        for (name, value) in columns {
            let key = || format!("{}{name}", self.prefix);
            if is_in(&self.tags, &name) {
                let text = as_text(&value);
                if !text.is_empty() {
                    row.set_tag(key(), text);
                }
            } else if is_in(&self.fields, &name) {
                row.set_field(key(), value);
            }
        }
        Row { tags: row.tags().to_vec(), fields: row.fields().to_vec() }
    }
}

/// A value as a tag or a key has it.
pub(super) fn as_text(value: &Value) -> CompactString {
    match value {
        Value::Float(value) => PlainFloat(*value).to_string().into(),
        Value::Integer(value) => itoa::Buffer::new().format(*value).into(),
        Value::Unsigned(value) => itoa::Buffer::new().format(*value).into(),
        Value::Boolean(value) => if *value { "true" } else { "false" }.into(),
        Value::String(value) => value.clone(),
    }
}

/// Named values of one row.
pub(super) type Values = Vec<(CompactString, Value)>;

/// How a row is written.
pub(super) enum RowFormat {
    /// An object, members of members as `outer_inner`.
    Json,
    /// A line of line protocol, or of another format that a parser reads, with tags and fields.
    Metric(Box<dyn Parser>),
}

impl RowFormat {
    /// Reads one row.
    ///
    /// # Errors
    /// If it is written in another way.
    pub(super) fn read(&mut self, text: &[u8]) -> Result<Values, PluginError> {
        match self {
            RowFormat::Json => {
                let Json::Object(members) = serde_json::from_slice(text)? else {
                    return Err("the value is no JSON object".into());
                };
                let mut values = Vec::new();
                for (name, value) in members {
                    flatten(name, value, &mut values);
                }
                Ok(values)
            }
            RowFormat::Metric(parser) => {
                let metrics = parser.parse(text)?;
                let mut values = Vec::new();
                for metric in &metrics {
                    let tags = metric.tags().iter();
                    values.extend(tags.map(|tag| (tag.key.clone(), tag.value.clone().into())));
                    let fields = metric.fields().iter();
                    values.extend(fields.map(|field| (field.key.clone(), field.value.clone())));
                }
                Ok(values)
            }
        }
    }
}

/// Takes a member and those below it; lists have the places as names, and nulls are left out.
fn flatten(name: String, value: Json, values: &mut Values) {
    let value: Value = match value {
        Json::Null => return,
        Json::Bool(value) => value.into(),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), ..) => value.into(),
            (None, Some(value), _) => value.into(),
            (None, None, Some(value)) => value.into(),
            (None, None, None) => return,
        },
        Json::String(text) => text.into(),
        Json::Array(members) => {
            for (at, member) in members.into_iter().enumerate() {
                flatten(format!("{name}_{at}"), member, values);
            }
            return;
        }
        Json::Object(members) => {
            for (inner, member) in members {
                flatten(format!("{name}_{inner}"), member, values);
            }
            return;
        }
    };
    values.push((name.into(), value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_tags_or_fields_or_nothing() {
        let patterns = |text: &str| Patterns::new(&[text.to_owned()]).unwrap();
        let columns =
            Columns { tags: patterns("r*"), fields: patterns("[nof]*"), prefix: "t_".into() };
        let text = r#"{"rack":"a","room":12,"row":null,"n":1.5,"on":true,"x":1,
                       "o":{"p":-3,"q":["z"]},"f":18446744073709551615,"r2":""}"#;
        let row = columns.row(RowFormat::Json.read(text.as_bytes()).unwrap());
        let tags: Vec<_> =
            row.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect();
        assert_eq!(tags, ["t_rack=a", "t_room=12"]);
        let field = |key: &str| row.fields.iter().find(|field| field.key == key).unwrap();
        assert_eq!(row.fields.len(), 5);
        assert_eq!(field("t_n").value, Value::Float(1.5));
        assert_eq!(field("t_on").value, Value::Boolean(true));
        assert_eq!(field("t_o_p").value, Value::Integer(-3));
        assert_eq!(field("t_o_q_0").value, Value::String("z".into()));
        assert_eq!(field("t_f").value, Value::Unsigned(u64::MAX));
    }

    #[test]
    fn what_is_no_object_is_no_row() {
        for text in ["", "1", "[1]", "{", "null"] {
            assert!(RowFormat::Json.read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
