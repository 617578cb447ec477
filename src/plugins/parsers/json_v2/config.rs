//! The options, and what they are made into.

use std::collections::BTreeMap;

use compact_str::CompactString;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::JsonV2;
use crate::plugin::json_path::JsonPath;
use crate::plugin::{Build, BuildError, Context, Parser, TimeFormat, time_zone};

/// The options beside `data_format = "json_v2"`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// What to make of a document.
    pub json_v2: Vec<Section>,
}

/// One set of metrics to make of a document.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Section {
    /// The measurement; empty for the name of the input.
    pub measurement_name: String,
    /// The path to the measurement; empty for none.
    pub measurement_name_path: String,
    /// The path to the time; empty for none.
    pub timestamp_path: String,
    /// How that time is written.
    pub timestamp_format: String,
    /// The time zone of times that name none; empty for UTC.
    pub timestamp_timezone: String,
    /// Values that become fields.
    pub field: Vec<Single>,
    /// Values that become tags.
    pub tag: Vec<Single>,
    /// Objects whose keys become fields and tags.
    pub object: Vec<Object>,
}

/// A value by its path.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Single {
    /// The path.
    pub path: String,
    /// The type of the field; empty for that of the value.
    pub r#type: String,
    /// The key; empty for the last part of the path.
    pub rename: String,
    /// Whether there may be nothing at the path.
    pub optional: bool,
}

/// An object by its path.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Object {
    /// The path.
    pub path: String,
    /// Whether there may be nothing at the path.
    pub optional: bool,
    /// The key of the time; empty for none.
    pub timestamp_key: String,
    /// How that time is written.
    pub timestamp_format: String,
    /// The time zone of times that name none; empty for UTC.
    pub timestamp_timezone: String,
    /// Other names for keys.
    pub renames: BTreeMap<String, String>,
    /// Types of fields.
    pub fields: BTreeMap<String, String>,
    /// Keys that become tags.
    pub tags: Vec<String>,
    /// The keys that are taken; empty for all.
    pub included_keys: Vec<String>,
    /// The keys that are not.
    pub excluded_keys: Vec<String>,
    /// Whether keys of objects in objects stand for themselves.
    pub disable_prepend_keys: bool,
    /// Parts that become fields.
    pub field: Vec<Single>,
    /// Parts that become tags.
    pub tag: Vec<Single>,
}

/// What a value is converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum FieldType {
    /// What it is by itself.
    #[default]
    Own,
    Integer,
    Unsigned,
    Float,
    Boolean,
    Text,
}

/// A [`Section`] ready for use.
pub(super) struct Rules {
    pub(super) name: CompactString,
    pub(super) name_path: Option<JsonPath>,
    pub(super) time: Option<(PathRule, TimeRule)>,
    pub(super) fields: Vec<PathRule>,
    pub(super) tags: Vec<PathRule>,
    pub(super) objects: Vec<ObjectRules>,
}

/// How a time is read.
pub(super) struct TimeRule {
    pub(super) format: Option<TimeFormat>,
    pub(super) zone: TimeZone,
}

/// A [`Single`] ready for use.
pub(super) struct PathRule {
    pub(super) text: String,
    pub(super) path: JsonPath,
    pub(super) field_type: FieldType,
    pub(super) rename: CompactString,
    pub(super) optional: bool,
}

/// An [`Object`] ready for use.
pub(super) struct ObjectRules {
    pub(super) path: PathRule,
    pub(super) options: Object,
    pub(super) time: TimeRule,
    /// The parts by path, those that become fields first.
    pub(super) parts: Vec<(PathRule, Role)>,
}

/// What a value becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Field,
    Tag,
}

impl Build<dyn Parser> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Parser>, BuildError> {
        if self.json_v2.is_empty() {
            return Err(BuildError::invalid(
                "no configuration provided: a table json_v2 says what to make of a document",
            ));
        }
        let name = context.plugin_name();
        let sections: Result<_, String> =
            self.json_v2.into_iter().map(|section| Rules::new(section, name)).collect();
        Ok(Box::new(JsonV2 {
            sections: sections.map_err(BuildError::invalid)?,
            clock: context.system.clock.clone(),
            log: context.log.clone(),
        }))
    }
}

impl Rules {
    fn new(section: Section, plugin: &str) -> Result<Rules, String> {
        let rules = |singles: Vec<Single>| -> Result<Vec<_>, String> {
            singles.into_iter().map(PathRule::new).collect()
        };
        let path = |path: String| PathRule::new(Single { path, ..Single::default() });
        Ok(Rules {
            name: match section.measurement_name.as_str() {
                "" => plugin.into(),
                name => name.into(),
            },
            name_path: match section.measurement_name_path {
                empty if empty.is_empty() => None,
                text => Some(path(text)?.path),
            },
            time: match section.timestamp_path {
                empty if empty.is_empty() => None,
                text => Some((
                    path(text)?,
                    TimeRule::new(&section.timestamp_format, &section.timestamp_timezone)?,
                )),
            },
            fields: rules(section.field)?,
            tags: rules(section.tag)?,
            objects: section.object.into_iter().map(ObjectRules::new).collect::<Result<_, _>>()?,
        })
    }
}

impl TimeRule {
    fn new(format: &str, zone: &str) -> Result<TimeRule, String> {
        Ok(TimeRule {
            format: (!format.is_empty()).then(|| TimeFormat::new(format)),
            zone: time_zone(zone).map_err(|error| format!("invalid timezone: {error}"))?,
        })
    }
}

impl PathRule {
    fn new(single: Single) -> Result<PathRule, String> {
        if single.path.is_empty() {
            return Err("the GJSON path is required".into());
        }
        Ok(PathRule {
            path: JsonPath::new(&single.path)
                .map_err(|error| format!("json_v2: path {:?}: {error}", single.path))?,
            field_type: FieldType::named(&single.r#type),
            rename: single.rename.into(),
            optional: single.optional,
            text: single.path,
        })
    }
}

impl ObjectRules {
    fn new(mut options: Object) -> Result<ObjectRules, String> {
        let path =
            Single { path: options.path.clone(), optional: options.optional, ..Single::default() };
        let mut parts = Vec::new();
        for (singles, role) in [
            (std::mem::take(&mut options.field), Role::Field),
            (std::mem::take(&mut options.tag), Role::Tag),
        ] {
            for single in singles {
                parts.push((PathRule::new(single)?, role));
            }
        }
        // Tags need not be named again.
        if !options.included_keys.is_empty() {
            options.included_keys.extend(options.tags.iter().cloned());
        }
        Ok(ObjectRules {
            path: PathRule::new(path)?,
            time: TimeRule::new(&options.timestamp_format, &options.timestamp_timezone)?,
            parts,
            options,
        })
    }
}

impl FieldType {
    pub(super) fn named(name: &str) -> FieldType {
        match name {
            "int" => FieldType::Integer,
            "uint" => FieldType::Unsigned,
            "float" => FieldType::Float,
            "bool" => FieldType::Boolean,
            "string" => FieldType::Text,
            _ => FieldType::Own,
        }
    }
}
