//! Objects of JSON as rows: Telegraf's own shape, and any other, taken apart.
//!
//! # References
//! Telegraf's `json` serializer; the Elastic Common Schema for `@timestamp`, `event.dataset` and
//! what Metricbeat writes.

use super::Unfit;
use super::cell::push_text;
use super::row::Row;
use super::tables::Tables;
use super::time::by_size;
use crate::metric::Timestamp;
use crate::plugin::json_path::{Children, Kind, unescaped};

/// How deep objects are taken apart; what lies deeper stays the text that it is.
const MOST_DEPTH: usize = 32;

/// The keys of Telegraf's shape; it has no others.
const SHAPE: [&str; 4] = ["fields", "name", "tags", "timestamp"];

/// Says what is wrong with a text that should be JSON.
pub(super) fn check(text: &str) -> Result<(), Unfit> {
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map(drop)
        .map_err(|error| Unfit::Json(error.to_string()))
}

/// What a value is that is JSON, but no object; none if it is not JSON at all.
pub(super) fn kind(value: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(value).ok()?;
    check(text).ok()?;
    match Kind::of(text) {
        Kind::Array => Some("an array"),
        Kind::Text => Some("a text"),
        Kind::Number => Some("a number"),
        Kind::True | Kind::False | Kind::Null => Some("a constant"),
        Kind::Object => None,
    }
}

/// The objects in a text, each of which makes a row.
pub(super) enum Objects<'j> {
    /// The only one.
    One(Option<Object<'j>>),
    /// Those that Telegraf has written as a batch.
    Batch(Children<'j>),
}

/// An object that makes a row.
pub(super) enum Object<'j> {
    /// One of Telegraf's shape.
    Metric(Shape<'j>),
    /// Any other.
    Other(&'j str),
}

/// The parts of an object of Telegraf's shape.
#[derive(Default)]
pub(super) struct Shape<'j> {
    fields: &'j str,
    name: &'j str,
    tags: &'j str,
    timestamp: &'j str,
}

impl<'j> Objects<'j> {
    /// Takes a text that is known to be JSON.
    pub(super) fn of(text: &'j str) -> Objects<'j> {
        let mut members = Children::of(text);
        if let (Some(only), None) = (members.next(), members.next()) {
            let is_batch = only.name().as_deref() == Some("metrics")
                && Kind::of(only.raw) == Kind::Array
                && Children::of(only.raw).all(|element| Shape::of(element.raw).is_some());
            if is_batch {
                return Objects::Batch(Children::of(only.raw));
            }
        }
        Objects::One(Some(Shape::of(text).map_or(Object::Other(text), Object::Metric)))
    }
}

impl<'j> Iterator for Objects<'j> {
    type Item = Object<'j>;

    fn next(&mut self) -> Option<Object<'j>> {
        match self {
            Objects::One(object) => object.take(),
            Objects::Batch(elements) => Shape::of(elements.next()?.raw).map(Object::Metric),
        }
    }
}

impl<'j> Shape<'j> {
    fn of(text: &'j str) -> Option<Shape<'j>> {
        let mut shape = Shape::default();
        for member in Children::of(text) {
            let name = member.name()?;
            let (part, kinds): (_, &[Kind]) = match SHAPE.iter().position(|key| *key == name)? {
                0 => (&mut shape.fields, &[Kind::Object]),
                1 => (&mut shape.name, &[Kind::Text]),
                2 => (&mut shape.tags, &[Kind::Object, Kind::Null]),
                _ => (&mut shape.timestamp, &[Kind::Number, Kind::Text]),
            };
            if !kinds.contains(&Kind::of(member.raw)) {
                return None;
            }
            *part = member.raw;
        }
        let is_whole = !shape.fields.is_empty() && !shape.name.is_empty();
        is_whole.then_some(shape)
    }
}

impl Object<'_> {
    /// Reads the object into a row, and returns its time, if it has one.
    pub(super) fn read(
        &self,
        topic: &str,
        tables: &mut Tables,
        row: &mut Row,
        path: &mut String,
    ) -> Result<Option<Timestamp>, Unfit> {
        path.clear();
        match self {
            Object::Metric(shape) => {
                row.begin(tables, &unescaped(shape.name));
                for tag in Children::of(shape.tags) {
                    let key = tag.name().unwrap_or_default();
                    if let Some(write) = scalar(tag.raw) {
                        row.tag(tables, &key, write);
                    }
                }
                flatten(shape.fields, tables, row, path, 0);
                time(shape.timestamp)
            }
            Object::Other(text) => {
                row.begin(tables, &measurement(text, topic));
                let mut at = "";
                for member in Children::of(text) {
                    if member.name().as_deref() == Some("@timestamp") {
                        at = member.raw;
                    }
                }
                flatten(text, tables, row, path, 0);
                time(at)
            }
        }
    }
}

/// What Metricbeat calls its kind of event, or else the topic.
fn measurement<'j>(object: &'j str, topic: &'j str) -> std::borrow::Cow<'j, str> {
    for (outer, inner, both) in
        [("event", "dataset", "event.dataset"), ("metricset", "name", "metricset.name")]
    {
        let found = Children::of(object).find_map(|member| match member.name()?.as_ref() {
            name if name == outer => {
                Children::of(member.raw).find(|member| member.name().as_deref() == Some(inner))
            }
            name if name == both => Some(member),
            _ => None,
        });
        if let Some(name) = found.filter(|name| Kind::of(name.raw) == Kind::Text) {
            return unescaped(name.raw);
        }
    }
    topic.into()
}

/// Takes the members of an object as fields, those of objects in it with a dot before their keys.
fn flatten(object: &str, tables: &mut Tables, row: &mut Row, path: &mut String, depth: usize) {
    for member in Children::of(object) {
        let Some(name) = member.name() else { continue };
        if depth == 0 && name == "@timestamp" {
            continue;
        }
        let length = path.len();
        if depth > 0 {
            path.push('.');
        }
        path.push_str(&name);
        if Kind::of(member.raw) == Kind::Object && depth + 1 < MOST_DEPTH {
            flatten(member.raw, tables, row, path, depth + 1);
        } else if let Some(write) = scalar(member.raw) {
            row.field(tables, path, write);
        }
        path.truncate(length);
    }
}

/// What writes a value as a cell; none for `null`. Arrays stay the text that they are.
fn scalar(raw: &str) -> Option<impl FnOnce(&mut Vec<u8>)> {
    let kind = Kind::of(raw);
    (kind != Kind::Null).then_some(move |out: &mut Vec<u8>| match kind {
        Kind::Text => push_text(out, &unescaped(raw)),
        _ => push_text(out, raw),
    })
}

/// The time that a text or number stands for; none for no value.
fn time(raw: &str) -> Result<Option<Timestamp>, Unfit> {
    let wrong = || Unfit::Time(raw.to_owned());
    let time = match Kind::of(raw) {
        Kind::Null => return Ok(None),
        Kind::Number => match raw.parse() {
            Ok(number) => by_size(number),
            Err(_) => {
                let number: f64 = raw.parse().map_err(|_| wrong())?;
                // Of a number with a fraction only seconds make sense.
                let nanos = (number * 1e9).round();
                if nanos.abs() >= i64::MAX as f64 {
                    return Err(wrong());
                }
                Timestamp::from_nanos(nanos as i64)
            }
        },
        Kind::Text => {
            let time: jiff::Timestamp = unescaped(raw).parse().map_err(|_| wrong())?;
            let nanos = i64::try_from(time.as_nanosecond()).map_err(|_| wrong())?;
            Timestamp::from_nanos(nanos)
        }
        _ => return Err(wrong()),
    };
    Ok(Some(time))
}
