//! Points out of the values of beans: tags out of their names, fields out of their attributes.
//!
//! # References
//! Telegraf's `inputs.jolokia2_agent` and its `plugins/common/jolokia2` for the names.

use std::collections::BTreeMap;

use compact_str::{CompactString, format_compact};
use serde_json::{Map, Value as Json};

use super::selection::{Selection, properties};
use crate::metric::{Field, Metric, Tag, Timestamp, Value};

/// The name of a value that has none of its own.
const UNNAMED: &str = "value";

/// A value that has not the form of a list of beans.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer for the pattern {mbean:?} holds no beans")]
pub(super) struct NoBeans {
    mbean: String,
}

/// Tags, sorted by key.
type Tags = BTreeMap<CompactString, CompactString>;

/// Fields under names that each occur once.
type Fields = BTreeMap<CompactString, Value>;

/// Points of one measurement; those with the same tags are one.
#[derive(Debug, Default)]
pub(super) struct Points(BTreeMap<Tags, Fields>);

/// One answer, as far as names and values depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a> {
    /// The attributes that were asked for; all if there are none.
    pub(super) attributes: &'a [String],
    /// The path into the value of the attribute; none if empty.
    pub(super) path: &'a str,
    /// The machine that the agent asked in turn, if it is a proxy.
    pub(super) target: Option<&'a str>,
    pub(super) value: &'a Json,
}

impl Points {
    /// Adds what an answer holds.
    ///
    /// # Errors
    /// If a pattern was asked for, and what came is no list of beans.
    pub(super) fn add(&mut self, selection: &Selection, read: Read<'_>) -> Result<(), NoBeans> {
        let namer = Namer { selection, read };
        let mbean = selection.mbean.as_str();
        match read.value {
            value if !mbean.contains('*') || value.is_null() => self.add_bean(&namer, mbean, value),
            Json::Object(beans) => {
                beans.iter().for_each(|(name, value)| self.add_bean(&namer, name, value));
            }
            _ => return Err(NoBeans { mbean: mbean.to_owned() }),
        }
        Ok(())
    }

    fn add_bean(&mut self, namer: &Namer<'_>, mbean: &str, value: &Json) {
        self.0.entry(namer.tags(mbean)).or_default().append(&mut namer.fields(mbean, value));
    }

    /// The points as metrics with one more tag, which those that have it keep as it is.
    pub(super) fn into_metrics<'n>(
        self,
        name: &'n str,
        time: Timestamp,
        more: (&'n str, &'n str),
    ) -> impl Iterator<Item = Metric> + 'n {
        self.0.into_iter().filter(|(_, fields)| !fields.is_empty()).map(
            move |(mut tags, fields)| {
                tags.entry(more.0.into()).or_insert_with(|| more.1.into());
                // JMX quotes values of key properties that hold special characters.
                let bare = |value: CompactString| value.trim_matches(['\'', '"']).into();
                let tags = tags.into_iter().map(|(key, value)| Tag { key, value: bare(value) });
                let fields = fields.into_iter().map(|(key, value)| Field { key, value });
                Metric::from_lists(name, time, tags.collect(), fields.collect())
            },
        )
    }
}

/// Finds the names of tags and fields.
struct Namer<'a> {
    selection: &'a Selection,
    read: Read<'a>,
}

impl Namer<'_> {
    fn tags(&self, mbean: &str) -> Tags {
        let selection = self.selection;
        let mut tags: Tags = properties(mbean)
            .filter(|(key, _)| selection.tag_keys.iter().any(|wanted| wanted == key))
            .map(|(key, value)| (format_compact!("{}{key}", selection.tag_prefix), value.into()))
            .collect();
        if let Some(target) = self.read.target {
            tags.insert(super::URL_TAG.into(), target.into());
        }
        tags
    }

    fn fields(&self, mbean: &str, value: &Json) -> Fields {
        let mut fields = Fields::new();
        match (value, self.read.attributes) {
            (Json::Object(attributes), []) => self.add_members("", attributes, &mut fields),
            (Json::Object(values), several @ [_, _, ..]) => {
                for attribute in several {
                    if let Some(value) = values.get(attribute) {
                        self.add(&self.field_name(attribute), value, &mut fields);
                    }
                }
            }
            (value, attributes) => {
                let attribute = attributes.first().map_or(UNNAMED, String::as_str);
                self.add(&self.field_name(attribute), value, &mut fields);
            }
        }
        self.fill_placeholders(mbean, fields)
    }

    /// The name for the value of an attribute, or of a part of it.
    fn field_name(&self, attribute: &str) -> String {
        let Selection { field_prefix, field_separator, .. } = self.selection;
        match self.read.path {
            "" => format!("{field_prefix}{attribute}"),
            path => {
                let path = path.replace('/', field_separator);
                format!("{field_prefix}{attribute}{field_separator}{path}")
            }
        }
    }

    /// Adds a value, or all that it holds. Lists are left out: nothing names what is in them.
    fn add(&self, name: &str, value: &Json, fields: &mut Fields) {
        let value = match value {
            Json::Object(members) => return self.add_members(name, members, fields),
            Json::Array(_) | Json::Null => return,
            Json::Bool(value) => Value::Boolean(*value),
            Json::String(value) => Value::String(value.into()),
            // Whole numbers, too: attributes that are floats in Java come as such now and then.
            Json::Number(value) => match value.as_f64() {
                Some(value) => Value::Float(value),
                None => return,
            },
        };
        let Selection { field_name, field_prefix, .. } = self.selection;
        let name = match (field_name.as_str(), name) {
            ("", "") => UNNAMED.into(),
            ("", name) => name.into(),
            (own, _) => format_compact!("{field_prefix}{own}"),
        };
        fields.insert(name, value);
    }

    fn add_members(&self, name: &str, members: &Map<String, Json>, fields: &mut Fields) {
        let Selection { field_prefix, field_separator, .. } = self.selection;
        for (key, value) in members {
            let inner = match name {
                "" => format!("{field_prefix}{key}"),
                name => format!("{name}{field_separator}{key}"),
            };
            self.add(&inner, value, fields);
        }
    }

    /// Puts the values of key properties into the names that refer to them.
    fn fill_placeholders(&self, mbean: &str, fields: Fields) -> Fields {
        let placeholders = &self.selection.placeholders;
        if placeholders.is_empty() || !fields.keys().any(|name| name.contains('$')) {
            return fields;
        }
        let mut filled: Vec<_> = Vec::with_capacity(placeholders.len());
        for placeholder in placeholders {
            let of_bean = properties(mbean).filter(|(key, _)| *key == placeholder.key).last();
            filled.push((placeholder.symbol.as_str(), of_bean.map_or("", |(_, value)| value)));
        }
        let fill = |mut name: CompactString| {
            for (symbol, value) in &filled {
                if name.contains(symbol) {
                    name = name.replace(symbol, value).into();
                }
            }
            name
        };
        fields.into_iter().map(|(name, value)| (fill(name), value)).collect()
    }
}

#[cfg(test)]
mod tests;
