//! Parses JSON, parts of which are picked by paths.
//!
//! # References
//! Telegraf's `json_v2` parser.

mod config;
mod convert;
mod expand;
mod metrics;

use std::collections::HashMap;
use std::sync::Arc;

use compact_str::CompactString;
use serde::de::IgnoredAny;

use crate::metric::{Metric, Timestamp};
use crate::plugin::json_path::{Found, Kind};
use crate::plugin::{Declaration, Parser, PluginError, PluginLog, Quoted, TimeError, WrittenTime};
use crate::system::Clock;

pub use config::{Config, Object, Section, Single};
use config::{FieldType, ObjectRules, PathRule, Role, Rules, TimeRule};
pub use convert::ConvertError;
use expand::{Expansion, Node};
use metrics::{Drafts, Place};

/// The parser as the table lists it.
pub static PLUGIN: Declaration<dyn Parser> =
    Declaration::new::<Config>("json_v2", include_str!("sample.conf"));

/// How deep objects and arrays may be nested.
const DEPTH_LIMIT: usize = 512;

/// Why a document gave no metrics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonV2Error {
    /// It is no JSON.
    #[error("invalid JSON provided, unable to parse: {0}")]
    Syntax(String),
    /// It is nested too deep.
    #[error("objects and arrays are nested more than {DEPTH_LIMIT} deep")]
    Depth,
    /// There is nothing at a path that is not optional.
    #[error("the path {} doesn't exist", Quoted::new(.0))]
    Missing(String),
    /// There is nothing at the path of the time.
    #[error("the timestamp path {} returned NULL", Quoted::new(.0))]
    NoTime(String),
    /// A time is asked for and nothing says how it is written.
    #[error("use of '{0}' requires 'timestamp_format'")]
    NoTimeFormat(&'static str),
    /// What is at the path of the time is none.
    #[error("unable to parse timestamp {}: {source}", Quoted::new(text))]
    Time {
        /// What is there.
        text: String,
        /// Why it is no time.
        source: TimeError,
    },
    /// The value of the key of the time is none.
    #[error(transparent)]
    KeyTime(#[from] TimeError),
    /// A value is not of the type that is asked for.
    #[error(transparent)]
    Convert(#[from] ConvertError),
}

/// A parser of JSON.
struct JsonV2 {
    sections: Vec<Rules>,
    clock: Arc<dyn Clock>,
    log: PluginLog,
}

impl Parser for JsonV2 {
    fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError> {
        let text = String::from_utf8_lossy(input);
        let text = text.trim_start_matches('\u{feff}');
        if serde_json::from_str::<IgnoredAny>(text).is_err() {
            return Err(JsonV2Error::Syntax(text.to_owned()).into());
        }
        if is_too_deep(text) {
            return Err(JsonV2Error::Depth.into());
        }
        let now = self.clock.now();
        let mut metrics = Vec::new();
        for rules in &self.sections {
            let name = match rules.name_path.as_ref().map(|path| path.find(text)) {
                None => rules.name.clone(),
                Some(None) => CompactString::default(),
                Some(Some(found)) => match Kind::of(&found.raw) {
                    Kind::Array | Kind::Object => rules.name.clone(),
                    _ => convert::text(&found.raw),
                },
            };
            let time = time(text, rules, now)?;
            let document = Document { text, name, time, now, log: &self.log };
            metrics.extend(document.metrics(rules)?);
        }
        Ok(metrics)
    }
}

fn is_too_deep(json: &str) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    json.bytes().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEPTH_LIMIT
    })
}

/// The time of all metrics of a section.
fn time(text: &str, rules: &Rules, now: Timestamp) -> Result<Timestamp, JsonV2Error> {
    let Some((path, rule)) = &rules.time else { return Ok(now) };
    let found = path.path.find(text);
    let Some(found) = found.filter(|found| Kind::of(&found.raw) != Kind::Null) else {
        return Err(JsonV2Error::NoTime(path.text.clone()));
    };
    if matches!(Kind::of(&found.raw), Kind::Array | Kind::Object) {
        return Ok(now);
    }
    let text = convert::text(&found.raw);
    match read_time(&text, rule, now) {
        None => Err(JsonV2Error::NoTimeFormat("timestamp_path")),
        Some(time) => time.map_err(|source| JsonV2Error::Time { text: text.into(), source }),
    }
}

/// Reads a time; none if nothing says how it is written.
fn read_time(text: &str, rule: &TimeRule, now: Timestamp) -> Option<Result<Timestamp, TimeError>> {
    Some(rule.format.as_ref()?.read(WrittenTime::Text(text), &rule.zone, now))
}

/// A document with what holds for all metrics that a section makes of it.
struct Document<'d> {
    text: &'d str,
    name: CompactString,
    time: Timestamp,
    now: Timestamp,
    log: &'d PluginLog,
}

impl Document<'_> {
    fn metrics(&self, rules: &Rules) -> Result<Vec<Metric>, JsonV2Error> {
        let mut drafts = Drafts::new(self.name.clone());
        let fields = self.singles(&rules.fields, Role::Field, &mut drafts)?;
        let tags = self.singles(&rules.tags, Role::Tag, &mut drafts)?;
        let mut objects = Vec::new();
        for object in &rules.objects {
            objects.extend(self.object(object, &mut drafts)?);
        }
        let mut places = drafts.product(&tags, fields);
        if objects.is_empty() || places.is_empty() {
            places.extend(objects);
        } else {
            places = drafts.product(&objects, places);
        }
        Ok(drafts.into_metrics(&places))
    }

    fn missing(&self, rule: &PathRule) -> Result<(), JsonV2Error> {
        self.log.debug(format_args!("the path {:?} doesn't exist", rule.text));
        if rule.optional { Ok(()) } else { Err(JsonV2Error::Missing(rule.text.clone())) }
    }

    /// Makes metrics of values by their paths: all combinations, where there are lists.
    fn singles(
        &self,
        rules: &[PathRule],
        role: Role,
        drafts: &mut Drafts,
    ) -> Result<Vec<Place>, JsonV2Error> {
        let mut places: Option<Vec<Place>> = None;
        for rule in rules {
            let Some(found) = rule.path.find(self.text) else {
                self.missing(rule)?;
                continue;
            };
            if Kind::of(&found.raw) == Kind::Object && rule.field_type != FieldType::Text {
                self.log.debug(format_args!(
                    "Found object in the path {:?}, ignoring it please use 'object' to gather \
                     metrics from objects",
                    rule.text
                ));
                continue;
            }
            let name = match rule.rename.as_str() {
                "" => rule.text.rsplit('.').next().unwrap_or_default(),
                rename => rename,
            };
            let name = CompactString::from(name.replace(' ', "_"));
            let node = Node {
                parent_index: found.index as i64,
                output: name.clone(),
                name,
                role,
                field_type: rule.field_type,
                included: None,
                draft: drafts.add(self.time),
                index: found.index as i64,
                indexes: found.indexes.as_deref(),
                raw: &found.raw,
            };
            let expansion =
                Expansion { document: self, object: None, parts: &[], places: HashMap::new() };
            let new = expansion.expand(node, drafts)?;
            places = Some(match places {
                None => new,
                Some(places) => drafts.product(&places, new),
            });
        }
        Ok(places.unwrap_or_default())
    }

    /// Makes metrics of an object, or of a list of them.
    fn object(&self, rules: &ObjectRules, drafts: &mut Drafts) -> Result<Vec<Place>, JsonV2Error> {
        let Some(found) = rules.path.path.find(self.text) else {
            self.missing(&rules.path)?;
            return Ok(Vec::new());
        };
        let mut parts: Vec<(&PathRule, Role, Found<'_>)> = Vec::new();
        for (rule, role) in &rules.parts {
            match rule.path.find(&found.raw) {
                Some(part) => parts.push((rule, *role, part)),
                None => self.missing(rule)?,
            }
        }
        let node = Node {
            parent_index: 0,
            output: CompactString::default(),
            name: CompactString::default(),
            role: Role::Field,
            field_type: FieldType::Own,
            included: None,
            draft: drafts.add(self.time),
            index: found.index as i64,
            indexes: found.indexes.as_deref(),
            raw: &found.raw,
        };
        let places = expand::places(&parts);
        Expansion { document: self, object: Some(rules), parts: &parts, places }
            .expand(node, drafts)
    }
}

#[cfg(test)]
mod tests;
