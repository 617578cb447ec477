//! What becomes of arrays and objects.
//!
//! The order of steps is that of the original, since it shows: what an object holds behind an array
//! is combined with each element, while an object in an object takes the place of what came before.

use std::collections::HashMap;

use compact_str::CompactString;

use super::config::{FieldType, ObjectRules, PathRule, Role};
use super::convert::{convert, text};
use super::metrics::{Drafts, Place};
use super::{Document, JsonV2Error, read_time};
use crate::metric::Value;
use crate::plugin::json_path::{Child, Children, Found, Kind};

/// A part of the document on its way into a metric.
#[derive(Clone)]
pub(super) struct Node<'n> {
    /// Where it is in the object that all began with.
    pub(super) parent_index: i64,
    /// The key of the field or tag that it becomes.
    pub(super) output: CompactString,
    /// Its key in the document, with those above it.
    pub(super) name: CompactString,
    pub(super) role: Role,
    pub(super) field_type: FieldType,
    /// The part by path that it belongs to.
    pub(super) included: Option<usize>,
    /// The metric that it goes into.
    pub(super) draft: Place,
    pub(super) raw: &'n str,
    /// Where it is in what it was found in.
    pub(super) index: i64,
    /// Where its elements are, if it was put together of them.
    pub(super) indexes: Option<&'n [usize]>,
}

/// The rules of one expansion.
pub(super) struct Expansion<'e> {
    pub(super) document: &'e Document<'e>,
    /// None for values that are picked by paths of their own.
    pub(super) object: Option<&'e ObjectRules>,
    /// What was found of the object's parts by path.
    pub(super) parts: &'e [(&'e PathRule, Role, Found<'e>)],
    /// Which of the parts is, or has an element, at a place; the first of several counts.
    pub(super) places: HashMap<i64, usize>,
}

/// The places of parts and of their elements.
pub(super) fn places(parts: &[(&PathRule, Role, Found<'_>)]) -> HashMap<i64, usize> {
    let mut places = HashMap::new();
    for (at, (_, _, found)) in parts.iter().enumerate() {
        places.entry(found.index as i64).or_insert(at);
        for index in found.indexes.iter().flatten() {
            places.entry(*index as i64).or_insert(at);
        }
    }
    places
}

impl<'n> Node<'n> {
    /// The children, each with its place.
    fn children(&self) -> impl Iterator<Item = (Child<'n>, i64)> + use<'n> {
        let (index, indexes) = (self.index, self.indexes);
        Children::of(self.raw).enumerate().map(move |(at, child)| {
            let place = match indexes {
                Some(indexes) => indexes.get(at).map_or(0, |index| *index as i64),
                None => child.at as i64 + index,
            };
            (child, place)
        })
    }

    /// An element of this array, for a metric of its own.
    fn element(&self, child: Child<'n>, place: i64, draft: Place) -> Node<'n> {
        let index = place - self.index;
        Node {
            draft,
            raw: child.raw,
            index,
            parent_index: index + self.parent_index,
            indexes: None,
            ..self.clone()
        }
    }
}

impl Expansion<'_> {
    /// Makes metrics of a value: of an array as many as it has elements.
    pub(super) fn expand(
        &self,
        node: Node<'_>,
        drafts: &mut Drafts,
    ) -> Result<Vec<Place>, JsonV2Error> {
        match Kind::of(node.raw) {
            Kind::Array | Kind::Object if node.field_type == FieldType::Text => {
                set(&node, node.output.clone(), node.raw.into(), drafts);
                Ok(vec![node.draft])
            }
            Kind::Object if self.object.is_none() => {
                self.document.log.debug(
                    "Found object in query ignoring it please use 'object' to gather metrics \
                     from objects",
                );
                Ok(Vec::new())
            }
            Kind::Object => Ok(self.combine(&node, drafts)?.places),
            Kind::Array => Ok(self.elements(node, drafts)),
            _ => self.single(node, drafts),
        }
    }

    fn elements(&self, mut node: Node<'_>, drafts: &mut Drafts) -> Vec<Place> {
        if node.included.is_none() && self.has_parts() {
            node.included = self.part_at(node.index);
        }
        let mut places = Vec::new();
        for (child, place) in node.children() {
            let draft = drafts.add(self.document.time);
            let is_object = Kind::of(child.raw) == Kind::Object;
            let element = node.element(child, place, draft);
            let made = if is_object {
                self.combine(&element, drafts).map(|combined| combined.places)
            } else {
                drafts.merge(node.draft, draft);
                self.expand(element, drafts)
            };
            match made {
                Ok(made) => {
                    if is_object {
                        made.iter().for_each(|place| drafts.merge(node.draft, *place));
                    }
                    places.extend(made);
                }
                Err(error) => {
                    self.document.log.error(error);
                    break;
                }
            }
        }
        places
    }

    fn single(&self, mut node: Node<'_>, drafts: &mut Drafts) -> Result<Vec<Place>, JsonV2Error> {
        if let Some(object) = self.object
            && !object.options.timestamp_key.is_empty()
            && object.options.timestamp_key == node.name
        {
            let time = read_time(&text(node.raw), &object.time, self.document.now)
                .ok_or(JsonV2Error::NoTimeFormat("timestamp_key"))??;
            drafts.set_time(node.draft, time);
            return Ok(vec![node.draft]);
        }
        if Kind::of(node.raw) == Kind::Null {
            return Ok(vec![node.draft]);
        }
        let mut output = node.output.clone();
        if self.has_parts() {
            let part = node.included.or_else(|| self.part_at(node.parent_index));
            let Some((rule, role, _)) = part.and_then(|part| self.parts.get(part)) else {
                return Ok(Vec::new());
            };
            match role {
                Role::Tag => node.role = Role::Tag,
                Role::Field => node.field_type = rule.field_type,
            }
            if !rule.rename.is_empty() {
                output = rule.rename.clone();
            }
        }
        if node.role == Role::Tag {
            node.field_type = FieldType::Text;
        }
        if let Some(value) = convert(node.raw, node.field_type, &node.name)? {
            set(&node, output, value, drafts);
        }
        Ok(vec![node.draft])
    }

    /// Puts all that an object holds into one metric; of arrays in it come as many as they have
    /// elements.
    fn combine(&self, node: &Node<'_>, drafts: &mut Drafts) -> Result<Combined, JsonV2Error> {
        let mut combined = Combined { places: Vec::new(), rounds: 0 };
        for (child, place) in node.children() {
            let key = child.name().unwrap_or_default().replace(' ', "_");
            let name = match node.name.as_str() {
                "" => CompactString::from(&key),
                outer => compact_str::format_compact!("{outer}_{key}"),
            };
            if !self.takes(&name, child.raw) {
                continue;
            }
            let mut inner = Node {
                parent_index: node.parent_index + place,
                output: self.output(&name, &key),
                role: self.role(&name),
                field_type: self.field_type(&name).unwrap_or(node.field_type),
                name,
                raw: child.raw,
                index: place,
                indexes: None,
                included: node.included,
                draft: node.draft,
            };
            if Kind::of(child.raw) == Kind::Object {
                combined = self.combine(&inner, drafts).inspect_err(|error| {
                    self.document.log.error(error);
                })?;
                continue;
            }
            combined.keep_first_values(&inner, drafts);
            inner.index -= node.index;
            inner.parent_index -= node.index;
            match self.expand(inner, drafts) {
                Ok(made) => combined.take(&made, drafts),
                Err(error) => {
                    self.document.log.error(error);
                    break;
                }
            }
        }
        Ok(combined)
    }

    fn has_parts(&self) -> bool {
        self.object.is_some_and(|object| !object.parts.is_empty())
    }

    /// The part by path that is, or has an element, at this place.
    fn part_at(&self, index: i64) -> Option<usize> {
        self.places.get(&index).copied()
    }

    /// Whether a key is among those that are asked for.
    fn takes(&self, name: &str, raw: &str) -> bool {
        let Some(object) = self.object else { return true };
        let options = &object.options;
        if options.excluded_keys.iter().any(|key| key == name) {
            return false;
        }
        let holds_more = matches!(Kind::of(raw), Kind::Array | Kind::Object);
        options.included_keys.is_empty()
            || options
                .included_keys
                .iter()
                .any(|key| key == name || holds_more && key.starts_with(name))
    }

    fn output(&self, name: &CompactString, key: &str) -> CompactString {
        let Some(object) = self.object else { return name.clone() };
        match object.options.renames.get(name.as_str()) {
            Some(rename) => rename.into(),
            None if object.options.disable_prepend_keys => key.into(),
            None => name.clone(),
        }
    }

    fn role(&self, name: &str) -> Role {
        let is_tag = self.object.is_some_and(|o| o.options.tags.iter().any(|tag| tag == name));
        if is_tag { Role::Tag } else { Role::Field }
    }

    fn field_type(&self, name: &str) -> Option<FieldType> {
        let name = self.object?.options.fields.get(name)?;
        Some(FieldType::named(name))
    }
}

/// What has been made of an object so far.
struct Combined {
    places: Vec<Place>,
    /// How many keys went into it.
    rounds: usize,
}

impl Combined {
    fn take(&mut self, made: &[Place], drafts: &mut Drafts) {
        self.places = drafts.product(made, std::mem::take(&mut self.places));
        self.rounds += 1;
    }

    /// Puts aside what there is where a key is about to come twice: from the third on the first
    /// value counts.
    fn keep_first_values(&mut self, next: &Node<'_>, drafts: &mut Drafts) {
        if self.rounds >= 2
            && self.places == [next.draft]
            && drafts.has_key(next.draft, &next.output)
        {
            self.places = vec![drafts.copy(next.draft)];
        }
    }
}

fn set(node: &Node<'_>, key: CompactString, value: Value, drafts: &mut Drafts) {
    match (node.role, value) {
        (Role::Tag, Value::String(text)) => drafts.set_tag(node.draft, key, text),
        (_, value) => drafts.set_field(node.draft, key, value),
    }
}
